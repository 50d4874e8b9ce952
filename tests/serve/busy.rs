//! Logins while somebody else writes for longer than a login may wait: a large import, say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::{
    ANN, DOMAIN_A, GROUP_A, NOISE, ann, enrol_ann, freshness, groups, login, never_cached, timed_login,
};
use crate::on_both_stores;
use crate::support::{Daemon, SIRET, World};
use crate::writer::Writer;

const DEADLINE: Duration = Duration::from_millis(500);
/// More than the pool has connections (`database.max_connections`, 10).
const PEOPLE: usize = 16;

fn prepare(world: &mut World) {
    never_cached(world);
    world.configure_also("[hooks.login]\ndeadline = \"500ms\"\n");
}

/// The runs that logins led to, of one source, whatever started them.
async fn wait_for_refreshes(daemon: &Daemon, source: &str, count: usize) {
    let ended = |line: &Value| line["message"] == "run ended" && line["source"] == source && line["trigger"] == "login";
    daemon.wait_for_logs(count, ended).await;
}

fn person(at: usize) -> Value {
    json!({"email": format!("person{at}@commune-a.fr")})
}

on_both_stores! {
    async fn a_newcomer_who_meets_a_long_write_is_let_in_and_stored_when_it_ends(world: World) {
        // D9
        let mut world = world;
        prepare(&mut world);
        enrol_ann(&world);
        let daemon = world.serve().await;
        let writer = Writer::begin(&world).await;
        let (answer, took) = timed_login(&daemon, &ann()).await;
        assert!(took < DEADLINE + NOISE, "{took:?}");
        assert_eq!(answer["user"], json!({"id": null, "sub": "sub-ann", "email": ANN}));
        assert_eq!((&answer["decision"], groups(&answer)), (&json!("allow"), Vec::new()));
        for source in ["deploycenter", "google_sync"] {
            assert_eq!(freshness(&answer, source), "unavailable");
        }
        writer.end().await;
        for source in ["deploycenter", "google_sync"] {
            wait_for_refreshes(&daemon, source, 1).await;
        }
        let again = login(&daemon, &ann()).await;
        assert!(again["user"]["id"].is_string(), "{again}");
        assert_eq!(groups(&again), [GROUP_A, DOMAIN_A]);
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
        assert_eq!(world.user(ANN).await["claims"], json!({"siret": SIRET}), "what that login said is kept");
    }

    async fn logins_that_wait_to_write_leave_connections_for_those_who_are_answered(world: World) {
        // D9
        let mut world = world;
        prepare(&mut world);
        let daemon = Arc::new(world.serve().await);
        for at in 0..PEOPLE {
            login(&daemon, &person(at)).await;
        }
        let writer = Writer::begin(&world).await;
        let one = |at: usize| {
            let daemon = Arc::clone(&daemon);
            let mut body = person(at);
            body["claims"] = json!({"siret": SIRET});
            tokio::spawn(async move { login(&daemon, &body).await })
        };
        let mut ids = BTreeSet::new();
        for answered in (0..PEOPLE).map(one).collect::<Vec<_>>() {
            let answer = answered.await.expect("answered");
            ids.insert(answer["user"]["id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(ids.len(), PEOPLE);
        writer.end().await;
        wait_for_refreshes(&daemon, "google_sync", 2 * PEOPLE).await;
        let remembered = "SELECT count(*) FROM user_profile WHERE claims LIKE '%siret%'";
        world.wait_for_count(remembered, 16).await;
    }
}
