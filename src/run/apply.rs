//! Applies files or a saved plan: plans, checks the preconditions, asks for approval, and applies tenant by tenant.

use std::time::Duration;

use super::blocked::{self, PlanSource};
use super::connect::Connection;
use super::error::{CommandError, ErrorKind};
use super::plan::{Event, Fleet, PlanRequest, PlannedRun, load_files, plan_fleet};
use super::saved::{connect_tenants, load_plan};
use super::session::Run;
use crate::apply::{self, Approved, Blocked, Consent, MatchingFingerprint, Report, TargetReport};
use crate::diagnostic::Diagnostic;
use crate::http::stopped;
use crate::plan::{Member, Plan, Problem, ShardInfo, Target, TenantPlan, sort_by_tenant};

/// Options of an apply.
#[derive(Debug, Clone)]
pub struct ApplyRequest<'a> {
    /// What to apply.
    pub source: PlanSource<'a>,
    /// Options of planning; the overrides are not used for a saved plan.
    pub plan: PlanRequest,
    /// Fingerprint that the plan must have.
    pub expected_fingerprint: Option<&'a str>,
    /// Whether the changes are approved in advance.
    pub is_approved: bool,
    /// Stop after the first failed change of a tenant.
    pub fail_fast: bool,
    /// Time limit for reading changes back.
    pub verify_timeout: Duration,
}

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
    /// Receives what happens.
    fn on_event(&mut self, event: Event<'_>);

    /// Shows the complete plan, before anything is changed.
    ///
    /// # Errors
    /// The plan could not be shown, so that nothing may be changed.
    async fn show_plan(&mut self, plan: &Plan) -> Result<(), CommandError>;

    /// Asks whether to apply the changes of these tenants.
    async fn ask(&mut self, tenants: &[&TenantPlan]) -> Answer;
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
    let mut session = Session::default();
    let ended = session.run(run, request, host).await;
    let Session { mut report, mut failures, fleet } = session;
    if let Err(CommandError { kind, diagnostics }) = ended {
        report.errors.extend(diagnostics.into_iter().map(Problem::from));
        // Nothing was started, so what was found before does not matter.
        failures = vec![kind];
    }
    sort_by_tenant(&mut report.errors, &fleet);
    // Without readable files, the files of the run are unknown, for every shard.
    let without_files = |shard| ShardInfo { shard, fleet: Vec::new() };
    report.shard = report.shard.or_else(|| request.plan.shard.map(without_files));
    Applied { report, failure: failures.into_iter().max() }
}

/// State of an apply.
#[derive(Default)]
struct Session {
    report: Report,
    failures: Vec<ErrorKind>,
    /// Files of the run, of all shards.
    fleet: Vec<Member>,
}

/// One tenant of an apply.
struct TenantRun<'a> {
    plan: &'a TenantPlan,
    /// Connection; `None` if it failed, and for a tenant without a target, which only errors name.
    connection: Option<&'a Connection>,
    /// Why the tenant is not applied, if so.
    failure: Option<ErrorKind>,
}

/// Result of one target.
struct AppliedTarget<'a> {
    target: &'a Target,
    /// Report; `None` if nothing was started.
    report: Option<TargetReport>,
    /// Why nothing was started in the tenant.
    reasons: Vec<Diagnostic>,
    failure: Option<ErrorKind>,
}

/// Files or a saved plan, before anything is sent.
enum Loaded {
    Files(Fleet),
    Saved(Plan),
}

impl Session {
    /// Runs an apply. An error ends it before any change; failures of single tenants are not errors.
    async fn run(
        &mut self,
        run: &Run,
        request: &ApplyRequest<'_>,
        host: &mut impl Host,
    ) -> Result<(), CommandError> {
        let loaded = self.load(request, host)?;
        let prepared = async {
            match loaded {
                Loaded::Files(fleet) => (plan_fleet(run, fleet, &request.plan, |_| {}).await, Vec::new()),
                Loaded::Saved(plan) => connect_tenants(run, plan, request.plan.policy).await,
            }
        };
        let (PlannedRun { plan, connections }, errors) = tokio::select! {
            () = stopped(Some(&run.stop)) => return Err(CommandError::interrupted()),
            prepared = prepared => prepared,
        };
        self.report = Report::not_attempted(&plan);
        self.report.errors.extend(errors);
        host.show_plan(&plan).await?;
        let tenants = plan.tenants.iter().map(|plan| {
            let connection = connections.get(&plan.tenant);
            let failure = connection.and_then(|connection| connection.as_ref().err().copied());
            TenantRun { plan, connection: connection.and_then(|it| it.as_ref().ok()), failure }
        });
        let mut tenants: Vec<_> = tenants.collect();
        let consent = self.check(run, &plan, &mut tenants, request, host).await?;
        self.apply(run, &plan, tenants, &consent, request, host).await;
        Ok(())
    }

    /// Loads the files or the saved plan of the shard.
    fn load(&mut self, request: &ApplyRequest<'_>, host: &mut impl Host) -> Result<Loaded, CommandError> {
        let shard = request.plan.shard;
        let on_event = |event: Event<'_>| host.on_event(event);
        match request.source {
            PlanSource::Files(paths) => {
                let fleet = load_files(paths, shard, on_event)?;
                (self.fleet, self.report.shard) = (fleet.members.clone(), fleet.shard.clone());
                Ok(Loaded::Files(fleet))
            }
            PlanSource::Saved(path) => {
                let (plan, fleet) = load_plan(path, shard, on_event)?;
                (self.fleet, self.report.shard) = (fleet, plan.shard.clone());
                Ok(Loaded::Saved(plan))
            }
        }
    }

    /// Checks the preconditions that need no further reads, and asks for approval unless it is given or there is
    /// nothing to change. Tenants for which a precondition does not hold have a failure afterwards.
    async fn check(
        &mut self,
        run: &Run,
        plan: &Plan,
        tenants: &mut [TenantRun<'_>],
        request: &ApplyRequest<'_>,
        host: &mut impl Host,
    ) -> Result<Consent, CommandError> {
        for tenant in tenants.iter_mut().filter(|tenant| tenant.failure.is_none()) {
            if let Err(blocked) = apply::check_complete(plan, tenant.plan) {
                self.stop(tenant, blocked::error(&blocked, tenant.plan, request.source));
            }
        }
        if tenants.is_empty() && !plan.errors.is_empty() {
            // A saved plan whose files could not be read has only errors.
            self.report.errors.push(blocked::incomplete(request.source).into());
            self.failures.push(ErrorKind::Blocked);
        }
        let mut consent = match request.source {
            PlanSource::Saved(_) => Some(Consent::SavedPlan),
            PlanSource::Files(_) => request.is_approved.then_some(Consent::Given),
        };
        if let Some(expected) = request.expected_fingerprint {
            match MatchingFingerprint::compare(plan, expected) {
                Some(_) if matches!(consent, Some(Consent::SavedPlan)) => {}
                Some(matching) => consent = Some(Consent::Fingerprint(matching)),
                None => self.stop_all(tenants, blocked::fingerprint_mismatch(plan, expected)),
            }
        }
        for tenant in tenants.iter_mut().filter(|tenant| tenant.failure.is_none()) {
            if let Err(blocked) = apply::check_guards(tenant.plan) {
                self.stop(tenant, blocked::error(&blocked, tenant.plan, request.source));
            }
        }
        let open = tenants.iter().filter(|tenant| tenant.failure.is_none()).map(|tenant| tenant.plan);
        let changing: Vec<_> = open.filter(|plan| plan.changes().next().is_some()).collect();
        if let Some(consent) = consent.or(changing.is_empty().then_some(Consent::Given)) {
            return Ok(consent);
        }
        let answer = tokio::select! {
            () = stopped(Some(&run.stop)) => return Err(CommandError::interrupted()),
            answer = host.ask(&changing) => answer,
        };
        match answer {
            Answer::Yes => {}
            Answer::No => self.stop_all(tenants, blocked::approval_denied()),
            Answer::NotInteractive => self.stop_all(tenants, blocked::approval_required()),
        }
        Ok(Consent::Typed)
    }

    /// Records why a tenant is not applied.
    fn stop(&mut self, tenant: &mut TenantRun<'_>, CommandError { kind, diagnostics }: CommandError) {
        let name = &tenant.plan.tenant;
        self.report.errors.extend(diagnostics.into_iter().map(|reason| Problem::for_tenant(name, reason)));
        tenant.failure = Some(kind);
    }

    /// Records why no tenant is applied. Does nothing if each already has a reason.
    fn stop_all(&mut self, tenants: &mut [TenantRun<'_>], reason: Diagnostic) {
        let mut open = tenants.iter_mut().filter(|tenant| tenant.failure.is_none()).peekable();
        if open.peek().is_some() {
            self.report.errors.push(reason.into());
        }
        open.for_each(|tenant| tenant.failure = Some(ErrorKind::Blocked));
    }

    /// Applies the tenants without a failure, and records the results.
    async fn apply(
        &mut self,
        run: &Run,
        plan: &Plan,
        tenants: Vec<TenantRun<'_>>,
        consent: &Consent,
        request: &ApplyRequest<'_>,
        host: &mut impl Host,
    ) {
        self.failures.extend(tenants.iter().filter_map(|tenant| tenant.failure));
        // The tenant may have changed since a plan was saved, while the prompt waited, or while other tenants were
        // planned.
        let is_check_needed = consent.is_later_than_plan() || plan.targets().len() > 1;
        let context = ApplyContext { run, plan, consent, is_check_needed, request };
        run.for_each_tenant(
            tenants,
            async |tenant| context.apply_tenant(tenant).await,
            |AppliedTarget { target, report, reasons, failure }| {
                self.failures.extend(failure);
                let reasons = reasons.into_iter().map(|reason| Problem::for_tenant(&target.tenant, reason));
                self.report.errors.extend(reasons);
                let Some(report) = report else { return };
                host.on_event(Event::Applied(&report));
                if let Some(slot) = self.report.targets.get_mut(target.position) {
                    *slot = report;
                }
            },
        )
        .await;
    }
}

/// What the apply of each tenant needs of the run.
struct ApplyContext<'a> {
    run: &'a Run,
    plan: &'a Plan,
    consent: &'a Consent,
    /// Whether each tenant is read again before its first PUT.
    is_check_needed: bool,
    request: &'a ApplyRequest<'a>,
}

impl ApplyContext<'_> {
    /// Applies the changes of a tenant that has no failure. Returns one result for each target, with its position;
    /// the first has the reasons that concern the tenant.
    async fn apply_tenant<'t>(&self, tenant: TenantRun<'t>) -> Vec<(usize, AppliedTarget<'t>)> {
        let TenantRun { plan, connection, failure } = tenant;
        let (mut reports, mut failure, mut reasons) = (Vec::new(), failure, Vec::new());
        if let (Some(connection), None) = (connection, failure)
            && plan.changes().next().is_some()
        {
            match self.approve(plan, connection).await {
                Ok(approved) => {
                    reports = apply::apply(&connection.graph, &approved, &self.options()).await;
                    failure = find_failure(&reports);
                }
                Err(CommandError { kind, diagnostics }) => (failure, reasons) = (Some(kind), diagnostics),
            }
        }
        let reports = reports.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let applied = plan.targets.iter().zip(reports).map(|(target, report)| {
            let reasons = std::mem::take(&mut reasons);
            (target.position, AppliedTarget { target, report, reasons, failure })
        });
        applied.collect()
    }

    fn options(&self) -> apply::Options {
        apply::Options {
            fail_fast: self.request.fail_fast,
            verify_timeout: self.request.verify_timeout,
            deadline: self.run.deadline,
            stop: self.run.stop.clone(),
        }
    }

    /// Reads the tenant again if needed, and approves its plan.
    async fn approve<'t>(
        &self,
        tenant: &'t TenantPlan,
        connection: &'t Connection,
    ) -> Result<Approved<'t>, CommandError> {
        let staleness = match self.is_check_needed {
            true => Some(apply::check_staleness(&connection.graph, tenant).await),
            false => None,
        };
        let tenant_check = (&connection.connected.tenant_check, self.request.plan.policy);
        let approved = apply::approve(self.plan, tenant, tenant_check, self.consent, staleness);
        approved.map_err(|blocked| match blocked {
            Blocked::Unreadable(_) if *self.run.stop.borrow() => CommandError::interrupted(),
            blocked => blocked::error(&blocked, tenant, self.request.source),
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
