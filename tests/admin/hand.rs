//! An administrator's hand: a key with the scope `admin`, and what is asked with it.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::{Daemon, World};

/// Made once, which is the expensive part; no connection outlives its request, and so its test.
static CLIENT: LazyLock<reqwest::Client> =
    LazyLock::new(|| reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client"));

pub const ANN: &str = "ann@example.org";
pub const BOB: &str = "bob@example.org";

/// A daemon with a key for administrators and one that may only look.
pub async fn serve(world: &mut World) -> Daemon {
    world.environment.push(("ADMIN_KEY".to_owned(), "admin-key".to_owned()));
    world.environment.push(("READ_KEY".to_owned(), "read-key".to_owned()));
    world.environment.push(("CHECK_KEY".to_owned(), "check-key".to_owned()));
    if !world.config.contains("ADMIN_KEY") {
        world.configure_also(
            r#"
[[http.keys]]
name = "office"
secret = { env = "ADMIN_KEY" }
scopes = ["admin"]

[[http.keys]]
name = "viewer"
secret = { env = "READ_KEY" }
scopes = ["read"]

[[http.keys]]
name = "mailer"
secret = { env = "CHECK_KEY" }
scopes = ["check"]
"#,
        );
    }
    world.serve().await
}

/// A request with a key: the status, and the body (null without one).
pub async fn ask(daemon: &Daemon, method: &str, path: &str, key: Option<&str>, body: Option<Value>) -> (u16, Value) {
    send(daemon, method, &format!("/api/v1{path}"), key, body.map(|body| body.to_string())).await
}

/// The same, by the whole path, and with any body.
pub async fn send(daemon: &Daemon, method: &str, path: &str, key: Option<&str>, body: Option<String>) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = CLIENT.request(method, format!("{}{path}", daemon.base));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    if let Some(body) = body {
        request = request.body(body);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let problem = response.headers().get("content-type").is_some_and(|kind| kind == "application/problem+json");
    assert_eq!(problem, status >= 400, "{path}: {status}");
    let text = response.text().await.expect("a body");
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
}

/// The same, as an administrator.
pub async fn admin(daemon: &Daemon, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = (!body.is_null()).then_some(body);
    ask(daemon, method, path, Some("admin-key"), body).await
}

/// Makes a group and gives its path.
pub async fn group(daemon: &Daemon, name: &str) -> String {
    let (status, made) = admin(daemon, "POST", "/admin/groups", json!({ "name": name })).await;
    assert_eq!(status, 201, "{made}");
    format!("/admin/groups/{}", made["id"].as_str().expect("an id"))
}

/// The id at the end of a path.
pub fn id_of(path: &str) -> String {
    path.rsplit('/').next().expect("an id").to_owned()
}

/// Gives a group, by its path, a permission on a mail domain; the grant's id.
pub async fn grant(daemon: &Daemon, group: &str, permission: &str, domain: &str) -> String {
    let body = json!({"group_id": id_of(group), "permission": permission, "resource_type": "maildomain", "resource_id": domain});
    let (status, made) = admin(daemon, "POST", "/admin/grants", body).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

/// A group of this name with one member by hand; its path.
pub async fn group_of(daemon: &Daemon, name: &str, user: &str) -> String {
    let path = group(daemon, name).await;
    let (status, added) = admin(daemon, "POST", &format!("{path}/members"), json!({ "user_id": user })).await;
    assert_eq!(status, 201, "{added}");
    path
}

/// Whether a user may do something with a mail domain, as an application asks.
pub async fn check(daemon: &Daemon, user: &str, permission: &str, domain: &str) -> Value {
    let body = json!({"user": user, "permission": permission, "resource": {"type": "maildomain", "id": domain}});
    let (status, answer) = ask(daemon, "POST", "/check", Some("check-key"), Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The path of a group that is there.
pub async fn path_of(daemon: &Daemon, name: &str) -> String {
    let (_, page) = admin(daemon, "GET", "/admin/groups?limit=1000", Value::Null).await;
    let groups = page["groups"].as_array().expect("groups");
    let found = groups.iter().find(|group| group["name"] == name).unwrap_or_else(|| panic!("no {name}: {page}"));
    format!("/admin/groups/{}", found["id"].as_str().expect("an id"))
}

/// A user who has logged in, by id.
pub async fn user(daemon: &Daemon, email: &str) -> String {
    let (_, answer) = daemon.login(&json!({ "email": email })).await;
    answer["user"]["id"].as_str().expect("an id").to_owned()
}

/// The types of the events after a position, with their actors.
pub async fn events_after(world: &World, position: i64) -> Vec<(String, String)> {
    let store = world.store().await;
    let events = store.events_after(entitled_model::Position(position)).await.expect("a log");
    let told = |event: entitled::store::StoredEvent| {
        (event.recorded.event.event_type().to_owned(), event.recorded.cause.actor)
    };
    let told = events.into_iter().map(told).collect();
    store.close().await.expect("closed");
    told
}

pub async fn head(world: &World) -> i64 {
    world.count("SELECT position FROM event_head").await
}
