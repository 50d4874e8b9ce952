//! `verify` finds any edit, gap or drift, and names it; `rebuild` makes the tables anew from the log.

use crate::on_both_stores;
use crate::stage::{PROJECTIONS, TABLES, expect, know_member, table, tables};
use crate::support::{Ended, Kind, SIRET, World};

const ANN: &str = "ann@commune-a.fr";

/// A store with events of every kind that a sync writes.
async fn with_history(world: &World) {
    know_member(world, ANN).await;
    world.org().set_domains(ANN, SIRET, ["commune-a.fr", "ville-a.fr"]);
    world.org().add_member("grp_acme_a@example.com", ANN).add_member("grp_acme_admin@example.com", "bob@example.org");
    expect(&world.sync(&[]).await, 0, "applied");
    world.org().set_domains(ANN, SIRET, ["ville-a.fr"]).set_entitlement(ANN, "x", 1.into());
    world.org().remove_member("grp_acme_admin@example.com", "bob@example.org");
    expect(&world.sync(&[]).await, 0, "blocked");
    world.org().reset_entitlement(ANN, "x").set_domains(ANN, SIRET, ["ville-a.fr", "commune-a.fr"]);
    expect(&world.sync(&[]).await, 0, "blocked");
    assert_eq!(sound(world).await.code, 0);
}

async fn sound(world: &World) -> Ended {
    world.run(&["verify"]).await
}

/// What only somebody with the keys to the database can do.
async fn lift_the_guard(world: &mut World) {
    world.leave_damaged();
    if world.database.kind() == Kind::Sqlite {
        for trigger in ["update", "delete", "replace"] {
            world.database.execute(&format!("DROP TRIGGER event_no_{trigger}")).await;
        }
    } else {
        world.database.execute("ALTER TABLE event DISABLE TRIGGER USER").await;
    }
}

/// A byte string with its first byte changed.
fn flipped_bytes(world: &World, column: &str) -> String {
    match world.database.kind() {
        Kind::Sqlite => format!(
            "unhex(CASE substr(hex({column}), 1, 1) WHEN 'F' THEN 'E' ELSE 'F' END || substr(hex({column}), 2))"
        ),
        Kind::Postgres => format!("set_byte({column}, 0, 255 - get_byte({column}, 0))"),
    }
}

on_both_stores! {
    async fn an_edited_event_is_found_whatever_was_edited(world: World) {
        // E1
        let mut world = world;
        with_history(&world).await;
        lift_the_guard(&mut world).await;
        world.database.execute("CREATE TABLE kept AS SELECT * FROM event").await;
        let at = world
            .count(
                "SELECT max(position) FROM event WHERE event_type = 'membership.changed' AND source = 'deploycenter'",
            )
            .await;
        let (other_id, later) = match world.database.kind() {
            Kind::Sqlite => ("randomblob(16)", "replace(recorded_at, '.', '.9')"),
            Kind::Postgres => ("gen_random_uuid()", "recorded_at + interval '1 microsecond'"),
        };
        for (column, value) in [
            ("payload", "replace(payload, '\"removed\":[]', '\"removed\": []')".to_owned()),
            ("payload", "replace(payload, 'deploycenter', 'deploycentez')".to_owned()),
            ("payload", "substr(payload, 2)".to_owned()),
            ("event_type", "'group.created'".to_owned()),
            ("stream_category", "'user'".to_owned()),
            ("stream_id", "'g' || substr(stream_id, 2)".to_owned()),
            ("schema_version", "2".to_owned()),
            ("actor", "'operator'".to_owned()),
            ("source", "'google_sync'".to_owned()),
            ("source", "NULL".to_owned()),
            ("run_id", other_id.to_owned()),
            ("event_id", other_id.to_owned()),
            ("causation_id", other_id.to_owned()),
            ("correlation_id", "'x'".to_owned()),
            ("occurred_at", later.replace("recorded", "occurred")),
            ("recorded_at", later.to_owned()),
            ("digest", flipped_bytes(&world, "digest")),
        ] {
            world.database.execute(&format!("UPDATE event SET {column} = {value} WHERE position = {at}")).await;
            let found = sound(&world).await;
            assert_eq!(found.code, 1, "{column} = {value}: {found:?}");
            assert!(found.stdout.contains(&format!("position {at} ")), "{column} = {value}: {found:?}");
            world.database.execute("DELETE FROM event").await;
            world.database.execute("INSERT INTO event SELECT * FROM kept").await;
            let restored = sound(&world).await;
            assert_eq!(restored.code, 0, "{column}: {restored:?}");
        }
    }

    async fn a_missing_event_is_found_wherever_it_was(world: World) {
        // E1
        let mut world = world;
        with_history(&world).await;
        lift_the_guard(&mut world).await;
        world.database.execute("CREATE TABLE kept AS SELECT * FROM event").await;
        let last = world.count("SELECT max(position) FROM event").await;
        let before = tables(&world, &PROJECTIONS).await;
        for at in [1, 4, last - 1, last] {
            world.database.execute(&format!("DELETE FROM event WHERE position = {at}")).await;
            let found = sound(&world).await;
            assert_eq!(found.code, 1, "{at}: {found:?}");
            let named = if at == last { format!("ends at {}", last - 1) } else { format!("position {at} is missing") };
            assert!(found.stdout.contains(&named), "{at}: {found:?}");
            let refused = world.run(&["rebuild"]).await;
            assert_eq!(refused.code, 1, "a log that is not whole is not rebuilt from: {at}: {refused:?}");
            assert_eq!(tables(&world, &PROJECTIONS).await, before);
            world.database.execute("DELETE FROM event").await;
            world.database.execute("INSERT INTO event SELECT * FROM kept").await;
        }
        assert_eq!(sound(&world).await.code, 0);
    }

    async fn an_edited_row_is_found_and_rebuild_restores_it(world: World) {
        // E1
        let mut world = world;
        with_history(&world).await;
        world.leave_damaged();
        let whole = tables(&world, &TABLES).await;
        for (table, edit) in [
            ("membership", "UPDATE membership SET to_at = from_at WHERE to_position IS NOT NULL"),
            ("membership", "DELETE FROM membership WHERE to_position IS NULL AND source = 'google_sync'"),
            ("membership", "UPDATE membership SET from_position = from_position - 1"),
            (
                "membership",
                "INSERT INTO membership (group_id, user_id, source, from_position, from_at)
                SELECT group_id, user_id, 'admin', from_position, from_at FROM membership WHERE source = 'google_sync'",
            ),
            ("user_group", "UPDATE user_group SET managed_by = NULL WHERE managed_by = 'google_sync'"),
            ("user_group", "UPDATE user_group SET name = 'x' WHERE managed_by = 'google_sync'"),
            ("user_account", "UPDATE user_account SET kind = 'service'"),
            ("user_account", "UPDATE user_account SET status = 'suspended'"),
            ("entitlement", "UPDATE entitlement SET value = 'false' WHERE key = 'can_access'"),
            ("entitlement", "DELETE FROM entitlement"),
        ] {
            world.database.execute(edit).await;
            let found = sound(&world).await;
            assert_eq!(found.code, 1, "{edit}: {found:?}");
            assert!(found.stdout.contains(table), "{edit}: {found:?}");
            let rebuilt = world.run(&["rebuild"]).await;
            assert_eq!(rebuilt.code, 0, "{edit}: {rebuilt:?}");
            assert_eq!(tables(&world, &TABLES).await, whole, "{edit}");
        }
        assert_eq!(sound(&world).await.code, 0);
        expect(&world.sync(&[]).await, 0, "blocked");
        assert_eq!(table(&world, "event").await, whole["event"]);
    }

    async fn tables_rebuilt_from_nothing_are_the_same(world: World) {
        // E1
        with_history(&world).await;
        let whole = tables(&world, &TABLES).await;
        for table in ["entitlement", "membership", "user_group", "user_account"] {
            world.database.execute(&format!("DELETE FROM {table}")).await;
        }
        assert_eq!(sound(&world).await.code, 1);
        assert_eq!(world.run(&["rebuild"]).await.code, 0);
        assert_eq!(tables(&world, &TABLES).await, whole);
        expect(&world.sync(&[]).await, 0, "blocked");
        assert_eq!(table(&world, "event").await, whole["event"]);
        assert_eq!(world.run(&["rebuild"]).await.code, 0, "again, over what is there");
        assert_eq!(table(&world, "membership").await, whole["membership"]);
    }

    async fn verify_changes_nothing(world: World) {
        // E1
        with_history(&world).await;
        let before = tables(&world, &TABLES).await;
        assert_eq!(sound(&world).await.code, 0);
        assert_eq!(tables(&world, &TABLES).await, before);
    }
}
