//! Rate limits: each tenant has its own, and the limiter adapts to a limit shared with other apps.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowbind::http::{Connections, Meter, Rate, Settings, never_stopped};
use flowbind::sandbox::{Options, Sandbox, Throttle};

use crate::support::graph_client::{graph, settings};
use crate::support::{answer_get, serve, tenant, wait_until, yaml_binding_connector_1};

#[test]
fn throttled_tenant_does_not_delay_another() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (connections, meter) = (Arc::new(Connections::default()), Arc::new(Meter::default()));
        let stop = never_stopped();
        let pace = Rate { requests: NonZeroU32::new(200).unwrap(), per: Duration::from_secs(60) };
        let tenant = async |faults| {
            let options = Options { faults, ..Options::default() };
            let sandbox = Sandbox::start(tenant(&[("B2C_1_a", 0, 0)]), options, None, None).await.unwrap();
            let ours = settings(&stop, Duration::from_secs(600));
            let settings = Settings { rate: pace, meter: Arc::clone(&meter), ..ours };
            (graph(&format!("{}/beta", sandbox.url()), settings, &connections), sandbox)
        };
        let (throttled, _one) = tenant(vec![answer_get("", 0, 429, &[("Retry-After", "300")], "")]).await;
        let (free, _other) = tenant(Vec::new()).await;
        let asked = async {
            // The first tenant is paused by now.
            while meter.throttled().0 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            free.connectors().await
        };
        tokio::select! {
            _ = throttled.connectors() => panic!("it has to wait"),
            connectors = asked => assert_eq!(connectors.unwrap().len(), 5),
        }
        assert_eq!(meter.throttled().0, 1);
    });
}

/// Simulates another app of the tenant, which sends requests at a constant rate until it is stopped.
fn another_app(address: &str, each: Duration, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(address).unwrap();
        let request =
            "GET /beta/other HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        _ = stream.read_to_end(&mut Vec::new());
        std::thread::sleep(each);
    }
}

/// Another app uses a third of 300 requests in two seconds. The run adapts to the rest.
#[test]
fn limiter_sharing_with_another_app_gets_few_429s() {
    const FLOWS: usize = 600;
    let flows: Vec<_> = (0..FLOWS).map(|flow| format!("B2C_1_{flow}")).collect();
    let bound: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 1, 0)).collect();
    let throttle = Some(Throttle { requests: 300, per: Duration::from_secs(2) });
    let served = serve(tenant(&bound), Options { throttle, ..Options::default() });
    let url = served.graph_url();
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/beta").unwrap();
    let over = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| another_app(address, Duration::from_millis(18), &over));
        // The share of the other app in one window.
        wait_until("the other app uses its share", || served.request_count() >= 100);
        let outcome = served.plan(&yaml_binding_connector_1(&flows), &["--rate", "200/2"]);
        over.store(true, Ordering::Relaxed);
        outcome
    });
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Unchanged: 600 bindings"), "{outcome}");
    let journal = served.journal();
    let ours: Vec<_> = journal.iter().filter(|entry| entry["path"] != "/beta/other").collect();
    let refused = ours.iter().filter(|entry| entry["status"] == 429).count();
    assert!(refused * 20 < ours.len(), "{refused} of {}", ours.len());
}
