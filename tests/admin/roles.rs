//! Roles: who may go how far, decided under the lock, in one table of routes.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, group_of, head, id_of, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, World};

const ROLES: [&str; 4] = ["viewer", "use", "manage", "owner"];

/// A daemon behind a proxy that says who is asking.
pub async fn proxied(world: &mut World) -> Daemon {
    if !world.config.contains("identity.proxy") {
        let proxy = "[identity.proxy]\naddresses = [\"127.0.0.1\"]\nheader = \"x-person\"\n\n[scheduler]";
        world.configure("[scheduler]", proxy);
    }
    serve(world).await
}

/// What a person asks; nobody without an address.
pub async fn as_person(daemon: &Daemon, who: Option<&str>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = reqwest::Client::new().request(method, format!("{}{path}", daemon.base));
    if let Some(who) = who {
        request = request.header("x-person", who);
    }
    if !body.is_null() {
        request = request.body(body.to_string());
    }
    let response = request.send().await.expect("an answer");
    let (status, text) = (response.status().as_u16(), response.text().await.expect("a body"));
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn set(daemon: &Daemon, who: &str, subject: Value, role: &str) -> (u16, Value) {
    let mut body = subject;
    body["role"] = json!(role);
    as_person(daemon, Some(who), "POST", "/api/v1/admin/roles", &body).await
}

pub async fn give(daemon: &Daemon, user: &str, role: &str) {
    let (status, given) = admin(daemon, "POST", "/admin/roles", json!({"user_id": user, "role": role})).await;
    assert_eq!((status, &given["role"]), (200, &json!(role)), "{given}");
}

/// One person of each role, by the role's name.
async fn cast(daemon: &Daemon) -> Vec<(String, String)> {
    let mut cast = Vec::new();
    for role in ROLES {
        let address = format!("{role}@example.org");
        let id = user(daemon, &address).await;
        give(daemon, &id, role).await;
        cast.push((address, id));
    }
    cast
}

pub async fn role_of(daemon: &Daemon, who: &str) -> (Value, Value) {
    let (status, me) = as_person(daemon, Some(who), "GET", "/api/v1/users/me", &Value::Null).await;
    assert_eq!(status, 200, "{me}");
    (me["role"].clone(), me["by"].clone())
}

/// The least role that a route takes; none for routes of programs, and of everybody.
fn least(method: &str, path: &str) -> Option<&'static str> {
    let own = path.starts_with("/api/v1/me/") || path == "/api/v1/users/me" || path == "/api/v1/config";
    let program = path.starts_with("/hooks/") || path.contains("{resource_type}") && !path.contains("/admin/");
    let open = ["/healthz", "/readyz", "/api/v1/health", "/metrics", "/.well-known/authzen-configuration"];
    let asks = path.starts_with("/access/v1/") || path.starts_with("/api/v1/check");
    match () {
        () if own || program || open.contains(&path) => None,
        () if method == "get" || asks => Some("viewer"),
        () if path.starts_with("/api/v1/admin/users") || path.starts_with("/api/v1/admin/roles") => Some("manage"),
        () => Some("owner"),
    }
}

on_both_stores! {
    async fn every_route_is_refused_to_whoever_is_below_its_role_and_to_nobody_else(world: World) {
        // R5
        let mut world = world;
        let daemon = proxied(&mut world).await;
        let cast = cast(&daemon).await;
        let nobody = "nobody@example.org";
        user(&daemon, nobody).await;
        let document: Value = daemon.get("/api/openapi.json").await.json().await.expect("JSON");
        let mut seen = 0;
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for method in methods.as_object().expect("methods").keys() {
                let Some(least) = least(method, path) else { continue };
                let at = ROLES.iter().position(|role| *role == least).expect("a role");
                let url = path.replace("{user_id}", "x").replace("{id}", "x").replace("{hash}", "x").replace("{resource_type}", "x");
                let asked = async |who: Option<&str>| as_person(&daemon, who, &method.to_uppercase(), &url, &Value::Null).await.0;
                assert_eq!(asked(None).await, 401, "{method} {path}");
                assert_eq!(asked(Some(nobody)).await, 403, "{method} {path}: no role");
                for (index, (who, _)) in cast.iter().enumerate() {
                    let status = asked(Some(who)).await;
                    assert_eq!(status == 403, index < at, "{method} {path} as {who}: {status}");
                    assert!(status != 401 && status < 500, "{method} {path} as {who}: {status}");
                }
                seen += 1;
            }
        }
        assert!(seen > 30, "{seen} routes");
    }

    async fn the_highest_of_what_is_given_counts_at_the_next_request_on_every_replica(world: World) {
        // R7
        let mut world = world;
        let (one, other) = (proxied(&mut world).await, proxied(&mut world).await);
        let (ann, none) = (user(&one, ANN).await, (Value::Null, Value::Null));
        assert_eq!(role_of(&other, ANN).await, none);
        give(&one, &ann, "viewer").await;
        assert_eq!(role_of(&other, ANN).await, (json!("viewer"), json!("assigned")));
        let editors = id_of(&group_of(&one, "Editors", &ann).await);
        assert_eq!(admin(&one, "POST", "/admin/roles", json!({"group_id": editors, "role": "manage"})).await.0, 200);
        assert_eq!(role_of(&other, ANN).await.0, "manage");
        let (_, page) = admin(&other, "GET", "/admin/roles?limit=1", Value::Null).await;
        assert!(page["next"].is_string() && page["roles"].as_array().map(Vec::len) == Some(1), "{page}");
        crate::tokens::promote(&one, &ann).await;
        assert_eq!(role_of(&other, ANN).await, (json!("owner"), json!("admin")));
        assert_eq!(admin(&other, "DELETE", &format!("/admin/roles/groups/{editors}"), Value::Null).await.0, 204);
        assert_eq!(admin(&other, "DELETE", &format!("/admin/roles/groups/{editors}"), Value::Null).await.0, 404);
        assert_eq!(admin(&one, "DELETE", &format!("/admin/roles/users/{ann}"), Value::Null).await.0, 204);
        let told = "SELECT count(*) FROM event WHERE event_type = 'role.changed'";
        assert_eq!(world.count(told).await, 4);
        give(&one, &ann, "use").await;
        give(&other, &ann, "use").await;
        assert_eq!(world.count(told).await, 5, "the same again is no event");
    }

    async fn nobody_reaches_above_their_own_role_nor_changes_their_own(world: World) {
        // R2 R4
        let mut world = world;
        let daemon = proxied(&mut world).await;
        let cast = cast(&daemon).await;
        let bob = user(&daemon, BOB).await;
        let group = id_of(&group_of(&daemon, "Editors", &bob).await);
        let (owner, manage) = (&cast[3], &cast[2]);
        for subject in [json!({"user_id": bob}), json!({"group_id": group})] {
            let before = head(&world).await;
            assert_eq!(set(&daemon, &manage.0, subject.clone(), "owner").await.0, 403);
            assert_eq!(head(&world).await, before);
            assert_eq!(set(&daemon, &manage.0, subject.clone(), "manage").await.0, 200);
            assert_eq!(set(&daemon, &owner.0, subject.clone(), "owner").await.0, 200);
            let (status, problem) = set(&daemon, &manage.0, subject.clone(), "viewer").await;
            assert_eq!((status, &problem["code"]), (403, &json!("above_own_role")));
        }
        for path in [format!("/api/v1/admin/roles/users/{bob}"), format!("/api/v1/admin/roles/groups/{group}")] {
            assert_eq!(as_person(&daemon, Some(&manage.0), "DELETE", &path, &Value::Null).await.0, 403);
        }
        let user_path = format!("/api/v1/admin/users/{}", owner.1);
        let off = json!({"status": "deactivated"});
        assert_eq!(as_person(&daemon, Some(&manage.0), "PATCH", &user_path, &off).await.0, 403);
        let (status, problem) = set(&daemon, &manage.0, json!({"user_id": manage.1}), "viewer").await;
        assert_eq!((status, &problem["code"]), (400, &json!("own_role")));
        let own = format!("/api/v1/admin/roles/users/{}", owner.1);
        assert_eq!(as_person(&daemon, Some(&owner.0), "DELETE", &own, &Value::Null).await.0, 400, "there is another owner");
        assert_eq!(role_of(&daemon, &manage.0).await.0, "manage");
        let viewer = format!("/api/v1/admin/users/{}", cast[0].1);
        assert_eq!(as_person(&daemon, Some(&manage.0), "PATCH", &viewer, &off).await.0, 200);
    }

    async fn the_last_owner_stays_also_when_they_are_one_through_a_group(world: World) {
        // R3 R4
        let mut world = world;
        let daemon = proxied(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        give(&daemon, &ann, "owner").await;
        let roles = format!("/admin/roles/users/{ann}");
        let refused = async |method: &str, path: &str, body: Value| {
            let before = head(&world).await;
            let (status, problem) = admin(&daemon, method, path, body).await;
            assert_eq!((status, &problem["code"]), (409, &json!("last_owner")), "{method} {path}: {problem}");
            assert_eq!(head(&world).await, before, "{method} {path}");
        };
        refused("DELETE", &roles, Value::Null).await;
        refused("POST", "/admin/roles", json!({"user_id": ann, "role": "manage"})).await;
        refused("PATCH", &format!("/admin/users/{ann}"), json!({"status": "deactivated"})).await;
        let (status, own) = set(&daemon, ANN, json!({"user_id": ann}), "viewer").await;
        assert_eq!((status, &own["code"]), (409, &json!("last_owner")), "before it is their own");
        let path = group_of(&daemon, "Owners", &bob).await;
        assert_eq!(admin(&daemon, "POST", "/admin/roles", json!({"group_id": id_of(&path), "role": "owner"})).await.0, 200);
        assert_eq!(admin(&daemon, "DELETE", &roles, Value::Null).await.0, 204);
        refused("DELETE", &format!("{path}/members/{bob}"), Value::Null).await;
        refused("DELETE", &path, Value::Null).await;
        refused("DELETE", &format!("/admin/roles/groups/{}", id_of(&path)), Value::Null).await;
        refused("PATCH", &format!("/admin/users/{bob}"), json!({"status": "deactivated"})).await;
        give(&daemon, &ann, "owner").await;
        assert_eq!(admin(&daemon, "DELETE", &path, Value::Null).await.0, 204);
        assert_eq!(world.count("SELECT count(*) FROM role_assignment").await, 1, "a group's role goes with it");
    }

    async fn of_two_demotions_of_the_last_two_owners_at_once_one_succeeds(world: World) {
        // R3
        let mut world = world;
        let (one, other) = (proxied(&mut world).await, proxied(&mut world).await);
        let (ann, bob) = (user(&one, ANN).await, user(&one, BOB).await);
        for _ in 0..5 {
            give(&one, &ann, "owner").await;
            give(&one, &bob, "owner").await;
            let (a, b) = (format!("/admin/roles/users/{ann}"), format!("/admin/roles/users/{bob}"));
            let (a, b) = tokio::join!(admin(&one, "DELETE", &a, Value::Null), admin(&other, "DELETE", &b, Value::Null));
            let mut statuses = [a.0, b.0];
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 409]);
        }
    }

    async fn bad_roles_are_refused_and_nothing_is_written(world: World) {
        let mut world = world;
        let daemon = proxied(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let before = head(&world).await;
        let unknown = "0198a000-0000-7000-8000-000000000001";
        for (body, status) in [
            (json!({"user_id": ann}), 400), (json!({"role": "owner"}), 400), (json!({"user_id": ann, "role": "Owner"}), 400),
            (json!({"user_id": ann, "role": 30}), 400), (json!({"user_id": ann, "group_id": ann, "role": "use"}), 400),
            (json!({"user_id": ann, "role": "root"}), 400), (json!({"user_id": ann, "role": null}), 400),
            (json!([ann, null, "use"]), 400), (json!({"user_id": unknown, "role": "use"}), 404),
            (json!({"user_id": "ann", "role": "use"}), 404), (json!({"group_id": unknown, "role": "use"}), 404),
            (json!({"user_id": ann, "role": "use", "more": 1}), 400), (json!({"user_id": ann, "role": "x".repeat(10_000)}), 400),
        ] {
            assert_eq!(admin(&daemon, "POST", "/admin/roles", body.clone()).await.0, status, "{body}");
        }
        for path in ["/admin/roles?limit=0", "/admin/roles?after=x"] {
            assert_eq!(admin(&daemon, "GET", path, Value::Null).await.0, 400, "{path}");
        }
        assert_eq!(ask(&daemon, "GET", "/users/me", Some("admin-key"), None).await.0, 403, "a program is nobody");
        for arguments in [&["set", "root", "--user", ANN][..], &["set", "use"], &["set", "use", "--user", "x@y.z"], &["remove", "--user", ANN]] {
            assert_eq!(world.run(&[&["role"][..], arguments].concat()).await.code, 2, "{arguments:?}");
        }
        assert_eq!(head(&world).await, before);
        assert_eq!(world.run(&["role", "set", "manage", "--user", ANN]).await.code, 0);
        assert_eq!(world.run(&["role", "list", "--output", "json"]).await.json()[0]["role"], "manage");
        assert_eq!(world.run(&["role", "remove", "--user", ANN]).await.code, 0);
    }

    async fn whoever_has_no_role_has_the_configured_one(world: World) {
        // R1
        let mut world = world;
        world.configure("[scheduler]", "[identity]\ndefault_role = \"viewer\"\n\n[scheduler]");
        let daemon = proxied(&mut world).await;
        let ann = user(&daemon, ANN).await;
        assert_eq!(role_of(&daemon, ANN).await, (json!("viewer"), json!("default")));
        assert_eq!(as_person(&daemon, Some(ANN), "GET", "/api/v1/admin/groups", &Value::Null).await.0, 200);
        give(&daemon, &ann, "manage").await;
        assert_eq!(role_of(&daemon, ANN).await.0, "manage");
    }
}
