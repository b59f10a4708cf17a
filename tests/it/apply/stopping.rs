//! Stopped and killed runs: the report matches the tenant, and a rerun sends only missing PUTs.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flowbind::sandbox::{Effect, Fault, Options};
use flowbind::saved::{self, Saved};
use serde_json::Value;

use crate::support::{
    Running, SandboxServer, Start as _, exit_code, file, flowbind, folder, serve, signal, tenant, wait_until,
    yaml_binding_connector_1,
};

const FLOWS: [&str; 6] = ["B2C_1_a", "B2C_1_b", "B2C_1_c", "B2C_1_d", "B2C_1_e", "B2C_1_f"];

/// Starts a slow tenant, for six sequential changes.
fn slow_tenant() -> SandboxServer {
    tenant_with_latency(Duration::from_millis(120))
}

fn tenant_with_latency(latency: Duration) -> SandboxServer {
    serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options { latency, ..Options::default() })
}

fn start(served: &SandboxServer, folder: &Path) -> Running {
    run(served, folder, &["apply", "--yes", "--parallelism", "1", "--out", "report.json"])
}

/// Starts a run with a change in every flow.
fn run(served: &SandboxServer, folder: &Path, args: &[&str]) -> Running {
    file(folder, "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
    flowbind(args)
        .connect_to(&served.graph_url())
        .within(folder)
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .start()
}

/// Sends a signal after so many PUTs have arrived.
fn signal_after(served: &SandboxServer, puts: usize, child: &Child, name: &str) {
    wait_until("the PUTs arrive", || served.puts() >= puts);
    signal(child, name);
}

/// Returns the flows that have the desired connector.
fn bound(served: &SandboxServer) -> Vec<String> {
    let flows = served.actual_state().flows.into_iter();
    let is_bound = |flow: &flowbind::snapshot::Flow| flow.bindings.values().any(Option::is_some);
    flows.filter(is_bound).map(|flow| flow.id).collect()
}

#[test]
fn signal_between_puts_finishes_and_reports_those_in_flight() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 143), ("QUIT", 143)] {
        let (served, folder) = (slow_tenant(), folder());
        let mut child = start(&served, folder.path());
        signal_after(&served, 2, &child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let ended = |outcome: &str| flows_with(folder.path(), outcome);
        assert_eq!(ended("applied"), bound(&served));
        assert_eq!(ended("applied").len() + ended("not-attempted").len(), FLOWS.len());
        assert_eq!(ended("applied").len(), served.puts());
        assert!(served.puts() < FLOWS.len());
    }
}

/// Returns the flows whose change has this outcome in the report.
fn flows_with(folder: &Path, outcome: &str) -> Vec<String> {
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).unwrap()).unwrap();
    let changes = report["targets"][0]["changes"].as_array().unwrap().iter();
    let changes = changes.filter(|change| change["outcome"] == outcome);
    changes.map(|change| change["flow"].as_str().unwrap().to_owned()).collect()
}

/// Starts a tenant in which every request hangs after `skip` others.
fn hanging_tenant(skip: u32) -> SandboxServer {
    let hang = Fault { method: None, path_contains: String::new(), skip, times: None, effect: Effect::Hang };
    serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options { faults: vec![hang], ..Options::default() })
}

/// Number of requests before the first PUT: the connectors, and a batch, with one for each flow in it.
const READS: u32 = 8;

/// Neither the PUT nor its read-back is answered.
#[test]
fn signal_during_a_hung_put_ends_the_run_with_a_report() {
    let (served, folder) = (hanging_tenant(READS), folder());
    let mut child = start(&served, folder.path());
    signal_after(&served, 1, &child, "TERM");
    assert_eq!(exit_code(&mut child), Some(143));
    assert_eq!(flows_with(folder.path(), "unverified"), ["B2C_1_a"]);
    assert_eq!(flows_with(folder.path(), "not-attempted"), FLOWS[1..]);
    assert_eq!(served.puts(), 1);
    assert!(served.request_count() > READS as usize + 1, "{:?}", served.requests());
}

/// The exit code is that of the first signal. A run that ends at once reads nothing back.
#[test]
fn second_signal_ends_the_run_at_once_with_a_report() {
    for (first, second, code) in [("TERM", "INT", 143), ("INT", "TERM", 130), ("HUP", "HUP", 143)] {
        let (served, folder) = (hanging_tenant(READS), folder());
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
        let mut child = flowbind(["apply", "--yes", "--parallelism", "1", "--out", "report.json"])
            .connect_to(&served.graph_url())
            .within(folder.path())
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .start();
        signal_after(&served, 1, &child, first);
        // The run reports the first signal as soon as it is handled.
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(stderr.next().unwrap().unwrap().starts_with(" WARN stopping after the changes in flight"));
        signal(&child, second);
        assert_eq!(exit_code(&mut child), Some(code));
        assert_eq!(flows_with(folder.path(), "unverified"), ["B2C_1_a"]);
        assert_eq!(served.request_count(), READS as usize + 1, "{:?}", served.requests());
    }
}

/// Commands that change nothing end at once.
#[test]
fn signal_during_reads_ends_other_commands_with_its_code() {
    let export = ["export", "--tenant", "contoso.onmicrosoft.com"];
    for args in [&["plan"][..], &["drift", "--strict"], &export] {
        for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 143), ("QUIT", 143)] {
            let (served, folder) = (hanging_tenant(0), folder());
            let mut child = run(&served, folder.path(), args);
            assert!(until_asked(&served, &mut child));
            crate::support::signal(&child, signal);
            assert_eq!(exit_code(&mut child), Some(code), "{args:?} {signal}");
        }
    }
}

/// In a container, the command is process 1, which gets no signal that it does not handle.
#[cfg(target_os = "linux")]
#[test]
fn signal_to_process_1_ends_the_run_with_its_code() {
    let namespace = ["--user", "--map-current-user", "--pid", "--fork", "--kill-child"];
    let tried = Command::new("unshare").args(namespace).arg("true").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return;
    }
    let export = ["export", "--tenant", "contoso.onmicrosoft.com"];
    for args in [&["plan"][..], &["drift"], &["accept"], &["apply", "--yes"], &export] {
        for (signal, code) in [("TERM", 143), ("INT", 130)] {
            let (served, folder) = (hanging_tenant(0), folder());
            file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
            let mut unshare = Command::new("unshare")
                .args(namespace)
                .arg(env!("CARGO_BIN_EXE_flowbind"))
                .args(args)
                .args(["--graph-url", &served.graph_url()])
                .env("FLOWBIND_ACCESS_TOKEN", "t")
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .start();
            assert!(until_asked(&served, &mut unshare), "{args:?}");
            let children = format!("/proc/{0}/task/{0}/children", unshare.id());
            // The kernel may have no list of children.
            let Ok(process_1) = std::fs::read_to_string(children) else { return };
            crate::support::signal_process(process_1.trim().parse().unwrap(), signal);
            assert_eq!(exit_code(&mut unshare), Some(code), "{args:?} {signal}");
        }
    }
}

/// `nohup` starts a process that ignores SIGHUP.
#[cfg(target_os = "linux")]
#[test]
fn hang_up_that_is_ignored_at_the_start_does_not_end_the_run() {
    let (served, folder) = (slow_tenant(), folder());
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
    let args = ["apply", "--yes", "--parallelism", "1", "--graph-url", &served.graph_url()];
    let mut child = Command::new("/bin/sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_flowbind")])
        .args(args)
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .start();
    signal_after(&served, 1, &child, "HUP");
    assert_eq!((exit_code(&mut child), served.puts()), (Some(0), FLOWS.len()));
}

#[test]
fn signal_during_reads_ends_the_run_without_puts() {
    let (served, folder) = (slow_tenant(), folder());
    let mut child = start(&served, folder.path());
    assert!(until_asked(&served, &mut child));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(served.puts(), 0);
    assert!(folder.path().join("report.json").exists());
}

/// The report of a saved plan lists the changes that were not started.
#[test]
fn signal_during_sign_in_for_a_saved_plan_reports_its_changes() {
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options::default());
    let plan = served.plan(&yaml_binding_connector_1(&FLOWS), &["--format", "json"]);
    let Ok(Saved::Plan(mut plan, at)) = saved::read(&plan.stdout) else { panic!("{plan}") };
    plan.tenants[0].targets[0].graph_url = "https://graph.microsoft.com/beta".to_owned();
    let folder = folder();
    file(folder.path(), "plan.json", saved::plan::to_json(&plan, &at));
    let authority = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = flowbind(["apply", "--plan", "plan.json", "--out", "report.json"])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .env("AZURE_AUTHORITY_HOST", &format!("http://{}", authority.local_addr().unwrap()))
        .within(folder.path())
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .start();
    // The authority never answers.
    let (_connection, _) = authority.accept().unwrap();
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
    let changes = report["targets"][0]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), FLOWS.len(), "{report}");
    assert!(changes.iter().all(|change| change["outcome"] == "not-attempted"), "{report}");
    assert_eq!(report["errors"][0]["id"], "interrupted", "{report}");
}

#[test]
fn stopped_plan_leaves_no_files() {
    // Longer than a loaded machine needs to send the signal, so that the plan cannot end before.
    let (served, folder) = (tenant_with_latency(Duration::from_secs(10)), folder());
    let mut child = run(&served, folder.path(), &["plan", "--out", "plan.json", "--out", "plan.md"]);
    until_asked(&served, &mut child);
    signal(&child, "TERM");
    assert_eq!(exit_code(&mut child), Some(143));
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["flowbind.yaml"]);
}

/// Waits for the first request or the end of the run. Returns whether there was a request.
fn until_asked(served: &SandboxServer, child: &mut Child) -> bool {
    wait_until("the run sends a request or ends", || {
        served.request_count() > 0 || child.try_wait().unwrap().is_some()
    });
    served.request_count() > 0
}

/// The files of a fleet are known at once, so the report of a stopped shard can be joined.
#[test]
fn stopped_shard_report_can_be_joined() {
    let (served, folder) = (slow_tenant(), folder());
    let mut stopped = 0;
    for number in ["1", "2"] {
        let (shard, out) = (format!("{number}/2"), format!("{number}.json"));
        let mut child = run(&served, folder.path(), &["apply", "--yes", "--shard", &shard, "--out", &out]);
        if stopped == 0 && until_asked(&served, &mut child) {
            signal(&child, "TERM");
            stopped += 1;
            assert_eq!(child.wait().unwrap().code(), Some(143));
        } else {
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
    }
    let joined = flowbind(["show", "1.json", "2.json"]).within(folder.path()).run();
    assert_eq!((stopped, joined.code, served.puts()), (1, 143, 0), "{joined}");
    assert!(!joined.stderr.contains("different fleets"), "{joined}");
}

#[test]
fn killed_apply_rerun_sends_only_missing_puts() {
    for puts in [1, 3, 6] {
        let (served, folder) = (slow_tenant(), folder());
        let mut child = start(&served, folder.path());
        signal_after(&served, puts, &child, "KILL");
        child.wait().unwrap();
        let (outcome, _) = served.apply(&yaml_binding_connector_1(&FLOWS), &[]);
        assert_eq!(outcome.code, 0, "{outcome}");
        // Every flow is bound, by one PUT of either run.
        assert_eq!((bound(&served).len(), served.puts()), (FLOWS.len(), FLOWS.len()));
    }
}

/// The output is larger than the buffer of a pipe without a reader. A stop must not wait for that write.
#[test]
fn stopped_run_does_not_wait_for_a_slow_reader() {
    let flows: Vec<_> = (0..500).map(|flow| format!("B2C_1_{flow:0>200}")).collect();
    let bound: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 2, 2)).collect();
    let export = ["export", "--tenant", "contoso.onmicrosoft.com"];
    for args in [&["apply", "--yes"][..], &export] {
        let (served, folder) = (serve(tenant(&bound), Options::default()), folder());
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
        let mut child = flowbind(args)
            .args(["-v", "--rate", "100000/1"])
            .connect_to(&served.graph_url())
            .within(folder.path())
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .start();
        wait_until("the tenant is read", || served.request_count() >= flows.len());
        // Nothing but the first byte is read, so the pipe is full when the signal arrives.
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0]).unwrap();
        signal(&child, "TERM");
        assert_eq!((exit_code(&mut child), served.puts()), (Some(143), 0), "{args:?}");
    }
}
