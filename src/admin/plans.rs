//! Held plans: approved or rejected by a person, by their hash.

use entitled_model::Instant;
use entitled_model::event::{Event, PlanApproved, PlanRejected};
use entitled_model::instant::{to_micros, written};

use super::{Admin, AdminError};
use crate::store::{HeldPlan, Unit};

/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 1_000;

impl Admin {
    /// Lets a held plan be applied by the next run of its source, once, as long as it is this very plan.
    ///
    /// # Errors
    /// When there is no such plan, it is no longer what its source would do, or the reason or the end is unusable.
    pub async fn approve_plan(
        &self,
        hash: &str,
        reason: &str,
        expires_at: Option<Instant>,
    ) -> Result<HeldPlan, AdminError> {
        let mut unit = self.store.begin().await?;
        let (plan, reason) = (self.current_plan(&unit, hash).await?, super::reason(reason)?);
        if expires_at.is_some_and(|expires_at| expires_at <= unit.at()) {
            return Err(AdminError::Expiry);
        }
        let expires_at = expires_at.map(|at| written(to_micros(at)));
        let approved = PlanApproved { source: plan.source.clone(), hash: plan.hash.clone(), reason, expires_at };
        unit.mark_rejected(&plan, None).await?;
        self.record(&mut unit, vec![Event::PlanApproved(approved)]).await?;
        unit.commit().await?;
        Ok(HeldPlan { rejected: None, ..plan })
    }

    /// Says that a held plan is not wanted. It stays held, and an approval of it ends.
    ///
    /// # Errors
    /// As [`Admin::approve_plan`].
    pub async fn reject_plan(&self, hash: &str, reason: &str) -> Result<HeldPlan, AdminError> {
        let mut unit = self.store.begin().await?;
        let (plan, reason) = (self.current_plan(&unit, hash).await?, super::reason(reason)?);
        let rejected = PlanRejected { source: plan.source.clone(), hash: plan.hash.clone(), reason: reason.clone() };
        unit.mark_rejected(&plan, Some(&reason)).await?;
        self.record(&mut unit, vec![Event::PlanRejected(rejected)]).await?;
        unit.commit().await?;
        Ok(HeldPlan { rejected: Some(reason), ..plan })
    }

    async fn current_plan(&self, unit: &Unit, hash: &str) -> Result<HeldPlan, AdminError> {
        let plan = self.store.held_plan(unit.reader(), hash).await?.ok_or(AdminError::NoPlan)?;
        match &plan.superseded_by {
            None => Ok(plan),
            Some(newer) => Err(AdminError::Superseded(newer.clone())),
        }
    }
}
