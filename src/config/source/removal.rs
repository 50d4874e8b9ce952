//! How much a source may take away, and how soon: limits of the source and of its groups. Imports the reader.

use std::collections::BTreeSet;
use std::time::Duration;

use entitled_model::plan::{Guard, OnHold};

use crate::config::choice::Choice;
use crate::config::reader::Section;
use crate::config::writer::{Page, count, inline, time};

/// The share of a group's memberships that may go, where the source's own share is smaller.
const GROUP_RATIO: f64 = 0.5;
/// Privileged, whatever is said of it.
const ADMIN: &str = "Admin";
/// The longest grace.
const GRACE_MAX: Duration = Duration::from_hours(365 * 24);

/// What a source may take away.
#[derive(Clone, Debug, PartialEq)]
pub struct RemovalRules {
    /// How much a run may remove without an operator's approval. Default: a ratio of 0.25, 100 removals, from 20 memberships on.
    pub guard: Guard,
    /// How much of one group. Default: as `guard`, with a ratio of at least 0.5.
    pub group_guard: Guard,
    /// How long a membership that is no longer listed stays. Default: `0s`, it goes at once.
    pub grace: Duration,
    /// More new removals than this wait until a second reading agrees. Default: no reading but the first is needed.
    pub second_reading_above: Option<u64>,
    /// What becomes of the additions of a held plan. Default: `hold_all`.
    pub on_hold: OnHold,
    /// Groups with rules of their own. Default: none.
    pub groups: Vec<GroupRules>,
}

/// A group's own rules.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRules {
    /// The name under which it is stored.
    pub name: String,
    /// How much of it a run may remove. Default: the source's `group_guard`.
    pub guard: Guard,
    /// How long its memberships stay. Default: the source's `grace`; none for a privileged group.
    pub grace: Duration,
    /// Nobody is kept on in it. Default: false; `Admin` always is.
    pub privileged: bool,
}

impl Choice for OnHold {
    const WORDS: &'static [(&'static str, Self)] =
        &[("hold_all", Self::HoldAll), ("apply_additions", Self::ApplyAdditions)];
}

impl RemovalRules {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let usual = Guard { max_removal_ratio: 0.25, max_removals: 100, min_memberships: 20 };
        let guard = section.table("guard", |section| read_guard(section, usual));
        let of_groups = Guard { max_removal_ratio: guard.max_removal_ratio.max(GROUP_RATIO), ..guard };
        let group_guard = section.table("group_guard", |section| read_guard(section, of_groups));
        let (grace, second_reading_above) = section.table("removal", read_removal);
        let grace = grace.unwrap_or_default();
        let groups = section.tables("group", |section| GroupRules::read(section, group_guard, grace));
        let groups: Vec<GroupRules> = groups.into_iter().flatten().collect();
        let mut seen = BTreeSet::new();
        for GroupRules { name, .. } in &groups {
            if !seen.insert(name) {
                section.problem("group", "expected each group once");
            }
        }
        let on_hold = section.key("on_hold").choice::<OnHold>().unwrap_or(OnHold::HoldAll);
        Self { guard, group_guard, grace, second_reading_above, on_hold, groups }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { guard, group_guard, grace, second_reading_above, on_hold, groups: _ } = self;
        page.put("guard", shown_guard(*guard));
        page.put("group_guard", shown_guard(*group_guard));
        let confirm: u64 = if second_reading_above.is_some() { 2 } else { 1 };
        page.put(
            "removal",
            inline([
                ("grace", time(*grace)),
                ("confirm", count(confirm)),
                ("confirm_above", count(second_reading_above.unwrap_or(0))),
            ]),
        );
        page.put("on_hold", on_hold.as_str());
    }

    /// The groups' own rules under `<path>.group`.
    pub(super) fn show_groups(&self, path: &str, page: &mut Page) {
        for GroupRules { name, guard, grace, privileged } in &self.groups {
            page.element(&format!("{path}.group"));
            page.put("name", name.as_str());
            page.put("guard", shown_guard(*guard));
            page.put("removal", inline([("grace", time(*grace))]));
            page.put("privileged", *privileged);
        }
    }
}

impl GroupRules {
    fn read(section: &mut Section<'_>, guard: Guard, grace: Duration) -> Option<Self> {
        let name = section.key("name").required("the name of a group").text().map(|name| name.trim().to_owned());
        let guard = section.table("guard", |section| read_guard(section, guard));
        let own = section.table("removal", |section| section.key("grace").duration(Duration::ZERO..=GRACE_MAX));
        let privileged = section.key("privileged").boolean().unwrap_or(false) || name.as_deref() == Some(ADMIN);
        if privileged && own.is_some_and(|own| !own.is_zero()) {
            section.problem("removal", "expected no grace in a privileged group: nobody is kept on in it");
        }
        let grace = if privileged { Duration::ZERO } else { own.unwrap_or(grace) };
        let name = name?;
        // Sources' groups are stored in lower case; `Admin` and `Everyone` are as they are.
        let name = if name.contains(['@', ':']) { name.to_lowercase() } else { name };
        Some(Self { name, guard, grace, privileged })
    }
}

/// The grace, and the number of removals above which a second reading is needed.
fn read_removal(section: &mut Section<'_>) -> (Option<Duration>, Option<u64>) {
    let grace = section.key("grace").duration(Duration::ZERO..=GRACE_MAX);
    let readings: i64 = section.key("confirm").integer(1..=2).unwrap_or(1);
    let above = section.key("confirm_above").integer(0..=i64::from(u32::MAX));
    if readings == 1 && above.is_some_and(|above: u64| above > 0) {
        section.problem("confirm_above", "expected `confirm = 2` beside it: otherwise one reading is enough");
    }
    (grace, (readings == 2).then_some(above.unwrap_or(0)))
}

fn read_guard(section: &mut Section<'_>, usual: Guard) -> Guard {
    let most = i64::from(u32::MAX);
    Guard {
        max_removal_ratio: section.key("max_removal_ratio").decimal(0.0..=1.0).unwrap_or(usual.max_removal_ratio),
        max_removals: section.key("max_removals").integer(0..=most).unwrap_or(usual.max_removals),
        min_memberships: section.key("min_memberships").integer(0..=most).unwrap_or(usual.min_memberships),
    }
}

fn shown_guard(guard: Guard) -> toml::Value {
    let Guard { max_removal_ratio, max_removals, min_memberships } = guard;
    inline([
        ("max_removal_ratio", max_removal_ratio.into()),
        ("max_removals", count(max_removals)),
        ("min_memberships", count(min_memberships)),
    ])
}
