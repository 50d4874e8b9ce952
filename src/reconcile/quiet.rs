//! A run about some users that changes nothing needs no unit of work of its own.

use entitled_model::Instant;
use entitled_model::observation::Observation;
use entitled_model::path::PathChanges;

use super::prepare::Prepared;
use super::{Reconciler, Run, SourceRun, look_ups, summary};
use crate::store::{QuietRun, StoreError};

impl Reconciler {
    /// Records the run together with others that change nothing either; none when it has to be carried out by itself.
    pub(super) async fn quietly(
        &self,
        run: &Run<'_>,
        observation: &Observation,
        prepared: &Prepared,
        began_at: Instant,
    ) -> Result<Option<SourceRun>, StoreError> {
        let of_users = matches!(observation, Observation::Users(_)) && prepared.superseded.is_some();
        if !of_users || run.lease.is_some() || run.approve.is_some() || !is_quiet(run, observation, prepared) {
            return Ok(None);
        }
        let names = self.group_names(self.store.reader(), &prepared.plan).await?;
        let ended = SourceRun::of_plan(run, observation, &prepared.plan, began_at, &names);
        let quiet = QuietRun {
            based_on: prepared.based_on,
            marks: summary::marks(run, observation),
            record: ended.record(run, self.store.clock().now()),
        };
        Ok(self.store.record_quiet(quiet).await.then_some(ended))
    }
}

/// Whether nothing would be written but marks and the run's record, as far as the state allows that was planned on.
fn is_quiet(run: &Run<'_>, observation: &Observation, prepared: &Prepared) -> bool {
    let Prepared { plan, paths, based_on: _, rests_on_owners, superseded: _ } = prepared;
    plan.is_quiet()
        && plan.held.is_none()
        && plan.additions.is_none()
        && plan.vanished.is_none()
        && plan.people.is_empty()
        && !rests_on_owners
        && *paths == PathChanges::default()
        && look_ups::of(run, observation, plan).is_empty()
}
