//! One run, top to bottom: observe, desired, current, diff, plan, commit.
//!
//! May import: sources (their traits), the store (its API), the model. No SeaORM, no reqwest. The scheduled run, a login's
//! refresh, an operator's one-shot and a webhook all come through [`Reconciler::run`]; what decides never sees which.
//!
//! Invariants: nothing is asked of a source while a unit of work is open; a failure of a source writes nothing but the
//! run's record; a plan is committed only on the state it was made for.

mod observe;
mod summary;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use entitled_model::desired::{Desired, Known, desired};
use entitled_model::event::Cause;
use entitled_model::instant::begin_after;
use entitled_model::observation::{AskedUser, Observation, ObservedGroup};
use entitled_model::plan::{Guard, Plan, plan};
use entitled_model::{EmailAddress, GroupId, Instant, Position, RunId, SourceName, Trigger, UserId};
use tokio_util::sync::CancellationToken;

pub use observe::observe;
pub use summary::{Change, Failed, Kept, LIST_MAX, SourceRun, UserPart};

use crate::source::{Person, Progress, Source};
use crate::store::{Breadth, Lease, Profile, Reader, Store, StoreError, UserRecord};

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
}

/// A plan, and the state of the store that it was made for.
struct Prepared {
    plan: Plan,
    /// Of a run about some users: how many memberships the source states of each.
    listed: BTreeMap<UserId, u64>,
    based_on: Position,
    superseded: Superseded,
}

/// The users of whom the source has said something newer; `None` when it has of everything.
type Superseded = Option<BTreeSet<UserId>>;

impl Reconciler {
    #[must_use]
    pub fn new(store: Store, provisioned_types: Arc<BTreeSet<String>>) -> Self {
        Self { store, provisioned_types }
    }

    /// Asks the source, and makes the stored memberships of that source what it says.
    ///
    /// # Errors
    /// When the store fails, the run is stopped, or its lease is lost: nothing was written then. A failure of the source is
    /// no error but an outcome.
    pub async fn run(&self, run: &Run<'_>) -> Result<SourceRun, RunError> {
        let (mut observation, began_at) = match self.observed(run).await? {
            (Ok(observation), began_at) => (observation, began_at),
            (Err(failure), began_at) => {
                let ended = SourceRun::unavailable(run, began_at, failure);
                self.store.record_run(&ended.record(run, self.store.clock().now())).await?;
                return Ok(ended);
            }
        };
        let prepared = self.prepare(self.store.reader(), run, &mut observation).await?;
        self.commit(run, &mut observation, prepared, began_at).await
    }

    /// Asks the source and says what a run would do. Nothing at all is written.
    ///
    /// # Errors
    /// When the store fails or the run is stopped.
    pub async fn rehearse(&self, run: &Run<'_>) -> Result<SourceRun, RunError> {
        let (mut observation, began_at) = match self.observed(run).await? {
            (Ok(observation), began_at) => (observation, began_at),
            (Err(failure), began_at) => return Ok(SourceRun::unavailable(run, began_at, failure)),
        };
        let Prepared { plan, listed, .. } = self.prepare(self.store.reader(), run, &mut observation).await?;
        let names = self.group_names(self.store.reader(), &plan).await?;
        Ok(SourceRun::of_plan(run, &observation, &plan, &listed, began_at, &names).naming_newcomers(&plan))
    }

    async fn observed(
        &self,
        run: &Run<'_>,
    ) -> Result<(Result<Observation, entitled_model::Failure>, Instant), RunError> {
        let latest = self.store.latest_begin(self.store.reader(), &run.source.name).await?;
        let began_at = begin_after(self.store.clock().now(), latest);
        let asked = match &run.scope {
            Scope::Users(asked) => asked.iter().map(|asked| asked.person.clone()).collect(),
            Scope::Whole => self.users_to_ask(run.source).await?,
        };
        let observing = observe(run.source, &run.scope, asked, began_at, self.store.clock(), run.progress);
        tokio::select! {
            observation = observing => Ok((observation, began_at)),
            () = run.stop.cancelled() => Err(RunError::Stopped),
        }
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

    /// Gives the observation the store's ids, compares it with what is stored, and guards the result.
    async fn prepare(
        &self,
        conn: &impl Reader,
        run: &Run<'_>,
        observation: &mut Observation,
    ) -> Result<Prepared, StoreError> {
        let source = &run.source.name;
        let (based_on, _) = self.store.head(conn).await?;
        let newcomers = self.settle_newcomers(conn, run, observation).await?;
        let superseded = self.superseded(conn, source, observation).await?;
        let known = self.known(conn, observation, newcomers, superseded.as_ref()).await?;
        let stored = match observation {
            Observation::Census { .. } => self.store.stored_of_source(conn, source).await?,
            Observation::Users(asked) => {
                let users: Vec<UserId> = asked.iter().map(|asked| asked.user).collect();
                self.store.stored_of_users(conn, source, &users).await?
            }
        };
        let clock = self.store.clock();
        let desired = match superseded {
            Some(_) => desired(observation, &known, &mut || clock.new_id()),
            None => Desired::default(),
        };
        let listed = listed(&run.scope, &desired);
        let plan = plan(source, desired, &stored, &guard(run.source));
        Ok(Prepared { plan, listed, based_on, superseded })
    }

    /// Newcomers who are stored by now get their id; the others are returned.
    async fn settle_newcomers(
        &self,
        conn: &impl Reader,
        run: &Run<'_>,
        observation: &mut Observation,
    ) -> Result<Vec<(UserId, EmailAddress)>, StoreError> {
        let (Scope::Users(scope), Observation::Users(observed)) = (&run.scope, observation) else {
            return Ok(Vec::new());
        };
        let mut unsettled = Vec::new();
        for (asked, observed) in scope.iter().zip(observed).filter(|(asked, _)| asked.newcomer) {
            let Some(address) = &asked.person.email else { continue };
            match self.store.user_by_email(conn, &address.key()).await? {
                Some(user) => observed.user = user.id,
                None => unsettled.push((observed.user, address.clone())),
            }
        }
        Ok(unsettled)
    }

    /// What the store knows about the names in the observation.
    async fn known(
        &self,
        conn: &impl Reader,
        observation: &Observation,
        newcomers: Vec<(UserId, EmailAddress)>,
        superseded: Option<&BTreeSet<UserId>>,
    ) -> Result<Known, StoreError> {
        let groups = self.store.group_ids(conn, &group_names_in(observation)).await?;
        let (users, provisioned) = match observation {
            Observation::Census { .. } => (self.store.user_keys(conn).await?, BTreeMap::new()),
            Observation::Users(asked) => (HashMap::new(), self.provisioned(conn, asked).await?),
        };
        let superseded = superseded.cloned().unwrap_or_default();
        Ok(Known { users, groups, newcomers: newcomers.into_iter().collect(), provisioned, superseded })
    }

    /// Compares when the observation began with what is remembered: newest observation wins.
    async fn superseded(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        observation: &Observation,
    ) -> Result<Superseded, StoreError> {
        let asked = match observation {
            Observation::Census { began_at, .. } => return self.store.superseded(conn, source, *began_at).await,
            Observation::Users(asked) => asked,
        };
        let users: Vec<UserId> = asked.iter().map(|asked| asked.user).collect();
        let (whole, marks) = self.store.marks_of_users(conn, source, &users).await?;
        let newer =
            |asked: &&AskedUser| whole.iter().chain(marks.get(&asked.user)).any(|mark| mark.began_at > asked.began_at);
        Ok(Some(asked.iter().filter(newer).map(|asked| asked.user).collect()))
    }

    /// Of the resources in the answers, those that are provisioned, for each type that asks for it.
    async fn provisioned(
        &self,
        conn: &impl Reader,
        asked: &[AskedUser],
    ) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
        let mut listed: BTreeMap<String, BTreeSet<String>> =
            self.provisioned_types.iter().map(|kind| (kind.clone(), BTreeSet::new())).collect();
        let answers = asked.iter().filter_map(|asked| asked.answer.as_ref().ok());
        for group in answers.flat_map(|answer| &answer.groups) {
            if let ObservedGroup::Resource { facet, resource_id, .. } = group
                && let Some(ids) = listed.get_mut(&facet.resource_type)
            {
                ids.insert(resource_id.clone());
            }
        }
        for (kind, ids) in &mut listed {
            *ids = self.store.provisioned(conn, kind, ids).await?.into_keys().collect();
        }
        Ok(listed)
    }

    /// Writes the plan and the run's record in one unit of work, made anew when what it rests on has changed meanwhile.
    async fn commit(
        &self,
        run: &Run<'_>,
        observation: &mut Observation,
        mut prepared: Prepared,
        began_at: Instant,
    ) -> Result<SourceRun, RunError> {
        let mut unit = self.store.begin().await?;
        if let Some(lease) = &run.lease
            && !self.store.holds_lease(unit.reader(), lease).await?
        {
            return Err(RunError::LeaseLost);
        }
        // A newer observation that changed nothing has left a mark and no event.
        if self.store.changed_since(unit.reader(), prepared.based_on, &run.source.name).await?
            || self.superseded(unit.reader(), &run.source.name, observation).await? != prepared.superseded
        {
            prepared = self.prepare(unit.reader(), run, observation).await?;
        }
        let Prepared { plan, listed, superseded, .. } = prepared;
        if plan.held.is_none() {
            unit.create_profiles(&plan.new_users).await?;
            unit.record(&cause(run), observed_at(observation, began_at), plan.events()).await?;
            if superseded.is_some() {
                let applied: Vec<_> = summary::marks(run, observation).collect();
                unit.mark_observed(&run.source.name, run.run_id, &applied).await?;
            }
        }
        let names = self.group_names(unit.reader(), &plan).await?;
        let mut ended = SourceRun::of_plan(run, observation, &plan, &listed, began_at, &names);
        ended.position = (plan.held.is_none() && !plan.is_quiet()).then(|| unit.head());
        unit.record_run(&ended.record(run, self.store.clock().now())).await?;
        unit.commit().await?;
        Ok(ended)
    }

    /// The names of the groups that the result will list.
    async fn group_names(&self, conn: &impl Reader, plan: &Plan) -> Result<HashMap<GroupId, String>, StoreError> {
        let kept = plan.kept_back();
        let listed = plan.creates.iter().take(LIST_MAX).chain(plan.removes.iter().take(LIST_MAX));
        let listed = listed.chain(kept.iter().take(LIST_MAX).map(|(pair, _)| pair));
        let groups: BTreeSet<GroupId> = listed.map(|(group, _)| *group).collect();
        let groups: Vec<GroupId> = groups.into_iter().collect();
        let mut names = self.store.group_names(conn, &groups).await?;
        names.extend(plan.new_groups.iter().map(|(id, group)| (*id, group.name().to_owned())));
        Ok(names)
    }
}

fn listed(scope: &Scope, desired: &Desired) -> BTreeMap<UserId, u64> {
    let mut listed = BTreeMap::new();
    if let Scope::Users(_) = scope {
        for (_, user) in &desired.pairs {
            *listed.entry(*user).or_default() += 1;
        }
    }
    listed
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
        Observation::Users(asked) => asked.iter().map(|asked| asked.completed_at).max().unwrap_or(began_at),
    }
}

fn group_names_in(observation: &Observation) -> Vec<&str> {
    let mut names: Vec<&str> = match observation {
        Observation::Census { census, .. } => census.groups.iter().map(|group| group.group.name()).collect(),
        Observation::Users(asked) => {
            let answers = asked.iter().filter_map(|asked| asked.answer.as_ref().ok());
            answers.flat_map(|answer| answer.groups.iter().map(ObservedGroup::name)).collect()
        }
    };
    names.sort_unstable();
    names.dedup();
    names
}

fn guard(source: &Source) -> Guard {
    let limits = &source.settings.guard;
    Guard {
        max_removal_ratio: limits.max_removal_ratio,
        max_removals: limits.max_removals.into(),
        min_memberships: limits.min_memberships.into(),
    }
}

impl From<UserRecord> for Person {
    fn from(user: UserRecord) -> Self {
        let Profile { email, sub, claims } = user.profile;
        Person { user: user.id, email, sub, claims }
    }
}
