//! The same observation twice changes nothing.

use crate::on_both_stores;
use crate::stage::{expect, know_member, table, tables};
use crate::support::SIRET;
use entitled_simulator::System;
use serde_json::json;

on_both_stores! {
    async fn the_same_observation_again_writes_nothing_but_the_runs_record(world: World) {
        // S3
        know_member(&world, "ann@commune-a.fr").await;
        world.org().set_domains("ann@commune-a.fr", SIRET, ["commune-a.fr", "ville-a.fr"]);
        world.org().add_member("grp_acme_a@example.com", "ann@commune-a.fr");
        world.org().add_member("grp_acme_all@example.com", "bob@example.org");
        expect(&world.sync(&[]).await, 0, "applied");
        let lasting =
            ["event", "event_head", "user_account", "user_profile", "user_group", "membership", "entitlement"];
        let before = tables(&world, &lasting).await;
        let runs = table(&world, "run").await.len();
        for scope in
            [&[][..], &["--user", "ann@commune-a.fr"], &["--user", "bob@example.org", "--source", "google_sync"]]
        {
            let ended = world.sync(scope).await;
            expect(&ended, 0, "unchanged");
            for entry in ended.json()["sources"].as_array().expect("sources") {
                assert_eq!(entry["counts"], json!({"created": 0, "removed": 0, "kept": 0}));
                assert!(entry["unchanged"].as_u64() > Some(0), "{entry}");
            }
            assert_eq!(tables(&world, &lasting).await, before);
        }
        assert_eq!(table(&world, "run").await.len(), runs + 5, "each source asked is a record");
        assert!(world.org().count(System::Deploycenter) >= 3, "a one-shot never uses the cache");
    }

    async fn the_order_and_case_in_which_a_source_lists_mean_nothing(world: World) {
        // S3
        know_member(&world, "ann@commune-a.fr").await;
        world.org().set_domains("ann@commune-a.fr", SIRET, ["commune-a.fr", "ville-a.fr"]);
        expect(&world.sync(&["--source", "deploycenter"]).await, 0, "applied");
        let memberships = table(&world, "membership").await;
        world.org().set_domains("ann@commune-a.fr", SIRET, ["Ville-A.fr", " commune-a.fr"]);
        let again = world.sync(&["--source", "deploycenter"]).await;
        assert_eq!(again.source("deploycenter")["counts"], json!({"created": 0, "removed": 0, "kept": 0}), "{again:?}");
        assert_eq!(table(&world, "membership").await, memberships);
        expect(&world.sync(&["--source", "deploycenter"]).await, 0, "unchanged");
    }
}
