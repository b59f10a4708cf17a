//! What to do about drift: the commands that revert or accept it, and advice for the other kinds.

use super::super::escape;
use super::super::wording::only_flags;
use crate::diagnostic::STDIN;
use crate::drift::{Difference, Drift, Kind, Revert, TargetDrift};

/// Commands and advice about drift.
#[derive(Default)]
pub(super) struct Actions {
    /// `apply` commands, each with a comment if guards block it.
    pub(super) revert: Vec<String>,
    /// `accept` commands.
    pub(super) accept: Vec<String>,
    /// Kinds that neither command handles alone, with what to do.
    pub(super) advice: Vec<(Kind, &'static str)>,
}

impl Actions {
    pub(super) fn new(drift: &Drift) -> Self {
        let has = |kind| drift.differences().any(|difference| difference.kind == kind);
        Self {
            revert: drift.targets.iter().filter_map(|target| revert(drift, target)).collect(),
            accept: drift.targets.iter().filter_map(|target| accept(drift, target)).collect(),
            advice: ADVICE.into_iter().filter(|(kind, _)| has(*kind)).collect(),
        }
    }
}

/// What to do about differences of some kinds.
const ADVICE: [(Kind, &str); 4] = [
    (Kind::Dangling, "bind another connector or `null` in the file, or create the connector again"),
    (
        Kind::Unresolved,
        "correct the name in the file, or create the flow or the connector again; until then, `apply` does not change the tenant",
    ),
    (Kind::Address, "find out who changed the address; then restore it in the tenant, or accept it"),
    (Kind::Certificate, "upload a new certificate to the connector"),
];

/// Returns the command that reverts the bindings of a target, without flags that override a guard; `None` if `apply`
/// would change nothing or cannot.
fn revert(drift: &Drift, target: &TargetDrift) -> Option<String> {
    let blocked = match target.revert? {
        Revert::Possible => "",
        Revert::Blocked => "  # blocked by guards; review before overriding",
    };
    Some(format!("{}{blocked}", command("apply", drift, target)))
}

/// Returns the command that changes the file of a target; `None` if it would change nothing, or for stdin.
fn accept(drift: &Drift, target: &TargetDrift) -> Option<String> {
    let mut differences = target.differences.iter();
    let has_unlisted = drift.strict && differences.clone().any(|it| it.kind == Kind::Unmanaged);
    let strict = if has_unlisted { " --strict" } else { "" };
    let can_be_accepted = target.file != STDIN && differences.any(Difference::can_be_accepted);
    can_be_accepted.then(|| format!("{}{strict}", command("accept", drift, target)))
}

/// Returns a command about the file, the tenant and the bindings of a target, quoted for a shell.
fn command(name: &str, drift: &Drift, target: &TargetDrift) -> String {
    let TargetDrift { file, sandbox, graph_url_option, .. } = target;
    let options = [("--sandbox", sandbox), ("--graph-url", graph_url_option)].into_iter();
    let options = options.filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let options: String = options.map(|(name, value)| format!(" {name} {}", escape::shell(value))).collect();
    // A selection that matches no binding of the file is an error.
    let selections = drift.limit.iter().flat_map(|limit| &limit.only);
    let only = only_flags(selections.filter(|only| target.is_selected_by(only)));
    format!("flowbind {name} {}{options}{only}", escape::path(file))
}
