//! Applies files or a saved plan: plans, checks the preconditions, asks for approval, and applies tenant by tenant.

use std::io;

use super::apply_request::{ApplyRequest, ApplySource};
use super::blocked;
use super::connect::Connection;
use super::error::{CommandError, ErrorKind};
use super::plan::{Fleet, PlanRequest, PlannedRun, load as load_desired, plan_fleet};
use super::saved_plan::{connect_tenants, load_plan};
use super::session::Run;
use crate::apply::{self, Access, Approved, Blocked, Consent, MatchingFingerprint, Report, TargetReport};
use crate::diagnostic::Diagnostic;
use crate::http::{StopStage, stopped};
use crate::model::{Label, Purpose, Scope, Tenant};
use crate::plan::{
    ExpectedFingerprints, Member, Plan, Problem, ShardInfo, Target, TenantPlan, sort_by_tenant,
};

/// Answer to the question whether to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Apply.
    Yes,
    /// Do not apply.
    No,
    /// Nothing can be asked.
    NotInteractive,
}

/// What an apply needs of its caller.
#[expect(async_fn_in_trait, reason = "a run uses one thread, so its futures need not be `Send`")]
pub trait Host {
    /// All files are read. What follows can be stopped, and is reported.
    fn begin(&mut self);

    /// Shows that only a shard is processed.
    fn show_shard(&mut self, shard: &ShardInfo);

    /// Shows the complete plan, before anything is changed.
    ///
    /// # Errors
    /// The plan could not be shown, so that nothing may be changed.
    async fn show_plan(&mut self, plan: &Plan) -> Result<(), CommandError>;

    /// Asks whether to apply the changes of these tenants, in a run with this label.
    async fn ask(&mut self, tenants: &[&TenantPlan], label: Option<&Label>) -> io::Result<Answer>;

    /// Shows the results of one file whose tenant was started, in the order of the files.
    fn show_result(&mut self, report: &TargetReport);
}

/// What was applied, and how it ended.
#[derive(Debug)]
pub struct Applied {
    /// Report of all tenants; its exit code is not set.
    pub report: Report,
    /// Why the run did not succeed, if so.
    pub failure: Option<ErrorKind>,
}

/// Plans files or loads a saved plan, shows it, checks the preconditions, asks for approval, and applies. A tenant that
/// fails does not stop the others.
pub async fn apply(run: &Run, request: &ApplyRequest<'_>, host: &mut impl Host) -> Applied {
    let report = Report { label: request.label.clone(), ..Report::default() };
    let mut session = Session { request, report, failures: Vec::new(), fleet: Vec::new() };
    let ended = session.run(run, host).await;
    let Session { mut report, mut failures, fleet, .. } = session;
    if let Err(CommandError { kind, diagnostics }) = ended {
        report.errors.extend(diagnostics.into_iter().map(Problem::from));
        // Nothing was started, so what was found before does not matter.
        failures = vec![kind];
    }
    sort_by_tenant(&mut report.errors, &fleet);
    // Without readable files, the files of the run are unknown, for every shard.
    let without_files = |shard| ShardInfo { shard, fleet: Vec::new() };
    report.shard = report.shard.or_else(|| request.shard.map(without_files));
    Applied { report, failure: failures.into_iter().max() }
}

/// State of an apply.
struct Session<'a> {
    request: &'a ApplyRequest<'a>,
    report: Report,
    failures: Vec<ErrorKind>,
    /// Files of the run, of all shards.
    fleet: Vec<Member>,
}

/// Plan of one tenant with its connection, or why it is not applied.
struct TenantRun<'a> {
    plan: &'a TenantPlan,
    connection: Result<&'a Connection, ErrorKind>,
}

/// Files or a saved plan, before anything is sent.
enum Loaded {
    Files(Fleet, PlanRequest),
    Saved(Plan),
}

impl Session<'_> {
    /// Runs an apply. An error ends it before any change; failures of single tenants are not errors.
    async fn run(&mut self, run: &Run, host: &mut impl Host) -> Result<(), CommandError> {
        let loaded = self.load(host)?;
        host.begin();
        let prepared = match loaded {
            Loaded::Files(fleet, request) => {
                let plan = async { (plan_fleet(run, fleet, &request, |_| {}).await, Vec::new()) };
                unless_stopped(run, plan).await?
            }
            Loaded::Saved(plan) => {
                // An interrupted run has started none of the changes.
                self.report = Report { fingerprint: None, ..Report::not_attempted(&plan) };
                self.report.targets.iter_mut().for_each(|target| target.actor = None);
                unless_stopped(run, connect_tenants(run, plan, self.request.policy)).await?
            }
        };
        let (PlannedRun { plan, connections }, errors) = prepared;
        self.report = Report::not_attempted(&plan);
        self.report.errors.extend(errors);
        host.show_plan(&plan).await?;
        let mut tenants = Vec::new();
        for tenant in &plan.tenants {
            let connection = match connections.get(&tenant.tenant) {
                Some(connection) => connection.as_ref().map_err(|kind| *kind),
                // A tenant without a target, which only errors of a saved plan name.
                None => Err(self.record(&plan, tenant, &Blocked::Incomplete)),
            };
            tenants.push(TenantRun { plan: tenant, connection });
        }
        let fingerprint = self.check_plans(&plan, &mut tenants);
        let consent = self.obtain_consent(run, &mut tenants, fingerprint, host).await?;
        self.failures.extend(tenants.iter().filter_map(|tenant| tenant.connection.as_ref().err()));
        if let Some(consent) = consent {
            self.apply(run, &plan, tenants, &consent, host).await;
        }
        Ok(())
    }

    /// Loads the files or the saved plan of the shard.
    fn load(&mut self, host: &mut impl Host) -> Result<Loaded, CommandError> {
        let ApplyRequest { source, policy, shard, label, expected, .. } = self.request;
        let loaded = match source {
            ApplySource::Files { source, overrides, only, time, .. } => {
                let request = PlanRequest {
                    purpose: Purpose::Apply,
                    policy: *policy,
                    scope: Scope::Listed,
                    overrides: overrides.clone(),
                    shard: *shard,
                    only: only.to_vec(),
                    label: label.clone(),
                    time: *time,
                };
                let fleet = load_desired(*source, &request)?;
                fleet.shard.iter().for_each(|info| host.show_shard(info));
                self.fleet.clone_from(&fleet.members);
                self.report.shard.clone_from(&fleet.shard);
                self.report.label.clone_from(&fleet.label);
                Loaded::Files(fleet, request)
            }
            ApplySource::Saved(path) => {
                let (plan, fleet) = load_plan(path, *shard, label.as_ref())?;
                shard.and(plan.shard.as_ref()).iter().for_each(|info| host.show_shard(info));
                self.fleet = fleet;
                Loaded::Saved(plan)
            }
        };
        let is_known = |tenant: &&Tenant| self.fleet.iter().any(|member| member.tenant == **tenant);
        let unknown =
            expected.iter().flat_map(ExpectedFingerprints::tenants).find(|tenant| !is_known(tenant));
        match unknown {
            Some(tenant) => Err(blocked::unknown_expected_tenant(tenant, &self.fleet).into()),
            None => Ok(loaded),
        }
    }

    /// Checks the preconditions that need no further reads: complete plans, the expected fingerprints, and no blockers.
    /// A tenant for which one does not hold has no connection afterwards. Returns the tenants that have the expected
    /// fingerprints.
    fn check_plans(&mut self, plan: &Plan, tenants: &mut [TenantRun<'_>]) -> Option<MatchingFingerprint> {
        for tenant in tenants.iter_mut().filter(|tenant| tenant.connection.is_ok()) {
            if let Err(blocked) = apply::check_complete(plan, tenant.plan) {
                tenant.connection = Err(self.record(plan, tenant.plan, &blocked));
            }
        }
        if tenants.is_empty() && !plan.errors.is_empty() {
            // A saved plan whose files could not be read has only errors.
            self.report.errors.push(blocked::incomplete(self.request.source.plan_source()).into());
            self.failures.push(ErrorKind::Blocked);
        }
        let expected = self.request.expected.as_ref();
        let matching = expected.map(|expected| self.check_fingerprints(plan, tenants, expected));
        for tenant in tenants.iter_mut().filter(|tenant| tenant.connection.is_ok()) {
            let checked = apply::check_guards(tenant.plan)
                .and_then(|()| apply::check_holds(tenant.plan, self.request.now));
            if let Err(blocked) = checked {
                tenant.connection = Err(self.record(plan, tenant.plan, &blocked));
            }
        }
        matching
    }

    /// Checks the expected fingerprints. A fingerprint of the run that does not match stops all tenants.
    fn check_fingerprints(
        &mut self,
        plan: &Plan,
        tenants: &mut [TenantRun<'_>],
        expected: &ExpectedFingerprints,
    ) -> MatchingFingerprint {
        let matching = MatchingFingerprint::compare(plan, expected);
        let source = self.request.source.plan_source();
        for tenant in tenants.iter_mut().filter(|tenant| tenant.connection.is_ok()) {
            if apply::check_fingerprint(tenant.plan, &matching).is_ok() {
                continue;
            }
            let prefixes = match expected {
                ExpectedFingerprints::Tenants(prefixes) => prefixes,
                ExpectedFingerprints::Run(prefix) => {
                    self.stop_all(tenants, blocked::fingerprint_mismatch(plan, None, Some(prefix), source));
                    break;
                }
            };
            let prefix = prefixes.get(&tenant.plan.tenant);
            let reason = blocked::fingerprint_mismatch(plan, Some(tenant.plan), prefix, source);
            self.report.errors.push(Problem::for_tenant(&tenant.plan.tenant, reason));
            tenant.connection = Err(ErrorKind::Blocked);
        }
        matching
    }

    /// Returns how the changes of the tenants are approved, after asking if needed; `None` if nothing is to be applied,
    /// because there are no changes or they are not approved.
    async fn obtain_consent(
        &mut self,
        run: &Run,
        tenants: &mut [TenantRun<'_>],
        fingerprint: Option<MatchingFingerprint>,
        host: &mut impl Host,
    ) -> Result<Option<Consent>, CommandError> {
        let open = tenants.iter().filter(|tenant| tenant.connection.is_ok()).map(|tenant| tenant.plan);
        let changing: Vec<_> = open.filter(|plan| plan.changes().next().is_some()).collect();
        let given = match (&self.request.source, fingerprint) {
            _ if changing.is_empty() => return Ok(None),
            (ApplySource::Saved(_), _) => Some(Consent::SavedPlan),
            (ApplySource::Files { .. }, Some(fingerprint)) => Some(Consent::Fingerprint(fingerprint)),
            (ApplySource::Files { is_approved, .. }, None) => is_approved.then_some(Consent::Given),
        };
        if given.is_some() {
            return Ok(given);
        }
        let answer = match self.request.source.reads_stdin() {
            true => None,
            false => Some(unless_stopped(run, host.ask(&changing, self.report.label.as_ref())).await?),
        };
        let denied = match answer {
            Some(Ok(Answer::Yes)) => return Ok(Some(Consent::Typed)),
            Some(Ok(Answer::No)) => blocked::approval_denied(),
            Some(Ok(Answer::NotInteractive)) => blocked::approval_required("stdin is not a terminal"),
            Some(Err(error)) => blocked::approval_required(&format!("the answer cannot be read: {error}")),
            None => blocked::approval_required("stdin is the desired-state file"),
        };
        self.stop_all(tenants, denied);
        Ok(None)
    }

    /// Records why a tenant is not applied, and returns the kind of the error.
    fn record(&mut self, plan: &Plan, tenant: &TenantPlan, blocked: &Blocked<'_>) -> ErrorKind {
        let CommandError { kind, diagnostics } =
            blocked::error(blocked, plan, tenant, self.request.source.plan_source());
        let problem = |reason| Problem::for_tenant(&tenant.tenant, reason);
        self.report.errors.extend(diagnostics.into_iter().map(problem));
        kind
    }

    /// Records why no tenant is applied. Does nothing if each already has a reason.
    fn stop_all(&mut self, tenants: &mut [TenantRun<'_>], reason: Diagnostic) {
        let mut open = tenants.iter_mut().filter(|tenant| tenant.connection.is_ok()).peekable();
        if open.peek().is_some() {
            self.report.errors.push(reason.into());
        }
        open.for_each(|tenant| tenant.connection = Err(ErrorKind::Blocked));
    }

    /// Applies the tenants that have a connection, and records the results.
    async fn apply(
        &mut self,
        run: &Run,
        plan: &Plan,
        tenants: Vec<TenantRun<'_>>,
        consent: &Consent,
        host: &mut impl Host,
    ) {
        // The tenant may have changed since a plan was saved, while the prompt waited, or while other tenants were
        // planned.
        let is_check_needed = consent.is_later_than_plan() || self.report.targets.len() > 1;
        let context = Context { run, plan, consent, is_check_needed, request: self.request };
        run.for_each_tenant(
            tenants,
            async |tenant| context.apply_tenant(tenant).await,
            |applied| {
                let AppliedTarget { target, report, error } = applied;
                if let Some(CommandError { kind, diagnostics }) = error {
                    self.failures.push(kind);
                    let problem = |reason| Problem::for_tenant(&target.tenant, reason);
                    self.report.errors.extend(diagnostics.into_iter().map(problem));
                }
                let Some(report) = report else { return };
                host.show_result(&report);
                if let Some(slot) = self.report.targets.get_mut(target.position) {
                    *slot = report;
                }
            },
        )
        .await;
    }
}

/// Result of one target.
struct AppliedTarget<'a> {
    target: &'a Target,
    /// Report; `None` if its tenant was not started.
    report: Option<TargetReport>,
    /// How its tenant failed; only with the first target of the tenant.
    error: Option<CommandError>,
}

/// What the apply of each tenant needs of the run.
struct Context<'a> {
    run: &'a Run,
    plan: &'a Plan,
    consent: &'a Consent,
    /// Whether each tenant is read again before its first PUT.
    is_check_needed: bool,
    request: &'a ApplyRequest<'a>,
}

impl Context<'_> {
    /// Applies the changes of a tenant that has a connection. Returns one result for each target, with its position.
    async fn apply_tenant<'t>(&self, tenant: TenantRun<'t>) -> Vec<(usize, AppliedTarget<'t>)> {
        let TenantRun { plan, connection } = tenant;
        let (reports, mut error) = match connection {
            Ok(connection) if plan.changes().next().is_some() => self.apply_plan(plan, connection).await,
            Ok(_) | Err(_) => (Vec::new(), None),
        };
        let mut reports = reports.into_iter();
        let targets = plan.targets.iter();
        targets
            .map(|target| {
                let (report, error) = (reports.next(), error.take());
                (target.position, AppliedTarget { target, report, error })
            })
            .collect()
    }

    /// Applies a plan, if it is approved. Returns one report for each target, or none if nothing was started, and how
    /// the tenant failed.
    async fn apply_plan(
        &self,
        plan: &TenantPlan,
        connection: &Connection,
    ) -> (Vec<TargetReport>, Option<CommandError>) {
        let approved = match self.approve(plan, connection).await {
            Ok(approved) => approved,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let options = apply::Options {
            fail_fast: self.request.fail_fast,
            verify_timeout: self.request.verify_timeout,
            deadline: self.run.deadline,
            stop: self.run.stop.clone(),
        };
        let reports = apply::apply(&approved, &options).await;
        let failure = find_failure(&reports).map(|kind| CommandError { kind, diagnostics: Vec::new() });
        (reports, failure)
    }

    /// Reads the tenant again if needed, and approves its plan.
    async fn approve<'t>(
        &self,
        plan: &'t TenantPlan,
        connection: &'t Connection,
    ) -> Result<Approved<'t>, CommandError> {
        let staleness = match self.is_check_needed {
            true => Some(apply::check_staleness(&connection.graph, plan).await),
            false => None,
        };
        let tenant_check = &connection.connected.tenant_check;
        let access = Access {
            graph: &connection.graph,
            tenant_check,
            policy: self.request.policy,
            now: self.request.now,
        };
        apply::approve(self.plan, plan, access, self.consent, staleness).map_err(|blocked| match blocked {
            Blocked::Unreadable(_) if *self.run.stop.borrow() >= StopStage::Stopping => {
                CommandError::interrupted()
            }
            blocked => blocked::error(&blocked, self.plan, plan, self.request.source.plan_source()),
        })
    }
}

/// Returns how the changes of a tenant failed. Its files are one unit: if any PUT was sent and not every change is done,
/// the tenant is incomplete.
fn find_failure(reports: &[TargetReport]) -> Option<ErrorKind> {
    if reports.iter().all(TargetReport::is_done) {
        None
    } else if reports.iter().any(TargetReport::has_sent) {
        Some(ErrorKind::Incomplete)
    } else {
        Some(ErrorKind::Failed)
    }
}

/// Returns the result of work before any change. A signal ends it with an error, also if both are ready.
async fn unless_stopped<T>(run: &Run, work: impl Future<Output = T>) -> Result<T, CommandError> {
    let done = tokio::select! {
        biased;
        () = stopped(&run.stop, StopStage::Stopping) => None,
        done = work => Some(done),
    };
    // Another thread sends the signal, so the work can observe it first.
    let is_stopped = *run.stop.borrow() >= StopStage::Stopping;
    done.filter(|_| !is_stopped).ok_or_else(CommandError::interrupted)
}
