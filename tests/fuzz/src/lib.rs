//! Fuzz targets for all inputs and outputs of flowbind.
//!
//! Each target is a function that takes one input and panics if flowbind handles it incorrectly.
//! `targets` runs them with inputs from libFuzzer, `tests/it/fuzz_corpus.rs` with those in `corpus`.

mod desired;
mod escape;
pub(crate) mod export;
mod formats;
mod graph;
pub(crate) mod inert;
mod input_texts;
mod nulls;
pub(crate) mod readers;
mod retry;
mod saved;
mod urls;

use flowbind::model::{Current, Desired, TenantCheck};
use flowbind::plan::{Connected, DEFAULT_CERTIFICATE_DAYS, Overrides, PlanTime, TenantPlan, plan_tenant};

pub use desired::{composition, desired};
pub use escape::escape;
pub use export::export;
pub use formats::formats;
pub use graph::graph;
pub use retry::retry;
pub use saved::{saved, snapshot};
pub use urls::urls;

/// Returns the plan of a tenant with one file.
fn plan_file(desired: &Desired, current: &Current) -> TenantPlan {
    let graph_url = "https://graph.microsoft.com/beta".to_owned();
    let connected = Connected { graph_url, tenant_check: TenantCheck::NotApplicable, actor: None };
    let files = std::slice::from_ref(desired);
    let time = PlanTime::new(now(), DEFAULT_CERTIFICATE_DAYS);
    plan_tenant(&desired.tenant, files, current, &connected, &Overrides::default(), time)
}

/// Returns the time of the run, at which holds are active or not.
fn now() -> jiff::Timestamp {
    "2026-11-02T08:00:00Z".parse().expect("a time")
}

/// Checks one input.
pub type Target = fn(&[u8]);

/// All targets with the names of their corpora.
pub const TARGETS: [(&str, Target); 10] = [
    ("composition", composition),
    ("desired", desired),
    ("escape", escape),
    ("export", export),
    ("formats", formats),
    ("graph", graph),
    ("retry", retry),
    ("saved", saved),
    ("snapshot", snapshot),
    ("urls", urls),
];
