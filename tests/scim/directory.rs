//! Against a small server with faults: what is applied, what is kept, and how it is told.

use serde_json::{Value, json};

use crate::fake::{self, Fake, Fault};
use crate::on_both_stores;
use crate::support::World;
use crate::{configure, expect, groups_of, sync};

const ANN: &str = "ann@example.org";
const BOB: &str = "bob@example.org";
const MAPPED: &str =
    "prefix = \"acme-\"\nadmin_group = \"Acme Bosses\"\neveryone_group = \"Acme Everyone\"\npage_size = 2";

fn user(id: &str, email: &str) -> Value {
    json!({"id": id, "userName": id, "emails": [{"value": email, "primary": true}]})
}

fn group(id: &str, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"id": id, "displayName": name, "members": members})
}

/// Three people and five groups.
async fn filled(world: &mut World, settings: &str) -> Fake {
    let server = Fake::start().await;
    configure(world, &server.base, fake::TOKEN, settings);
    server.set(|state| {
        state.users = vec![user("u1", ANN), user("u2", BOB), user("u3", "cid@example.org")];
        state.groups = vec![
            group("g1", "Acme-Devs", &["g2", "u2"]),
            group("g2", "Inner", &["u1"]),
            group("g3", "Acme Bosses", &["u1", "u3"]),
            group("g4", "acme everyone", &["u1", "u2", "u3"]),
            group("g5", "Elsewhere", &["u3"]),
        ];
    });
    server
}

async fn memberships(world: &World) -> i64 {
    world.count("SELECT count(*) FROM membership WHERE to_position IS NULL").await
}

on_both_stores! {
    async fn a_directory_is_applied_and_a_second_reading_changes_nothing(world: World) {
        // S1, S2, S3, S6, G3, G4
        let mut world = world;
        let server = filled(&mut world, MAPPED).await;
        expect(&sync(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, ANN).await, ["Admin", "Everyone", "acme-devs"]);
        assert_eq!(groups_of(&world, BOB).await, ["Everyone", "acme-devs"]);
        assert_eq!(groups_of(&world, "cid@example.org").await, ["Admin", "Everyone"]);
        let events = world.count("SELECT count(*) FROM event").await;
        expect(&sync(&world, &[]).await, 0, "unchanged");
        assert_eq!(world.count("SELECT count(*) FROM event").await, events);

        server.set(|state| {
            state.groups[1]["members"] = json!([]);
            state.users.remove(2);
            state.groups[2] = group("g3", "Acme Bosses", &["u1"]);
            state.groups[3] = group("g4", "acme everyone", &["u1", "u2"]);
            state.groups[4] = group("g5", "Elsewhere", &[]);
        });
        let removed = sync(&world, &[]).await;
        expect(&removed, 0, "applied");
        assert_eq!(removed.source("directory")["counts"], json!({"created": 0, "removed": 3, "kept": 0}));
        assert_eq!(groups_of(&world, ANN).await, ["Admin", "Everyone"]);
        assert_eq!(groups_of(&world, "cid@example.org").await, [""; 0]);
        expect(&sync(&world, &[]).await, 0, "unchanged");
    }

    async fn why_names_the_group_within_by_which_somebody_is_a_member(world: World) {
        // E5
        let mut world = world;
        let _server = filled(&mut world, MAPPED).await;
        // By the directory's filters first, then by a reading of the whole.
        expect(&sync(&world, &["--user", ANN]).await, 0, "applied");
        for outcome in ["applied", "unchanged"] {
            let path = async |user, group| {
                let ended = world.run(&["why", user, group, "--output", "json"]).await;
                ended.json()["supports"][0]["path"].clone()
            };
            assert_eq!(path(ANN, "acme-devs").await, json!(["acme-devs", "inner"]));
            assert_eq!(path(ANN, "Admin").await, json!(["Admin", "acme bosses"]));
            expect(&sync(&world, &[]).await, 0, outcome);
            assert_eq!(path(BOB, "acme-devs").await, json!(["acme-devs"]));
        }
    }

    async fn a_failing_directory_keeps_everything_and_exits_3(world: World) {
        // S5, G1
        let mut world = world;
        let server = filled(&mut world, MAPPED).await;
        expect(&sync(&world, &[]).await, 0, "applied");
        let before = memberships(&world).await;
        server.set(|state| state.groups[3]["members"] = json!([]));
        let answer = |status, body: &str| Fault::Answer(status, body.to_owned());
        let faults = [
            ("/Users", Fault::Reset, "connect"),
            ("/Users?startIndex=3", answer(500, ""), "http_5xx"),
            ("/Groups?startIndex=3", answer(200, "<html>sign in</html>"), "malformed"),
            ("/Groups?startIndex=5", Fault::Truncate, "incomplete"),
            ("/Groups?startIndex=5", Fault::Edit(|body| body["Resources"] = json!([])), "incomplete"),
            ("/Groups?startIndex=3", Fault::Edit(|body| body["Resources"][0]["id"] = json!("g1")), "incomplete"),
            ("/Groups", Fault::Edit(|body| body["totalResults"] = json!(50)), "incomplete"),
            ("/Users", answer(401, ""), "unauthorized"),
            ("/Groups", answer(403, ""), "forbidden"),
            ("/Groups", Fault::RetryAfter, "rate_limited"),
        ];
        for (target, fault, class) in faults {
            server.fault(target, fault);
            for _ in 0..2 {
                let failed = sync(&world, &[]).await;
                expect(&failed, 3, "unavailable");
                assert_eq!(failed.source("directory")["error"]["class"], class, "{target}");
                assert!(!failed.stderr.contains("example.org") && !failed.stdout.contains(fake::TOKEN), "{failed:?}");
            }
            assert_eq!(memberships(&world).await, before, "{target}: {class}");
            server.heal();
        }
        let healed = sync(&world, &[]).await;
        expect(&healed, 0, "applied");
        assert_eq!(healed.source("directory")["counts"]["removed"], 3);
        expect(&sync(&world, &[]).await, 0, "unchanged");
    }

    async fn a_group_with_a_member_that_nobody_knows_gains_members_and_loses_none(world: World) {
        // G2
        let mut world = world;
        let server = filled(&mut world, MAPPED).await;
        expect(&sync(&world, &[]).await, 0, "applied");
        server.set(|state| state.groups[0] = group("g1", "Acme-Devs", &["u3", "u9"]));
        for (created, outcome) in [(1, "applied"), (0, "unavailable")] {
            let partly = sync(&world, &[]).await;
            assert_eq!(partly.code, 3, "{partly:?}");
            let entry = partly.source("directory");
            assert_eq!((&entry["error"]["class"], &partly.json()["outcome"]), (&json!("incomplete"), &json!(outcome)));
            assert_eq!(entry["counts"], json!({"created": created, "removed": 0, "kept": 2}));
        }
        server.set(|state| state.groups[0] = group("g1", "Acme-Devs", &["u3"]));
        expect(&sync(&world, &[]).await, 0, "applied");
        assert_eq!(world.members("acme-devs", "directory").await, ["cid@example.org"]);
        expect(&sync(&world, &[]).await, 0, "unchanged");
    }

    async fn one_user_and_the_whole_come_out_the_same(world: World) {
        // G4, S14, S19
        let mut world = world;
        let server = filled(&mut world, MAPPED).await;
        for filters in [fake::Filters::Work, fake::Filters::Blind, fake::Filters::Refused(400, "invalidFilter")] {
            server.set(|state| {
                state.filters = filters;
                state.groups[1] = group("g2", "Inner", &["u1"]);
            });
            sync(&world, &["--user", "Ann@Example.org"]).await;
            assert_eq!(groups_of(&world, ANN).await, ["Admin", "Everyone", "acme-devs"]);
            expect(&sync(&world, &["--user", ANN]).await, 0, "unchanged");
            sync(&world, &[]).await;
            assert_eq!(groups_of(&world, ANN).await, ["Admin", "Everyone", "acme-devs"]);
            server.set(|state| state.groups[1]["members"] = json!([]));
            expect(&sync(&world, &["--user", ANN]).await, 0, "applied");
            assert_eq!(groups_of(&world, ANN).await, ["Admin", "Everyone"]);
            expect(&sync(&world, &[]).await, 0, "unchanged");
        }
        assert_eq!(sync(&world, &["--user", "nobody@example.org"]).await.code, 2);
        server.fault("members.value", Fault::Reset);
        server.set(|state| state.filters = fake::Filters::Work);
        expect(&sync(&world, &["--user", ANN]).await, 3, "unavailable");
        assert_eq!(groups_of(&world, ANN).await, ["Admin", "Everyone"]);
    }

    async fn somebody_whose_address_changed_is_found_by_the_id(world: World) {
        // G4
        let mut world = world;
        let server = filled(&mut world, MAPPED).await;
        expect(&sync(&world, &[]).await, 0, "applied");
        let id = world.user(BOB).await["id"].as_str().expect("id").to_owned();
        server.set(|state| state.users[1] = user("u2", "bob.b@example.org"));
        let ended = sync(&world, &["--user", BOB]).await;
        assert_eq!(groups_of(&world, &id).await, ["Everyone", "acme-devs"], "{ended:?}");
    }
}
