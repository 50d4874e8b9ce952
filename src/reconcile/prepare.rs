//! From an observation to a plan: the store's ids, what is stored, the difference, the guard. It only reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entitled_model::desired::{Desired, Known, desired};
use entitled_model::observation::{AskedUser, Observation, ObservedGroup};
use entitled_model::plan::{Plan, plan};
use entitled_model::{EmailAddress, Position, SourceName, UserId};

use super::{Reconciler, Run, Scope};
use crate::store::{Reader, StoreError};

/// A plan, and the state of the store that it was made for.
pub(super) struct Prepared {
    pub plan: Plan,
    pub based_on: Position,
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
        let plan = plan(source, desired, &stored, &run.source.settings.guard);
        Ok(Prepared { plan, based_on, superseded })
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
