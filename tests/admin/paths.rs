//! Paths: through which groups within a group somebody is in it, by whichever reading, and nothing left over.

use entitled_simulator::System;
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, ask, head, serve};
use crate::on_both_stores;
use crate::support::{Ended, Kind, World};
use crate::why::{support, why};

const OUTER: &str = "grp_acme_outer@example.com";
const MID: &str = "grp_acme_mid@example.com";
const INNER: &str = "inner@example.com";
const OTHER: &str = "other@example.com";
const BOSSES: &str = "grp_acme_admin@example.com";

async fn path(world: &World, user: &str, group: &str) -> Value {
    support(&why(world, user, group).await)["path"].clone()
}

async fn google(world: &World, arguments: &[&str]) -> Ended {
    world.sync(&[&["--source", "google_sync"], arguments].concat()).await
}

#[track_caller]
fn expect(ended: &Ended, code: i32, outcome: &str) {
    assert_eq!((ended.code, ended.json()["outcome"].as_str()), (code, Some(outcome)), "{ended:?}");
}

/// Three groups deep with a cycle: Ann is in the innermost alone, Bob in the outermost too.
fn nested(world: &World) {
    for group in [OUTER, MID, INNER, OTHER] {
        world.org().add_group(group);
    }
    world.org().add_member(OUTER, MID).add_member(MID, INNER).add_member(INNER, OUTER).add_member(BOSSES, MID);
    world.org().add_member(INNER, ANN).add_member(INNER, BOB).add_member(OUTER, BOB);
}

/// Lets the database refuse every write of a path, or no more.
async fn refuse(world: &World, refuse: bool) {
    let sql: &[&str] = match (world.database.kind(), refuse) {
        (Kind::Sqlite, true) => &[
            "CREATE TRIGGER no_insert BEFORE INSERT ON membership_path BEGIN SELECT RAISE(ABORT, 'no'); END",
            "CREATE TRIGGER no_update BEFORE UPDATE ON membership_path BEGIN SELECT RAISE(ABORT, 'no'); END",
            "CREATE TRIGGER no_delete BEFORE DELETE ON membership_path BEGIN SELECT RAISE(ABORT, 'no'); END",
        ],
        (Kind::Sqlite, false) => &["DROP TRIGGER no_insert", "DROP TRIGGER no_update", "DROP TRIGGER no_delete"],
        (Kind::Postgres, true) => &[
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
            "CREATE TRIGGER no_write BEFORE INSERT OR UPDATE OR DELETE ON membership_path
                FOR EACH ROW EXECUTE FUNCTION refuse()",
        ],
        (Kind::Postgres, false) => &["DROP TRIGGER no_write ON membership_path", "DROP FUNCTION refuse()"],
    };
    for sql in sql {
        world.database.execute(sql).await;
    }
}

async fn rows(world: &World) -> i64 {
    world.count("SELECT count(*) FROM membership_path").await
}

on_both_stores! {
    async fn a_login_and_a_full_read_name_the_same_path_and_the_second_writes_no_row(world: World) {
        // E5, G4, S3
        let mut world = world;
        nested(&world);
        let daemon = serve(&mut world).await;
        for user in [ANN, BOB] {
            assert_eq!(daemon.login(&json!({ "email": user })).await.0, 200);
        }
        let expected = [
            (ANN, OUTER, json!([OUTER, MID, INNER])),
            (ANN, MID, json!([MID, INNER])),
            (ANN, "Admin", json!(["Admin", BOSSES, MID, INNER])),
            // Both directly and through others: directly.
            (BOB, OUTER, json!([OUTER])),
            (BOB, MID, json!([MID, INNER])),
        ];
        for (user, group, expected) in &expected {
            assert_eq!(path(&world, user, group).await, *expected, "{user} {group}");
        }
        assert_eq!(rows(&world).await, 5, "a direct membership has none");
        refuse(&world, true).await;
        for _ in 0..2 {
            expect(&google(&world, &[]).await, 0, "unchanged");
            expect(&google(&world, &["--user", ANN]).await, 0, "unchanged");
        }
        refuse(&world, false).await;

        // Read anew as a whole, it comes to the same.
        world.database.execute("DELETE FROM membership_path").await;
        expect(&google(&world, &[]).await, 0, "unchanged");
        for (user, group, expected) in &expected {
            assert_eq!(path(&world, user, group).await, *expected, "{user} {group}");
        }
        let answer = why(&world, ANN, OUTER).await;
        let asked = ask(&daemon, "GET", &format!("/why?user={ANN}&group={OUTER}"), Some("read-key"), None).await;
        assert_eq!(asked, (200, answer));
        let table = world.run(&["why", ANN, OUTER]).await.stdout;
        assert!(table.contains(&format!("path            {OUTER} > {MID} > {INNER}\n")), "{table}");
        assert_eq!(world.run(&["rebuild"]).await.code, 0);
        assert_eq!(path(&world, ANN, OUTER).await, json!([OUTER, MID, INNER]), "it stands beside the log");
    }

    async fn who_moves_within_a_group_has_a_new_path_and_no_event(world: World) {
        // E5, S3
        let world = world;
        nested(&world);
        expect(&google(&world, &[]).await, 0, "applied");
        let position = head(&world).await;
        world.org().add_member(MID, OTHER).add_member(OTHER, ANN).remove_member(INNER, ANN);
        refuse(&world, true).await;
        assert_eq!(google(&world, &[]).await.code, 1, "a path that can't be written fails the run");
        refuse(&world, false).await;
        assert_eq!(path(&world, ANN, OUTER).await, json!([OUTER, MID, INNER]));
        expect(&google(&world, &[]).await, 0, "unchanged");
        assert_eq!(path(&world, ANN, OUTER).await, json!([OUTER, MID, OTHER]));

        // And back, which a refresh of theirs alone finds.
        world.org().add_member(INNER, ANN).remove_member(OTHER, ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "unchanged");
        assert_eq!(path(&world, ANN, OUTER).await, json!([OUTER, MID, INNER]));
        assert_eq!(path(&world, BOB, MID).await, json!([MID, INNER]), "nobody else's changed");

        // One who comes to be a direct member is one; and one who leaves has no path.
        world.org().add_member(OUTER, ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "unchanged");
        assert_eq!(path(&world, ANN, OUTER).await, json!([OUTER]));
        assert_eq!(head(&world).await, position, "not one event");
        world.org().remove_member(INNER, BOB);
        expect(&google(&world, &[]).await, 0, "unchanged");
        assert_eq!(path(&world, BOB, MID).await, json!([MID, INNER, OUTER]), "the cycle leads to him");
        world.org().remove_member(OUTER, BOB);
        expect(&google(&world, &["--user", BOB]).await, 0, "applied");
        assert_eq!(why(&world, BOB, MID).await["member"], false);
        assert_eq!(rows(&world).await, 2, "Ann's in the middle and as an administrator");
        assert_eq!(world.run(&["verify"]).await.code, 0);
    }

    async fn nothing_of_a_held_plan_is_written_and_a_membership_that_waits_keeps_its_path(world: World) {
        // E5
        let mut world = world;
        nested(&world);
        world.configure("retry = { attempts = 1 }", "retry = { attempts = 1 }\nguard = { max_removals = 0, max_removal_ratio = 1.0, min_memberships = 0 }");
        expect(&google(&world, &[]).await, 0, "applied");
        // Bob leaves, Ann moves, Cid comes.
        world.org().remove_member(INNER, BOB).remove_member(OUTER, BOB).add_member(MID, OTHER).add_member(OTHER, ANN).remove_member(INNER, ANN);
        world.org().add_member(INNER, "cid@example.org");
        let held = google(&world, &[]).await;
        expect(&held, 4, "held");
        assert_eq!((rows(&world).await, path(&world, BOB, MID).await), (5, json!([MID, INNER])));
        assert_eq!(path(&world, ANN, MID).await, json!([MID, INNER]));

        // Who is let in all the same has a path, and nobody else's changes.
        world.configure("guard = {", "on_hold = \"apply_additions\"\nguard = {");
        let held = google(&world, &[]).await;
        expect(&held, 4, "held");
        assert_eq!(path(&world, "cid@example.org", OUTER).await, json!([OUTER, MID, INNER]));
        assert_eq!(path(&world, ANN, MID).await, json!([MID, INNER]));

        world.configure("guard = {", "removal = { grace = \"72h\" }\nguard = {");
        world.configure("max_removals = 0", "max_removals = 100");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(path(&world, ANN, MID).await, json!([MID, OTHER]));
        assert_eq!(path(&world, BOB, MID).await, json!([MID, INNER]), "it waits");
        world.configure("removal = { grace = \"72h\" }\n", "");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(why(&world, BOB, MID).await["member"], false);
        let left = "SELECT count(*) FROM membership_path p WHERE NOT EXISTS (SELECT 1 FROM membership m
            WHERE m.source = p.source AND m.group_id = p.group_id AND m.user_id = p.user_id AND m.to_position IS NULL)";
        assert_eq!(world.count(left).await, 0);
    }

    async fn what_is_older_than_the_record_of_paths_is_not_said_to_be_direct(world: World) {
        // E5, H2
        let world = world;
        nested(&world);
        expect(&google(&world, &[]).await, 0, "applied");
        while world.database.try_execute("DELETE FROM membership_path").await.is_ok() {
            assert_eq!(world.run(&["migrate", "down"]).await.code, 0);
        }
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        assert_eq!(world.run(&["rebuild"]).await.code, 0);
        assert_eq!(path(&world, ANN, OUTER).await, Value::Null);
        assert!(world.run(&["why", ANN, OUTER]).await.stdout.contains("path            not recorded\n"));
        expect(&google(&world, &[]).await, 0, "unchanged");
        assert_eq!(path(&world, ANN, OUTER).await, json!([OUTER, MID, INNER]));
        assert_eq!((path(&world, BOB, OUTER).await, rows(&world).await), (json!([OUTER]), 5));
        assert!(world.org().count(System::Google) > 0);
    }

    async fn neither_a_forgotten_source_nor_an_erased_user_leaves_a_path(world: World) {
        // E5, S22, E1
        let mut world = world;
        nested(&world);
        world.org().add_member(BOSSES, "dan@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(rows(&world).await, 5);
        assert_eq!(world.run(&["user", "erase", ANN, "--reason", "asked for"]).await.code, 0);
        assert_eq!(rows(&world).await, 2, "Bob's");
        world.without_source("google_sync");
        let forget = ["source", "forget", "google_sync", "--output", "json"];
        let hash = world.run(&forget).await.json()["plan_hash"].as_str().expect("a hash").to_owned();
        let done = world.run(&[&forget[..], &["--approve", &hash, "--reason", "it is off"]].concat()).await;
        assert_eq!((done.code, rows(&world).await), (0, 0), "{done:?}");
    }
}
