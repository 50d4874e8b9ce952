//! What is printed: one document on stdout of the contract's shape, logs on stderr.

use crate::on_both_stores;
use crate::stage::{expect, google, know_member};
use crate::support::SIRET;
use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

const ANN: &str = "ann@commune-a.fr";
const BOB: &str = "bob@commune-a.fr";
const A: &str = "grp_acme_a@example.com";

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|text| uuid::Uuid::parse_str(text).is_ok())
}

/// `2026-11-22T10:00:00.000000Z`
fn is_instant(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.len() == 27 && text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
    })
}

/// The keys that the contract names, and what stands beside them.
fn check_entry(entry: &Value) {
    let contract = ["counts", "created", "error", "kept", "observed_at", "outcome", "removed", "source", "unchanged"];
    for key in contract {
        assert!(entry.get(key).is_some(), "no {key} in {entry}");
    }
    let beside = keys(entry).into_iter().filter(|key| !contract.contains(key)).collect::<Vec<_>>();
    assert_eq!(beside, ["entitlements_changed", "held", "plan_hash"]);
    assert_eq!(keys(&entry["counts"]), ["created", "kept", "removed"]);
    for list in ["created", "removed", "kept"] {
        for change in entry[list].as_array().expect("a list") {
            let expected =
                if list == "kept" { &["group", "reason", "source", "user"][..] } else { &["group", "source", "user"] };
            assert_eq!(keys(change), expected);
            assert!(is_id(&change["user"]), "{change}");
        }
    }
}

on_both_stores! {
    async fn a_sync_prints_one_document_of_the_contracts_shape(world: World) {
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(A, ANN);
        let ended = world.run(&["sync", "--output", "json", "-v"]).await;
        expect(&ended, 0, "applied");
        assert!(!ended.stderr.is_empty(), "logs go to stderr");
        let document = ended.json();
        assert_eq!(keys(&document), ["dry_run", "outcome", "plan_hash", "run_id", "sources", "trigger"]);
        assert!(is_id(&document["run_id"]));
        assert_eq!((&document["trigger"], &document["dry_run"]), (&json!("manual"), &json!(false)));
        let ann = world.user(ANN).await["id"].clone();
        let created = json!([{"user": ann, "group": "maildomain:commune-a.fr:admin", "source": "deploycenter"}]);
        let entry = ended.source("deploycenter");
        assert_eq!(entry["created"], created);
        assert!(is_instant(&entry["observed_at"]), "{entry}");
        assert_eq!((&entry["error"], &entry["unchanged"]), (&json!(null), &json!(0)));
        document["sources"].as_array().expect("sources").iter().for_each(check_entry);
        let names: Vec<&Value> =
            document["sources"].as_array().expect("sources").iter().map(|entry| &entry["source"]).collect();
        assert_eq!(names, ["deploycenter", "google_sync"]);
        let again = world.sync(&[]).await;
        assert_eq!(again.source("google_sync")["unchanged"], 1);
    }

    async fn a_failed_source_has_its_class_and_message(world: World) {
        // S5
        world.org().fault(Target::system(System::Google), Fault::status(503));
        let ended = google(&world, &[]).await;
        expect(&ended, 3, "unavailable");
        let entry = ended.source("google_sync");
        check_entry(&entry);
        assert_eq!(keys(&entry["error"]), ["class", "message"]);
        assert_eq!(entry["observed_at"], json!(null));
        assert_eq!(ended.json()["plan_hash"], json!(null));
    }

    async fn several_users_have_an_entry_each_beside_the_totals(world: World) {
        let (ann, bob) = (know_member(&world, ANN).await, know_member(&world, BOB).await);
        world.org().set_domains(ANN, SIRET, ["commune-a.fr", "ville-a.fr"]).set_domains(BOB, SIRET, ["commune-a.fr"]);
        let one = world.sync(&["--source", "deploycenter", "--user", ANN]).await;
        assert!(one.json().get("users").is_none(), "{one:?}");
        let ended = world.sync(&["--source", "deploycenter", "--user", ANN, "--user", BOB]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("deploycenter")["counts"]["created"], 1);
        assert_eq!(ended.source("deploycenter")["unchanged"], 2);
        let document = ended.json();
        let users = document["users"].as_array().expect("users");
        let of = |user: entitled_model::UserId| {
            users.iter().find(|entry| entry["user"] == json!(user)).expect("an entry")["sources"][0].clone()
        };
        assert_eq!(users.len(), 2);
        check_entry(&of(ann));
        assert_eq!(of(ann)["counts"], json!({"created": 0, "removed": 0, "kept": 0}));
        assert_eq!(of(bob)["counts"], json!({"created": 1, "removed": 0, "kept": 0}));
        assert_eq!((&of(ann)["unchanged"], &of(bob)["unchanged"]), (&json!(2), &json!(0)));
        assert_eq!((&of(ann)["outcome"], &of(bob)["outcome"]), (&json!("unchanged"), &json!("applied")));
    }

    async fn of_several_users_only_the_one_who_failed_has_an_error(world: World) {
        // S15
        let (ann, bob) = (know_member(&world, ANN).await, know_member(&world, BOB).await);
        world.org().fault(Target::system(System::Deploycenter).user(BOB), Fault::status(500));
        let ended = world.sync(&["--source", "deploycenter", "--user", ANN, "--user", BOB]).await;
        assert_eq!(ended.code, 3, "{ended:?}");
        let document = ended.json();
        let users = document["users"].as_array().expect("users");
        let error = |user: entitled_model::UserId| {
            let entry = users.iter().find(|entry| entry["user"] == json!(user)).expect("an entry");
            entry["sources"][0]["error"].clone()
        };
        assert_eq!(error(ann), json!(null));
        assert_eq!(error(bob)["class"], "http_5xx");
    }

    async fn users_and_groups_are_shown_in_the_contracts_shape(world: World) {
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(A, ANN).add_member(A, "cid@example.org");
        expect(&world.sync(&[]).await, 0, "applied");
        let shown = world.user(ANN).await;
        assert_eq!(keys(&shown), ["claims", "email", "entitlements", "id", "memberships", "status", "sub"]);
        assert!(is_id(&shown["id"]));
        assert_eq!((&shown["sub"], &shown["email"], &shown["status"]), (&json!(null), &json!(ANN), &json!("active")));
        assert_eq!(shown["claims"], json!({"siret": SIRET}));
        assert_eq!(keys(&shown["memberships"][0]), ["added_at", "group", "source"]);
        assert!(is_instant(&shown["memberships"][0]["added_at"]), "{shown}");
        assert_eq!(keys(&shown["entitlements"][0]), ["key", "observed_at", "source", "value"]);
        assert!(is_instant(&shown["entitlements"][0]["observed_at"]), "{shown}");
        let list = async |arguments: &[&str]| {
            let ended = world.run(&[arguments, &["--output", "json"]].concat()).await;
            assert_eq!(ended.code, 0, "{ended:?}");
            ended.json().as_array().expect("a list").clone()
        };
        let members = list(&["group", "members", A]).await;
        assert_eq!(members.len(), 2);
        assert!(
            members.iter().all(|member| is_id(&member["user"]) && member["source"] == "google_sync"),
            "{members:?}"
        );
        assert_eq!(list(&["user", "list"]).await.len(), 2);
        let groups = list(&["group", "list"]).await;
        let names: Vec<&str> = groups.iter().map(|group| group["name"].as_str().expect("a name")).collect();
        assert_eq!(names, ["Admin", "Everyone", A, "maildomain:commune-a.fr:admin"]);
        for arguments in [&["user", "show", ANN][..], &["user", "list"], &["group", "list"], &["group", "members", A]] {
            let table = world.run(arguments).await;
            assert_eq!(table.code, 0, "{table:?}");
            assert!(
                table.stdout.contains(if arguments[0] == "user" || arguments[1] == "members" { ANN } else { A }),
                "{table:?}"
            );
        }
        for arguments in [&["user", "show", "nobody@example.org"][..], &["group", "members", "nothing"]] {
            assert_eq!(world.run(arguments).await.code, 2);
        }
    }

    async fn the_table_for_people_says_what_changed(world: World) {
        world.org().add_member(A, ANN);
        let ended = world.run(&["sync", "--source", "google_sync"]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        for piece in ["google_sync", "applied", ANN, A] {
            assert!(ended.stdout.contains(piece), "no {piece} in {}", ended.stdout);
        }
        world.org().fault(Target::system(System::Google), Fault::status(500));
        let ended = world.run(&["sync", "--source", "google_sync"]).await;
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(ended.stdout.contains("unavailable") && ended.stdout.contains("http_5xx"), "{ended:?}");
    }

    async fn a_list_is_cut_at_ten_thousand_and_the_count_is_whole(world: World) {
        let members = 10_003;
        for number in 0..members {
            world.org().add_member(A, &format!("m{number:05}@example.org"));
        }
        let ended = google(&world, &[]).await;
        expect(&ended, 0, "applied");
        let entry = ended.source("google_sync");
        assert_eq!((&entry["counts"]["created"], &entry["cut"]), (&json!(members), &json!(true)));
        assert_eq!(entry["created"].as_array().map(Vec::len), Some(10_000));
    }
}
