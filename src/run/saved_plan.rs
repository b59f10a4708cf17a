//! Saved plans: loads one, and connects to its tenants.

use std::collections::BTreeMap;
use std::path::Path;

use super::connect::{Connection, connect};
use super::error::{CommandError, ErrorKind};
use super::plan::PlannedRun;
use super::saved::{Reader, read_saved, saved_label};
use super::session::Run;
use super::tenant_ref::TenantRef;
use crate::apply::UnverifiedTenantPolicy;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Label, TenantCheck};
use crate::paths;
use crate::plan::{Member, Plan, Problem, Shard, ShardInfo, Target, TenantPlan};
use crate::saved::Saved;

/// Reads a saved plan, and keeps the tenants of a shard. Returns it with the files of all shards.
///
/// # Errors
/// The file is unusable, it already is of a shard, or it has another label.
pub(super) fn load_plan(
    path: &Path,
    shard: Option<Shard>,
    label: Option<&Label>,
) -> Result<(Plan, Vec<Member>), CommandError> {
    let mut plan = match read_saved(path, Reader::Apply)? {
        Saved::Plan(plan, _) => plan,
        saved @ (Saved::Report(..) | Saved::Drift(..)) => {
            let kind =
                if matches!(saved, Saved::Drift(..)) { "the output of `drift`" } else { "an apply report" };
            let message = format!("`{}` is {kind}, not a plan", paths::display(path));
            let problem = Diagnostic::error(Code::SavedFileKind, message);
            return Err(problem.hint("pass a file written by `flowbind plan --out plan.json`").into());
        }
    };
    plan.label = saved_label(path, label, plan.label.take())?;
    if let Some(info) = &plan.shard {
        let fleet = info.fleet.clone();
        return match shard {
            Some(_) => Err(already_sharded(path, info.shard).into()),
            None => Ok((plan, fleet)),
        };
    }
    let member = |target: &Target| Member { file: target.file.clone(), tenant: target.tenant.clone() };
    let fleet: Vec<_> = plan.targets().map(member).collect();
    if let Some(shard) = shard {
        plan.retain_shard(ShardInfo { shard, fleet: fleet.clone() });
    }
    Ok((plan, fleet))
}

fn already_sharded(path: &Path, shard: Shard) -> Diagnostic {
    let is_only_shard = shard.count() == 1;
    let covers = if is_only_shard { "covers" } else { "covers only" };
    let message = format!("the saved plan `{}` {covers} shard {shard}", paths::display(path));
    Diagnostic::error(Code::ShardConflict, message).hint(if is_only_shard {
        "run `flowbind apply` without `--shard`"
    } else {
        "run `flowbind apply` without `--shard`, or join the shards first: \
         `flowbind show SHARD.json… --out plan.json`"
    })
}

/// Connects to the tenants of a saved plan. Returns the plan with their GUIDs and who applies it, and the errors of the
/// tenants that cannot be changed by this run.
pub(super) async fn connect_tenants(
    run: &Run,
    mut plan: Plan,
    policy: UnverifiedTenantPolicy,
) -> (PlannedRun, Vec<Problem>) {
    let (mut connections, mut errors) = (BTreeMap::new(), Vec::new());
    let work = async |(at, (first, tenant)): (usize, (&Target, &TenantPlan))| {
        let connection = connect_saved(run, first, tenant, policy).await;
        vec![(at, (tenant.tenant.clone(), connection))]
    };
    // A tenant without a target is only named by errors.
    let tenants = plan.tenants.iter().filter_map(|tenant| Some((tenant.targets.first()?, tenant)));
    run.for_each_tenant(tenants.enumerate().collect(), work, |(tenant, connection)| {
        let connection = connection.map_err(|CommandError { kind, diagnostics }| {
            errors.extend(diagnostics.into_iter().map(|problem| Problem::for_tenant(&tenant, problem)));
            kind
        });
        connections.insert(tenant, connection);
    })
    .await;
    // A saved plan may already have the error of a tenant that could not be connected.
    let known = plan.errors();
    errors.retain(|error| !known.contains(error));
    for tenant in &mut plan.tenants {
        // Who made the plan is not who applies it.
        let actor = connections.get(&tenant.tenant).and_then(|it| it.as_ref().ok()?.connected.actor.clone());
        tenant.targets.iter_mut().for_each(|target| target.actor.clone_from(&actor));
        if let Some(Ok(connection)) = connections.get(&tenant.tenant)
            && let TenantCheck::Verified(guid) = &connection.connected.tenant_check
        {
            tenant.targets.iter_mut().for_each(|target| target.tenant_id = Some(guid.clone()));
        }
    }
    // A GUID that was unknown when the plan was made may be known now.
    plan.add_alias_errors();
    (PlannedRun { plan, connections }, errors)
}

/// Connects to the tenant of a saved plan, as its `first` target names it. The run must be for the tenant and the Graph
/// URL of the plan, and its targets must agree on cloud and app; any difference blocks the tenant.
async fn connect_saved(
    run: &Run,
    first: &Target,
    tenant: &TenantPlan,
    policy: UnverifiedTenantPolicy,
) -> Result<Connection, CommandError> {
    // A plan for another tenant is blocked; a file for another tenant is an error.
    let connection = connect(&TenantRef::from_saved(first), run, policy).await.map_err(|error| {
        let kind = if error.is_wrong_target() { ErrorKind::Blocked } else { error.kind };
        CommandError { kind, ..error }
    })?;
    for target in &tenant.targets {
        check_target(target, first, &connection).map_err(CommandError::blocked)?;
    }
    Ok(connection)
}

fn check_target(target: &Target, first: &Target, connection: &Connection) -> Result<(), Diagnostic> {
    let wrong_target = |what: &str, theirs: &str, ours: &str| {
        let message = format!("the plan is for the {what} `{theirs}`, but this run targets `{ours}`");
        let problem = Diagnostic::error(Code::WrongTarget, message);
        Err(problem.hint("plan again for this target, or apply the plan where it was made"))
    };
    let connected = &connection.connected;
    if target.graph_url != connected.graph_url {
        return wrong_target("Graph URL", &target.graph_url, &connected.graph_url);
    }
    let app = |target: &Target| target.client_id.as_ref().map(|ids| ids.to_string().to_ascii_lowercase());
    let cloud = |target: &Target| Some(target.cloud.to_string());
    let settings = [("cloud", cloud(first), cloud(target)), ("clientId", app(first), app(target))];
    if let Some((name, one, other)) = settings.into_iter().find(|(_, one, other)| one != other) {
        let shown = |value: Option<String>| value.map_or("not set".to_owned(), |value| format!("`{value}`"));
        let message = format!(
            "for `{}`, `{name}` is {} in `{}` but {} in `{}`",
            target.tenant,
            shown(one),
            first.file,
            shown(other),
            target.file
        );
        let problem = Diagnostic::error(Code::WrongTarget, message);
        return Err(problem.hint("write the same value in both files, and plan again"));
    }
    match (&target.tenant_id, &connected.tenant_check) {
        (Some(theirs), TenantCheck::Verified(ours)) if !theirs.eq_ignore_ascii_case(ours) => {
            wrong_target("tenant", theirs, ours)
        }
        _ => Ok(()),
    }
}
