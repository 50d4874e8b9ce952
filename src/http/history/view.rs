//! The answers about the past, as JSON: the same over HTTP and on the command line.

use entitled_model::history::{Change, Place};
use entitled_model::instant::written;
use entitled_model::why::{AskedGroup, Happened, Lack};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::history::{Explanation, HeldWord, Page, Past, Span, Support, Told};
use crate::json;
use crate::store::{PastMembership, StoredEvent};

/// One thing that happened, with its cause.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct EntryView {
    pub position: i64,
    /// The event's type: `membership.changed`, `user.suspended`, ...
    pub event: String,
    /// `added` or `removed`, of a membership.
    pub change: Option<String>,
    pub user: Option<String>,
    /// None of a user who has none, or was erased.
    pub email: Option<String>,
    /// As the group is called today, or was when it was deleted.
    pub group: Option<String>,
    pub group_id: Option<String>,
    pub source: Option<String>,
    /// Who decided: `source:<name>`, `key:<name>`, `operator`, `system`.
    pub actor: String,
    pub run_id: Option<String>,
    /// When the source was seen to say so, and when it was written: RFC 3339, UTC.
    pub observed_at: String,
    pub recorded_at: String,
    /// Of an event that is no change of memberships.
    pub payload: Option<Value>,
}

/// What happened behind one position, up to and with another.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct HistoryView {
    pub from_position: i64,
    pub to_position: i64,
    #[serde(deserialize_with = "json::objects")]
    pub entries: Vec<EntryView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// How the memberships at two positions differ.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct DiffView {
    pub from_position: i64,
    pub to_position: i64,
    #[serde(deserialize_with = "json::objects")]
    pub changes: Vec<EntryView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// A membership as it was.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PastMembershipView {
    pub user: String,
    pub email: Option<String>,
    /// As the group is called today, or was when it was deleted.
    pub group: String,
    pub group_id: String,
    pub source: String,
    pub added_at: String,
    pub added_position: i64,
    /// When it ended, if it has since.
    pub removed_at: Option<String>,
    pub removed_position: Option<i64>,
}

/// Who was in what.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MembershipsView {
    /// The position that the list is true at.
    pub position: i64,
    #[serde(deserialize_with = "json::objects")]
    pub memberships: Vec<PastMembershipView>,
    /// What `after` is for the next page; none on the last.
    #[serde(deserialize_with = "json::said")]
    pub next: Option<String>,
}

/// The event behind something.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct HappenedView {
    pub position: i64,
    pub event_id: String,
    pub actor: String,
    pub run_id: Option<String>,
    /// What started the run.
    pub trigger: Option<String>,
    pub observed_at: String,
    pub recorded_at: String,
}

/// The user who is asked about.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct WhyUserView {
    pub id: String,
    pub email: Option<String>,
    pub status: String,
}

/// The group that is asked about.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct WhyGroupView {
    /// None when it has never been here, and an entitlement may name it.
    pub id: Option<String>,
    pub name: String,
    pub managed_by: Option<String>,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub permission: Option<String>,
}

/// A source that holds the membership.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct WhySupportView {
    pub source: String,
    /// `mapped_entitlement`, `directory_group`, `by_hand`, `system_seed`, `break_glass`, or `orphaned`.
    pub rule: String,
    pub says: String,
    /// The group first, then what the directory calls it where that differs, then the groups within it by which the user is in it;
    /// none where that is not known.
    pub path: Option<Vec<String>>,
    pub event: HappenedView,
    /// When the source was last heard about the user.
    pub confirmed_at: Option<String>,
    /// The position where the source's wish to remove it was refused.
    pub removal_blocked_at: Option<i64>,
    /// When a removal that waits is carried out, unless the source lists the membership again.
    pub removal_due_at: Option<String>,
}

/// What is missing.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct LackView {
    /// A word: `never_member`, `removed`, `suspended`, `not_provisioned`, ...
    pub reason: String,
    pub says: String,
    pub source: Option<String>,
    pub since: Option<String>,
    /// The event that brought it about.
    pub event: Option<HappenedView>,
}

/// A held plan that speaks of it.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct HeldWordView {
    pub source: String,
    pub plan: String,
    /// `add`, `remove`, or `perhaps` when the plan is longer than what is kept of it.
    pub would: String,
    pub since: String,
}

/// Why a user is in a group, or is not.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct WhyView {
    /// The position that it is true at.
    pub position: i64,
    pub user: WhyUserView,
    pub group: WhyGroupView,
    /// Whether any source supports the membership.
    pub member: bool,
    /// Whether it counts: a suspended user's does not.
    pub effective: bool,
    #[serde(deserialize_with = "json::objects")]
    pub supports: Vec<WhySupportView>,
    #[serde(deserialize_with = "json::objects")]
    pub lacking: Vec<LackView>,
    #[serde(deserialize_with = "json::objects")]
    pub held: Vec<HeldWordView>,
}

/// An event of the log.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct EventView {
    pub position: i64,
    pub event_id: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub schema_version: i32,
    pub actor: String,
    pub source: Option<String>,
    pub run_id: Option<String>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<String>,
    pub occurred_at: String,
    pub recorded_at: String,
    pub payload: Value,
}

impl From<Told> for EntryView {
    fn from(told: Told) -> Self {
        Self {
            position: told.position.0,
            event: told.event_type.to_owned(),
            change: match told.change {
                Change::Added => Some("added".to_owned()),
                Change::Removed => Some("removed".to_owned()),
                Change::Other => None,
            },
            user: told.user.map(|user| user.to_string()),
            email: told.email,
            group: told.group_name,
            group_id: told.group.map(|group| group.to_string()),
            source: told.source.map(|source| source.to_string()),
            actor: told.actor,
            run_id: told.run_id.map(|run| run.to_string()),
            observed_at: written(told.observed_at),
            recorded_at: written(told.recorded_at),
            payload: told.payload,
        }
    }
}

fn entries(page: Page<Told, Place>) -> (Vec<EntryView>, Option<String>) {
    (page.rows.into_iter().map(EntryView::from).collect(), page.next.map(|next| next.to_string()))
}

impl From<(Span, Page<Told, Place>)> for HistoryView {
    fn from((span, page): (Span, Page<Told, Place>)) -> Self {
        let (entries, next) = entries(page);
        Self { from_position: span.from.0, to_position: span.to.0, entries, next }
    }
}

impl From<(Span, Page<Told, Place>)> for DiffView {
    fn from((span, page): (Span, Page<Told, Place>)) -> Self {
        let (changes, next) = entries(page);
        Self { from_position: span.from.0, to_position: span.to.0, changes, next }
    }
}

impl From<Past> for MembershipsView {
    fn from(past: Past) -> Self {
        let Past { position, memberships, emails } = past;
        let view = |row: PastMembership| {
            let PastMembership { group, name, user, source, from, to } = row;
            PastMembershipView {
                email: emails.get(&user).cloned(),
                user: user.to_string(),
                group: name,
                group_id: group.to_string(),
                source: source.to_string(),
                added_at: written(from.1),
                added_position: from.0.0,
                removed_at: to.map(|(_, at)| written(at)),
                removed_position: to.map(|(position, _)| position.0),
            }
        };
        let next = memberships.next.map(|next| next.to_string());
        Self { position: position.0, memberships: memberships.rows.into_iter().map(view).collect(), next }
    }
}

impl From<&Happened> for HappenedView {
    fn from(happened: &Happened) -> Self {
        let Happened { position, event_id, cause, trigger, observed_at, recorded_at } = happened;
        Self {
            position: position.0,
            event_id: event_id.to_string(),
            actor: cause.actor.clone(),
            run_id: cause.run_id.map(|run| run.to_string()),
            trigger: trigger.clone(),
            observed_at: written(*observed_at),
            recorded_at: written(*recorded_at),
        }
    }
}

impl From<Support> for WhySupportView {
    fn from(support: Support) -> Self {
        let Support { source, rule, path, happened, confirmed_at, blocked, due_at } = support;
        Self {
            source: source.to_string(),
            rule: rule.kind().to_owned(),
            says: rule.to_string(),
            path,
            event: HappenedView::from(&happened),
            confirmed_at: confirmed_at.map(written),
            removal_blocked_at: blocked.map(|position| position.0),
            removal_due_at: due_at.map(written),
        }
    }
}

impl From<Lack> for LackView {
    fn from(lack: Lack) -> Self {
        Self {
            reason: lack.reason().to_owned(),
            says: lack.to_string(),
            source: lack.source().map(ToString::to_string),
            since: lack.since().map(written),
            event: lack.happened().map(HappenedView::from),
        }
    }
}

impl From<HeldWord> for HeldWordView {
    fn from(HeldWord { source, hash, would, since }: HeldWord) -> Self {
        Self { source: source.to_string(), plan: hash, would: would.to_owned(), since: written(since) }
    }
}

impl From<Explanation> for WhyView {
    fn from(explanation: Explanation) -> Self {
        let Explanation { position, user, group, member, effective, supports, lacking, held } = explanation;
        let AskedGroup { id, name, managed_by, resource, deleted: _ } = group;
        let (facet, resource_id) = resource.unzip();
        let (resource_type, permission) = facet.map(|facet| (facet.resource_type, facet.permission)).unzip();
        let email = user.profile.email.map(|email| email.as_given().to_owned());
        Self {
            position: position.0,
            user: WhyUserView { id: user.id.to_string(), email, status: user.status },
            group: WhyGroupView {
                id: id.map(|id| id.to_string()),
                name,
                managed_by: managed_by.map(|source| source.to_string()),
                resource_type,
                resource_id,
                permission,
            },
            member,
            effective,
            supports: supports.into_iter().map(WhySupportView::from).collect(),
            lacking: lacking.into_iter().map(LackView::from).collect(),
            held: held.into_iter().map(HeldWordView::from).collect(),
        }
    }
}

impl From<StoredEvent> for EventView {
    fn from(stored: StoredEvent) -> Self {
        let recorded = stored.recorded;
        let cause = recorded.cause;
        Self {
            position: recorded.position.0,
            event_id: recorded.event_id.to_string(),
            event_type: recorded.event.event_type().to_owned(),
            schema_version: recorded.written.schema_version,
            actor: cause.actor,
            source: cause.source.map(|source| source.to_string()),
            run_id: cause.run_id.map(|run| run.to_string()),
            correlation_id: cause.correlation_id,
            causation_id: cause.causation_id.map(|id| id.to_string()),
            occurred_at: written(recorded.occurred_at),
            recorded_at: written(recorded.recorded_at),
            payload: serde_json::from_str(&recorded.written.payload).unwrap_or_default(),
        }
    }
}
