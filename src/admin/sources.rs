//! Sources that are no longer configured: what they left behind, and taking it away.

use std::collections::BTreeSet;

use entitled_model::desired::Desired;
use entitled_model::event::{Event, PlanRejected, SourceForgotten};
use entitled_model::plan::{Guard, Plan, Policy, Stored, plan};
use entitled_model::{Instant, SourceName};

use super::{Admin, AdminError, reason};
use crate::store::{Reader, StoreError};

/// The operator has seen the plan: nothing else guards it.
const NO_LIMIT: Guard = Guard { max_removal_ratio: 1.0, max_removals: u64::MAX, min_memberships: 0 };

impl Admin {
    /// The sources that are not configured and still hold something.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orphaned_sources(&self, configured: &BTreeSet<SourceName>) -> Result<Vec<SourceName>, AdminError> {
        Ok(self.store.orphaned_sources(self.store.reader(), configured).await?)
    }

    /// What forgetting an orphaned source would take away.
    ///
    /// # Errors
    /// When the source is configured, or holds nothing.
    pub async fn plan_to_forget(
        &self,
        source: &SourceName,
        configured: &BTreeSet<SourceName>,
    ) -> Result<Plan, AdminError> {
        self.orphan(self.store.reader(), source, configured).await?;
        Ok(self.farewell(self.store.reader(), source, self.store.clock().now()).await?)
    }

    /// Takes away what an orphaned source left behind, if that is still the plan of this hash. The last administrator stays.
    ///
    /// # Errors
    /// When the source is configured or holds nothing, the plan is another by now, or the reason is unusable.
    pub async fn forget_source(
        &self,
        source: &SourceName,
        configured: &BTreeSet<SourceName>,
        hash: &str,
        given: &str,
    ) -> Result<Plan, AdminError> {
        let given = reason(given)?;
        let mut unit = self.store.begin().await?;
        self.orphan(unit.reader(), source, configured).await?;
        let farewell = self.farewell(unit.reader(), source, unit.at()).await?;
        if farewell.hash() != hash {
            return Err(AdminError::Superseded(farewell.hash()));
        }
        let mut events: Vec<Event> = farewell.events().collect();
        if let Some(approval) = self.store.approval(unit.reader(), source).await? {
            let rejected = PlanRejected { source: source.clone(), hash: approval.hash, reason: given.clone() };
            events.push(Event::PlanRejected(rejected));
        }
        events.push(Event::SourceForgotten(SourceForgotten { source: source.clone(), reason: given }));
        self.record(&mut unit, events).await?;
        unit.forget_source(source).await?;
        unit.commit().await?;
        Ok(farewell)
    }

    async fn orphan(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        configured: &BTreeSet<SourceName>,
    ) -> Result<(), AdminError> {
        if configured.contains(source) {
            return Err(AdminError::SourceConfigured(source.clone()));
        }
        let orphaned = self.store.orphaned_sources(conn, configured).await?;
        if orphaned.contains(source) { Ok(()) } else { Err(AdminError::NoOrphan) }
    }

    /// The plan for a source that says nothing any more, and has said so before.
    async fn farewell(&self, conn: &impl Reader, source: &SourceName, at: Instant) -> Result<Plan, StoreError> {
        let managed: BTreeSet<_> = self.store.groups_of_source(conn, source, &[]).await?.managed().collect();
        let entitlements = self.store.entitlements_of_source(conn, source).await?;
        let suspended = self.store.suspended_by(conn, source).await?;
        let administrators = self.store.directory_administrators(conn, source).await?;
        let stated = entitlements.keys().copied();
        let desired = Desired::of_nothing(managed.clone(), stated, suspended, &administrators);
        let shared = self.store.groups_shared(conn, source, &managed).await?;
        let stored = self.store.stored_of_source(conn, source).await?;
        let stored = self.store.with_guardians(conn, stored).await?;
        // No list is waited for, of the groups that are not the source's own either: Admin and Everyone.
        let vanished = managed.into_iter().chain(stored.pairs.iter().map(|(group, _)| *group)).collect();
        let stored = Stored { vanished, shared, entitlements, administrators, ..stored };
        Ok(plan(source, desired, &stored, &Policy::guarded(NO_LIMIT), at))
    }
}
