//! Who the people of an observation are: their ids in the store, by account and by address. It only reads.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Account, AskedUser, CensusPerson, Observation};
use entitled_model::people::{Joined, KnownPeople, join, join_census};
use entitled_model::{EmailAddress, EmailKey, SourceName, UserId};

use super::{Asked, Reconciler, Run, Scope};
use crate::store::{Reader, StoreError};

/// Users who were asked about one by one, by the accounts that the answers name.
#[derive(Default)]
pub(super) struct Settled {
    /// Users who are not stored, and are created when the source knows them.
    pub newcomers: BTreeMap<UserId, EmailAddress>,
    accounts: Vec<CensusPerson>,
    users: Vec<UserId>,
    known: KnownPeople,
}

impl Settled {
    /// What the accounts change, but for users of whom something newer is known.
    fn joined(&self, superseded: &BTreeSet<UserId>) -> Joined {
        join(&self.accounts, &self.known, superseded, &mut |at| self.users.get(at).copied())
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
        self.settle_accounts(conn, &run.source.name, scope, observed, &mut settled).await?;
        Ok(settled)
    }

    async fn settle_accounts(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        scope: &[Asked],
        observed: &mut [AskedUser],
        settled: &mut Settled,
    ) -> Result<(), StoreError> {
        let (places, accounts): (Vec<usize>, Vec<Account>) = accounts(scope, observed).unzip();
        if accounts.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = accounts.iter().map(|account| account.external_id.as_str()).collect();
        let keys: Vec<EmailKey> = accounts.iter().flat_map(addresses).map(EmailAddress::key).collect();
        let users: Vec<UserId> = places.iter().map(|at| observed[*at].user).collect();
        settled.known = self.store.people_among(conn, source, &ids, &keys, &users).await?;
        settled.accounts = accounts.into_iter().map(|account| CensusPerson::Account(Box::new(account))).collect();
        let mut create = |at: usize| {
            let asked = users[at];
            let is_new = settled.newcomers.contains_key(&asked);
            Some(if is_new { asked } else { UserId(self.store.clock().new_id()) })
        };
        let joined = join(&settled.accounts, &settled.known, &BTreeSet::new(), &mut create);
        settled.users = joined.users.into_iter().flatten().collect();
        for (at, user) in places.iter().zip(&settled.users) {
            settled.newcomers.remove(&observed[*at].user);
            observed[*at].user = *user;
        }
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
                let known = self.store.people(conn, source).await?;
                let clock = self.store.clock();
                Ok(join_census(census, &known, superseded, &mut || clock.new_id()))
            }
        }
    }
}

/// The accounts in the answers, each with its place. The address that was asked by is one of the account's.
fn accounts<'a>(scope: &'a [Asked], observed: &'a [AskedUser]) -> impl Iterator<Item = (usize, Account)> + 'a {
    scope.iter().zip(observed).enumerate().filter_map(|(at, (asked, observed))| {
        let mut account = observed.answer.as_ref().ok()?.account.clone()?;
        if let Some(asked) = &asked.person.email
            && addresses(&account).all(|address| address.key() != asked.key())
        {
            account.aliases.push(asked.clone());
        }
        Some((at, account))
    })
}

fn addresses(account: &Account) -> impl Iterator<Item = &EmailAddress> {
    std::iter::once(&account.address).chain(&account.aliases)
}
