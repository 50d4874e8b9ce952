//! Why somebody has an access, or lacks it: the facts are read here, and judged in `model::why`.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::entitlement::Entitlements;
use entitled_model::path::Way;
use entitled_model::why::{AskedGroup, Facts, Giver, Happened, Lack, Rule, lacking, rule};
use entitled_model::{Instant, Position, SourceName};
use serde_json::Value;

use super::{History, HistoryError, is_odd};
use crate::store::{HeldPlan, Interval, Observed, PastGroup, Reader, SourceRuns, StoreError, UserRecord};

/// A source's support for an access.
#[derive(Debug, Clone, PartialEq)]
pub struct Support {
    pub source: SourceName,
    pub rule: Rule,
    /// The group first, then the way inwards to the user; none where it is not known.
    pub path: Option<Vec<String>>,
    pub happened: Happened,
    /// When the source was last heard about the user.
    pub confirmed_at: Option<Instant>,
    /// Where the source wanted to remove it and was refused.
    pub blocked: Option<Position>,
    /// When a removal that waits is carried out, unless the source lists it again.
    pub due_at: Option<Instant>,
}

/// What a held plan would do about the access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldWord {
    pub source: SourceName,
    pub hash: String,
    /// `add` or `remove`; `perhaps` when the plan is longer than what is kept of it.
    pub would: &'static str,
    pub since: Instant,
}

/// Why a user is in a group, or is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The position that it is true at.
    pub position: Position,
    pub user: UserRecord,
    pub group: AskedGroup,
    /// Whether any source supports the membership, and whether it counts.
    pub member: bool,
    pub effective: bool,
    pub supports: Vec<Support>,
    pub lacking: Vec<Lack>,
    pub held: Vec<HeldWord>,
}

impl History {
    /// Why a user is in a group by each source, or what is lacking.
    ///
    /// # Errors
    /// When there is no such user, never was such a group, or the database does not answer.
    pub async fn why(&self, user: &str, group: &str) -> Result<Explanation, HistoryError> {
        if is_odd(user) {
            return Err(HistoryError::NoUser);
        }
        if is_odd(group) {
            return Err(HistoryError::NoGroup);
        }
        let runs = self.store.source_runs().await?;
        let conn = &self.store.snapshot().await?;
        let (position, _) = self.store.head(conn).await?;
        let user = self.store.user_by_any_name(conn, user).await?.ok_or(HistoryError::NoUser)?;
        let group = self.asked_group(conn, group).await?;
        let intervals = match group.id {
            Some(id) => self.store.intervals(conn, id, user.id).await?,
            None => Vec::new(),
        };
        let happened = self.store.happened(conn, &positions(&intervals)).await?;
        let observed = self.store.observed(conn, user.id).await?;
        let ways = match group.id {
            Some(id) => self.store.ways(conn, id, user.id).await?,
            None => BTreeMap::new(),
        };
        let supports = self.supports(&group, &intervals, &happened, (&observed, &ways))?;
        let suspended = self.store.suspensions(conn, user.id).await?;
        let entitlements = self.store.entitlements_of_user(conn, user.id).await?;
        let facts = Facts {
            status: &user.status,
            suspended: &suspended,
            claims: &user.profile.claims,
            group: &group,
            member: !supports.is_empty(),
            ended: &ended(&intervals, &happened)?,
            givers: &self.givers(&group, &runs, &observed, &entitlements),
            unprovisioned: self.unprovisioned(conn, &group).await?,
        };
        let (member, lacking) = (facts.member, lacking(&facts));
        let effective = member && lacking.is_empty() && user.status == "active";
        let held = held_words(&self.store.held_plans(conn).await?, &user, &group);
        Ok(Explanation { position, user, group, member, effective, supports, lacking, held })
    }

    /// The group of that name; else one that an entitlement may name, though its resource was never known here.
    async fn asked_group(&self, conn: &impl Reader, name: &str) -> Result<AskedGroup, HistoryError> {
        let Some(found) = self.store.group_ever(conn, name).await? else {
            return self.named_by_rule(name).ok_or(HistoryError::NoGroup);
        };
        let PastGroup { id, name, managed_by, resource, ended } = found;
        let deleted = match ended {
            Some(position) => self.store.happened(conn, &[position]).await?.remove(&position),
            None => None,
        };
        Ok(AskedGroup { id: Some(id), name, managed_by, resource, deleted })
    }

    fn named_by_rule(&self, name: &str) -> Option<AskedGroup> {
        let name = name.trim().to_lowercase();
        let rules = self.rules.sources.values().flat_map(|rules| &rules.map);
        let resource = rules.into_iter().find_map(|rule| {
            let id = name.strip_prefix(&format!("{}:", rule.facet.resource_type))?;
            let id = id.strip_suffix(&format!(":{}", rule.facet.permission))?;
            (!id.is_empty()).then(|| (rule.facet.clone(), id.to_owned()))
        })?;
        Some(AskedGroup { id: None, name, managed_by: None, resource: Some(resource), deleted: None })
    }

    fn supports(
        &self,
        group: &AskedGroup,
        intervals: &[Interval],
        happened: &BTreeMap<Position, Happened>,
        (observed, ways): (&BTreeMap<SourceName, Observed>, &BTreeMap<SourceName, Way>),
    ) -> Result<Vec<Support>, StoreError> {
        let open = intervals.iter().filter(|interval| interval.to.is_none());
        let support = |interval: &Interval| {
            let Interval { source, from, to: _, blocked, due_at } = interval;
            let happened = at(happened, *from)?;
            let rule = rule(group, source, self.rules.sources.get(source), &happened.cause.actor);
            let path = rule.path(group, ways.get(source).unwrap_or(&Way::Direct));
            let confirmed_at = self.heard(source, observed);
            let (blocked, due_at) = (*blocked, *due_at);
            Ok(Support { source: source.clone(), rule, path, happened, confirmed_at, blocked, due_at })
        };
        open.map(support).collect()
    }

    fn givers<'a>(
        &'a self,
        group: &AskedGroup,
        runs: &BTreeMap<String, SourceRuns>,
        observed: &BTreeMap<SourceName, Observed>,
        entitlements: &'a BTreeMap<SourceName, Entitlements>,
    ) -> Vec<Giver<'a>> {
        let able = self.rules.sources.iter().filter(|(source, rules)| rules.may_give(source, group));
        let giver = |(source, rules): (&'a SourceName, &'a _)| {
            let runs = runs.get(source.as_str());
            let failing = runs.and_then(|runs| Some((runs.last_error_class.clone()?, runs.last_success_at)));
            Giver {
                source,
                rules,
                stated: entitlements.get(source),
                observed_at: self.heard(source, observed),
                failing,
            }
        };
        able.map(giver).collect()
    }

    /// When a source was last heard about the user; what a directory says as a whole is about everybody.
    fn heard(&self, source: &SourceName, observed: &BTreeMap<SourceName, Observed>) -> Option<Instant> {
        let directory = self.rules.sources.get(source).is_some_and(|rules| rules.directory);
        let observed = observed.get(source)?;
        let mark = if directory { observed.newest() } else { observed.user.as_ref() };
        mark.map(|mark| mark.completed_at)
    }

    async fn unprovisioned(&self, conn: &impl Reader, group: &AskedGroup) -> Result<bool, StoreError> {
        let Some((facet, id)) = &group.resource else { return Ok(false) };
        if !self.rules.gated.contains(&facet.resource_type) {
            return Ok(false);
        }
        let known = self.store.provisioned(conn, &facet.resource_type, &BTreeSet::from([id.clone()])).await?;
        Ok(known.is_empty())
    }
}

fn positions(intervals: &[Interval]) -> Vec<Position> {
    intervals.iter().flat_map(|interval| std::iter::once(interval.from).chain(interval.to)).collect()
}

fn at(happened: &BTreeMap<Position, Happened>, position: Position) -> Result<Happened, StoreError> {
    let found = happened.get(&position).cloned();
    found.ok_or_else(|| StoreError::Damaged { what: format!("the event at {position} is missing") })
}

/// How each source's last support ended, of those that have none now.
fn ended(
    intervals: &[Interval],
    happened: &BTreeMap<Position, Happened>,
) -> Result<Vec<(SourceName, Happened)>, StoreError> {
    let mut last: BTreeMap<&SourceName, Option<Position>> = BTreeMap::new();
    for interval in intervals {
        last.insert(&interval.source, interval.to);
    }
    let ended = last.into_iter().filter_map(|(source, to)| Some((source, to?)));
    ended.map(|(source, to)| Ok((source.clone(), at(happened, to)?))).collect()
}

fn held_words(plans: &[HeldPlan], user: &UserRecord, group: &AskedGroup) -> Vec<HeldWord> {
    let current = plans.iter().filter(|plan| plan.superseded_by.is_none());
    let word = |plan: &HeldPlan| {
        let id = user.id.to_string();
        let list = |list: &str| plan.changes[list].as_array().map(Vec::as_slice).unwrap_or_default();
        let names = |list: &[Value]| list.iter().any(|pair| pair["user"] == *id && pair["group"] == *group.name);
        let (created, removed) = (list("created"), list("removed"));
        let cut = (created.len() as u64) < plan.created || (removed.len() as u64) < plan.removed;
        let would = match (names(created), names(removed)) {
            (true, _) => "add",
            (false, true) => "remove",
            (false, false) if cut => "perhaps",
            (false, false) => return None,
        };
        Some(HeldWord { source: plan.source.clone(), hash: plan.hash.clone(), would, since: plan.since })
    };
    current.filter_map(word).collect()
}
