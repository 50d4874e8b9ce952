//! What if: snapshots of what a source says, edited, and planned against the store of today.

use crate::on_both_stores;
use crate::stage::{TABLES, deploycenter, expect, google, know_member, tables};
use crate::support::{Ended, SIRET, World};
use serde_json::{Value, json};

const ANN: &str = "ann@commune-a.fr";
const GROUP: &str = "grp_acme_a@example.com";
const OTHER: &str = "grp_acme_b@example.com";

async fn record(world: &World, source: &str) -> Value {
    let recorded = world.run(&["snapshot", "record", source]).await;
    assert_eq!(recorded.code, 0, "{recorded:?}");
    recorded.json()
}

async fn against(world: &World, snapshot: &Value) -> Ended {
    std::fs::write(world.path().join("edited.json"), snapshot.to_string()).expect("written");
    world.sync(&["--against", "edited.json"]).await
}

on_both_stores! {
    async fn a_directory_that_would_return_half_its_groups_is_seen_before_it_does(world: World) {
        // S13
        let mut world = world;
        world.configure("retry = { attempts = 1 }", "retry = { attempts = 1 }\nguard = { max_removals = 2 }");
        for number in 0..3 {
            world.org().add_member(GROUP, &format!("m{number}@example.org"));
            world.org().add_member(OTHER, &format!("m{number}@example.org"));
        }
        expect(&google(&world, &[]).await, 0, "applied");
        let before = tables(&world, &TABLES).await;
        let snapshot = record(&world, "google_sync").await;
        let same = against(&world, &snapshot).await;
        expect(&same, 0, "unchanged");
        assert_eq!((&same.json()["dry_run"], &same.source("google_sync")["unchanged"]), (&json!(true), &json!(6)));
        let mut half = snapshot.clone();
        half["groups"].as_array_mut().expect("groups").retain(|group| group["name"] != OTHER);
        let held = against(&world, &half).await;
        expect(&held, 4, "held");
        assert_eq!(held.source("google_sync")["counts"]["kept"], 3);
        let mut more = snapshot.clone();
        more["groups"][0]["members"].as_array_mut().expect("members").push(json!("new@example.org"));
        let added = against(&world, &more).await;
        expect(&added, 0, "applied");
        assert_eq!(added.source("google_sync")["created"][0]["user"], "new:new@example.org");
        assert_eq!(tables(&world, &TABLES).await, before, "nothing is touched, no run on record either");
        world.org().add_member(GROUP, "new@example.org");
        let real = google(&world, &["--dry-run"]).await;
        assert_eq!(real.source("google_sync")["counts"], added.source("google_sync")["counts"]);
        let recorded = against(&world, &record(&world, "google_sync").await).await;
        assert_eq!(real.json()["plan_hash"], recorded.json()["plan_hash"], "what was recorded gives the same plan");
    }

    async fn a_backends_answers_are_rehearsed_by_todays_rules(world: World) {
        // S13
        know_member(&world, ANN).await;
        let bob = know_member(&world, "bob@commune-a.fr").await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        let before = tables(&world, &TABLES).await;
        let mut snapshot = record(&world, "deploycenter").await;
        expect(&against(&world, &snapshot).await, 0, "unchanged");
        let users = snapshot["users"].as_array_mut().expect("users");
        assert_eq!(users.len(), 2);
        for user in users.iter_mut() {
            let is_bob = user["user"] == json!(bob);
            user["said"]["can_admin_maildomains"] = if is_bob { json!(["ville-b.fr"]) } else { json!([]) };
        }
        let planned = against(&world, &snapshot).await;
        let entry = planned.source("deploycenter");
        assert_eq!(entry["created"][0]["group"], "maildomain:ville-b.fr:admin");
        assert_eq!(entry["removed"][0]["group"], "maildomain:commune-a.fr:admin");
        snapshot["users"] = json!([{"user": format!(" {} ", ANN.to_uppercase()), "error": {"class": "timeout", "message": "slow"}}]);
        let kept = against(&world, &snapshot).await;
        assert_eq!((kept.code, &kept.source("deploycenter")["kept"][0]["reason"]), (3, &json!("timeout")));
        assert_eq!(tables(&world, &TABLES).await, before);
    }

    async fn a_snapshot_is_written_once_for_its_owner_and_a_failing_source_gives_none(world: World) {
        world.org().add_member(GROUP, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        let written = world.run(&["snapshot", "record", "google_sync", "--out", "s.json"]).await;
        assert_eq!(written.code, 0, "{written:?}");
        let file = world.path().join("s.json");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("a file").permissions());
        assert_eq!(mode & 0o777, 0o600, "it holds addresses");
        let first = std::fs::read(&file).expect("a file");
        let again = world.run(&["snapshot", "record", "google_sync", "--out", "s.json"]).await;
        assert_eq!((again.code, std::fs::read(&file).expect("a file")), (2, first));
        expect(&world.sync(&["--against", "s.json"]).await, 0, "unchanged");
        world.org().fault(entitled_simulator::Target::system(entitled_simulator::System::Google), entitled_simulator::Fault::Html);
        let failed = world.run(&["snapshot", "record", "google_sync", "--out", "t.json"]).await;
        assert_eq!((failed.code, world.path().join("t.json").exists()), (3, false), "{failed:?}");
        assert!(failed.stderr.contains("malformed"), "{failed:?}");
    }

    async fn a_snapshot_that_can_not_be_used_is_refused_with_its_place(world: World) {
        know_member(&world, ANN).await;
        let head = |source: &str, rest: Value| {
            let mut snapshot = json!({"snapshot_version": 1, "source": source, "recorded_at": "2026-11-25T10:00:00Z"});
            snapshot.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
            snapshot
        };
        let before = tables(&world, &TABLES).await;
        for (snapshot, says) in [
            (json!([1, "deploycenter", "x"]), "line 1"),
            (json!({"snapshot_version": 1}), "line 1"),
            (head("nowhere", json!({"users": []})), "there is no source nowhere"),
            (head("deploycenter", json!({"people": [], "groups": []})), "users: missing"),
            (head("google_sync", json!({"users": []})), "people: missing"),
            (head("deploycenter", json!({"users": [{"user": "eve@example.org", "said": {}}]})), "users[0].user: no user"),
            (head("deploycenter", json!({"users": [{"user": ANN, "said": {}}, {"user": ANN, "said": {}}]})), "users[1].user"),
            (head("google_sync", json!({"people": [], "groups": [{"name": "g", "members": ["eve"]}]})), "groups[0].members[0]"),
        ] {
            let refused = against(&world, &snapshot).await;
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{snapshot}: {refused:?}");
            assert!(refused.stderr.contains(says), "{says}: {refused:?}");
            assert!(!refused.stderr.contains("eve"), "an address on stderr: {refused:?}");
        }
        assert_eq!(world.sync(&["--against", "no-such-file.json"]).await.code, 2);
        let other = head("deploycenter", json!({"users": []}));
        std::fs::write(world.path().join("edited.json"), other.to_string()).expect("written");
        assert_eq!(world.sync(&["--against", "edited.json", "--source", "google_sync"]).await.code, 2);
        assert_eq!(world.sync(&["--against", "edited.json", "--user", ANN]).await.code, 2);
        assert_eq!(tables(&world, &TABLES).await, before);
    }
}
