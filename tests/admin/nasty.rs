//! What is malformed, absurd or hostile, to each body and parameter of grants, access and questions: 4xx with a reason, and
//! nothing happened.

use serde_json::{Value, json};

use crate::hand::{ANN, group, head, id_of, send, serve, user};
use crate::on_both_stores;
use crate::support::Daemon;

/// Each body of a route with one part of it made nasty; `text` says whether any text at all may stand there.
fn nasty(good: &Value, place: &str) -> Vec<String> {
    let long = "x".repeat(10_000);
    let values = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!([]),
        json!({}),
        json!(["x"]),
        json!(""),
        json!(" \t\n"),
        json!("a\u{0}b"),
        json!("a\u{1b}[31mb"),
        json!(long),
        json!("\u{202e}\u{0}"),
    ];
    let with = |value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(place).expect("a place") = value;
        body.to_string()
    };
    let mut bodies: Vec<String> = values.into_iter().map(with).collect();
    let huge = with(json!("@")).replace("\"@\"", "1e999999");
    let deep = with(json!("@")).replace("\"@\"", &format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)));
    bodies.extend([huge, deep]);
    bodies
}

/// The same, of the body as a whole.
fn nasty_wholes(good: &Value) -> Vec<String> {
    let fields = good.as_object().expect("an object");
    let (name, value) = fields.iter().next().expect("a field");
    let twice = format!("{{\"{name}\": {value}, {}", &good.to_string()[1..]);
    let list = Value::from_iter(fields.values().cloned()).to_string();
    let cut = good.to_string();
    ["", "null", "7", "[]", "\"x\"", "{", "\u{feff}{}", "{}", "{} {}"]
        .map(str::to_owned)
        .into_iter()
        .chain([twice, list, cut[..cut.len() - 1].to_owned(), format!("{cut}x"), "[".repeat(60_000)])
        .collect()
}

async fn refused(daemon: &Daemon, method: &str, path: &str, body: Option<String>) {
    let shown: String = format!("{method} {path} {body:?}").chars().take(300).collect();
    let (status, problem) = send(daemon, method, path, Some("admin-key"), body).await;
    assert!((400..500).contains(&status) && status != 401 && status != 403, "{shown}: {status} {problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{shown}: {problem}");
}

on_both_stores! {
    async fn no_body_does_harm(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (_, editors) = (user(&daemon, ANN).await, group(&daemon, "Editors").await);
        let before = head(&world).await;
        let grant = json!({"group_id": id_of(&editors), "permission": "admin", "resource_type": "maildomain", "resource_id": "a.fr"});
        let check = json!({"user": ANN, "permission": "admin", "resource": {"type": "maildomain", "id": "a.fr"}});
        let batch = json!({"checks": [check]});
        let evaluation = json!({"subject": {"type": "user", "id": ANN}, "action": {"name": "admin"},
            "resource": {"type": "maildomain", "id": "a.fr"}});
        let evaluations = json!({"evaluations": [evaluation]});
        let search = json!({"subject": {"type": "user", "id": ANN}, "resource": {"type": "maildomain", "id": "a.fr"}});
        for (path, good, places) in [
            ("/api/v1/admin/grants", &grant, &["/group_id", "/permission", "/resource_type", "/resource_id"][..]),
            ("/api/v1/check", &check, &["/user", "/permission", "/resource", "/resource/type", "/resource/id"]),
            ("/api/v1/check/batch", &batch, &["/checks/0", "/checks/0/user", "/checks/0/permission", "/checks/0/resource/id"]),
            ("/access/v1/evaluation", &evaluation,
                &["/subject", "/subject/type", "/subject/id", "/action", "/action/name", "/resource", "/resource/type", "/resource/id"]),
            ("/access/v1/evaluations", &evaluations, &["/evaluations/0", "/evaluations/0/subject/id", "/evaluations/0/action/name"]),
            ("/access/v1/search/subject", &evaluation, &["/subject", "/subject/type", "/action/name", "/resource/id", "/resource/type"]),
            ("/access/v1/search/resource", &evaluation, &["/subject", "/subject/id", "/action/name", "/resource", "/resource/type"]),
            ("/access/v1/search/action", &search, &["/subject", "/subject/type", "/subject/id", "/resource", "/resource/type", "/resource/id"]),
        ] {
            for body in nasty_wholes(good) {
                refused(&daemon, "POST", path, Some(body)).await;
            }
            for body in places.iter().flat_map(|place| nasty(good, place)) {
                refused(&daemon, "POST", path, Some(body)).await;
            }
        }
        for (path, good, field, values) in [
            ("/api/v1/check", &check, "min_position", &["-1", "1.5", "\"1\"", "9223372036854775808", "1e999", "[]"][..]),
            ("/api/v1/check", &check, "wait_ms", &["-1", "10001", "\"1\"", "18446744073709551616", "{}"]),
            ("/api/v1/check", &check, "more", &["1"]),
            ("/api/v1/check/batch", &batch, "more", &["1"]),
            ("/api/v1/admin/grants", &grant, "more", &["1"]),
            ("/access/v1/evaluations", &evaluations, "options", &["[]", "7", "{\"evaluations_semantic\": 7}", "{\"evaluations_semantic\": [\"execute_all\"]}"]),
            ("/access/v1/evaluations", &evaluations, "evaluations", &["{}", "7", "[[]]", "\"x\""]),
            ("/access/v1/evaluations", &evaluations, "context", &["[]", "7", "{\"min_position\": 1e99}"]),
            ("/access/v1/search/subject", &evaluation, "page", &["[]", "7", "{\"limit\": -1}", "{\"limit\": 1e99}", "{\"token\": 7}", "{\"properties\": []}"]),
        ] {
            for value in values {
                let mut fields = good.as_object().expect("an object").clone();
                fields.insert(field.to_owned(), json!("@"));
                let body = Value::Object(fields).to_string().replace("\"@\"", value);
                refused(&daemon, "POST", path, Some(body)).await;
            }
        }
        let big = json!({"user": "x".repeat(70_000), "permission": "admin", "resource": {"type": "maildomain", "id": "a.fr"}});
        let (status, _) = send(&daemon, "POST", "/api/v1/check", Some("check-key"), Some(big.to_string())).await;
        assert_eq!(status, 413);
        assert_eq!(head(&world).await, before);
        assert_eq!(world.count("SELECT count(*) FROM access_grant").await, 0);
    }

    async fn no_parameter_does_harm(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let before = head(&world).await;
        let long = "x".repeat(10_000);
        let (grants, overview) = ("/api/v1/admin/grants", "/api/v1/admin/access-overview");
        let (effective, memberships) =
            (format!("/api/v1/admin/users/{ann}/effective-access"), format!("/api/v1/admin/users/{ann}/memberships"));
        let (entitlements, due) = (format!("/api/v1/admin/users/{ann}/entitlements"), "/api/v1/plans/due");
        for path in [
            format!("{grants}?limit=0"), format!("{grants}?limit=1001"), format!("{grants}?limit=-1"), format!("{grants}?limit=1e3"),
            format!("{grants}?limit=1&limit=2"), format!("{grants}?after=x"), format!("{grants}?after=%00"),
            format!("{grants}?group_id=x"), format!("{grants}?group_id=%00"), format!("{grants}?group_id={long}"),
            format!("{grants}?resource_type=unicorn"), format!("{grants}?resource_type="), format!("{grants}?resource_type=%00"),
            format!("{grants}?resource_type=m%D0%B0ildomain"), format!("{grants}?resource_id=%00"), format!("{grants}?resource_id={long}"),
            format!("{grants}?resource_type=maildomain&resource_id="), format!("{grants}?resource_type=maildomain&resource_id=%00"),
            format!("{overview}?limit=0"), format!("{overview}?limit=x"), format!("{overview}?resource_type=unicorn"),
            format!("{overview}?after=a.fr"), format!("{overview}?resource_type=maildomain&after=%00"),
            format!("{overview}?resource_type=maildomain&after={long}"),
            format!("{effective}?limit=0"), format!("{effective}?after=%00"), format!("{effective}?after={long}"),
            format!("{effective}?min_position=-1"), format!("{effective}?min_position=x"), format!("{effective}?wait_ms=10001"),
            format!("{effective}?min_position=9223372036854775808"),
            format!("{memberships}?limit=1001"), format!("{memberships}?after=%00"), format!("{memberships}?after={long}"),
            "/api/v1/admin/users/x/effective-access".to_owned(), "/api/v1/admin/users/%00/effective-access".to_owned(),
            format!("{entitlements}?limit=0"), format!("{entitlements}?limit=1001"), format!("{entitlements}?limit=x"),
            format!("{entitlements}?limit=1&limit=2"), format!("{entitlements}?after=%00"), format!("{entitlements}?after=a:%00"),
            format!("{entitlements}?after=x"), format!("{entitlements}?after="), "/api/v1/admin/users/x/entitlements".to_owned(),
            format!("{due}?limit=0"), format!("{due}?limit=1001"), format!("{due}?limit=-1"), format!("{due}?limit=1&limit=2"),
            format!("{due}?after=x"), format!("{due}?after="), format!("{due}?after=%00"), format!("{due}?after={long}"),
            format!("{due}?after=2026-11-22T10:00:00Z/x/admin/press"), format!("{due}?after=2026-11-22T10:00:00Z"),
            format!("{due}?source=%00"), format!("{due}?source={long}"),
            format!("/api/v1/admin/users/{long}/memberships"), "/api/v1/admin/grants/%00".to_owned(), format!("{grants}/{long}"),
        ] {
            refused(&daemon, "GET", &path, None).await;
        }
        for path in [format!("{grants}/%00"), format!("{grants}/{long}"), format!("{grants}/..%2f..%2f")] {
            refused(&daemon, "DELETE", &path, None).await;
        }
        assert_eq!(head(&world).await, before);
    }
}
