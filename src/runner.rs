//! The runner: who may run a source now, and what is told of it. Around every run, whatever started it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use entitled_model::{Failure, Instant, RunId, Trigger};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::reconcile::{Approve, Asked, Reconciler, RehearsalError, Run, RunError, Scope, SourceRun};
use crate::report::{Occasion, Reports, chain};
use crate::source::{Progress, Registry, Silent, Snapshot, Source};
use crate::store::{Lease, Store};

/// A lease is renewed this often within its period.
const RENEWALS_PER_LEASE: u32 = 3;

/// Runs sources against the store.
#[derive(Clone)]
pub struct Runner {
    pub store: Store,
    pub registry: Arc<Registry>,
    pub reports: Arc<Reports>,
    /// The resource types whose resources must be provisioned here before an entitlement to one takes effect.
    pub provisioned_types: Arc<BTreeSet<String>>,
    /// How long a source stays claimed when its runner is not heard of any more.
    pub lease_period: Duration,
}

/// Who asked for a run, and how it may be followed and stopped.
pub struct Order<'a> {
    pub run_id: RunId,
    pub trigger: Trigger,
    pub correlation_id: Option<String>,
    /// An operator's word about the plan that the run may come to.
    pub approve: Option<Approve>,
    /// The run is not needed when another of the whole source began then or later.
    pub due_at: Option<Instant>,
    pub progress: &'a dyn Progress,
    pub stop: CancellationToken,
}

impl Order<'_> {
    /// An order that nobody watches.
    #[must_use]
    pub fn new(clock: &Clock, trigger: Trigger, stop: CancellationToken) -> Self {
        Self {
            run_id: RunId(clock.new_id()),
            trigger,
            correlation_id: None,
            approve: None,
            due_at: None,
            progress: &Silent,
            stop,
        }
    }
}

impl Runner {
    /// Reads a whole source and applies what it says; `None` when somebody else is at it, or has done it since it was due.
    ///
    /// # Errors
    /// As [`Reconciler::run`].
    pub async fn whole(&self, source: &Source, order: &Order<'_>) -> Result<Option<SourceRun>, RunError> {
        let name = format!("run:{}", source.name);
        let Some(lease) = self.store.take_lease(&name, self.lease_period).await? else {
            self.reports.metrics().run_skipped(&source.name);
            return Ok(None);
        };
        if self.is_done(source, order).await? {
            self.store.release_lease(&lease).await?;
            return Ok(None);
        }
        let stop = order.stop.child_token();
        let renewing = self.renewing(lease.clone(), stop.clone());
        let ended = self.told(source, order, Scope::Whole, Some(lease.clone()), stop).await;
        drop(renewing);
        if let Err(error) = self.store.release_lease(&lease).await {
            tracing::warn!(source = %source.name, detail = chain(&error), "a lease was left to run out");
        }
        ended.map(Some)
    }

    async fn is_done(&self, source: &Source, order: &Order<'_>) -> Result<bool, RunError> {
        match order.due_at {
            None => Ok(false),
            Some(due_at) => Ok(self.store.whole_run_since(&source.name, due_at).await?),
        }
    }

    /// Asks a source about some users and applies what it says.
    ///
    /// # Errors
    /// As [`Reconciler::run`].
    pub async fn users(&self, source: &Source, asked: Vec<Asked>, order: &Order<'_>) -> Result<SourceRun, RunError> {
        self.told(source, order, Scope::Users(asked), None, order.stop.clone()).await
    }

    /// Says what a run would do. Nothing is written, and nobody is told.
    ///
    /// # Errors
    /// As [`Reconciler::rehearse`].
    pub async fn rehearse(&self, source: &Source, scope: Scope, order: &Order<'_>) -> Result<SourceRun, RunError> {
        let run = run_of(source, order, scope, None, order.stop.clone());
        self.reconciler().rehearse(&run).await
    }

    /// What a source says now, for rehearsals. Nothing is written, and nobody is told.
    ///
    /// # Errors
    /// As [`Reconciler::snapshot`].
    pub async fn snapshot(
        &self,
        source: &Source,
        progress: &dyn Progress,
        stop: CancellationToken,
    ) -> Result<Result<Snapshot, Failure>, RunError> {
        let order = Order { progress, ..Order::new(self.store.clock(), Trigger::Manual, stop.clone()) };
        self.reconciler().snapshot(&run_of(source, &order, Scope::Whole, None, stop)).await
    }

    /// Says what a run would do whose source answered as a snapshot says. Nothing is written, and nobody is told.
    ///
    /// # Errors
    /// As [`Reconciler::rehearse_against`].
    pub async fn rehearse_against(
        &self,
        source: &Source,
        snapshot: &Snapshot,
        order: &Order<'_>,
    ) -> Result<SourceRun, RehearsalError> {
        let run = run_of(source, order, Scope::Whole, None, order.stop.clone());
        self.reconciler().rehearse_against(&run, snapshot).await
    }

    fn reconciler(&self) -> Reconciler {
        let directories = self.registry.iter().filter(|source| !source.asks.one_by_one());
        let directories = directories.map(|source| source.name.clone()).collect();
        Reconciler::new(self.store.clone(), Arc::clone(&self.provisioned_types), Arc::new(directories))
    }

    async fn told(
        &self,
        source: &Source,
        order: &Order<'_>,
        scope: Scope,
        lease: Option<Lease>,
        stop: CancellationToken,
    ) -> Result<SourceRun, RunError> {
        let clock = self.store.clock();
        let began = clock.monotonic();
        let breadth = scope.breadth();
        let run = run_of(source, order, scope, lease, stop);
        let ended = self.reconciler().run(&run).await;
        let took = clock.monotonic().saturating_sub(began);
        let Order { run_id, trigger, .. } = order;
        let scheduled = source.settings.schedule.is_some();
        let (run_id, trigger, ended_at) = (*run_id, *trigger, clock.now());
        match &ended {
            Ok(run) => {
                let occasion = Occasion { run_id, trigger, breadth, scheduled, took, ended_at };
                self.reports.run_ended(&occasion, run);
            }
            Err(RunError::Stopped) => {
                tracing::info!(%run_id, source = %source.name, %trigger, "run interrupted before anything was written");
            }
            Err(error) => self.reports.run_failed(run_id, trigger, &source.name, error, took),
        }
        ended
    }

    /// Keeps a lease while the handle lives; losing it stops the run.
    fn renewing(&self, lease: Lease, stop: CancellationToken) -> AbortOnDropHandle<()> {
        let (store, period) = (self.store.clone(), self.lease_period);
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                store.clock().sleep(period / RENEWALS_PER_LEASE).await;
                match store.renew_lease(&lease, period).await {
                    Ok(true) => {}
                    Ok(false) => return stop.cancel(),
                    // The commit looks at the lease again.
                    Err(error) => tracing::warn!(lease = lease.name, detail = chain(&error), "a lease was not renewed"),
                }
            }
        }))
    }
}

fn run_of<'a>(
    source: &'a Source,
    order: &Order<'a>,
    scope: Scope,
    lease: Option<Lease>,
    stop: CancellationToken,
) -> Run<'a> {
    let Order { run_id, trigger, correlation_id, approve, due_at: _, progress, stop: _ } = order;
    Run {
        run_id: *run_id,
        source,
        scope,
        trigger: *trigger,
        correlation_id: correlation_id.clone(),
        approve: approve.clone(),
        lease,
        progress: *progress,
        stop,
    }
}
