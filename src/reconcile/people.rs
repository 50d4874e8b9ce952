//! Who the people of an observation are: their ids in the store, by account and by address. It only reads.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Account, AskedUser, CensusPerson, Observation};
use entitled_model::people::{Joined, KnownPeople, join, join_census};
use entitled_model::{EmailAddress, EmailKey, ErrorClass, Failure, SourceName, UserId};

use super::{Reconciler, Run, Scope};
use crate::store::{Reader, StoreError};

/// Users who were asked about one by one, by the accounts that the answers name.
#[derive(Default)]
pub(super) struct Settled {
    /// Users who are not stored, and are created when the source knows them.
    pub newcomers: BTreeMap<UserId, EmailAddress>,
    /// The accounts, each once, with the stored user whom it was asked about as, and who that is.
    accounts: Vec<CensusPerson>,
    asked: Vec<Option<UserId>>,
    users: Vec<Option<UserId>>,
    known: KnownPeople,
}

impl Settled {
    /// What the accounts change, but for users of whom something newer is known.
    fn joined(&self, superseded: &BTreeSet<UserId>) -> Joined {
        let mut create = |at: usize| self.users.get(at).copied().flatten();
        join(&self.accounts, &self.asked, &self.known, superseded, &mut create)
    }
}

impl Reconciler {
    /// Gives each answer the user that it is about: a newcomer may be stored by now, and an address may turn out to be
    /// another user's, or somebody's whom nobody knows yet.
    pub(super) async fn settle(
        &self,
        conn: &impl Reader,
        run: &Run<'_>,
        observation: &mut Observation,
    ) -> Result<Settled, StoreError> {
        let (Scope::Users(scope), Observation::Users(observed)) = (&run.scope, observation) else {
            return Ok(Settled::default());
        };
        let mut settled = Settled::default();
        for (asked, observed) in scope.iter().zip(observed.iter_mut()) {
            // Whatever an earlier plan of this run made of it.
            observed.user = asked.person.user;
            let Some(address) = asked.person.email.as_ref().filter(|_| asked.newcomer) else { continue };
            match self.store.user_by_email(conn, &address.key()).await? {
                Some(user) => observed.user = user.id,
                None => drop(settled.newcomers.insert(observed.user, address.clone())),
            }
        }
        self.settle_accounts(conn, &run.source.name, observed, &mut settled).await?;
        Ok(settled)
    }

    async fn settle_accounts(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        observed: &mut [AskedUser],
        settled: &mut Settled,
    ) -> Result<(), StoreError> {
        // One account may have been asked about under several of its addresses.
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut accounts: Vec<&Account> = Vec::new();
        for (at, account) in accounts_of(observed) {
            let places = places.entry(&account.external_id).or_default();
            if places.is_empty() {
                accounts.push(account);
            }
            places.push(at);
        }
        if accounts.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = accounts.iter().map(|account| account.external_id.as_str()).collect();
        let keys: Vec<EmailKey> = accounts.iter().copied().flat_map(addresses).map(EmailAddress::key).collect();
        let asked: Vec<UserId> = places.values().flatten().map(|at| observed[*at].user).collect();
        let known = self.store.people_among(conn, source, &self.directories, (&ids, &keys, &asked)).await?;
        settled.known = known;
        let first: Vec<UserId> = ids.iter().map(|id| observed[places[id][0]].user).collect();
        settled.asked = first.iter().map(|user| (!settled.newcomers.contains_key(user)).then_some(*user)).collect();
        settled.accounts =
            accounts.into_iter().map(|account| CensusPerson::Account(Box::new(account.clone()))).collect();
        let mut create = |at: usize| {
            let is_stored = settled.asked[at].is_some();
            Some(if is_stored { UserId(self.store.clock().new_id()) } else { first[at] })
        };
        let joined = join(&settled.accounts, &settled.asked, &settled.known, &BTreeSet::new(), &mut create);
        let places: Vec<Vec<usize>> = ids.iter().map(|id| places[id].clone()).collect();
        for (places, user) in places.into_iter().zip(&joined.users) {
            for at in places {
                settled.newcomers.remove(&observed[at].user);
                match user {
                    Some(user) => observed[at].user = *user,
                    None => observed[at].answer = Err(contested()),
                }
            }
        }
        settled.users = joined.users;
        settled.newcomers.extend(joined.created);
        Ok(())
    }

    /// Who the people of the observation are.
    pub(super) async fn people(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        observation: &Observation,
        settled: &Settled,
        superseded: &BTreeSet<UserId>,
    ) -> Result<Joined, StoreError> {
        match observation {
            Observation::Users(_) => Ok(settled.joined(superseded)),
            Observation::Census { census, .. } => {
                let known = self.store.people(conn, source, &self.directories).await?;
                let clock = self.store.clock();
                Ok(join_census(census, &known, superseded, &mut || clock.new_id()))
            }
        }
    }
}

/// The accounts in the answers, each with its place.
fn accounts_of(observed: &[AskedUser]) -> impl Iterator<Item = (usize, &Account)> {
    observed.iter().enumerate().filter_map(|(at, asked)| Some((at, asked.answer.as_ref().ok()?.account.as_ref()?)))
}

fn addresses(account: &Account) -> impl Iterator<Item = &EmailAddress> {
    std::iter::once(&account.address).chain(&account.aliases)
}

/// Two directories say of one address that it is somebody else's.
fn contested() -> Failure {
    Failure::new(ErrorClass::Malformed, "the account's address is another directory's account's")
}
