//! One run, top to bottom: observe, desired, current, diff, plan, commit.
//!
//! May import: sources (their traits), the store (its API), the model. No SeaORM, no reqwest. The scheduled run, a login's
//! refresh, an operator's one-shot and a webhook all come through [`Reconciler::run`]; what decides never sees which.
//!
//! Invariants: nothing is asked of a source while a unit of work is open; a failure of a source writes nothing but the
//! run's record; a plan is committed only on the state it was made for.

mod approval;
mod enumerate;
mod look_ups;
mod observe;
mod people;
mod prepare;
mod quiet;
mod rehearsal;
mod summary;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use entitled_model::event::Cause;
use entitled_model::instant::begin_after;
use entitled_model::observation::Observation;
use entitled_model::plan::Plan;
use entitled_model::{GroupId, Instant, RunId, SourceName, Trigger, UserId};
use tokio_util::sync::CancellationToken;

pub use approval::Approve;
pub use enumerate::Enumeration;
use enumerate::Past;
use observe::{Asking, Observed, observe};
use prepare::Prepared;
pub use rehearsal::RehearsalError;
pub use summary::{Change, Failed, Kept, LIST_MAX, SourceRun, UserPart};

use crate::source::{Asks, Person, Progress, Source};
use crate::store::{Breadth, Lease, Profile, Reader, Store, StoreError, Unit, UserRecord};

/// The names of groups.
type Names = HashMap<GroupId, String>;

/// What a run is about.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Everything that the source speaks of.
    Whole,
    /// These users alone; a newcomer is not stored yet, and is created when the source knows them.
    Users(Vec<Asked>),
}

impl Scope {
    #[must_use]
    pub fn breadth(&self) -> Breadth {
        match self {
            Scope::Whole => Breadth::Whole,
            Scope::Users(_) => Breadth::Users,
        }
    }
}

/// A user to ask about.
#[derive(Debug, Clone)]
pub struct Asked {
    pub person: Person,
    pub newcomer: bool,
}

/// One run of one source.
pub struct Run<'a> {
    pub run_id: RunId,
    pub source: &'a Source,
    pub scope: Scope,
    pub trigger: Trigger,
    /// The request that led here.
    pub correlation_id: Option<String>,
    /// An operator's word about the plan that this run may come to.
    pub approve: Option<Approve>,
    /// Held by whoever runs a whole source; lost, it voids the run.
    pub lease: Option<Lease>,
    pub progress: &'a dyn Progress,
    /// Asks the run to stop while nothing has been written.
    pub stop: CancellationToken,
}

/// Why a run ended without an outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the run was stopped before anything was written")]
    Stopped,
    #[error("another process took the source over; nothing was written")]
    LeaseLost,
    #[error("another process has been reading this source for too long")]
    Busy,
}

/// Carries out runs against one store.
#[derive(Clone)]
pub struct Reconciler {
    store: Store,
    /// The resource types whose resources must be provisioned here before an entitlement to one takes effect.
    provisioned_types: Arc<BTreeSet<String>>,
    /// The configured sources that know people by accounts of their own.
    directories: Arc<BTreeSet<SourceName>>,
}

impl Reconciler {
    #[must_use]
    pub fn new(store: Store, provisioned_types: Arc<BTreeSet<String>>, directories: Arc<BTreeSet<SourceName>>) -> Self {
        Self { store, provisioned_types, directories }
    }

    /// Asks the source, and makes the stored memberships of that source what it says.
    ///
    /// # Errors
    /// When the store fails, the run is stopped, or its lease is lost: nothing was written then. A failure of the source is
    /// no error but an outcome.
    pub async fn run(&self, run: &Run<'_>) -> Result<SourceRun, RunError> {
        let (Observed { observation, enumeration }, began_at) = self.observed(run).await?;
        let ended = match observation {
            Ok(mut observation) => {
                let prepared = self.prepare(self.store.reader(), run, &mut observation, began_at).await?;
                self.commit(run, &mut observation, prepared, began_at).await?
            }
            Err(failure) => {
                let look_up = look_ups::failed(run, began_at, failure.class);
                let ended = SourceRun::unavailable(run, began_at, failure);
                self.store.record_run(&ended.record(run, self.store.clock().now())).await?;
                if let Some(look_up) = look_up {
                    self.store.note_look_up(&run.source.name, &look_up).await?;
                }
                ended
            }
        };
        Ok(SourceRun { enumeration, ..ended })
    }

    /// Asks the source and says what a run would do. Nothing at all is written.
    ///
    /// # Errors
    /// When the store fails or the run is stopped.
    pub async fn rehearse(&self, run: &Run<'_>) -> Result<SourceRun, RunError> {
        let (Observed { observation, .. }, began_at) = self.observed(run).await?;
        let mut observation = match observation {
            Ok(observation) => observation,
            Err(failure) => return Ok(SourceRun::unavailable(run, began_at, failure)),
        };
        let Prepared { plan, .. } = self.prepare(self.store.reader(), run, &mut observation, began_at).await?;
        let names = self.group_names(self.store.reader(), &plan).await?;
        Ok(SourceRun::of_plan(run, &observation, &plan, began_at, &names).naming_newcomers(&plan))
    }

    async fn observed(&self, run: &Run<'_>) -> Result<(Observed, Instant), RunError> {
        let began_at = self.begin(run).await?;
        let (asked, past) = match &run.scope {
            Scope::Users(asked) => (self.with_accounts(run.source, asked).await?, Past::default()),
            Scope::Whole => {
                let asked = self.users_to_ask(run.source).await?;
                let past = self.past(run.source, &asked).await?;
                (asked, past)
            }
        };
        let asking = Asking { source: run.source, began_at, clock: self.store.clock(), progress: run.progress };
        let observing = observe(&asking, &run.scope, asked, &past);
        tokio::select! {
            observed = observing => Ok((observed, began_at)),
            () = run.stop.cancelled() => Err(RunError::Stopped),
        }
    }

    /// When an observation that begins now counts as begun.
    async fn begin(&self, run: &Run<'_>) -> Result<Instant, StoreError> {
        let latest = self.store.latest_begin(self.store.reader(), &run.source.name).await?;
        Ok(begin_after(self.store.clock().now(), latest))
    }

    /// The users to ask a directory about, each with the account that it is known to have of them.
    async fn with_accounts(&self, source: &Source, asked: &[Asked]) -> Result<Vec<Person>, StoreError> {
        let mut people: Vec<Person> = asked.iter().map(|asked| asked.person.clone()).collect();
        if source.asks.one_by_one() {
            return Ok(people);
        }
        let users: Vec<UserId> = people.iter().map(|person| person.user).collect();
        let mut accounts = self.store.accounts_of(self.store.reader(), &source.name, &users).await?;
        for person in &mut people {
            person.external_id = accounts.remove(&person.user);
        }
        Ok(people)
    }

    /// The users a backend can be asked about: active, and known with the claims that it needs.
    async fn users_to_ask(&self, source: &Source) -> Result<Vec<Person>, StoreError> {
        if !source.asks.one_by_one() {
            return Ok(Vec::new());
        }
        let users = self.store.users(self.store.reader(), true).await?;
        let askable = users.into_iter().map(Person::from).filter(|person| {
            person.email.is_some() && source.required_claims.iter().all(|claim| person.claims.contains_key(claim))
        });
        Ok(askable.collect())
    }

    /// What is stored of those to ask, where answers derived from lists have to be held against it.
    async fn past(&self, source: &Source, people: &[Person]) -> Result<Past, StoreError> {
        let Asks::Backend(backend) = &source.asks else { return Ok(Past::default()) };
        if backend.enumerator().is_none() {
            return Ok(Past::default());
        }
        let users: Vec<UserId> = people.iter().map(|person| person.user).collect();
        let conn = self.store.reader();
        let stored = self.store.stored_of_users(conn, &source.name, &users).await?.entitlements;
        let marks = self.store.marks_of_users(conn, &source.name, &users).await?;
        let answered_at = marks.users.into_iter().map(|(user, mark)| (user, mark.completed_at)).collect();
        let latest = self.store.latest_begin(conn, &source.name).await?;
        Ok(Past { stored, answered_at, latest })
    }

    /// Writes the plan and the run's record in one unit of work, made anew when what it rests on has changed meanwhile.
    async fn commit(
        &self,
        run: &Run<'_>,
        observation: &mut Observation,
        mut prepared: Prepared,
        began_at: Instant,
    ) -> Result<SourceRun, RunError> {
        if let Some(ended) = self.quietly(run, observation, &prepared, began_at).await? {
            return Ok(ended);
        }
        let mut unit = self.store.begin().await?;
        if let Some(lease) = &run.lease
            && !self.store.holds_lease(unit.reader(), lease).await?
        {
            return Err(RunError::LeaseLost);
        }
        // A newer observation that changed nothing has left a mark and no event.
        if self.has_changed(&unit, run, &prepared).await?
            || self.superseded(unit.reader(), &run.source.name, observation).await? != prepared.superseded
            || self.store.are_bound(unit.reader(), &run.source.name, &prepared.plan.people.accounts).await?
        {
            prepared = self.prepare(unit.reader(), run, observation, began_at).await?;
        }
        let Prepared { mut plan, paths, superseded, .. } = prepared;
        let decided = self.decide(&mut unit, run, &mut plan).await?;
        if let Some(additions) = &plan.additions {
            self.write(&mut unit, run, additions, observed_at(observation, began_at)).await?;
            let applied = summary::marks_of(observation, &additions.spoken_of());
            unit.mark_observed(&run.source.name, run.run_id, &applied).await?;
        }
        if plan.held.is_none() {
            self.write(&mut unit, run, &plan, observed_at(observation, began_at)).await?;
            if superseded.is_some() {
                let applied = summary::marks(run, observation);
                unit.mark_observed(&run.source.name, run.run_id, &applied).await?;
            }
            if let Some(vanished) = &plan.vanished {
                unit.mark_vanished(&run.source.name, vanished, began_at).await?;
            }
        }
        unit.write_paths(&run.source.name, &paths, &plan).await?;
        let looked_up = look_ups::of(run, observation, &plan);
        if !looked_up.is_empty() {
            unit.note_look_ups(&run.source.name, &looked_up).await?;
        }
        let at = unit.at();
        unit.record(&cause(run), at, decided).await?;
        let names = self.group_names(unit.reader(), &plan).await?;
        self.keep_or_forget(&mut unit, run, &plan, &names).await?;
        let mut ended = SourceRun::of_plan(run, observation, &plan, began_at, &names);
        let is_written = match &plan.additions {
            Some(additions) if plan.held.is_some() => !additions.is_quiet(),
            _ => plan.held.is_none() && !plan.is_quiet(),
        };
        ended.position = is_written.then(|| unit.head());
        unit.record_run(&ended.record(run, self.store.clock().now())).await?;
        unit.commit().await?;
        Ok(ended)
    }

    /// Whether events since the plan was made may make it another one.
    async fn has_changed(&self, unit: &Unit, run: &Run<'_>, prepared: &Prepared) -> Result<bool, StoreError> {
        if unit.head() == prepared.based_on {
            return Ok(false);
        }
        // Whether somebody else stays an owner rests on more than what the source speaks of.
        if prepared.rests_on_owners {
            return Ok(true);
        }
        self.store.changed_since(unit.reader(), prepared.based_on, &run.source.name).await
    }

    /// Writes what a plan changes, with its events.
    async fn write(&self, unit: &mut Unit, run: &Run<'_>, plan: &Plan, at: Instant) -> Result<(), StoreError> {
        unit.write_people(&run.source.name, &plan.people).await?;
        unit.create_profiles(&plan.new_users).await?;
        let newcomers: Vec<UserId> = plan.new_users.iter().map(|(user, _)| *user).collect();
        let seeded = unit.seeded(&newcomers);
        unit.record(&cause(run), at, plan.events().chain(seeded)).await
    }

    /// The names of the groups that the result will list.
    async fn group_names(&self, conn: &impl Reader, plan: &Plan) -> Result<Names, StoreError> {
        let kept = plan.kept_back();
        let listed = plan.creates.iter().take(LIST_MAX).chain(plan.removes.iter().take(LIST_MAX));
        let added = plan.additions.iter().flat_map(|additions| additions.creates.iter().take(LIST_MAX));
        let listed = listed.chain(added).chain(kept.iter().take(LIST_MAX).map(|(pair, _)| pair));
        let groups: BTreeSet<GroupId> = listed.map(|(group, _)| *group).collect();
        let groups: Vec<GroupId> = groups.into_iter().collect();
        let mut names = if groups.is_empty() { Names::new() } else { self.store.group_names(conn, &groups).await? };
        let new = plan.new_groups.iter().chain(plan.additions.iter().flat_map(|additions| &additions.new_groups));
        names.extend(new.map(|(id, group)| (*id, group.name().to_owned())));
        Ok(names)
    }
}

fn cause(run: &Run<'_>) -> Cause {
    Cause {
        actor: format!("source:{}", run.source.name),
        source: Some(run.source.name.clone()),
        run_id: Some(run.run_id),
        correlation_id: run.correlation_id.clone(),
        causation_id: None,
    }
}

fn observed_at(observation: &Observation, began_at: Instant) -> Instant {
    match observation {
        Observation::Census { completed_at, .. } => *completed_at,
        // What was derived from lists is as old as the last whole answer, and was observed now.
        Observation::Users(asked) => {
            let ends = asked.iter().map(|asked| asked.completed_at.max(asked.began_at));
            ends.max().unwrap_or(began_at)
        }
    }
}

impl From<UserRecord> for Person {
    fn from(user: UserRecord) -> Self {
        let Profile { email, sub, claims } = user.profile;
        Person { user: user.id, email, sub, external_id: None, claims }
    }
}
