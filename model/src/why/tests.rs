use chrono::DateTime;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::entitlement::EntitlementValue;
use crate::identity::RunId;
use crate::path::Way;

fn source(name: &str) -> SourceName {
    SourceName::stored(name.to_owned())
}

fn at(seconds: i64) -> Instant {
    DateTime::from_timestamp(1_795_000_000 + seconds, 0).expect("in range")
}

fn happened(position: i64) -> Happened {
    Happened {
        position: Position(position),
        event_id: EventId(Uuid::nil()),
        cause: Cause { actor: "key:office".into(), ..Cause::default() },
        trigger: None,
        observed_at: at(0),
        recorded_at: at(1),
    }
}

fn domain() -> AskedGroup {
    let facet = Facet { resource_type: "maildomain".into(), permission: "admin".into() };
    AskedGroup {
        id: None,
        name: "maildomain:a.fr:admin".into(),
        managed_by: None,
        resource: Some((facet, "a.fr".into())),
        deleted: None,
    }
}

fn directory_group() -> AskedGroup {
    AskedGroup {
        id: Some(GroupId(Uuid::from_u128(5))),
        name: "grp@example.com".into(),
        managed_by: Some(source("google_sync")),
        resource: None,
        deleted: None,
    }
}

fn backend() -> SourceRules {
    let (facet, _) = domain().resource.expect("a resource");
    let map = vec![MapRule { entitlement: "can_admin_maildomains".into(), facet }];
    SourceRules { map, required_claims: vec!["siret".into()], ..SourceRules::default() }
}

fn google() -> SourceRules {
    SourceRules {
        directory: true,
        nested: true,
        admin_group: Some("boss@example.com".into()),
        ..SourceRules::default()
    }
}

#[test]
fn each_kind_of_support_has_its_rule_and_its_path() {
    // E5
    let admin = AskedGroup { id: Some(GroupId::ADMIN), name: "Admin".into(), ..directory_group() };
    let direct = SourceRules { nested: false, ..google() };
    let path = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let through = Way::Through(vec!["mid@example.com".into(), "inner@example.com".into()]);
    for (group, of, rules, kind, words, way, expected) in [
        (
            domain(),
            "dc",
            Some(backend()),
            "mapped_entitlement",
            "can_admin_maildomains",
            Way::Direct,
            path(&["maildomain:a.fr:admin"]),
        ),
        (
            domain(),
            "dc",
            Some(SourceRules::default()),
            "mapped_entitlement",
            "no longer mapped",
            Way::Direct,
            path(&["maildomain:a.fr:admin"]),
        ),
        (
            directory_group(),
            "google_sync",
            Some(google()),
            "directory_group",
            "a group within it",
            through.clone(),
            path(&["grp@example.com", "mid@example.com", "inner@example.com"]),
        ),
        (
            admin.clone(),
            "google_sync",
            Some(google()),
            "directory_group",
            "a group within it",
            through,
            path(&["Admin", "boss@example.com", "mid@example.com", "inner@example.com"]),
        ),
        (
            directory_group(),
            "google_sync",
            Some(google()),
            "directory_group",
            "a group within it",
            Way::Direct,
            path(&["grp@example.com"]),
        ),
        (
            directory_group(),
            "google_sync",
            Some(google()),
            "directory_group",
            "a group within it",
            Way::Unrecorded,
            None,
        ),
        (
            directory_group(),
            "google_sync",
            Some(direct.clone()),
            "directory_group",
            "in grp@",
            Way::Unrecorded,
            path(&["grp@example.com"]),
        ),
        (
            admin,
            "google_sync",
            Some(direct),
            "directory_group",
            "boss@example.com",
            Way::Direct,
            path(&["Admin", "boss@example.com"]),
        ),
        (directory_group(), "gone", None, "orphaned", "not configured", Way::Direct, None),
        (domain(), "admin", None, "by_hand", "key:office", Way::Direct, path(&["maildomain:a.fr:admin"])),
        (domain(), "system_seed", None, "system_seed", "first members", Way::Direct, path(&["maildomain:a.fr:admin"])),
        (domain(), "break_glass", None, "break_glass", "emergency", Way::Direct, path(&["maildomain:a.fr:admin"])),
    ] {
        let rule = rule(&group, &source(of), rules.as_ref(), "key:office");
        assert_eq!((rule.kind(), rule.path(&group, &way)), (kind, expected), "{rule}");
        assert!(rule.to_string().contains(words), "{rule}");
    }
}

/// A user with a claim, a source, a group.
struct Ground {
    source: SourceName,
    rules: SourceRules,
    group: AskedGroup,
    claims: BTreeMap<String, Value>,
}

impl Ground {
    fn new() -> Self {
        let claims = BTreeMap::from([("siret".to_owned(), json!("1"))]);
        Self { source: source("dc"), rules: backend(), group: domain(), claims }
    }

    /// The reasons that are given, with what varies.
    fn reasons<'a>(&'a self, change: impl FnOnce(&mut Facts<'a>, &mut Giver<'a>)) -> Vec<&'static str> {
        let Self { source, rules, group, claims } = self;
        let mut giver = Giver { source, rules, stated: None, observed_at: Some(at(0)), failing: None };
        let mut facts = Facts {
            status: "active",
            suspended: &[],
            claims,
            group,
            member: false,
            ended: &[],
            givers: &[],
            unprovisioned: false,
        };
        change(&mut facts, &mut giver);
        lacking(&Facts { givers: &[giver], ..facts }).iter().map(Lack::reason).collect()
    }
}

#[test]
fn what_a_missing_access_lacks_is_said() {
    // E5
    let stated = |list: Value| Entitlements::from([("can_admin_maildomains".to_owned(), EntitlementValue::of(&list))]);
    let (lists, other, odd) = (stated(json!(["A.fr "])), stated(json!(["b.fr"])), stated(json!("a.fr")));
    let (none, suspended) = (BTreeMap::new(), [(source("google_sync"), Position(3), at(0))]);
    let ended = [(source("dc"), happened(4))];
    let (directory, google) = (directory_group(), google());
    let deleted = AskedGroup { deleted: Some(happened(9)), ..domain() };
    let ground = Ground::new();
    assert_eq!(ground.reasons(|_, _| {}), ["never_member", "not_stated"]);
    assert_eq!(ground.reasons(|_, giver| giver.stated = Some(&odd)), ["never_member", "not_stated"]);
    assert_eq!(ground.reasons(|_, giver| giver.stated = Some(&other)), ["never_member", "not_entitled"]);
    assert_eq!(ground.reasons(|_, giver| giver.stated = Some(&lists)), ["never_member", "pending"]);
    let unprovisioned = ground.reasons(|facts, giver| {
        giver.stated = Some(&lists);
        facts.unprovisioned = true;
    });
    assert_eq!(unprovisioned, ["never_member", "not_provisioned"]);
    assert_eq!(ground.reasons(|facts, _| facts.claims = &none), ["never_member", "missing_claim", "not_stated"]);
    assert_eq!(ground.reasons(|_, giver| giver.observed_at = None), ["never_member", "never_observed"]);
    let failing = ground.reasons(|_, giver| giver.failing = Some(("timeout".into(), None)));
    assert_eq!(failing, ["never_member", "source_unavailable", "not_stated"]);
    assert_eq!(ground.reasons(|facts, _| facts.ended = &ended), ["removed", "not_stated"]);
    assert_eq!(ground.reasons(|facts, _| facts.suspended = &suspended), ["suspended", "never_member", "not_stated"]);
    assert_eq!(ground.reasons(|facts, _| facts.status = "deactivated"), ["deactivated", "never_member", "not_stated"]);
    assert_eq!(ground.reasons(|facts, _| facts.group = &deleted), ["group_deleted", "never_member", "not_stated"]);
    let unlisted = ground.reasons(|facts, giver| {
        (facts.group, giver.rules) = (&directory, &google);
    });
    assert_eq!(unlisted, ["never_member", "not_listed"]);
    // Whoever is in lacks nothing but an account that may be used.
    assert_eq!(ground.reasons(|facts, _| facts.member = true), [] as [&str; 0]);
    let cut_off = ground.reasons(|facts, _| {
        facts.member = true;
        facts.suspended = &suspended;
    });
    assert_eq!(cut_off, ["suspended"]);
}

#[test]
fn only_a_source_that_could_give_the_access_is_asked_what_it_said() {
    let (dc, google_sync) = (source("dc"), source("google_sync"));
    let admin = AskedGroup { id: Some(GroupId::ADMIN), managed_by: None, ..directory_group() };
    let by_hand = AskedGroup { managed_by: None, ..directory_group() };
    for (rules, name, group, may) in [
        (backend(), &dc, domain(), true),
        (backend(), &dc, directory_group(), false),
        (google(), &google_sync, directory_group(), true),
        (google(), &source("other"), directory_group(), false),
        (google(), &google_sync, domain(), false),
        (google(), &google_sync, admin.clone(), true),
        (backend(), &dc, admin, false),
        (google(), &google_sync, by_hand, false),
    ] {
        assert_eq!(rules.may_give(name, &group), may, "{name} {}", group.name);
    }
}

#[test]
fn a_run_is_named_with_what_started_it() {
    let cause = Cause { actor: "source:dc".into(), run_id: Some(RunId(Uuid::nil())), ..Cause::default() };
    let of_run = Happened { cause, trigger: Some("login".into()), ..happened(7) };
    let told = of_run.to_string();
    assert!(told.contains("event 7 by source:dc in run 00000000-") && told.ends_with("(login)"), "{told}");
    assert!(happened(4).to_string().ends_with("event 4 by key:office"));
}
