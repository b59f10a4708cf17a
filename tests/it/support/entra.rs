//! Fake Microsoft Entra and Graph: token endpoints, OIDC issuers and metadata over HTTPS, tokens that
//! expire, and one sandbox per tenant that accepts only valid tokens of that tenant.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;
use serde_json::{Value, json};

use super::https_server::{HttpsServer, RecordedRequest, Reply};
use super::{Flowbind, Outcome, SandboxServer, serve};

/// Secrets used by the fake services. None of them may occur in the output of flowbind.
pub const SECRETS: [&str; 7] = [
    "client-s3cr3t",
    "p4ssw0rd",
    "federated-t0ken",
    "github-request-t0ken",
    "github-issued-t0ken",
    "pipelines-t0ken",
    "identity-h3ader",
];

/// Application (client) id that tests sign in with.
pub const APP: &str = "aaaaaaaa-0000-4000-8000-00000000000a";

/// Tenant with its sandbox.
pub struct Tenant {
    pub domain: &'static str,
    pub guid: &'static str,
    pub graph: SandboxServer,
}

/// Behavior of the fake services. A test may change it at any time.
#[derive(Clone)]
pub struct Behavior {
    /// Actual lifetime of tokens.
    pub token_lifetime: Duration,
    /// Lifetime in seconds that tokens and token responses report, if it differs.
    pub reported_lifetime: Option<i64>,
    /// Permissions in the `roles` claim.
    pub roles: Vec<&'static str>,
    /// Status and body that the token endpoint returns instead of a token.
    pub token_error: Option<(u16, String)>,
    /// GUID of the tenant that the token endpoint throttles, with a `Retry-After` longer than any run.
    pub throttled_tenant: Option<&'static str>,
    /// Status and body that GitHub, Azure Pipelines and the metadata service return instead of a token.
    pub issuer_error: Option<(u16, String)>,
    /// Number of tokens issued before `token_error` applies.
    pub tokens_before_error: usize,
    /// Number of requests that get `token_error`.
    pub token_errors: usize,
    /// Number of tokens, from the first on, that Graph rejects with 401.
    pub rejected_tokens: usize,
    /// `tid` claim of all tokens except the first.
    pub later_tenant_id: Option<&'static str>,
    /// Status and body that Graph returns for URLs that contain the text.
    pub graph_error: Option<(&'static str, u16, String)>,
}

impl Behavior {
    /// Returns the lifetime in seconds that tokens report.
    fn reported_lifetime(&self) -> i64 {
        self.reported_lifetime.unwrap_or(self.token_lifetime.as_secs() as i64)
    }
}

impl Default for Behavior {
    fn default() -> Self {
        let roles = vec!["IdentityUserFlow.ReadWrite.All", "APIConnectors.ReadWrite.All"];
        Self {
            token_lifetime: Duration::from_secs(3600),
            reported_lifetime: None,
            roles,
            token_error: None,
            throttled_tenant: None,
            issuer_error: None,
            tokens_before_error: 0,
            token_errors: usize::MAX,
            rejected_tokens: 0,
            later_tenant_id: None,
            graph_error: None,
        }
    }
}

struct Issued {
    tenant: String,
    expires_at: Instant,
    number: usize,
}

#[derive(Default)]
struct State {
    behavior: Behavior,
    requests: Vec<RecordedRequest>,
    issued: BTreeMap<String, Issued>,
}

/// Fake Entra and Graph services, running until they are dropped.
pub struct Entra {
    https: HttpsServer,
    state: Arc<Mutex<State>>,
    pub tenants: Arc<Vec<Tenant>>,
}

impl Entra {
    /// Starts the services for tenants, each given as (domain, GUID, snapshot).
    pub fn serve(tenants: Vec<(&'static str, &'static str, Snapshot)>) -> Self {
        let tenants = tenants.into_iter().map(|(domain, guid, mut snapshot)| {
            snapshot.tenant = domain.into();
            Tenant { domain, guid, graph: serve(snapshot, Options::default()) }
        });
        let tenants: Arc<Vec<_>> = Arc::new(tenants.collect());
        let state = Arc::<Mutex<State>>::default();
        let (shared_state, known_tenants) = (Arc::clone(&state), Arc::clone(&tenants));
        let https = HttpsServer::serve(Arc::new(move |request| {
            let (state, tenants) = (Arc::clone(&shared_state), Arc::clone(&known_tenants));
            Box::pin(async move {
                state.lock().unwrap().requests.push(request.clone());
                if let Some(path) = graph_path(&request) {
                    let authorized = state.lock().unwrap().authorize(&request);
                    return match authorized {
                        Ok(tenant) => {
                            let tenant = tenants.iter().find(|known| known.guid == tenant).unwrap();
                            forward(&request, &path, &tenant.graph.graph_url()).await
                        }
                        Err(reply) => reply,
                    };
                }
                state.lock().unwrap().respond(&request, &tenants)
            })
        }));
        Self { https, state, tenants }
    }

    /// Changes how the services behave.
    pub fn behave(&self, change: impl FnOnce(&mut Behavior)) {
        change(&mut self.state.lock().unwrap().behavior);
    }

    /// Returns `METHOD url` of every request so far.
    pub fn requests(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.requests.iter().map(|request| format!("{} {}", request.method, request.url)).collect()
    }

    /// Returns the requests to URLs that contain the text.
    pub fn requests_to(&self, part: &str) -> Vec<RecordedRequest> {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|request| request.url.contains(part)).cloned().collect()
    }

    /// Returns a predicate: whether a token was issued here and has not expired.
    pub fn token_validator(&self) -> impl Fn(&str) -> bool + Send + Sync + use<> {
        let state = Arc::clone(&self.state);
        move |token| {
            let state = state.lock().unwrap();
            state.issued.get(token).is_some_and(|issued| issued.expires_at > Instant::now())
        }
    }

    /// Returns the form fields of every request to a token endpoint.
    pub fn token_requests(&self) -> Vec<BTreeMap<String, String>> {
        self.requests_to("/oauth2/v2.0/token").iter().map(form).collect()
    }

    /// Returns the loopback URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.https.address)
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.https.address
    }

    pub fn ca_file(&self) -> std::path::PathBuf {
        self.https.ca_file()
    }

    /// Routes a run to these services by their real host names. No other host can be reached.
    pub fn route(&self, run: Flowbind) -> Flowbind {
        run.env("HTTPS_PROXY", &format!("http://{}", self.https.address))
            .env("SSL_CERT_FILE", self.https.ca_file().to_str().unwrap())
    }

    /// Runs with `-vv` and checks that the output contains no secret.
    pub fn run(&self, run: Flowbind) -> Outcome {
        let outcome = self.route(run).args(["-vv"]).run();
        self.assert_no_secret(&outcome);
        outcome
    }

    pub fn assert_no_secret(&self, outcome: &Outcome) {
        let output = outcome.to_string();
        let state = self.state.lock().unwrap();
        let issued = state.issued.keys().map(String::as_str);
        let assertions: Vec<_> =
            state.requests.iter().filter_map(|request| form(request).remove("client_assertion")).collect();
        for secret in SECRETS.into_iter().chain(issued).chain(assertions.iter().map(String::as_str)) {
            assert!(!output.contains(secret), "{secret} is printed: {outcome}");
            // The base64 form can be decoded, so it must not be printed either.
            let encoded = BASE64_URL_SAFE_NO_PAD.encode(secret);
            assert!(!output.contains(&encoded), "{secret} is printed: {outcome}");
        }
    }
}

impl State {
    /// Returns the tenant of the token in a Graph request, or the error response.
    fn authorize(&mut self, request: &RecordedRequest) -> Result<String, Reply> {
        if let Some((_, status, body)) =
            self.behavior.graph_error.as_ref().filter(|(part, ..)| request.url.contains(part))
        {
            return Err(reply(*status, body.clone()));
        }
        let token = request.headers.get("authorization").and_then(|header| header.strip_prefix("Bearer "));
        let token = token.unwrap_or_default();
        match self.issued.get(token) {
            Some(issued)
                if issued.expires_at > Instant::now() && issued.number >= self.behavior.rejected_tokens =>
            {
                Ok(issued.tenant.clone())
            }
            _ => {
                // The message repeats the token, so that a test can check that flowbind redacts it.
                let message = format!("Lifetime validation failed, the token {token} is expired.");
                Err(reply(401, json!({"error": {"code": "InvalidAuthenticationToken", "message": message}})))
            }
        }
    }

    fn respond(&mut self, request: &RecordedRequest, tenants: &[Tenant]) -> Reply {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments: Vec<_> = path.split('/').collect();
        let tenant = |name: &str| tenants.iter().find(|tenant| [tenant.domain, tenant.guid].contains(&name));
        if let (["github" | "pipelines" | "identity"], Some((status, body))) =
            (&segments[..], &self.behavior.issuer_error)
        {
            return reply(*status, body);
        }
        match segments[..] {
            [name, "v2.0", ".well-known", "openid-configuration"] => match tenant(name) {
                Some(tenant) => {
                    let issuer = format!("https://login.microsoftonline.com/{}/v2.0", tenant.guid);
                    reply(200, json!({"issuer": issuer}))
                }
                None => reply(400, json!({"error": "invalid_tenant"})),
            },
            [name, "oauth2", "v2.0", "token"] if request.method == "POST" => match tenant(name) {
                Some(tenant) => self.token(request, tenant.guid),
                None => client_error("AADSTS90002: Tenant not found."),
            },
            ["github"] => {
                let is_authorized = request
                    .headers
                    .get("authorization")
                    .is_some_and(|it| it == "Bearer github-request-t0ken");
                match is_authorized {
                    true => reply(200, json!({"value": format!("github-issued-t0ken {query}")})),
                    false => reply(401, json!({"message": "no github-request-t0ken"})),
                }
            }
            ["pipelines"] if request.method == "POST" => {
                let is_authorized =
                    request.headers.get("authorization").is_some_and(|it| it == "Bearer pipelines-t0ken");
                match is_authorized {
                    true => reply(200, json!({"oidcToken": format!("pipelines-issued {query}")})),
                    false => reply(401, json!({"message": "no pipelines-t0ken"})),
                }
            }
            ["identity"] => {
                let is_authorized =
                    request.headers.get("x-identity-header").is_some_and(|it| it == "identity-h3ader");
                if !is_authorized {
                    return reply(403, json!({"message": "no identity-h3ader"}));
                }
                let lifetime = self.behavior.token_lifetime;
                let token = self.issue(tenants[0].guid, "identity", json!({"query": query}));
                let expires = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + lifetime;
                let expires = expires.as_secs().to_string();
                reply(
                    200,
                    json!({"access_token": token, "expires_on": expires, "token_type": "Bearer", "resource": "r"}),
                )
            }
            _ => reply(404, json!({"error": "nothing is here"})),
        }
    }

    fn token(&mut self, request: &RecordedRequest, guid: &str) -> Reply {
        if self.behavior.throttled_tenant == Some(guid) {
            let mut throttled = reply(429, "{}");
            throttled.headers.push(("retry-after".to_owned(), "700".to_owned()));
            return throttled;
        }
        let error = self
            .behavior
            .token_error
            .as_ref()
            .filter(|_| self.issued.len() >= self.behavior.tokens_before_error);
        if let Some((status, body)) = error.filter(|_| self.behavior.token_errors > 0) {
            let error = reply(*status, body.clone());
            self.behavior.token_errors -= 1;
            return error;
        }
        let form = form(request);
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if field("grant_type") != "client_credentials" || !field("scope").ends_with("/.default") {
            return client_error("AADSTS900144: The request body must contain the grant and the scope.");
        }
        let secret = field("client_secret") == "client-s3cr3t";
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let assertion = !field("client_assertion").is_empty() && field("client_assertion_type") == kind;
        if !secret && !assertion {
            // The message repeats the secret, so that a test can check that flowbind redacts it.
            let sent = field("client_secret");
            return client_error(&format!(
                "AADSTS7000215: Invalid client secret provided: {sent}.\r\nTrace ID: t"
            ));
        }
        let lifetime = self.behavior.reported_lifetime();
        let token = self.issue(guid, field("client_id"), json!({}));
        // `expires_in` is relative, so it cannot be negative.
        reply(200, json!({"token_type": "Bearer", "expires_in": lifetime.max(0), "access_token": token}))
    }

    /// Issues a token for a tenant's Graph.
    pub fn issue(&mut self, guid: &str, app: &str, more: Value) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let expires = now.saturating_add_signed(self.behavior.reported_lifetime());
        let tid = self.behavior.later_tenant_id.filter(|_| !self.issued.is_empty()).unwrap_or(guid);
        let claims = json!({
            "aud": "https://graph.microsoft.com", "tid": tid, "appid": app,
            "app_displayname": "flowbind", "roles": self.behavior.roles, "exp": expires,
            "serial": self.issued.len(), "more": more,
        });
        let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        let expires_at = Instant::now() + self.behavior.token_lifetime;
        let number = self.issued.len();
        self.issued.insert(token.clone(), Issued { tenant: guid.to_owned(), expires_at, number });
        token
    }
}

impl Entra {
    /// Issues a token outside of the token endpoint, for tests that pass one to flowbind.
    pub fn token_for(&self, guid: &str) -> String {
        self.state.lock().unwrap().issue(guid, APP, json!({}))
    }
}

fn reply(status: u16, body: impl ToString) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Reply { status, headers, body: body.to_string() }
}

fn client_error(description: &str) -> Reply {
    reply(401, json!({"error": "invalid_client", "error_codes": [7000215], "error_description": description}))
}

fn form(request: &RecordedRequest) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
}

/// Returns the path of a Graph request, API version included.
fn graph_path(request: &RecordedRequest) -> Option<String> {
    let path = request.url.splitn(4, '/').nth(3)?;
    (path.starts_with("beta/") || path.starts_with("v1.0/")).then(|| path.to_owned())
}

/// Forwards a request to a sandbox, which has another host name.
async fn forward(request: &RecordedRequest, path: &str, sandbox: &str) -> Reply {
    let sandbox = sandbox.trim_end_matches("/beta");
    // Without TLS, and so without the authorities of the system, which it may not have.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let mut forwarded = client
        .request(request.method.parse().unwrap(), format!("{sandbox}/{path}"))
        .body(request.body.clone());
    for name in ["authorization", "content-type", "client-request-id"] {
        if let Some(value) = request.headers.get(name) {
            forwarded = forwarded.header(name, value);
        }
    }
    let response = forwarded.send().await.unwrap();
    let status = response.status().as_u16();
    Reply { status, ..reply(status, response.text().await.unwrap()) }
}
