use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::identity::{EventId, Position, RunId};
use crate::identity::{GroupId, SourceName, UserId};

fn recorded(event: Event) -> Recorded {
    let at = DateTime::from_timestamp_micros(1_790_000_000_000_001).expect("in range");
    let written = event.written();
    Recorded {
        position: Position(7),
        event_id: EventId(Uuid::from_u128(9)),
        cause: Cause::default(),
        occurred_at: at,
        recorded_at: at,
        event,
        written,
    }
}

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n))
}

#[test]
fn every_payload_ever_written_is_still_read() {
    // H2
    let source = "\"deploycenter\"";
    let (u, g) = (user(1), GroupId::ADMIN);
    for (event_type, payload) in [
        ("user.created", format!(r#"{{"users":["{u}"]}}"#)),
        ("user.profile_changed", format!(r#"{{"user":"{u}","fields":["email","sub","claims"]}}"#)),
        (
            "group.created",
            format!(
                r#"{{"group":"{g}","name":"Admin","managed_by":null,"external_id":null,"facet":null,"resource_id":null}}"#
            ),
        ),
        (
            "group.created",
            format!(
                r#"{{"group":"{g}","name":"maildomain:a.fr:admin","managed_by":{source},"external_id":"03x","facet":{{"resource_type":"maildomain","permission":"admin"}},"resource_id":"a.fr"}}"#
            ),
        ),
        ("user.suspended", format!(r#"{{"user":"{u}","source":"google_sync"}}"#)),
        ("user.reactivated", format!(r#"{{"user":"{u}","source":"google_sync"}}"#)),
        ("user.deactivated", format!(r#"{{"user":"{u}"}}"#)),
        ("user.restored", format!(r#"{{"user":"{u}"}}"#)),
        ("user.erased", format!(r#"{{"user":"{u}","reason":"they asked for it"}}"#)),
        ("group.renamed", format!(r#"{{"group":"{g}","before":"a@example.com","after":"b@example.com"}}"#)),
        (
            "group.created",
            format!(
                r#"{{"group":"{g}","name":"Editors","managed_by":null,"external_id":null,"facet":null,"resource_id":null,"description":"Who edits"}}"#
            ),
        ),
        ("group.description_changed", format!(r#"{{"group":"{g}","before":null,"after":"Who edits"}}"#)),
        ("group.deleted", format!(r#"{{"group":"{g}"}}"#)),
        (
            "grant.created",
            format!(
                r#"{{"group":"{g}","after":{{"grant":"{u}","permission":"admin","resource_type":"maildomain","resource_id":"a.fr"}}}}"#
            ),
        ),
        (
            "grant.deleted",
            format!(
                r#"{{"group":"{g}","before":[{{"grant":"{u}","permission":"admin","resource_type":"maildomain","resource_id":"a.fr"}}]}}"#
            ),
        ),
        ("membership.changed", format!(r#"{{"group":"{g}","source":{source},"added":["{u}"],"removed":[]}}"#)),
        (
            "membership.changed",
            format!(
                r#"{{"group":"{g}","source":"admin","added":["{u}"],"removed":[],"expires_at":"2026-11-28T10:00:00.000000Z"}}"#
            ),
        ),
        (
            "membership.removal_blocked",
            format!(r#"{{"group":"{g}","user":"{u}","source":{source},"reason":"last_administrator"}}"#),
        ),
        (
            "membership.removal_scheduled",
            format!(r#"{{"group":"{g}","source":{source},"users":["{u}"],"due_at":"2026-11-28T10:00:00.000000Z"}}"#),
        ),
        ("membership.removal_cancelled", format!(r#"{{"group":"{g}","source":{source},"users":["{u}"]}}"#)),
        (
            "entitlement.changed",
            format!(
                r#"{{"user":"{u}","source":{source},"changes":{{"max_storage":{{"before":null,"after":"5000000000"}}}}}}"#
            ),
        ),
        (
            "plan.approved",
            format!(r#"{{"source":{source},"hash":"ab","reason":"moved","expires_at":"2026-11-22T10:00:00.000000Z"}}"#),
        ),
        ("plan.rejected", format!(r#"{{"source":{source},"hash":"ab","reason":"a mistake"}}"#)),
        ("plan.applied", format!(r#"{{"source":{source},"hash":"ab"}}"#)),
        ("plan.approval_voided", format!(r#"{{"source":{source},"hash":"ab","why":"changed","plan":"cd"}}"#)),
        ("role.changed", format!(r#"{{"subject":{{"user":"{u}"}},"before":null,"after":"manage"}}"#)),
        ("role.changed", format!(r#"{{"subject":{{"group":"{g}"}},"before":"owner","after":null}}"#)),
        ("source.forgotten", r#"{"source":"old_directory","reason":"it was switched off"}"#.to_owned()),
        (
            "resource.provisioned",
            r#"{"resource_type":"maildomain","resource_id":"a.fr","attributes":"{\"siret\":\"21\"}"}"#.to_owned(),
        ),
        (
            "resource.attributes_changed",
            r#"{"resource_type":"maildomain","resource_id":"a.fr","before":"{}","after":"{\"siret\":\"21\"}"}"#
                .to_owned(),
        ),
        (
            "token.created",
            format!(r#"{{"token":"{u}","owner":"{u}","scopes":["read"],"expires_at":"2026-11-22T10:00:00.000000Z"}}"#),
        ),
        (
            "token.created",
            format!(
                r#"{{"token":"{u}","owner":null,"scopes":["hook:login","provision:maildomain"],"expires_at":"2026-11-22T10:00:00.000001Z"}}"#
            ),
        ),
        ("token.revoked", format!(r#"{{"token":"{u}"}}"#)),
        ("administrator.seed_failed", r#"{"reason":"no_address"}"#.to_owned()),
        ("administrator.seed_failed", r#"{"reason":"deactivated"}"#.to_owned()),
        ("administrator.break_glass_granted", format!(r#"{{"user":"{u}"}}"#)),
        (
            "administrator.directory_changed",
            format!(r#"{{"user":"{u}","source":{source},"before":null,"after":"named"}}"#),
        ),
        (
            "administrator.directory_changed",
            format!(r#"{{"user":"{u}","source":{source},"before":"missed","after":"kept"}}"#),
        ),
    ] {
        let (event, written) = Event::decode(event_type, 1, &payload).expect("a payload of version 1");
        assert_eq!(event.event_type(), event_type);
        assert_eq!(written, Written { schema_version: 1, payload }, "the canonical form of version 1 never changes");
    }
}

#[test]
fn a_payload_with_a_field_too_many_or_too_few_is_refused() {
    for payload in [r#"{"users":[],"more":1}"#, "{}", "[]", "", r#"{"users":["x"]}"#] {
        assert!(matches!(Event::decode("user.created", 1, payload), Err(DecodeError::Payload { .. })), "{payload}");
    }
    assert!(matches!(Event::decode("user.renamed", 1, "{}"), Err(DecodeError::Unknown { .. })));
    assert!(matches!(Event::decode("user.created", 99, "{}"), Err(DecodeError::Unknown { .. })));
}

#[test]
fn the_digest_covers_every_field_and_what_came_before() {
    // E1
    let plain = recorded(Event::users_created(vec![user(1)]));
    let changed: Vec<Recorded> = vec![
        Recorded { position: Position(8), ..plain.clone() },
        Recorded { event_id: EventId(Uuid::from_u128(10)), ..plain.clone() },
        Recorded { occurred_at: plain.occurred_at + chrono::TimeDelta::microseconds(1), ..plain.clone() },
        Recorded { recorded_at: plain.recorded_at + chrono::TimeDelta::microseconds(1), ..plain.clone() },
        recorded(Event::users_created(vec![user(2)])),
        Recorded { written: Written { schema_version: 2, ..plain.written.clone() }, ..plain.clone() },
        Recorded { cause: Cause { actor: "operator".into(), ..Cause::default() }, ..plain.clone() },
        Recorded { cause: Cause { source: Some(SourceName::stored("a".into())), ..Cause::default() }, ..plain.clone() },
        Recorded { cause: Cause { run_id: Some(RunId(Uuid::nil())), ..Cause::default() }, ..plain.clone() },
        Recorded { cause: Cause { correlation_id: Some("r".into()), ..Cause::default() }, ..plain.clone() },
        Recorded { cause: Cause { causation_id: Some(EventId(Uuid::nil())), ..Cause::default() }, ..plain.clone() },
    ];
    let digest = plain.digest(&GENESIS);
    assert_eq!(digest, plain.clone().digest(&GENESIS));
    assert_ne!(digest, plain.digest(&[1; 32]));
    for other in changed {
        assert_ne!(digest, other.digest(&GENESIS), "{other:?}");
    }
}
