//! Owners by a directory's word: who administers the directory is an owner here, where that is switched on.

use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, head, user};
use crate::on_both_stores;
use crate::roles::{as_person, give, proxied, role_of};
use crate::support::{Daemon, Ended, PATIENCE, World};

const TOLD: &str = "SELECT count(*) FROM event WHERE event_type = 'administrator.directory_changed'";

/// The same, with the setting on.
async fn trusting(world: &mut World) -> Daemon {
    switched(world, true);
    // Each login asks.
    world.config = world.config.replace("cache_ttl = \"5m\"", "cache_ttl = \"0s\"");
    proxied(world).await
}

fn switched(world: &mut World, on: bool) {
    let off = "administrators_are_owners = true\n";
    world.config = world.config.replace(off, "");
    if on {
        world.configure("prefix = \"grp_acme_\"\n", &format!("{off}prefix = \"grp_acme_\"\n"));
    }
}

/// Accounts in the directory, and whether each administers it.
fn accounts(world: &World, accounts: &[(&str, bool)]) {
    for (person, is_admin) in accounts {
        world.org().add_user(person);
        world.org().make_admin(person, *is_admin);
    }
}

async fn google(world: &World, users: &[&str]) -> Ended {
    let users = users.iter().flat_map(|user| ["--user", user]);
    world.sync(&["--source", "google_sync"].into_iter().chain(users).collect::<Vec<_>>()).await
}

fn outcome(ended: &Ended) -> (i32, Value) {
    (ended.code, ended.json()["outcome"].clone())
}

/// What the directory says of a person, as they are told.
async fn word(daemon: &Daemon, who: &str) -> Value {
    let (status, me) = as_person(daemon, Some(who), "GET", "/api/v1/users/me", &Value::Null).await;
    assert_eq!(status, 200, "{me}");
    me["directories"].clone()
}

async fn id(world: &World, person: &str) -> String {
    world.user(person).await["id"].as_str().expect("an id").to_owned()
}

fn users_calls() -> Target {
    Target::system(System::Google).path_contains("/users")
}

/// Lets two look-ups that are held be answered at once.
async fn both_asked(world: &World) {
    let asked = || world.org().requests(System::Google).iter().filter(|call| call.path.contains("/users/")).count();
    let looking = async {
        while asked() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("both are asked about");
    world.org().release("answers");
    world.org().clear_faults();
}

fn owner() -> (Value, Value) {
    (json!("owner"), json!("directory"))
}

const NONE: (Value, Value) = (Value::Null, Value::Null);

on_both_stores! {
    async fn whoever_administers_the_directory_is_an_owner_as_long_as_it_says_so(world: World) {
        // R1 R7 E1
        let mut world = world;
        let (one, other) = (trusting(&mut world).await, proxied(&mut world).await);
        for person in [ANN, BOB] {
            user(&one, person).await;
            assert_eq!(role_of(&other, person).await, NONE, "the directory knows nobody");
        }
        accounts(&world, &[(ANN, true), (BOB, false)]);
        assert_eq!(one.login(&json!({ "email": ANN })).await.0, 200);
        assert_eq!(one.login(&json!({ "email": BOB })).await.0, 200);
        assert_eq!((role_of(&other, ANN).await, role_of(&other, BOB).await), (owner(), NONE));
        let told = word(&other, ANN).await;
        assert_eq!((&told[0]["source"], &told[0]["freshness"]), (&json!("google_sync"), &json!("fresh")), "{told}");
        assert!(told[0]["observed_at"].is_string() && told[0]["error"].is_null(), "{told}");
        let groups = "/api/v1/admin/groups";
        assert_eq!(as_person(&other, Some(ANN), "POST", groups, &json!({"name": "Editors"})).await.0, 201);
        assert_eq!(as_person(&other, Some(BOB), "GET", groups, &Value::Null).await.0, 403);
        let bob = user(&one, BOB).await;
        give(&one, &bob, "owner").await;
        assert_eq!(outcome(&google(&world, &[]).await), (0, json!("unchanged")));
        let before = head(&world).await;
        assert_eq!(outcome(&google(&world, &[ANN]).await), (0, json!("unchanged")));
        assert_eq!(head(&world).await, before, "the same word again is no event");
        world.org().make_admin(ANN, false);
        assert_eq!(outcome(&google(&world, &[ANN]).await), (0, json!("applied")));
        assert_eq!((role_of(&other, ANN).await, word(&other, ANN).await), (NONE, json!([])));
        assert_eq!(as_person(&one, Some(ANN), "GET", groups, &Value::Null).await.0, 403);
        world.org().make_admin(ANN, true);
        assert_eq!(outcome(&google(&world, &[]).await), (0, json!("applied")), "a full read says the same");
        assert_eq!((role_of(&one, ANN).await, world.count(TOLD).await), (owner(), 3));
        world.database.execute("UPDATE directory_administrator SET state = 'kept'").await;
        assert_eq!(world.run(&["verify"]).await.code, 1, "a row that no event gives");
        let rebuilt = world.run(&["rebuild"]).await;
        assert_eq!((rebuilt.code, role_of(&one, ANN).await), (0, owner()), "{rebuilt:?}");
    }

    async fn nobody_is_an_owner_by_a_directory_that_is_not_trusted_with_it(world: World) {
        // R1
        let mut world = world;
        accounts(&world, &[(ANN, true)]);
        // In a group, so that her account is read all the same.
        world.org().add_member("grp_acme_a@example.com", ANN);
        let daemon = proxied(&mut world).await;
        let ann = user(&daemon, ANN).await;
        google(&world, &[ANN]).await;
        google(&world, &[]).await;
        assert_eq!((role_of(&daemon, ANN).await, world.count(TOLD).await), (NONE, 0));
        switched(&mut world, true);
        google(&world, &[ANN]).await;
        assert_eq!(role_of(&daemon, ANN).await, owner());
        // Switched off again, it ends with the next full read; the last owner would stay.
        let bob = user(&daemon, BOB).await;
        give(&daemon, &bob, "owner").await;
        give(&daemon, &ann, "viewer").await;
        switched(&mut world, false);
        google(&world, &[]).await;
        assert_eq!(role_of(&daemon, ANN).await, (json!("viewer"), json!("assigned")));
    }

    async fn a_failing_look_up_leaves_the_stored_answer_and_marks_it_stale(world: World) {
        // R6
        let mut world = world;
        let daemon = trusting(&mut world).await;
        accounts(&world, &[(ANN, true), (BOB, false)]);
        for person in [ANN, BOB] {
            user(&daemon, person).await;
        }
        google(&world, &[ANN, BOB]).await;
        let fresh = word(&daemon, ANN).await;
        // She does not stay for being the last.
        let root = user(&daemon, "root@example.org").await;
        give(&daemon, &root, "owner").await;
        // It would say no longer, if it could be asked.
        world.org().make_admin(ANN, false);
        let before = head(&world).await;
        let wrong = Fault::WrongType { key: Some("isAdmin".to_owned()) };
        let nobody = Fault::ReplaceKey { key: "primaryEmail".to_owned(), value: json!("nobody") };
        let all = Target::system(System::Google);
        for (target, fault, one, whole) in [
            (users_calls(), Fault::status(500), "http_5xx", "http_5xx"),
            (users_calls(), Fault::Reset, "connect", "connect"),
            (users_calls(), Fault::Truncate, "incomplete", "incomplete"),
            // Groups are read without the right to read accounts: the answer lacks the account.
            (users_calls(), Fault::google_error(403, "forbidden"), "incomplete", "forbidden"),
            (users_calls(), wrong, "incomplete", "malformed"),
            (users_calls(), Fault::OmitKey { key: "isAdmin".to_owned() }, "incomplete", "incomplete"),
            (users_calls(), nobody, "incomplete", "incomplete"),
            (all, Fault::status(500), "http_5xx", "http_5xx"),
        ] {
            for (scope, class) in [(&[ANN, BOB][..], one), (&[ANN], one), (&[], whole)] {
                world.org().fault(target.clone(), fault.clone());
                let ended = google(&world, scope).await;
                world.org().clear_faults();
                assert_eq!(role_of(&daemon, ANN).await, owner(), "{fault:?} {scope:?}: {ended:?}");
                let told = word(&daemon, ANN).await;
                let told = [&told[0]["freshness"], &told[0]["error"], &told[0]["observed_at"]];
                let stale = [&json!("stale"), &json!(class), &fresh[0]["observed_at"]];
                assert_eq!(told, stale, "{fault:?} {scope:?}: {ended:?}");
                assert_eq!((role_of(&daemon, BOB).await, head(&world).await), (NONE, before), "{fault:?} {scope:?}");
            }
            let groups = "/api/v1/admin/groups";
            assert_eq!(as_person(&daemon, Some(ANN), "GET", groups, &Value::Null).await.0, 200, "{fault:?}");
        }
        // One look-up fails, and the other answers.
        world.org().fault(users_calls().user(ANN), Fault::status(500));
        let ended = google(&world, &[ANN, BOB]).await;
        world.org().clear_faults();
        assert_eq!((ended.code, role_of(&daemon, ANN).await, head(&world).await), (3, owner(), before), "{ended:?}");
        world.org().make_admin(ANN, true);
        google(&world, &[ANN]).await;
        let again = word(&daemon, ANN).await;
        assert_eq!((&again[0]["freshness"], &again[0]["error"]), (&json!("fresh"), &Value::Null), "{again}");
        assert_ne!(again[0]["observed_at"], fresh[0]["observed_at"]);
    }

    async fn a_login_whose_look_up_fails_is_an_owner_by_the_stored_answer(world: World) {
        // R6
        let mut world = world;
        let daemon = trusting(&mut world).await;
        accounts(&world, &[(ANN, true)]);
        assert_eq!(daemon.login(&json!({ "email": ANN })).await.0, 200);
        assert_eq!((role_of(&daemon, ANN).await, &word(&daemon, ANN).await[0]["freshness"]), (owner(), &json!("fresh")));
        world.org().make_admin(ANN, false).fault(users_calls(), Fault::status(500));
        assert_eq!(daemon.login(&json!({ "email": ANN })).await.0, 200);
        assert_eq!((role_of(&daemon, ANN).await, &word(&daemon, ANN).await[0]["freshness"]), (owner(), &json!("stale")));
    }

    async fn an_account_that_is_gone_ends_it_and_a_list_without_it_only_when_the_next_agrees(world: World) {
        // R1 R6
        let mut world = world;
        let daemon = trusting(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        accounts(&world, &[("a@example.org", false), (ANN, true), (BOB, true), ("z@example.org", false)]);
        let root = user(&daemon, "root@example.org").await;
        give(&daemon, &root, "owner").await;
        google(&world, &[ANN, BOB]).await;
        // Two of four are listed, and the next list has all again.
        world.org().fault(users_calls().times(1), Fault::ShortList);
        google(&world, &[]).await;
        assert_eq!((role_of(&daemon, ANN).await, role_of(&daemon, BOB).await), (owner(), owner()));
        let told = (word(&daemon, ANN).await, word(&daemon, BOB).await);
        assert_eq!((&told.0[0]["freshness"], &told.1[0]["freshness"]), (&json!("fresh"), &json!("stale")), "{told:?}");
        google(&world, &[]).await;
        assert_eq!(word(&daemon, BOB).await[0]["freshness"], "fresh");
        // One is gone, and two lists say so; the other is asked about.
        world.org().purge_user(BOB);
        google(&world, &[]).await;
        assert_eq!(role_of(&daemon, BOB).await, owner());
        google(&world, &[]).await;
        assert_eq!(role_of(&daemon, BOB).await, NONE);
        world.org().delete_user(ANN);
        google(&world, &[ANN]).await;
        assert_eq!(role_of(&daemon, ANN).await, NONE);
        let of = |user: &str| format!("SELECT count(*) FROM event WHERE event_type = 'administrator.directory_changed' AND stream_id = '{user}'");
        assert_eq!((world.count(&of(&ann)).await, world.count(&of(&bob)).await), (2, 5));
    }

    async fn the_last_owner_by_a_directory_s_word_stays_and_that_is_told_once(world: World) {
        // R3
        let mut world = world;
        let daemon = trusting(&mut world).await;
        accounts(&world, &[(ANN, true), (BOB, true)]);
        let (_, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        google(&world, &[ANN, BOB]).await;
        world.org().make_admin(BOB, false);
        assert_eq!(outcome(&google(&world, &[]).await), (0, json!("applied")));
        world.org().make_admin(ANN, false);
        for scope in [&[ANN][..], &[], &[]] {
            assert_eq!(outcome(&google(&world, scope).await), (0, json!("blocked")));
            assert_eq!((role_of(&daemon, ANN).await, role_of(&daemon, BOB).await), (owner(), NONE));
            assert_eq!(world.count(TOLD).await, 4);
        }
        let (status, problem) = admin(&daemon, "PATCH", &format!("/admin/users/{}", id(&world, ANN).await), json!({"status": "deactivated"})).await;
        assert_eq!((status, &problem["code"]), (409, &json!("last_owner")));
        give(&daemon, &bob, "owner").await;
        assert_eq!(outcome(&google(&world, &[]).await), (0, json!("applied")));
        assert_eq!((role_of(&daemon, ANN).await, role_of(&daemon, BOB).await.0), (NONE, json!("owner")));
        assert_eq!(outcome(&google(&world, &[]).await), (0, json!("unchanged")));
        // And one who is an owner by a directory lets the last other one go.
        world.org().make_admin(ANN, true);
        google(&world, &[ANN]).await;
        assert_eq!(admin(&daemon, "DELETE", &format!("/admin/roles/users/{bob}"), Value::Null).await.0, 204);
    }

    async fn of_the_last_two_owners_one_stays_whoever_is_ended_at_once(world: World) {
        // R3
        let mut world = world;
        let daemon = trusting(&mut world).await;
        for _ in 0..5 {
            accounts(&world, &[(ANN, true), (BOB, true)]);
            google(&world, &[ANN, BOB]).await;
            accounts(&world, &[(ANN, false), (BOB, false)]);
            world.org().clear_requests();
            world.org().fault(users_calls(), Fault::hold("answers"));
            let (ann, bob, ()) = tokio::join!(google(&world, &[ANN]), google(&world, &[BOB]), both_asked(&world));
            let mut outcomes = [outcome(&ann), outcome(&bob)].map(|(_, outcome)| outcome.to_string());
            outcomes.sort();
            assert_eq!(outcomes, ["\"applied\"", "\"blocked\""], "{ann:?} {bob:?}");
            let owners = [role_of(&daemon, ANN).await, role_of(&daemon, BOB).await];
            assert_eq!(owners.iter().filter(|role| **role == owner()).count(), 1, "{owners:?}");
        }
        // One by the directory's word, the other by a role.
        let bob = user(&daemon, BOB).await;
        let path = format!("/admin/roles/users/{bob}");
        for _ in 0..5 {
            accounts(&world, &[(ANN, true), (BOB, false)]);
            google(&world, &[ANN]).await;
            give(&daemon, &bob, "owner").await;
            google(&world, &[BOB]).await;
            accounts(&world, &[(ANN, false)]);
            let (ended, (status, _)) = tokio::join!(google(&world, &[ANN]), admin(&daemon, "DELETE", &path, Value::Null));
            let owners = [role_of(&daemon, ANN).await.0, role_of(&daemon, BOB).await.0];
            assert_eq!(owners.iter().filter(|role| **role == json!("owner")).count(), 1, "{status} {ended:?}");
        }
    }

    async fn what_a_forgotten_source_said_of_owners_is_forgotten_with_it(world: World) {
        // S22
        let mut world = world;
        let daemon = trusting(&mut world).await;
        accounts(&world, &[(ANN, true)]);
        let bob = user(&daemon, BOB).await;
        give(&daemon, &bob, "owner").await;
        user(&daemon, ANN).await;
        google(&world, &[ANN]).await;
        world.without_source("google_sync");
        let shown = world.run(&["source", "forget", "google_sync", "--output", "json"]).await;
        let hash = shown.json()["plan_hash"].as_str().expect("a hash").to_owned();
        let forgotten = world.run(&["source", "forget", "google_sync", "--approve", &hash, "--reason", "switched off"]).await;
        assert_eq!((forgotten.code, role_of(&daemon, ANN).await), (0, NONE), "{forgotten:?}");
        assert_eq!(world.count("SELECT count(*) FROM directory_look_up").await, 0);
    }
}
