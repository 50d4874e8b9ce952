//! Reading what the login hook answered, and how long it took.

use std::time::Duration;

use entitled::clock::Clock;
use serde_json::{Value, json};

use crate::support::{Daemon, SIRET, World};

/// What a machine with other work on its hands may add to a deadline.
pub const NOISE: Duration = Duration::from_millis(1_500);

pub const ANN: &str = "ann@commune-a.fr";
pub const GROUP_A: &str = "grp_acme_a@example.com";
/// What a mapped entitlement on `commune-a.fr` is called.
pub const DOMAIN_A: &str = "maildomain:commune-a.fr:admin";

/// Ann administers a domain in DeployCenter and is in one group of the directory.
pub fn enrol_ann(world: &World) {
    world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(GROUP_A, ANN);
}

/// What an application sends when Ann logs in.
pub fn ann() -> Value {
    json!({"sub": "sub-ann", "email": ANN, "claims": {"siret": SIRET}})
}

/// A login that must be answered with 200.
pub async fn login(daemon: &Daemon, body: &Value) -> Value {
    let (status, answer) = daemon.login(body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The same, with the time it took.
pub async fn timed_login(daemon: &Daemon, body: &Value) -> (Value, Duration) {
    let clock = Clock::system();
    let began = clock.monotonic();
    let answer = login(daemon, body).await;
    (answer, clock.monotonic() - began)
}

/// One source's part of an answer.
pub fn source<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let sources = answer["sources"].as_array().expect("sources");
    sources.iter().find(|part| part["source"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"))
}

pub fn freshness<'a>(answer: &'a Value, name: &str) -> &'a str {
    source(answer, name)["freshness"].as_str().expect("a word")
}

/// The groups that sources decide: without one that the deployment alone has put the user into.
pub fn groups(answer: &Value) -> Vec<&str> {
    let groups = answer["groups"].as_array().expect("groups");
    groups
        .iter()
        .filter(|group| group["sources"] != json!(["system_seed"]))
        .map(|group| group["group"].as_str().expect("a name"))
        .collect()
}

/// The one group that a source has put a user of `user show` into.
pub fn held(user: &Value) -> &str {
    let memberships = user["memberships"].as_array().expect("memberships").iter();
    let held: Vec<&Value> = memberships.filter(|membership| membership["source"] != "system_seed").collect();
    assert_eq!(held.len(), 1, "{user}");
    held[0]["group"].as_str().expect("a name")
}

/// What a source states under a key.
pub fn entitlement<'a>(answer: &'a Value, source: &str, key: &str) -> &'a Value {
    let stated = answer["entitlements"].as_array().expect("entitlements");
    let found = stated.iter().find(|entry| entry["source"] == source && entry["key"] == key);
    found.map_or(&Value::Null, |entry| &entry["value"])
}

/// No cache, so that every login asks.
pub fn never_cached(world: &mut World) {
    world.configure(r#"cache_ttl = "5m""#, r#"cache_ttl = "0s""#);
}

/// Leaves the directory out, so that the test is about DeployCenter alone.
pub fn deploycenter_alone(world: &mut World) {
    let (kept, _) = world.config.split_once("[sources.google_sync]").expect("the directory's section");
    world.config = kept.to_owned();
}

/// Leaves DeployCenter out, so that the test is about the directory alone.
pub fn directory_alone(world: &mut World) {
    let (before, _) = world.config.split_once("[sources.deploycenter]").expect("DeployCenter's section");
    let (_, after) = world.config.split_once("[sources.google_sync]").expect("the directory's section");
    world.config = format!("{before}[sources.google_sync]{after}");
}

/// Gives a source a schedule.
pub fn scheduled(world: &mut World, source: &str, schedule: &str) {
    let section = format!("[sources.{source}]\n");
    world.configure(&section, &format!("{section}schedule = \"{schedule}\"\n"));
}

/// Every second: the shortest schedule there is.
pub const EVERY_SECOND: &str = "* * * * * *";
/// The first run at the start is the only one.
pub const ONCE: &str = "0 0 0 1 1 *";
