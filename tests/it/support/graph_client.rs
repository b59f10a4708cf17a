//! Graph client without the command line, for tests of the library API.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use flowbind::auth::{Credential, Token};
use flowbind::graph::{Graph, GraphUrl};
use flowbind::http::retry::Policy;
use flowbind::http::{Client, Connections, Rate, Settings, Stop};
use flowbind::model::Api;
use tokio::time::Instant;

/// Settings with four concurrent requests, no effective rate limit, and a deadline `time` from now.
pub fn settings(stop: &Stop, time: Duration) -> Settings {
    Settings {
        parallelism: NonZeroU32::new(4).unwrap(),
        rate: Rate { requests: NonZeroU32::new(100_000).unwrap(), per: Duration::from_secs(1) },
        deadline: Instant::now() + time,
        retry: Policy::default(),
        stop: stop.clone(),
        meter: Arc::default(),
    }
}

/// Creates a client for a Graph URL with a static token.
pub fn graph(url: &str, settings: Settings, connections: &Arc<Connections>) -> Graph {
    let url = GraphUrl::parse(url, Api::Beta).unwrap();
    let http = Client::new(settings, Arc::clone(connections));
    let credential = Credential::from_token(Token::new("t", None).unwrap());
    Graph::new(http, url.clone(), url, Arc::new(credential))
}
