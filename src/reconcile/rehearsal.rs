//! Rehearsals: what a source said is kept as a snapshot, and what a snapshot, as it was or edited, would do to what is stored
//! now. Nothing is written.

use std::collections::HashMap;

use entitled_model::observation::{AskedUser, Observation};
use entitled_model::{EmailAddress, EmailKey, Failure, Instant, UserId};
use uuid::Uuid;

use super::observe::{self, Asking};
use super::{Prepared, Reconciler, Run, RunError, SourceRun};
use crate::source::{Asks, Snapshot, SnapshotError, Urgency};
use crate::store::StoreError;

/// Why a snapshot can't be rehearsed.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Reconciler {
    /// Asks the source about its whole. A backend is asked about each user, lists or not: a snapshot holds answers.
    ///
    /// # Errors
    /// When the store fails or the run is stopped; and inside, when nothing could be learned of the source.
    pub async fn snapshot(&self, run: &Run<'_>) -> Result<Result<Snapshot, Failure>, RunError> {
        let (began_at, source) = (self.begin(run).await?, run.source);
        let people = self.users_to_ask(source).await?;
        let asking = Asking { source, began_at, clock: self.store.clock(), progress: run.progress };
        let observing = async {
            match &source.asks {
                Asks::Groups(groups) => {
                    let census = groups.census(run.progress).await?;
                    Ok(Snapshot::of_census(&source.name, self.store.clock().now(), &census))
                }
                Asks::Backend(_) => {
                    let asked = observe::one_by_one(&asking, people, Urgency::Background).await;
                    let answers: Vec<_> =
                        asked.into_iter().map(|asked| (asked.user.to_string(), asked.answer)).collect();
                    Ok(Snapshot::of_users(&source.name, self.store.clock().now(), &answers))
                }
            }
        };
        tokio::select! {
            snapshot = observing => Ok(snapshot),
            () = run.stop.cancelled() => Err(RunError::Stopped),
        }
    }

    /// Says what a run would do whose source answered, just now, as the snapshot says.
    ///
    /// # Errors
    /// When the store fails, or the snapshot can't be read as this kind of source's.
    pub async fn rehearse_against(&self, run: &Run<'_>, snapshot: &Snapshot) -> Result<SourceRun, RehearsalError> {
        let began_at = self.begin(run).await?;
        let mut observation = match &run.source.asks {
            Asks::Groups(_) => Observation::Census { began_at, completed_at: began_at, census: snapshot.census()? },
            Asks::Backend(_) => Observation::Users(self.asked(run, snapshot, began_at).await?),
        };
        let Prepared { plan, .. } = self.prepare(self.store.reader(), run, &mut observation, began_at).await?;
        let names = self.group_names(self.store.reader(), &plan).await?;
        Ok(SourceRun::of_plan(run, &observation, &plan, began_at, &names).naming_newcomers(&plan))
    }

    /// The answers about users who are stored, by id or by address.
    async fn asked(
        &self,
        run: &Run<'_>,
        snapshot: &Snapshot,
        began_at: Instant,
    ) -> Result<Vec<AskedUser>, RehearsalError> {
        let answers = snapshot.answers(&run.source.map)?;
        let stored = self.store.users(self.store.reader(), false).await?;
        let address = |email: &Option<EmailAddress>| email.as_ref().map(EmailAddress::key);
        let by_address: HashMap<EmailKey, UserId> =
            stored.iter().filter_map(|user| Some((address(&user.profile.email)?, user.id))).collect();
        let known: HashMap<Uuid, UserId> = stored.iter().map(|user| (user.id.0, user.id)).collect();
        let mut asked: Vec<AskedUser> = Vec::with_capacity(answers.len());
        let mut seen = std::collections::BTreeSet::new();
        for said in answers {
            let id = Uuid::parse_str(&said.user).ok().and_then(|id| known.get(&id));
            let user = id.or_else(|| by_address.get(&EmailKey::fold(&said.user))).copied();
            let wrong = |what| SnapshotError::new(format!("{}.user", said.place), what);
            let user = user.ok_or_else(|| wrong("no user of that id or address is stored"))?;
            if !seen.insert(user) {
                return Err(wrong("this user stands there before").into());
            }
            asked.push(AskedUser { user, began_at, completed_at: began_at, answer: said.answer });
        }
        Ok(asked)
    }
}
