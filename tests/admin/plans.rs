//! Held plans: approved by their hash, once; rejected; void when they change.

use std::sync::Arc;

use entitled::admin::Admin;
use entitled::clock::Clock;
use entitled::store::{Access, Store};
use serde_json::{Value, json};

use crate::hand::{admin, ask, events_after, head, serve};
use crate::on_both_stores;
use crate::support::{Ended, PATIENCE, World};

const GROUP: &str = "grp_acme_staff@example.com";
const MEMBERS: usize = 30;

fn member(number: usize) -> String {
    format!("m{number:02}@example.org")
}

async fn sync(world: &World, arguments: &[&str]) -> Ended {
    world.sync(&[&["--source", "google_sync"], arguments].concat()).await
}

fn outcome(ended: &Ended) -> (i32, String) {
    (ended.code, ended.json()["outcome"].as_str().expect("an outcome").to_owned())
}

fn hash(ended: &Ended) -> String {
    ended.source("google_sync")["plan_hash"].as_str().expect("a hash").to_owned()
}

/// A staff of thirty, of whom `leaving` have left: more than the guard lets go. The hash of the held plan.
pub async fn held(world: &World, leaving: usize) -> String {
    for number in 0..MEMBERS {
        world.org().add_member(GROUP, &member(number));
    }
    assert_eq!(outcome(&sync(world, &[]).await), (0, "applied".to_owned()));
    for number in 0..leaving {
        world.org().remove_member(GROUP, &member(number));
    }
    let ended = sync(world, &[]).await;
    assert_eq!(outcome(&ended), (4, "held".to_owned()), "{ended:?}");
    hash(&ended)
}

async fn plans(world: &World) -> Vec<(String, String)> {
    let listed = world.run(&["plan", "list", "--output", "json"]).await.json();
    let text = |plan: &Value, field: &str| plan[field].as_str().expect("text").to_owned();
    listed.as_array().expect("plans").iter().map(|plan| (text(plan, "hash"), text(plan, "status"))).collect()
}

async fn staff(world: &World) -> usize {
    world.members(GROUP, "google_sync").await.len()
}

async fn types_after(world: &World, position: i64) -> Vec<String> {
    events_after(world, position).await.into_iter().map(|(event_type, _)| event_type).collect()
}

on_both_stores! {
    async fn an_approved_plan_is_applied_by_the_next_run_and_once(world: World) {
        // M12
        let hash = held(&world, 10).await;
        assert_eq!(plans(&world).await, [(hash.clone(), "held".to_owned())]);
        let shown = world.run(&["plan", "show", &hash[..12], "--output", "json"]).await.json();
        assert_eq!(shown["changes"]["removed"].as_array().map(Vec::len), Some(10), "{shown}");
        assert_eq!(shown["changes"]["removed"][0]["group"], GROUP);

        let before = head(&world).await;
        let approved = world.run(&["plan", "approve", &hash[..12], "--reason", "the office moved"]).await;
        assert_eq!(approved.code, 0, "{approved:?}");
        assert_eq!((plans(&world).await, staff(&world).await), (vec![(hash.clone(), "approved".to_owned())], MEMBERS));
        assert_eq!(outcome(&sync(&world, &[]).await), (0, "applied".to_owned()));
        assert_eq!((plans(&world).await, staff(&world).await), (vec![], MEMBERS - 10));
        assert_eq!(types_after(&world, before).await, ["plan.approved", "membership.changed", "plan.applied"]);
        assert_eq!(outcome(&sync(&world, &[]).await), (0, "unchanged".to_owned()));

        // The same people come and go again: the same is asked for, and nobody has approved it this time.
        for number in 0..10 {
            world.org().add_member(GROUP, &member(number));
        }
        assert_eq!(outcome(&sync(&world, &[]).await), (0, "applied".to_owned()));
        for number in 0..10 {
            world.org().remove_member(GROUP, &member(number));
        }
        let again = sync(&world, &[]).await;
        assert_eq!((outcome(&again), self::hash(&again)), ((4, "held".to_owned()), hash), "used up");
        assert_eq!(staff(&world).await, MEMBERS);
    }

    async fn an_approval_of_a_plan_that_changed_is_void_and_both_are_shown(world: World) {
        let old = held(&world, 10).await;
        assert_eq!(world.run(&["plan", "approve", &old, "--reason", "right"]).await.code, 0);
        world.org().remove_member(GROUP, &member(20));
        let before = head(&world).await;
        let ended = sync(&world, &[]).await;
        assert_eq!(outcome(&ended), (4, "held".to_owned()));
        let new = hash(&ended);
        assert_ne!(new, old);
        assert_eq!(types_after(&world, before).await, ["plan.approval_voided"]);
        assert_eq!(plans(&world).await, [(new.clone(), "held".to_owned()), (old.clone(), "superseded".to_owned())]);
        let late = world.run(&["plan", "approve", &old, "--reason", "right"]).await;
        assert_eq!(late.code, 2, "{late:?}");
        assert!(late.stderr.contains(&new), "the new plan is named: {late:?}");
        // Back to what was approved: the approval is gone all the same.
        world.org().add_member(GROUP, &member(20));
        assert_eq!(outcome(&sync(&world, &[]).await), (4, "held".to_owned()));
        assert_eq!(plans(&world).await[0], (old, "held".to_owned()));
        assert_eq!(staff(&world).await, MEMBERS);
        // Mended upstream: nothing is held, and nothing is left to look at.
        for number in 0..10 {
            world.org().add_member(GROUP, &member(number));
        }
        assert_eq!(outcome(&sync(&world, &[]).await), (0, "unchanged".to_owned()));
        assert_eq!(plans(&world).await, []);
    }

    async fn a_plan_is_approved_in_one_step_with_its_hash_and_a_reason(world: World) {
        let hash = held(&world, 10).await;
        for (arguments, code) in [
            (vec!["--approve", &hash], 2),
            (vec!["--approve", &hash, "--reason", " "], 2),
            (vec!["--approve", &hash, "--reason", "right", "--dry-run"], 2),
            (vec!["--reason", "right"], 2),
            (vec!["--approve", "00", "--reason", "right"], 4),
        ] {
            assert_eq!(sync(&world, &arguments).await.code, code, "{arguments:?}");
        }
        assert_eq!(staff(&world).await, MEMBERS);
        let before = head(&world).await;
        let ended = sync(&world, &["--approve", &hash, "--reason", "right"]).await;
        assert_eq!(outcome(&ended), (0, "applied".to_owned()), "{ended:?}");
        assert_eq!(types_after(&world, before).await, ["plan.approved", "membership.changed", "plan.applied"]);
        assert_eq!((plans(&world).await, staff(&world).await), (vec![], MEMBERS - 10));
        assert_eq!(outcome(&sync(&world, &["--approve", &hash, "--reason", "right"]).await), (0, "unchanged".to_owned()));
    }

    async fn an_approval_that_ended_is_void(world: World) {
        let hash = held(&world, 10).await;
        // Given two hours ago, for an hour.
        let given_at = Clock::system().now() - chrono::TimeDelta::hours(2);
        let (clock, _) = Clock::manual(given_at);
        let url = world.database.url();
        let store = Store::open(url, 1, PATIENCE, Access::ReadWrite, clock).await.expect("a store");
        let features = Arc::new(entitled::config::Config::default().features);
        let office = Admin { store, features, actor: "operator".to_owned(), correlation_id: None, person: None };
        office.approve_plan(&hash, "right", Some(given_at + chrono::TimeDelta::hours(1))).await.expect("approved");
        office.store.close().await.expect("closed");
        let before = head(&world).await;
        assert_eq!(outcome(&sync(&world, &[]).await), (4, "held".to_owned()));
        assert_eq!(types_after(&world, before).await, ["plan.approval_voided"]);
        assert_eq!(staff(&world).await, MEMBERS);
        assert_eq!(world.run(&["plan", "approve", &hash, "--reason", "x", "--expires-in", "soon"]).await.code, 2);
    }

    async fn a_rejected_plan_stays_held_until_somebody_thinks_better_of_it(world: World) {
        let hash = held(&world, 10).await;
        assert_eq!(world.run(&["plan", "approve", &hash, "--reason", "right"]).await.code, 0);
        assert_eq!(world.run(&["plan", "reject", &hash, "--reason", "a mistake"]).await.code, 0);
        assert_eq!(plans(&world).await, [(hash.clone(), "rejected".to_owned())]);
        assert_eq!(outcome(&sync(&world, &[]).await), (4, "held".to_owned()), "the approval has ended");
        assert_eq!(plans(&world).await, [(hash.clone(), "rejected".to_owned())], "and the word stands");
        assert_eq!(world.run(&["plan", "approve", &hash, "--reason", "it was right"]).await.code, 0);
        assert_eq!(outcome(&sync(&world, &[]).await), (0, "applied".to_owned()));
    }

    async fn plans_are_looked_at_and_decided_over_http(world: World) {
        // M12
        let mut world = world;
        let hash = held(&world, 10).await;
        let daemon = serve(&mut world).await;
        let (status, listed) = ask(&daemon, "GET", "/plans", Some("read-key"), None).await;
        assert_eq!((status, &listed["plans"][0]["hash"], &listed["plans"][0]["status"]), (200, &json!(hash), &json!("held")));
        assert_eq!(listed["plans"][0].get("changes"), None);
        let path = format!("/plans/{hash}");
        let (_, shown) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
        assert_eq!(shown["changes"]["removed"].as_array().map(Vec::len), Some(10));
        let before = head(&world).await;
        for (path, body, status) in [
            (format!("{path}/approve"), json!({}), 400),
            (format!("{path}/approve"), json!({"reason": ""}), 400),
            (format!("{path}/approve"), json!({"reason": "a\u{0}"}), 400),
            (format!("{path}/approve"), json!({"reason": "x".repeat(2_000)}), 400),
            (format!("{path}/approve"), json!({"reason": "ok", "expires_in": "soon"}), 400),
            (format!("{path}/approve"), json!({"reason": "ok", "expires_in": "0s"}), 400),
            (format!("{path}/approve"), json!({"reason": "ok", "expires_in": "99999999999999999d"}), 400),
            (format!("{path}/approve"), json!(["ok", null]), 400),
            (format!("{path}/reject"), json!({}), 400),
            ("/plans/00/approve".to_owned(), json!({"reason": "ok"}), 404),
        ] {
            assert_eq!(admin(&daemon, "POST", &path, body.clone()).await.0, status, "{path} {body}");
        }
        let reason = json!({"reason": "right"});
        assert_eq!(ask(&daemon, "POST", &format!("{path}/approve"), Some("read-key"), Some(reason.clone())).await.0, 403);
        assert_eq!(head(&world).await, before);
        let (status, rejected) = admin(&daemon, "POST", &format!("{path}/reject"), json!({"reason": "no"})).await;
        assert_eq!((status, &rejected["status"], &rejected["rejected"]), (200, &json!("rejected"), &json!("no")));
        let approve = json!({"reason": "right", "expires_in": "4h"});
        let (status, approved) = admin(&daemon, "POST", &format!("{path}/approve"), approve).await;
        assert_eq!((status, &approved["status"]), (200, &json!("approved")), "{approved}");
        let told = events_after(&world, before).await;
        let by = |event_type: &str| (event_type.to_owned(), "key:office".to_owned());
        assert_eq!(told, [by("plan.rejected"), by("plan.approved")]);
        assert_eq!(outcome(&sync(&world, &[]).await), (0, "applied".to_owned()));
        assert_eq!(staff(&world).await, MEMBERS - 10);
    }
}
