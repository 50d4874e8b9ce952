//! A directory that speaks SCIM, read by the real binary, on both kinds of database: against a small server with faults,
//! and against a server that somebody else wrote.

mod support;

#[path = "scim/directory.rs"]
mod directory;
#[allow(dead_code, reason = "the binary needs a part of it")]
#[path = "../src/source/scim/tests/fake.rs"]
mod fake;
#[path = "scim/peer.rs"]
mod peer;

use support::{Ended, World};

/// Adds a source `directory`, with further settings.
fn configure(world: &mut World, base_url: &str, token: &str, settings: &str) {
    world.environment.push(("SCIM_TOKEN".to_owned(), token.to_owned()));
    world.configure_also(&format!(
        "\n[sources.directory]\nkind = \"scim\"\nbase_url = \"{base_url}\"\ntoken = {{ env = \"SCIM_TOKEN\" }}\n\
         timeout = \"5s\"\nretry = {{ attempts = 1 }}\nrate = {{ per_second = 10000, burst = 10000 }}\n{settings}\n"
    ));
}

/// `sync` of the directory, as a whole or with more arguments.
async fn sync(world: &World, arguments: &[&str]) -> Ended {
    world.sync(&[&["--source", "directory"], arguments].concat()).await
}

/// Insists on an exit code and an outcome.
#[track_caller]
fn expect(ended: &Ended, code: i32, outcome: &str) {
    assert_eq!((ended.code, ended.json()["outcome"].as_str()), (code, Some(outcome)), "{ended:?}");
}

/// The names of the groups that a user is in by the directory.
async fn groups_of(world: &World, user: &str) -> Vec<String> {
    let shown = world.user(user).await;
    let memberships = shown["memberships"].as_array().expect("memberships").iter();
    let memberships = memberships.filter(|membership| membership["source"] == "directory");
    let mut groups: Vec<String> =
        memberships.map(|membership| membership["group"].as_str().expect("a group").to_owned()).collect();
    groups.sort();
    groups
}
