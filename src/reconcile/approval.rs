//! Approvals: a held plan is applied when a person said so of this very plan. Decided under the lock.

use entitled_model::Instant;
use entitled_model::desired::Pair;
use entitled_model::event::{Cause, Event, PlanApplied, PlanApprovalVoided, PlanApproved, VoidReason};
use entitled_model::instant::written;
use entitled_model::plan::Plan;
use serde_json::{Value, json};

use super::{LIST_MAX, Names, Reconciler, Run, Scope};
use crate::store::{Approval, HeldPlan, StoreError, Unit};

/// An operator's word about a plan, given together with the run.
#[derive(Debug, Clone)]
pub struct Approve {
    pub hash: String,
    pub reason: String,
}

impl Reconciler {
    /// Lets go of a held plan that is approved, and ends an approval that this plan shows to be void. The events are told
    /// with the run's own.
    pub(super) async fn decide(
        &self,
        unit: &mut Unit,
        run: &Run<'_>,
        plan: &mut Plan,
    ) -> Result<Vec<Event>, StoreError> {
        // What some users' runs come to says nothing of a plan of the whole.
        if plan.held.is_none() && !matches!(run.scope, Scope::Whole) {
            return Ok(Vec::new());
        }
        let waiting = self.store.approval(unit.reader(), &run.source.name).await?;
        if plan.held.is_none() && waiting.is_none() {
            return Ok(Vec::new());
        }
        let (source, hash) = (run.source.name.clone(), plan.hash());
        let given = run.approve.as_ref().filter(|approve| plan.held.is_some() && approve.hash == hash);
        if let Some(Approve { reason, .. }) = given {
            let approved =
                PlanApproved { source: source.clone(), hash: hash.clone(), reason: reason.clone(), expires_at: None };
            let cause = Cause { actor: "operator".to_owned(), run_id: Some(run.run_id), ..Cause::default() };
            let at = unit.at();
            unit.record(&cause, at, vec![Event::PlanApproved(approved)]).await?;
        }
        let now = written(unit.at());
        let is_over = |approval: &Approval| approval.expires_at.as_ref().is_some_and(|expires_at| *expires_at <= now);
        let is_of_this = |approval: &&Approval| approval.hash == hash && !is_over(approval);
        if plan.held.is_some() && (given.is_some() || waiting.as_ref().is_some_and(|approval| is_of_this(&approval))) {
            plan.held = None;
            return Ok(vec![Event::PlanApplied(PlanApplied { source, hash })]);
        }
        let void = waiting.filter(|approval| matches!(run.scope, Scope::Whole) && !is_of_this(&approval));
        let voided = void.map(|approval| PlanApprovalVoided {
            why: if is_over(&approval) { VoidReason::Expired } else { VoidReason::Changed },
            source,
            hash: approval.hash,
            plan: hash,
        });
        Ok(voided.map(Event::PlanApprovalVoided).into_iter().collect())
    }

    /// Keeps a plan about a whole source for a person to look at, or forgets what was held of it.
    pub(super) async fn keep_or_forget(
        &self,
        unit: &mut Unit,
        run: &Run<'_>,
        plan: &Plan,
        names: &Names,
    ) -> Result<(), StoreError> {
        if !matches!(run.scope, Scope::Whole) {
            return Ok(());
        }
        let Some(held) = &plan.held else { return unit.forget_held_plans(&run.source.name).await };
        let at = unit.at();
        let held = HeldPlan {
            source: run.source.name.clone(),
            hash: plan.hash(),
            run_id: run.run_id,
            since: at,
            seen_at: at,
            held: held.to_string(),
            created: plan.creates.len() as u64,
            removed: (plan.removes.len() + plan.scheduled.len()) as u64,
            changes: changes(plan, names),
            superseded_by: None,
            rejected: None,
        };
        unit.keep_held_plan(&held).await
    }
}

fn changes(plan: &Plan, names: &Names) -> Value {
    let change = |(group, user): &Pair, due_at: Option<&Instant>| {
        let mut change = json!({"user": user, "group": names.get(group)});
        if let Some(due_at) = due_at {
            change["due_at"] = written(*due_at).into();
        }
        change
    };
    let created: Value = plan.creates.iter().take(LIST_MAX).map(|pair| change(pair, None)).collect();
    let removed = plan.removes.iter().map(|pair| change(pair, None));
    let scheduled = plan.scheduled.iter().map(|(pair, due_at)| change(pair, Some(due_at)));
    let removed: Value = removed.chain(scheduled).take(LIST_MAX).collect();
    json!({"created": created, "removed": removed})
}
