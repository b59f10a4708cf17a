//! What asks a service without the command line, for tests that look at more than it prints.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use flowbind::auth::{Credential, Token};
use flowbind::graph::{Graph, GraphUrl};
use flowbind::http::retry::Policy;
use flowbind::http::{Client, Connections, Rate, Settings};
use flowbind::model::Api;
use tokio::sync::watch;
use tokio::time::Instant;

/// Four requests at once, as fast as they go, until so long from now.
pub fn settings(stop: &watch::Receiver<bool>, time: Duration) -> Settings {
    Settings {
        parallelism: NonZeroU32::new(4).unwrap(),
        rate: Rate { requests: NonZeroU32::new(100_000).unwrap(), per: Duration::from_secs(1) },
        deadline: Instant::now() + time,
        retry: Policy::default(),
        stop: stop.clone(),
        meter: Arc::default(),
    }
}

/// A tenant at a Graph URL, with a token of its own.
pub fn graph(url: &str, settings: Settings, connections: &Arc<Connections>) -> Graph {
    let url = GraphUrl::parse(url, Api::Beta).unwrap();
    let http = Client::new(settings, Arc::clone(connections));
    let credential = Credential::from_token(Token::new("t", None).unwrap());
    Graph::new(http, url.clone(), url, Arc::new(credential))
}
