//! Microsoft's side of signing in, and Graph behind it: token endpoints, issuers and metadata over
//! https, tokens that expire, and for each tenant a sandbox that only its own valid tokens reach.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;
use serde_json::{Value, json};

use super::https::{Asked, Https, Reply};
use super::{Flowbind, Outcome, Served, serve};

/// What the issuers' tokens, secrets and files hold: nothing that flowbind prints may hold any.
pub const SECRETS: [&str; 7] = [
    "client-s3cr3t",
    "p4ssw0rd",
    "federated-t0ken",
    "github-request-t0ken",
    "github-issued-t0ken",
    "pipelines-t0ken",
    "identity-h3ader",
];

/// The app that tests sign in as.
pub const APP: &str = "aaaaaaaa-0000-4000-8000-00000000000a";

/// A tenant that may be signed in to.
pub struct Tenant {
    pub domain: &'static str,
    pub guid: &'static str,
    pub graph: Served,
}

/// How the services behave; a test may change it at any time.
#[derive(Clone)]
pub struct Manner {
    /// How long tokens live.
    pub life: Duration,
    /// How many seconds they say that they live, if that is another time.
    pub says: Option<i64>,
    /// The permissions in them.
    pub roles: Vec<&'static str>,
    /// What the token endpoint answers in place of a token.
    pub refusal: Option<(u16, String)>,
    /// The tenant that the token endpoint throttles, for longer than any run lasts.
    pub throttled: Option<&'static str>,
    /// What GitHub, Azure Pipelines and the metadata service answer in place of a token.
    pub issuers: Option<(u16, String)>,
    /// How many tokens are issued before `refusal` is answered.
    pub issues: usize,
    /// How often it is answered.
    pub refusals: usize,
    /// How many of the first tokens Graph refuses.
    pub refuses: usize,
    /// The tenant that all tokens but the first say they are for.
    pub later_tid: Option<&'static str>,
    /// What Graph answers to paths that contain a text.
    pub graph: Option<(&'static str, u16, String)>,
}

impl Manner {
    /// How many seconds tokens say that they live.
    fn says(&self) -> i64 {
        self.says.unwrap_or(self.life.as_secs() as i64)
    }
}

impl Default for Manner {
    fn default() -> Self {
        let roles = vec!["IdentityUserFlow.ReadWrite.All", "APIConnectors.ReadWrite.All"];
        let life = Duration::from_secs(3600);
        Self {
            life,
            says: None,
            roles,
            refusal: None,
            throttled: None,
            issuers: None,
            issues: 0,
            refusals: usize::MAX,
            refuses: 0,
            later_tid: None,
            graph: None,
        }
    }
}

struct Issued {
    tenant: String,
    until: Instant,
    number: usize,
}

#[derive(Default)]
struct State {
    manner: Manner,
    asked: Vec<Asked>,
    issued: BTreeMap<String, Issued>,
}

/// All of it.
pub struct Entra {
    https: Https,
    state: Arc<Mutex<State>>,
    pub tenants: Arc<Vec<Tenant>>,
}

impl Entra {
    /// Serves tenants, each as (domain, GUID, what it has).
    pub fn serve(tenants: Vec<(&'static str, &'static str, Snapshot)>) -> Self {
        let tenants = tenants.into_iter().map(|(domain, guid, mut snapshot)| {
            snapshot.tenant = domain.into();
            Tenant { domain, guid, graph: serve(snapshot, Options::default()) }
        });
        let tenants: Arc<Vec<_>> = Arc::new(tenants.collect());
        let state = Arc::<Mutex<State>>::default();
        let (ours, those) = (Arc::clone(&state), Arc::clone(&tenants));
        let https = Https::serve(Arc::new(move |asked| {
            let (state, tenants) = (Arc::clone(&ours), Arc::clone(&those));
            Box::pin(async move {
                state.lock().unwrap().asked.push(asked.clone());
                if let Some(place) = graph(&asked) {
                    let answer = state.lock().unwrap().admit(&asked);
                    return match answer {
                        Ok(tenant) => {
                            let tenant = tenants.iter().find(|known| known.guid == tenant).unwrap();
                            forward(&asked, &place, &tenant.graph.graph_url()).await
                        }
                        Err(refused) => refused,
                    };
                }
                state.lock().unwrap().answer(&asked, &tenants)
            })
        }));
        Self { https, state, tenants }
    }

    /// Changes how the services behave.
    pub fn behave(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.state.lock().unwrap().manner);
    }

    /// `METHOD url` of all that was asked.
    pub fn requests(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.asked.iter().map(|asked| format!("{} {}", asked.method, asked.url)).collect()
    }

    /// All that was asked of URLs that contain a text.
    pub fn asked(&self, part: &str) -> Vec<Asked> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|asked| asked.url.contains(part)).cloned().collect()
    }

    /// Tells of a token whether it was issued here and has not expired.
    pub fn admission(&self) -> impl Fn(&str) -> bool + Send + Sync + use<> {
        let state = Arc::clone(&self.state);
        move |token| {
            let state = state.lock().unwrap();
            state.issued.get(token).is_some_and(|issued| issued.until > Instant::now())
        }
    }

    /// The forms that the token endpoint was sent.
    pub fn token_requests(&self) -> Vec<BTreeMap<String, String>> {
        self.asked("/oauth2/v2.0/token").iter().map(form).collect()
    }

    /// The URL of a path of this server on loopback.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.https.address)
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.https.address
    }

    pub fn ca_file(&self) -> std::path::PathBuf {
        self.https.ca_file()
    }

    /// Lets a run reach these services, and nothing else, by their own names.
    pub fn reached_by(&self, run: Flowbind) -> Flowbind {
        run.env("HTTPS_PROXY", &format!("http://{}", self.https.address))
            .env("SSL_CERT_FILE", self.https.ca_file().to_str().unwrap())
    }

    /// Runs, logging all that there is to log, and makes sure that no secret comes to light.
    pub fn run(&self, run: Flowbind) -> Outcome {
        let outcome = self.reached_by(run).args(["-vv"]).run();
        self.assert_no_secret(&outcome);
        outcome
    }

    pub fn assert_no_secret(&self, outcome: &Outcome) {
        let shown = outcome.to_string();
        let state = self.state.lock().unwrap();
        let issued = state.issued.keys().map(String::as_str);
        let proofs: Vec<_> =
            state.asked.iter().filter_map(|asked| form(asked).remove("client_assertion")).collect();
        for secret in SECRETS.into_iter().chain(issued).chain(proofs.iter().map(String::as_str)) {
            assert!(!shown.contains(secret), "{secret} is shown: {outcome}");
            // What decodes to a secret is as bad.
            let encoded = BASE64_URL_SAFE_NO_PAD.encode(secret);
            assert!(!shown.contains(&encoded), "{secret} is shown: {outcome}");
        }
    }
}

impl State {
    /// The tenant of the token that Graph is asked with.
    fn admit(&mut self, asked: &Asked) -> Result<String, Reply> {
        if let Some((_, status, body)) =
            self.manner.graph.as_ref().filter(|(part, ..)| asked.url.contains(part))
        {
            return Err(reply(*status, body.clone()));
        }
        let token = asked.headers.get("authorization").and_then(|header| header.strip_prefix("Bearer "));
        let token = token.unwrap_or_default();
        match self.issued.get(token) {
            Some(issued) if issued.until > Instant::now() && issued.number >= self.manner.refuses => {
                Ok(issued.tenant.clone())
            }
            _ => {
                // It repeats the token, as a careless service may.
                let message = format!("Lifetime validation failed, the token {token} is expired.");
                Err(reply(401, json!({"error": {"code": "InvalidAuthenticationToken", "message": message}})))
            }
        }
    }

    fn answer(&mut self, asked: &Asked, tenants: &[Tenant]) -> Reply {
        let path = asked.url.splitn(4, '/').nth(3).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments: Vec<_> = path.split('/').collect();
        let tenant = |name: &str| tenants.iter().find(|tenant| [tenant.domain, tenant.guid].contains(&name));
        if let (["github" | "pipelines" | "identity"], Some((status, body))) =
            (&segments[..], &self.manner.issuers)
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
            [name, "oauth2", "v2.0", "token"] if asked.method == "POST" => match tenant(name) {
                Some(tenant) => self.token(asked, tenant.guid),
                None => refused("AADSTS90002: Tenant not found."),
            },
            ["github"] => {
                let right =
                    asked.headers.get("authorization").is_some_and(|it| it == "Bearer github-request-t0ken");
                match right {
                    true => reply(200, json!({"value": format!("github-issued-t0ken {query}")})),
                    false => reply(401, json!({"message": "no github-request-t0ken"})),
                }
            }
            ["pipelines"] if asked.method == "POST" => {
                let right =
                    asked.headers.get("authorization").is_some_and(|it| it == "Bearer pipelines-t0ken");
                match right {
                    true => reply(200, json!({"oidcToken": format!("pipelines-issued {query}")})),
                    false => reply(401, json!({"message": "no pipelines-t0ken"})),
                }
            }
            ["identity"] => {
                let right = asked.headers.get("x-identity-header").is_some_and(|it| it == "identity-h3ader");
                if !right {
                    return reply(403, json!({"message": "no identity-h3ader"}));
                }
                let life = self.manner.life;
                let token = self.issue(tenants[0].guid, "identity", json!({"query": query}));
                let expires = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + life;
                let expires = expires.as_secs().to_string();
                reply(
                    200,
                    json!({"access_token": token, "expires_on": expires, "token_type": "Bearer", "resource": "r"}),
                )
            }
            _ => reply(404, json!({"error": "nothing is here"})),
        }
    }

    fn token(&mut self, asked: &Asked, guid: &str) -> Reply {
        if self.manner.throttled == Some(guid) {
            let mut throttled = reply(429, "{}");
            throttled.headers.push(("retry-after".to_owned(), "700".to_owned()));
            return throttled;
        }
        let refusal = self.manner.refusal.as_ref().filter(|_| self.issued.len() >= self.manner.issues);
        if let Some((status, body)) = refusal.filter(|_| self.manner.refusals > 0) {
            let refused = reply(*status, body.clone());
            self.manner.refusals -= 1;
            return refused;
        }
        let form = form(asked);
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if field("grant_type") != "client_credentials" || !field("scope").ends_with("/.default") {
            return refused("AADSTS900144: The request body must contain the grant and the scope.");
        }
        let secret = field("client_secret") == "client-s3cr3t";
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let assertion = !field("client_assertion").is_empty() && field("client_assertion_type") == kind;
        if !secret && !assertion {
            // It repeats what it was sent, as a careless service may.
            let sent = field("client_secret");
            return refused(&format!(
                "AADSTS7000215: Invalid client secret provided: {sent}.\r\nTrace ID: t"
            ));
        }
        let says = self.manner.says();
        let token = self.issue(guid, field("client_id"), json!({}));
        // No clock has to be right for a time that is told so: at worst it is over.
        reply(200, json!({"token_type": "Bearer", "expires_in": says.max(0), "access_token": token}))
    }

    /// A token for a tenant's Graph.
    pub fn issue(&mut self, guid: &str, app: &str, more: Value) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let until = now.saturating_add_signed(self.manner.says());
        let tid = self.manner.later_tid.filter(|_| !self.issued.is_empty()).unwrap_or(guid);
        let claims = json!({
            "aud": "https://graph.microsoft.com", "tid": tid, "appid": app,
            "app_displayname": "flowbind", "roles": self.manner.roles, "exp": until,
            "serial": self.issued.len(), "more": more,
        });
        let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        let until = Instant::now() + self.manner.life;
        let number = self.issued.len();
        self.issued.insert(token.clone(), Issued { tenant: guid.to_owned(), until, number });
        token
    }
}

impl Entra {
    /// A token for a tenant's Graph, as it was obtained elsewhere.
    pub fn token_for(&self, guid: &str) -> String {
        self.state.lock().unwrap().issue(guid, APP, json!({}))
    }
}

fn reply(status: u16, body: impl ToString) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Reply { status, headers, body: body.to_string() }
}

fn refused(description: &str) -> Reply {
    reply(401, json!({"error": "invalid_client", "error_codes": [7000215], "error_description": description}))
}

fn form(asked: &Asked) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect()
}

/// The path of a request to Graph, version included.
fn graph(asked: &Asked) -> Option<String> {
    let path = asked.url.splitn(4, '/').nth(3)?;
    (path.starts_with("beta/") || path.starts_with("v1.0/")).then(|| path.to_owned())
}

/// Hands a request on to a sandbox, which knows itself by another name.
async fn forward(asked: &Asked, path: &str, sandbox: &str) -> Reply {
    let sandbox = sandbox.trim_end_matches("/beta");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request =
        client.request(asked.method.parse().unwrap(), format!("{sandbox}/{path}")).body(asked.body.clone());
    for name in ["authorization", "content-type", "client-request-id"] {
        if let Some(value) = asked.headers.get(name) {
            request = request.header(name, value);
        }
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    Reply { status, ..reply(status, response.text().await.unwrap()) }
}
