//! What keeps the daemon from starting, and how it says so.

use serde_json::json;

use crate::on_both_stores;
use crate::support::{Kind, World};

on_both_stores! {
    async fn an_unmigrated_store_that_may_not_be_migrated_is_refused_with_the_command(world: World) {
        // H1
        let mut world = world;
        world.configure("auto_migrate = true", "auto_migrate = false");
        let refused = world.run(&["serve"]).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("entitled migrate up"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        let daemon = world.serve().await;
        assert_eq!(daemon.get("/readyz").await.status(), 200);
    }

    async fn a_schema_of_a_newer_version_is_refused(world: World) {
        // H1
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        world
            .database
            .execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99990101_000001_tomorrow', 1)")
            .await;
        let refused = world.run(&["serve"]).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("m99990101_000001_tomorrow"), "{}", refused.stderr);
        world.database.execute("DELETE FROM seaql_migrations WHERE version LIKE 'm9999%'").await;
    }

    async fn an_address_that_is_taken_is_told(world: World) {
        let mut world = world;
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = taken.local_addr().expect("an address").to_string();
        world.configure("127.0.0.1:0", &address);
        let refused = world.run(&["serve"]).await;
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(&address) && refused.stderr.contains("http.listen"), "{}", refused.stderr);
    }

    async fn a_source_that_is_down_does_not_keep_it_from_starting(world: World) {
        // S5
        let mut world = world;
        let gone =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let simulator = world.simulator.base_url();
        world.configure(&simulator, &format!("http://{gone}"));
        let daemon = world.serve().await;
        let answer = crate::answer::login(&daemon, &crate::answer::ann()).await;
        assert_eq!(
            (&answer["decision"], crate::answer::freshness(&answer, "deploycenter")),
            (&json!("allow"), "unavailable")
        );
        assert_eq!(crate::answer::source(&answer, "deploycenter")["error"]["class"], "connect");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_not_migrated_unless_that_is_said() {
    // H1
    let mut world = World::new(Kind::Postgres).await;
    world.configure("auto_migrate = true\n", "");
    let refused = world.run(&["serve"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("entitled migrate up"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_migrated_unless_it_is_forbidden() {
    // H1
    let mut world = World::new(Kind::Sqlite).await;
    world.configure("auto_migrate = true\n", "");
    let daemon = world.serve().await;
    assert_eq!(daemon.get("/readyz").await.status(), 200);
}
