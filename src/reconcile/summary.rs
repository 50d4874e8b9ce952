//! What a run came to, as it is told: to the operator, in the run's record, in metrics and reports.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entitled_model::observation::{AskedUser, Observation, UserAnswer};
use entitled_model::plan::{KeepReason, Plan};
use entitled_model::{ErrorClass, Failure, GroupId, Instant, Outcome, Position, SourceName, UserId};

use super::{Enumeration, Run, Scope};
use crate::store::{Applied, RunRecord};

/// The most entries of one list; the counts beside it are always whole.
pub const LIST_MAX: usize = 10_000;

/// A membership that was created or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub user: UserId,
    /// The address of a user whom a rehearsal would create, and whose id is therefore not a lasting one.
    pub newcomer: Option<String>,
    pub group: String,
}

/// A removal that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub change: Change,
    pub reason: &'static str,
    /// The time from which on it is made, where that is known.
    pub due_at: Option<Instant>,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub class: ErrorClass,
    pub message: String,
    /// How many users could not be asked, by class.
    pub users: BTreeMap<ErrorClass, u64>,
    /// Whether nothing at all was learned.
    pub whole: bool,
}

/// One user's part of a run that was about some users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPart {
    pub outcome: Outcome,
    pub error: Option<(ErrorClass, String)>,
    pub unchanged: u64,
    pub entitlements_changed: u64,
}

/// One source's part of a run, ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRun {
    pub source: SourceName,
    pub outcome: Outcome,
    pub error: Option<Failed>,
    pub began_at: Instant,
    /// When the answer was complete; none when there was none.
    pub observed_at: Option<Instant>,
    /// Each cut at [`LIST_MAX`].
    pub created: Vec<Change>,
    pub removed: Vec<Change>,
    pub kept: Vec<Kept>,
    pub created_count: u64,
    pub removed_count: u64,
    pub kept_count: u64,
    pub unchanged: u64,
    pub users_asked: u64,
    pub entitlements_changed: u64,
    /// Of a run about some users, each one's part; empty when nothing at all was learned.
    pub users: BTreeMap<UserId, UserPart>,
    pub plan_hash: Option<String>,
    /// Why the plan is held.
    pub held: Option<String>,
    /// Whether the last administrator, or the last owner, was kept against what the source says.
    pub blocked: bool,
    /// The newest position after the run.
    pub position: Option<Position>,
    /// What came of reading many users from lists, where that was tried.
    pub enumeration: Option<Enumeration>,
}

impl SourceRun {
    /// A run that learned nothing.
    pub(super) fn unavailable(run: &Run<'_>, began_at: Instant, failure: Failure) -> Self {
        let users_asked = match &run.scope {
            Scope::Whole => 0,
            Scope::Users(asked) => asked.len() as u64,
        };
        let Failure { class, message, retry: _ } = failure;
        let error = Failed { class, message, users: BTreeMap::new(), whole: true };
        Self { error: Some(error), users_asked, ..Self::empty(run, Outcome::Unavailable, began_at) }
    }

    fn empty(run: &Run<'_>, outcome: Outcome, began_at: Instant) -> Self {
        Self {
            source: run.source.name.clone(),
            outcome,
            error: None,
            began_at,
            observed_at: None,
            created: Vec::new(),
            removed: Vec::new(),
            kept: Vec::new(),
            created_count: 0,
            removed_count: 0,
            kept_count: 0,
            unchanged: 0,
            users_asked: 0,
            entitlements_changed: 0,
            users: BTreeMap::new(),
            plan_hash: None,
            held: None,
            blocked: false,
            position: None,
            enumeration: None,
        }
    }

    /// A run that came to a plan, applied unless it is held.
    pub(super) fn of_plan(
        run: &Run<'_>,
        observation: &Observation,
        plan: &Plan,
        began_at: Instant,
        names: &HashMap<GroupId, String>,
    ) -> Self {
        let change = |&(group, user): &(GroupId, UserId)| Change {
            user,
            newcomer: None,
            group: names.get(&group).cloned().unwrap_or_default(),
        };
        let list = |pairs: &[(GroupId, UserId)]| pairs.iter().take(LIST_MAX).map(change).collect();
        let kept_back = plan.kept_back();
        let kept = kept_back.iter().take(LIST_MAX);
        let kept =
            kept.map(|(pair, reason)| Kept { change: change(pair), reason: reason.as_str(), due_at: reason.due_at() });
        let kept = kept.collect();
        let applied = plan.held.is_none();
        let (creates, removes) = (created(plan), if applied { &plan.removes[..] } else { &[] });
        let error = failures(observation);
        Self {
            error: error.clone(),
            observed_at: Some(super::observed_at(observation, began_at)),
            created: list(creates),
            removed: list(removes),
            kept,
            created_count: creates.len() as u64,
            removed_count: removes.len() as u64,
            kept_count: kept_back.len() as u64,
            unchanged: plan.unchanged,
            users_asked: users_asked(observation),
            entitlements_changed: if applied { plan.entitlements.len() as u64 } else { 0 },
            users: user_parts(run, observation, plan),
            plan_hash: Some(plan.hash()),
            held: plan.held.as_ref().map(ToString::to_string),
            blocked: is_blocked(plan),
            ..Self::empty(run, outcome(plan, error.is_some()), began_at)
        }
    }

    /// The same, with the addresses of those whom the plan would create.
    pub(super) fn naming_newcomers(mut self, plan: &Plan) -> Self {
        let additions = plan.additions.iter().flat_map(|additions| &additions.new_users);
        let newcomers: HashMap<UserId, &str> =
            plan.new_users.iter().chain(additions).map(|(id, address)| (*id, address.as_given())).collect();
        for change in self.created.iter_mut().chain(self.kept.iter_mut().map(|kept| &mut kept.change)) {
            change.newcomer = newcomers.get(&change.user).map(|address| (*address).to_owned());
        }
        self
    }

    /// The record that is kept of it.
    pub(super) fn record(&self, run: &Run<'_>, ended_at: Instant) -> RunRecord {
        let user = match &run.scope {
            Scope::Users(asked) if asked.len() == 1 && !asked[0].newcomer => Some(asked[0].person.user),
            _ => None,
        };
        RunRecord {
            run_id: run.run_id,
            source: self.source.clone(),
            trigger: run.trigger,
            breadth: run.scope.breadth(),
            user,
            began_at: self.began_at,
            ended_at,
            outcome: self.outcome,
            error: self.error.as_ref().map(|failed| (failed.class, failed.message.clone())),
            created: self.created_count,
            removed: self.removed_count,
            kept: self.kept_count,
            unchanged: self.unchanged,
            users_asked: self.users_asked,
            users_failed: self.error.as_ref().map_or(0, |failed| failed.users.values().sum()),
            plan_hash: self.plan_hash.clone(),
            position: self.position,
        }
    }
}

/// The memberships that the run began: of a held plan, those that are let through.
fn created(plan: &Plan) -> &[(GroupId, UserId)] {
    match &plan.additions {
        Some(additions) => &additions.creates,
        None if plan.held.is_some() => &[],
        None => &plan.creates,
    }
}

/// `listed` counts the memberships that the source states of each user.
fn user_parts(run: &Run<'_>, observation: &Observation, plan: &Plan) -> BTreeMap<UserId, UserPart> {
    let (Scope::Users(_), Observation::Users(asked)) = (&run.scope, observation) else { return BTreeMap::new() };
    let parts = asked.iter().map(|AskedUser { user, answer, .. }| {
        let error = answer.as_ref().err().map(|failure| (failure.class, failure.message.clone()));
        let of_user = |pairs: &[(GroupId, UserId)]| pairs.iter().filter(|(_, of)| of == user).count() as u64;
        let (created, removed) = (of_user(created(plan)), of_user(&plan.removes));
        let applied = created + removed > 0
            || plan.new_users.iter().any(|(new, _)| new == user)
            || plan.entitlements.contains_key(user)
            || plan.people.users().any(|told| told == *user)
            || plan.administrators.contains_key(user) && plan.kept_owner != Some(*user);
        let blocked =
            plan.kept_owner == Some(*user) || plan.kept.iter().any(|((_, of), reason)| of == user && is_last(*reason));
        let part = UserPart {
            outcome: worst(plan.held.is_some(), applied, error.is_some(), blocked),
            error,
            unchanged: plan.unchanged_of.get(user).copied().unwrap_or_default(),
            entitlements_changed: u64::from(plan.held.is_none() && plan.entitlements.contains_key(user)),
        };
        (*user, part)
    });
    parts.collect()
}

fn outcome(plan: &Plan, failed: bool) -> Outcome {
    worst(plan.held.is_some(), plan.changes_anything(), failed, is_blocked(plan))
}

fn is_blocked(plan: &Plan) -> bool {
    plan.kept_owner.is_some() || plan.kept.iter().any(|(_, reason)| is_last(*reason))
}

/// Whether somebody is kept because nobody else is left.
fn is_last(reason: KeepReason) -> bool {
    matches!(reason, KeepReason::LastAdministrator | KeepReason::LastOwner)
}

fn worst(held: bool, applied: bool, failed: bool, blocked: bool) -> Outcome {
    match () {
        () if held => Outcome::Held,
        () if applied => Outcome::Applied,
        () if failed => Outcome::Unavailable,
        () if blocked => Outcome::Blocked,
        () => Outcome::Unchanged,
    }
}

fn users_asked(observation: &Observation) -> u64 {
    match observation {
        Observation::Users(asked) => asked.len() as u64,
        Observation::Census { census, .. } => census.people.len() as u64,
    }
}

/// The parts that could not be read, under the class that most of them share.
fn failures(observation: &Observation) -> Option<Failed> {
    let (part, of, by_class) = match observation {
        Observation::Users(asked) => {
            ("users", asked.len(), by_class(asked.iter().filter_map(|asked| asked.answer.as_ref().err())))
        }
        Observation::Census { census, .. } => (
            "groups",
            census.groups.len(),
            by_class(census.groups.iter().filter_map(|group| group.incomplete.as_ref())),
        ),
    };
    let Some((class, (_, example))) = by_class.iter().max_by_key(|(_, (count, _))| *count) else {
        return accounts_unread(observation);
    };
    let parts: Vec<String> = by_class.iter().map(|(class, (count, _))| format!("{class} {count}")).collect();
    let failed: u64 = by_class.values().map(|(count, _)| count).sum();
    let message = format!("{failed} of {of} {part} could not be read whole ({}): {example}", parts.join(", "));
    let users = match observation {
        Observation::Users(_) => by_class.iter().map(|(class, (count, _))| (*class, *count)).collect(),
        Observation::Census { .. } => BTreeMap::new(),
    };
    Some(Failed { class: *class, message, users, whole: false })
}

/// Why people are known by their addresses alone, and their accounts' standing as it was.
fn accounts_unread(observation: &Observation) -> Option<Failed> {
    let Observation::Census { census, .. } = observation else { return None };
    let Failure { class, message, retry: _ } = census.accounts_unread.as_ref()?;
    let message = format!(
        "the accounts could not be read, so that suspensions, aliases and administrators are as before: {message}"
    );
    Some(Failed { class: *class, message, users: BTreeMap::new(), whole: false })
}

fn by_class<'a>(failures: impl Iterator<Item = &'a Failure>) -> BTreeMap<ErrorClass, (u64, &'a str)> {
    let mut found: BTreeMap<ErrorClass, (u64, &str)> = BTreeMap::new();
    for failure in failures {
        found.entry(failure.class).or_insert((0, &failure.message)).0 += 1;
    }
    found
}

/// What the store remembers of an observation that is being applied.
pub(super) fn marks(run: &Run<'_>, observation: &Observation) -> Vec<Applied> {
    match observation {
        Observation::Census { began_at, completed_at, .. } => vec![(None, *began_at, *completed_at, None)],
        Observation::Users(asked) => answered(asked, |user, answer| answer.present || !is_newcomer(run, user)),
    }
}

/// The same of these users alone, where the rest of the observation is not applied.
pub(super) fn marks_of(observation: &Observation, users: &BTreeSet<UserId>) -> Vec<Applied> {
    match observation {
        Observation::Census { began_at, completed_at, .. } => {
            users.iter().map(|user| (Some(*user), *began_at, *completed_at, None)).collect()
        }
        Observation::Users(asked) => answered(asked, |user, _| users.contains(&user)),
    }
}

/// One account may have been asked about under several of its addresses: the newest answer counts.
fn answered(asked: &[AskedUser], counts: impl Fn(UserId, &UserAnswer) -> bool) -> Vec<Applied> {
    let answered = asked.iter().filter_map(|asked| asked.answer.as_ref().ok().map(|answer| (asked, answer)));
    let stored = answered.filter(|(asked, answer)| counts(asked.user, answer));
    let newest: BTreeMap<UserId, Applied> = stored
        .map(|(asked, answer)| (asked.user, (Some(asked.user), asked.began_at, asked.completed_at, answer.verdict)))
        .collect();
    newest.into_values().collect()
}

/// Whether the run brought this id along: a newcomer who is stored by now goes by another.
fn is_newcomer(run: &Run<'_>, user: UserId) -> bool {
    match &run.scope {
        Scope::Whole => false,
        Scope::Users(scope) => scope.iter().any(|asked| asked.newcomer && asked.person.user == user),
    }
}
