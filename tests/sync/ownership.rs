//! A writer changes only rows of its own source.

use crate::on_both_stores;
use crate::stage::{expect, give, google, groups_of, migrated, take, texts};
use serde_json::json;

const A: &str = "grp_acme_a@example.com";
const B: &str = "grp_acme_b@example.com";

on_both_stores! {
    async fn a_sync_replaces_only_its_own_rows(world: World) {
        // S2
        world.org().add_member(A, "ann@example.org").add_member(B, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        let before = world.user("ann@example.org").await["memberships"].clone();
        let about_a = format!(
            "SELECT event_id FROM event WHERE stream_id = (SELECT CAST(id AS text) FROM user_group WHERE name = '{A}')"
        );
        let events = world.count(&format!("SELECT count(*) FROM ({about_a}) AS about")).await;
        world.org().remove_member(B, "ann@example.org");
        let second = google(&world, &[]).await;
        assert_eq!(second.source("google_sync")["counts"], json!({"created": 0, "removed": 1, "kept": 0}));
        assert_eq!(second.source("google_sync")["removed"][0]["group"], B);
        let after = world.user("ann@example.org").await["memberships"].clone();
        assert_eq!(after, json!([before[0]]), "the row that stays keeps its added_at");
        assert_eq!(world.count(&format!("SELECT count(*) FROM ({about_a}) AS about")).await, events);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn rows_of_administrators_and_of_the_deployment_are_never_touched(world: World) {
        // S1
        give(&world, "ann@example.org", "g1", "admin").await;
        give(&world, "ann@example.org", "g2", "system_seed").await;
        world.org().add_member("grp_acme_g3@example.com", "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        let others = "SELECT source || ' ' || from_position || ' ' || COALESCE(to_position, 0) FROM membership
            WHERE source <> 'google_sync' ORDER BY 1";
        let before = texts(&world, others).await;
        assert_eq!(before.len(), 2);
        world.org().remove_member("grp_acme_g3@example.com", "ann@example.org");
        world.org().add_member("grp_acme_g4@example.com", "ann@example.org");
        for scope in [&["--user", "ann@example.org"][..], &[]] {
            let ended = google(&world, scope).await;
            assert_eq!(ended.code, 0, "{ended:?}");
            assert_eq!(groups_of(&world, "ann@example.org", "google_sync").await, ["grp_acme_g4@example.com"]);
            assert_eq!(groups_of(&world, "ann@example.org", "admin").await, ["g1"]);
            assert_eq!(groups_of(&world, "ann@example.org", "system_seed").await, ["g2"]);
            assert_eq!(texts(&world, others).await, before);
        }
    }

    async fn a_user_stays_in_a_group_until_the_last_support_ends(world: World) {
        // S4
        world.org().add_member(A, "ann@example.org").add_member(A, "bob@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        give(&world, "ann@example.org", A, "admin").await;
        give(&world, "bob@example.org", A, "admin").await;
        expect(&google(&world, &[]).await, 0, "unchanged");
        take(&world, "ann@example.org", A, "admin").await;
        world.org().remove_member(A, "bob@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.members(A, "google_sync").await, ["ann@example.org"]);
        assert_eq!(world.members(A, "admin").await, ["bob@example.org"]);
        world.org().remove_member(A, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(world.members(A, "google_sync").await, [""; 0]);
        assert_eq!(world.members(A, "admin").await, ["bob@example.org"]);
    }

    async fn two_sources_keep_their_own_rows_of_the_same_person(world: World) {
        // S1
        crate::stage::know_member(&world, "ann@commune-a.fr").await;
        world.org().set_domains("ann@commune-a.fr", crate::support::SIRET, ["commune-a.fr"]);
        world.org().add_member(A, "ann@commune-a.fr");
        expect(&world.sync(&[]).await, 0, "applied");
        world.org().set_domains("ann@commune-a.fr", crate::support::SIRET, ["ville-a.fr"]);
        world.org().remove_member(A, "ann@commune-a.fr");
        expect(&world.sync(&["--source", "deploycenter"]).await, 0, "applied");
        assert_eq!(groups_of(&world, "ann@commune-a.fr", "google_sync").await, [A]);
        assert_eq!(groups_of(&world, "ann@commune-a.fr", "deploycenter").await, ["maildomain:ville-a.fr:admin"]);
        expect(&world.sync(&[]).await, 0, "applied");
        assert_eq!(groups_of(&world, "ann@commune-a.fr", "google_sync").await, [""; 0]);
        expect(&world.sync(&[]).await, 0, "unchanged");
    }

    async fn the_database_takes_no_row_of_a_source_that_nobody_configured(world: World) {
        // S1
        migrated(&world).await.close().await.expect("closed");
        give(&world, "ann@example.org", "g1", "admin").await;
        let copy = "INSERT INTO membership (group_id, user_id, source, from_position, from_at)
            SELECT group_id, user_id, 'mallory', from_position, from_at FROM membership";
        let refused = world.database.try_execute(copy).await.expect_err("refused").to_string();
        assert!(refused.to_lowercase().contains("foreign key"), "{refused}");
        world.database.execute(&copy.replace("'mallory'", "'google_sync'")).await;
        world.database.execute("DELETE FROM membership WHERE source = 'google_sync'").await;
    }
}
