//! `--dry-run` prints the plan and its hash, and writes nothing at all.

use std::collections::BTreeMap;

use crate::on_both_stores;
use crate::stage::{TABLES, expect, know_member, tables};
use crate::support::{Kind, SIRET, World};
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ANN: &str = "ann@commune-a.fr";

/// Every file of the store, by its name; on PostgreSQL every row of its tables.
async fn contents(world: &World) -> BTreeMap<String, Vec<u8>> {
    if world.database.kind() == Kind::Postgres {
        let rows = tables(world, &TABLES).await.into_iter();
        return rows.map(|(table, rows)| (table.to_owned(), rows.join("\n").into_bytes())).collect();
    }
    let files = std::fs::read_dir(world.path()).expect("a folder").map(|file| file.expect("a file").path());
    let of_store = files.filter(|file| file.display().to_string().contains("entitled.db"));
    of_store.map(|file| (file.display().to_string(), std::fs::read(&file).expect("readable"))).collect()
}

fn stage_changes(world: &World) {
    world.org().set_domains(ANN, SIRET, ["ville-a.fr"]);
    world.org().add_member("grp_acme_a@example.com", "new@example.org");
}

on_both_stores! {
    async fn a_dry_run_leaves_the_store_as_it_was_and_says_what_a_run_does(world: World) {
        // S13
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        world.org().add_member("grp_acme_a@example.com", ANN);
        expect(&world.sync(&[]).await, 0, "applied");
        stage_changes(&world);
        let before = contents(&world).await;
        let first = world.sync(&["--dry-run"]).await;
        expect(&first, 0, "applied");
        let again = world.sync(&["--dry-run"]).await;
        assert_eq!(contents(&world).await, before);
        assert_eq!(first.json()["dry_run"], true);
        assert_eq!(first.source("deploycenter")["counts"], json!({"created": 1, "removed": 1, "kept": 0}));
        assert_eq!(first.source("google_sync")["created"][0]["group"], "grp_acme_a@example.com");
        let hash = first.json()["plan_hash"].clone();
        assert!(hash.as_str().is_some_and(|hash| hash.len() == 64), "{hash}");
        assert_eq!(again.json()["plan_hash"], hash);
        let table = world.run(&["sync", "--dry-run"]).await;
        assert!(table.stdout.contains(hash.as_str().expect("a hash")), "{table:?}");
        assert_eq!(contents(&world).await, before);
        let real = world.sync(&[]).await;
        expect(&real, 0, "applied");
        assert_eq!((&real.json()["plan_hash"], &real.json()["dry_run"]), (&hash, &json!(false)));
        assert_ne!(world.sync(&["--dry-run"]).await.json()["plan_hash"], hash, "what is done is no longer planned");
    }

    async fn a_dry_run_for_one_user_writes_nothing_either(world: World) {
        // S13
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        expect(&world.sync(&[]).await, 0, "applied");
        stage_changes(&world);
        world.org().add_member("grp_acme_a@example.com", ANN);
        let before = contents(&world).await;
        for user in [ANN, "new@example.org"] {
            let scope = ["--user", user, "--source", "google_sync"];
            let rehearsed = world.sync(&[&["--dry-run"][..], &scope].concat()).await;
            expect(&rehearsed, 0, "applied");
            assert_eq!(contents(&world).await, before);
        }
        let hash = world.sync(&["--dry-run", "--user", ANN]).await.json()["plan_hash"].clone();
        assert_eq!(world.sync(&["--user", ANN]).await.json()["plan_hash"], hash);
    }

    async fn a_dry_run_of_a_failing_source_writes_no_record(world: World) {
        // S13, S5
        know_member(&world, ANN).await;
        expect(&world.sync(&[]).await, 0, "applied");
        let before = contents(&world).await;
        world.org().fault(Target::system(System::Google), Fault::status(500));
        expect(&world.sync(&["--dry-run"]).await, 3, "unavailable");
        assert_eq!(contents(&world).await, before);
    }

    async fn a_dry_run_before_the_first_run_creates_nothing(world: World) {
        // S13
        world.org().add_member("grp_acme_a@example.com", ANN);
        if world.database.kind() == Kind::Sqlite {
            let rehearsed = world.sync(&["--dry-run", "--source", "google_sync"]).await;
            expect(&rehearsed, 0, "applied");
            assert_eq!(rehearsed.source("google_sync")["counts"]["created"], 1);
            assert_eq!(contents(&world).await, BTreeMap::new());
            let hash = rehearsed.json()["plan_hash"].clone();
            assert_eq!(world.sync(&["--source", "google_sync"]).await.json()["plan_hash"], hash);
        } else {
            let refused = world.sync(&["--dry-run"]).await;
            assert_eq!(refused.code, 2, "{refused:?}");
            assert!(refused.stderr.contains("entitled migrate up"), "{refused:?}");
            let made = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
            assert_eq!(world.count(made).await, 0);
        }
    }
}
