//! From an observation to a plan: the store's ids, what is stored, the difference, the guard. It only reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::TimeDelta;
use entitled_model::administrators::Heard;
use entitled_model::desired::{Conclusion, Desired, Known, desired};
use entitled_model::observation::{AskedUser, Observation, ObservedGroup};
use entitled_model::path::{Comparison, PathChanges};
use entitled_model::people::Joined;
use entitled_model::plan::{GroupPolicy, Plan, Policy, Stored, plan};
use entitled_model::{GroupId, Instant, Position, SourceName, UserId};

use super::people::Settled;
use super::{Reconciler, Run};
use crate::config::{GroupRules, RemovalRules};
use crate::source::Source;
use crate::store::{Marks, Reader, StoreError};

/// A plan, and the state of the store that it was made for.
pub(super) struct Prepared {
    pub plan: Plan,
    /// What it changes about paths, beside the log.
    pub paths: PathChanges,
    pub based_on: Position,
    /// Whether it may end something while people are owners by what sources say alone, this one or another.
    pub rests_on_owners: bool,
    pub superseded: Superseded,
}

/// The users of whom the source has said something newer; `None` when it has of everything.
pub(super) type Superseded = Option<BTreeSet<UserId>>;

impl Reconciler {
    /// Gives the observation the store's ids, compares it with what is stored, and guards the result.
    pub(super) async fn prepare(
        &self,
        conn: &impl Reader,
        run: &Run<'_>,
        observation: &mut Observation,
        began_at: Instant,
    ) -> Result<Prepared, StoreError> {
        let source = &run.source.name;
        let (based_on, _) = self.store.head(conn).await?;
        let settled = self.settle(conn, run, observation).await?;
        let superseded = self.superseded(conn, source, observation).await?;
        let Some(newer) = &superseded else {
            let guard = Policy::guarded(run.source.settings.removal.guard);
            let plan = plan(source, Desired::default(), &Stored::default(), &guard, began_at);
            let paths = PathChanges::default();
            return Ok(Prepared { plan, paths, based_on, rests_on_owners: false, superseded });
        };
        let mut silent = newer.clone();
        if let Observation::Users(asked) = &*observation {
            // They may have been erased while they were asked about: nothing is learned of them any more.
            let users: Vec<UserId> = asked.iter().map(|asked| asked.user).collect();
            silent.extend(self.store.erased_among(conn, &users).await?);
        }
        let people = self.people(conn, source, observation, &settled, &silent).await?;
        let known = self.known(conn, run.source, observation, settled, people, &silent).await?;
        let clock = self.store.clock();
        let administrators = known.administrators.clone();
        let mut desired = desired(observation, known, &mut || clock.new_id());
        if !run.source.administrators_are_owners && matches!(observation, Observation::Census { .. }) {
            // They were, while the setting was on.
            desired.administrators = Heard::nobody(&administrators);
        }
        let paths = self.paths(conn, run.source, observation, &mut desired).await?;
        let mut stored = self.stored(conn, source, observation, &desired).await?;
        stored.administrators = administrators;
        if may_end(&desired, &stored) {
            stored = self.store.with_guardians(conn, stored).await?;
        }
        let rests_on_owners = !stored.owners.is_empty() || !stored.directory_owners.is_empty();
        let joining = desired.pairs.iter().filter(|(group, _)| *group == GroupId::ADMIN).map(|(_, user)| *user);
        let joining = joining.chain(desired.administrators.said.keys().copied());
        let policy = self.policy(conn, &run.source.settings.removal).await?;
        stored.inactive = if policy.waits() {
            self.store.inactive(conn).await?
        } else {
            self.store.inactive_among(conn, &joining.collect()).await?
        };
        let plan = plan(source, desired, &stored, &policy, began_at);
        Ok(Prepared { plan, paths, based_on, rests_on_owners, superseded })
    }

    /// The source's rules, for groups by their ids. A group that is not there has nothing to lose.
    async fn policy(&self, conn: &impl Reader, rules: &RemovalRules) -> Result<Policy, StoreError> {
        let RemovalRules { guard, group_guard, grace, second_reading_above, on_hold, groups } = rules;
        let names: Vec<&str> = groups.iter().map(|rules| rules.name.as_str()).collect();
        let ids = if names.is_empty() { HashMap::new() } else { self.store.group_ids(conn, &names).await? };
        let of_group = |rules: &GroupRules| {
            let own = GroupPolicy { guard: rules.guard, grace: delta(rules.grace) };
            ids.get(&rules.name).map(|group| (*group, own))
        };
        Ok(Policy {
            guard: *guard,
            group_guard: *group_guard,
            grace: delta(*grace),
            second_reading_above: *second_reading_above,
            on_hold: *on_hold,
            groups: groups.iter().filter_map(of_group).collect(),
        })
    }

    /// What the store holds within the scope of the observation.
    async fn stored(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        observation: &Observation,
        desired: &Desired,
    ) -> Result<Stored, StoreError> {
        let Conclusion::Everything(whole) = &desired.conclusion else {
            let Observation::Users(asked) = observation else { return Ok(Stored::default()) };
            let users: Vec<UserId> = asked.iter().map(|asked| asked.user).collect();
            return self.store.stored_of_users(conn, source, &users).await;
        };
        let vanished = self.store.vanished_groups(conn, source).await?;
        let gone = whole.managed.difference(&whole.listed).copied().collect();
        let shared = self.store.groups_shared(conn, source, &gone).await?;
        Ok(Stored { vanished, shared, ..self.store.stored_of_source(conn, source).await? })
    }

    /// What the observation changes about the paths by which members are in a directory's groups.
    async fn paths(
        &self,
        conn: &impl Reader,
        source: &Source,
        observation: &Observation,
        desired: &mut Desired,
    ) -> Result<PathChanges, StoreError> {
        if source.asks.one_by_one() {
            return Ok(PathChanges::default());
        }
        let paths = std::mem::take(&mut desired.paths);
        match observation {
            // The store compares these under the lock: a path that changed meanwhile has left no event.
            Observation::Users(_) => Ok(PathChanges::of_users(paths, &desired.pairs)),
            Observation::Census { .. } => {
                let mut comparison = Comparison::new(paths);
                self.store.compare_paths(conn, &source.name, &desired.pairs, &mut comparison).await?;
                Ok(comparison.end())
            }
        }
    }

    /// What the store knows about the names in the observation.
    async fn known(
        &self,
        conn: &impl Reader,
        source: &Source,
        observation: &Observation,
        settled: Settled,
        people: Joined,
        superseded: &BTreeSet<UserId>,
    ) -> Result<Known, StoreError> {
        let (names, external_ids) = groups_in(observation);
        let (groups, provisioned) = match observation {
            Observation::Census { .. } => {
                (self.store.groups_of_source(conn, &source.name, &names).await?, BTreeMap::new())
            }
            Observation::Users(asked) => (
                self.store.groups_named(conn, &source.name, &names, &external_ids).await?,
                self.provisioned(conn, asked).await?,
            ),
        };
        let administrators = if source.asks.one_by_one() {
            BTreeMap::new()
        } else {
            self.store.directory_administrators(conn, &source.name).await?
        };
        let (newcomers, superseded) = (settled.newcomers, superseded.clone());
        Ok(Known { people, groups, newcomers, provisioned, administrators, superseded })
    }

    /// Compares when the observation began with what is remembered: newest observation wins.
    pub(super) async fn superseded(
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
        let Marks { whole, users } = self.store.marks_of_users(conn, source, &users).await?;
        let newer =
            |asked: &&AskedUser| whole.iter().chain(users.get(&asked.user)).any(|mark| mark.began_at > asked.began_at);
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
}

/// Whether the source may let go of anything: a login of somebody of whom it says what it said lets go of nothing.
fn may_end(desired: &Desired, stored: &Stored) -> bool {
    matches!(desired.conclusion, Conclusion::Everything(_))
        || !stored.administrators.is_empty()
        || stored.pairs.iter().any(|pair| desired.pairs.binary_search(pair).is_err())
}

fn delta(grace: Duration) -> TimeDelta {
    TimeDelta::from_std(grace).expect("invariant: a grace is a year at most")
}

/// The names of the observation's groups, and their immutable ids in the directory.
fn groups_in(observation: &Observation) -> (Vec<&str>, Vec<&str>) {
    let groups: Vec<&ObservedGroup> = match observation {
        Observation::Census { census, .. } => census.groups.iter().map(|group| &group.group).collect(),
        Observation::Users(asked) => {
            asked.iter().filter_map(|asked| asked.answer.as_ref().ok()).flat_map(|answer| &answer.groups).collect()
        }
    };
    let names: BTreeSet<&str> = groups.iter().map(|group| group.name()).collect();
    let external_ids: BTreeSet<&str> = groups.iter().filter_map(|group| group.external_id()).collect();
    (names.into_iter().collect(), external_ids.into_iter().collect())
}
