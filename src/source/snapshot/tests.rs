use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::Coverage;
use entitled_model::path::Through;
use entitled_model::{EmailAddress, ErrorClass, Facet, GroupName, MapRule};
use serde_json::json;

use super::*;
use crate::source::answer;

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("valid")
}

fn at() -> Instant {
    entitled_model::instant::read("2026-11-25T10:00:00Z").expect("valid")
}

fn source() -> SourceName {
    SourceName::stored("google_sync".to_owned())
}

#[test]
fn a_census_is_read_as_it_was_written() {
    let account = |id: &str, email: &str, standing| {
        let aliases = vec![address("Other@example.org")];
        CensusPerson::Account(Box::new(Account {
            external_id: id.into(),
            address: address(email),
            aliases: if id == "1" { aliases } else { Vec::new() },
            standing,
            is_administrator: (id == "1").then_some(true),
        }))
    };
    let guest = CensusPerson::Member { address: address("guest@else.where"), external_id: None };
    let people = vec![
        account("1", "Ann@example.org", Standing::Active),
        account("2", "b@example.org", Standing::Suspended),
        guest,
    ];
    let name = GroupName::parse("grp@example.org").expect("valid");
    let group = |group, members, incomplete| CensusGroup {
        group,
        members,
        through: Through::default(),
        incomplete,
        went_away: false,
    };
    let groups = vec![
        group(ObservedGroup::Directory { name, external_id: Some("03x".into()) }, vec![0, 2], None),
        group(
            ObservedGroup::System(entitled_model::observation::SystemGroup::Admin),
            vec![1],
            Some(Failure::new(ErrorClass::Incomplete, "counts differ")),
        ),
    ];
    let unread = Some(Failure::new(ErrorClass::Forbidden, "no right"));
    let census = Census { people, groups, accounts_unread: unread, accounts_unusable: true };
    let text = Snapshot::of_census(&source(), at(), &census).text();
    assert_eq!(Snapshot::read(text.as_bytes()).expect("readable").census().expect("usable"), census);
}

#[test]
fn answers_are_read_as_they_were_written_and_mapped_by_todays_rules() {
    // S7
    let facet = Facet { resource_type: "maildomain".into(), permission: "admin".into() };
    let rules = [MapRule { entitlement: "can_admin_maildomains".into(), facet }];
    let said = |json: serde_json::Value| {
        let stated: BTreeMap<String, Value> = serde_json::from_value(json).expect("an object");
        answer::read(&stated, &rules)
    };
    let listed = UserAnswer {
        groups: BTreeSet::from([ObservedGroup::Directory {
            name: GroupName::parse("Editors").expect("valid"),
            external_id: None,
        }]),
        coverage: Coverage::Everything,
        ..said(json!({"can_access": true, "can_admin_maildomains": []})).expect("well-formed")
    };
    let answers = [
        ("1".to_owned(), said(json!({"can_access": true, "can_admin_maildomains": ["a.fr"]}))),
        ("2".to_owned(), said(json!({"can_access": false, "can_admin_maildomains": null}))),
        ("3".to_owned(), Err(Failure::new(ErrorClass::Timeout, "slow"))),
        ("4".to_owned(), Ok(listed)),
    ];
    let text = Snapshot::of_users(&source(), at(), &answers).text();
    let read = Snapshot::read(text.as_bytes()).expect("readable").answers(&rules).expect("usable");
    let read: Vec<_> = read.into_iter().map(|said| (said.user, said.answer)).collect();
    assert_eq!(read, answers);
}

#[test]
fn what_can_not_be_used_is_named_by_its_place_and_not_quoted() {
    let head = r#""snapshot_version":1,"source":"g","recorded_at":"x""#;
    let groups = |groups: &str| format!(r#"{{{head},"people":[],"groups":{groups}}}"#);
    let people = |people: &str| format!(r#"{{{head},"people":{people},"groups":[]}}"#);
    let two = r#"[{"address":"a@b.c","account":false},{"address":"A@b.c ","account":false}]"#;
    for (text, place) in [
        ("", "line 1 column 0"),
        ("[1,\"g\",\"x\",[]]", "line 1 column 0"),
        ("{\"snapshot_version\":2,\"source\":\"g\",\"recorded_at\":\"x\"}", "snapshot_version"),
        (&format!("{{{head}}}"), "people"),
        (&format!(r#"{{{head},"people":[]}}"#), "groups"),
        (&format!(r#"{{{head},"people":null,"groups":[]}}"#), "people"),
        (&people(r#"[{"address":"nobody","account":false}]"#), "people[0].address"),
        (&people(r#"[{"address":"a@b.c","account":true}]"#), "people[0].id"),
        (&people(r#"[{"address":"a@b.c","account":true,"id":"1","aliases":["x"]}]"#), "people[0].aliases[0]"),
        (&people(two), "people[1].address"),
        (&groups(r#"[{"name":"g","members":["a@b.c","x"]}]"#), "groups[0].members[1]"),
        (&groups(r#"[{"name":"g","members":[]},{"name":"g","members":[]}]"#), "groups[1].name"),
        (&groups(r#"[{"name":" ","members":[]}]"#), "groups[0].name"),
        (&groups(r#"[{"name":"Admin","members":[]}]"#), "groups[0].name"),
        (&groups(r#"[{"name":"x","system":true,"members":[]}]"#), "groups[0].name"),
        (&groups(r#"[{"name":"g"}]"#), "line 1"),
        (&groups(r#"[{"name":"g","members":null}]"#), "line 1"),
        (&groups(r#"[{"name":"g","members":[],"error":{"class":"odd","message":""}}]"#), "line 1"),
    ] {
        let error = Snapshot::read(text.as_bytes()).and_then(|snapshot| snapshot.census()).expect_err(text);
        assert!(error.place.starts_with(place), "{text}: {error}");
        assert!(!error.to_string().contains("nobody"), "{error}");
    }
}

#[test]
fn an_answer_that_is_missing_is_not_that_of_somebody_unknown() {
    // S7
    let read = |user: &str| {
        let text = format!(r#"{{"snapshot_version":1,"source":"g","recorded_at":"x","users":[{user}]}}"#);
        Snapshot::read(text.as_bytes()).and_then(|snapshot| snapshot.answers(&[]))
    };
    for (user, place) in [
        (r#"{"user":"a@b.c"}"#, "users[0].said"),
        (r#"{"user":"a@b.c","groups":["Editors"]}"#, "users[0].said"),
        (r#"{"user":"a@b.c","said":null,"groups":["Editors"]}"#, "users[0].groups"),
        (r#"{"user":"a@b.c","said":null,"groups":[]}"#, "users[0].groups"),
    ] {
        let error = read(user).err().unwrap_or_else(|| panic!("{user} was read"));
        assert!(error.place.starts_with(place), "{user}: {error}");
    }
    let unknown = read(r#"{"user":"a@b.c","said":null}"#).expect("usable");
    assert!(unknown[0].answer.as_ref().is_ok_and(|answer| !answer.present));
}
