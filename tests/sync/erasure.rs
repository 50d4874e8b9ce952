//! Erasure: what is personal goes, the log stays whole.

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, give, google, know_member, tables, texts};
use crate::support::{Ended, Kind, SIRET, World};

const ANN: &str = "ann@commune-a.fr";
const BOB: &str = "bob@commune-a.fr";
const GROUP: &str = "grp_acme_a@example.com";

async fn erase(world: &World, user: &str, reason: &str) -> Ended {
    world.run(&["user", "erase", user, "--reason", reason]).await
}

/// Every text that the store holds about people, of all tables.
async fn everything(world: &World) -> String {
    let mut all = String::new();
    for table in [
        "event",
        "user_profile",
        "directory_account",
        "directory_address",
        "membership",
        "membership_path",
        "entitlement",
        "run",
        "held_plan",
    ] {
        for rows in tables(world, &[table]).await {
            all.push_str(&format!("{rows:?}"));
        }
    }
    all
}

on_both_stores! {
    async fn what_is_personal_goes_and_the_log_stays_whole(world: World) {
        // E1
        let ann = know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(GROUP, ANN).add_alias(ANN, "a.nn@commune-a.fr");
        expect(&world.sync(&[]).await, 0, "applied");
        give(&world, ANN, "Editors", "admin").await;
        let log = texts(&world, "SELECT CAST(position AS text) || payload FROM event ORDER BY position").await;
        let erased = erase(&world, ANN, "they asked for it").await;
        assert_eq!((erased.code, erased.stdout), (0, format!("erased: {ann}\n")), "{}", erased.stderr);
        let all = everything(&world).await;
        for personal in [ANN, "a.nn@commune-a.fr", SIRET] {
            assert!(!all.contains(personal), "{personal} is still there");
        }
        let shown = world.user(&ann.to_string()).await;
        assert_eq!((&shown["email"], &shown["status"]), (&serde_json::Value::Null, &serde_json::json!("deactivated")));
        assert_eq!(world.run(&["user", "show", ANN]).await.code, 2);
        let after = texts(&world, "SELECT CAST(position AS text) || payload FROM event ORDER BY position").await;
        assert_eq!(&after[..log.len()], &log[..], "what was written stays");
        assert_eq!(world.run(&["verify"]).await.code, 0);
        assert_eq!(world.run(&["rebuild"]).await.code, 0);
        assert_eq!(world.run(&["verify"]).await.code, 0);
        assert_eq!(world.user(&ann.to_string()).await["status"], "deactivated");
        world.org().remove_member(GROUP, ANN).delete_user(ANN);
        google(&world, &[]).await;
        assert_eq!(world.members(GROUP, "google_sync").await, [""; 0], "the source took what it gave");
        assert_eq!(deploycenter(&world, &[]).await.code, 0);
        if world.database.kind() == Kind::Sqlite {
            let file = world.database.url().trim_start_matches("sqlite://").split('?').next().expect("a path").to_owned();
            for file in [file.clone(), format!("{file}-wal")] {
                let bytes = std::fs::read(file).unwrap_or_default();
                assert!(!bytes.windows(ANN.len()).any(|window| window == ANN.as_bytes()), "it is still in the file");
            }
        }
    }

    async fn whoever_the_source_still_lists_comes_back_as_somebody_else(world: World) {
        world.org().add_member(GROUP, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        let before = world.user(ANN).await["id"].clone();
        assert_eq!(erase(&world, ANN, "they asked for it").await.code, 0);
        expect(&google(&world, &[]).await, 0, "applied");
        let after = world.user(ANN).await;
        assert_ne!(after["id"], before);
        assert_eq!(world.members(GROUP, "google_sync").await, [ANN]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn the_last_administrator_and_nobody_are_not_erased(world: World) {
        // M6
        world.org().add_member("grp_acme_admin@example.com", ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        give(&world, BOB, "Editors", "admin").await;
        let before = tables(&world, &["event", "user_profile", "user_account", "membership"]).await;
        for (user, reason) in [(ANN, "they asked"), ("nobody@example.org", "x"), ("", "x"), (BOB, " "), (BOB, "a\nb")] {
            let refused = erase(&world, user, reason).await;
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{user:?} {reason:?}: {refused:?}");
            assert!(!refused.stderr.contains("@"), "{refused:?}");
        }
        assert_eq!(tables(&world, &["event", "user_profile", "user_account", "membership"]).await, before);
    }
}
