//! Why: each kind of support, and each kind of lack, named with what stands behind it.

use entitled_model::event::{Cause, Event};
use entitled_model::{GroupId, Position, SourceName, UserId};
use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, group, head, serve};
use crate::on_both_stores;
use crate::support::{Daemon, SIRET, World};

const STAFF: &str = "grp_acme_staff@example.com";
const OTHERS: &str = "grp_acme_others@example.com";
const DOMAIN: &str = "maildomain:commune-a.fr:admin";

pub async fn why(world: &World, user: &str, group: &str) -> Value {
    let ended = world.run(&["why", user, group, "--output", "json"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()
}

/// The reasons why an access is missing.
fn reasons(answer: &Value) -> Vec<&str> {
    answer["lacking"].as_array().expect("a list").iter().map(|lack| lack["reason"].as_str().expect("a word")).collect()
}

fn lack<'a>(answer: &'a Value, reason: &str) -> &'a Value {
    let lacking = answer["lacking"].as_array().expect("a list");
    lacking.iter().find(|lack| lack["reason"] == reason).unwrap_or_else(|| panic!("no {reason}: {answer}"))
}

/// The only support.
pub fn support(answer: &Value) -> &Value {
    let supports = answer["supports"].as_array().expect("a list");
    assert_eq!((supports.len(), &answer["member"], reasons(answer).len()), (1, &json!(true), 0), "{answer}");
    &supports[0]
}

async fn sync(world: &World, source: &str, code: i32) -> Value {
    let ended = world.sync(&["--source", source]).await;
    assert_eq!(ended.code, code, "{ended:?}");
    ended.json()
}

async fn login(daemon: &Daemon, email: &str, claims: Value) -> UserId {
    let (status, answer) = daemon.login(&json!({"email": email, "claims": claims})).await;
    assert_eq!(status, 200, "{answer}");
    UserId(answer["user"]["id"].as_str().and_then(|id| id.parse().ok()).expect("an id"))
}

/// A membership that a reserved writer made.
async fn by(world: &World, source: &str, user: UserId) {
    let store = world.store().await;
    let mut unit = store.begin().await.expect("a unit");
    let (source, at) = (SourceName::stored(source.to_owned()), unit.at());
    let cause = Cause { actor: "system".to_owned(), source: Some(source.clone()), ..Cause::default() };
    let added = Event::memberships_changed(GroupId::EVERYONE, &source, vec![user], Vec::new());
    unit.record(&cause, at, vec![added]).await.expect("recorded");
    unit.commit().await.expect("committed");
    store.close().await.expect("closed");
}

/// The event at a position, with what the log says of it.
async fn event_at(world: &World, position: i64) -> (String, Option<String>) {
    let store = world.store().await;
    let event = store.events_after(Position(position - 1)).await.expect("a log").remove(0).recorded;
    store.close().await.expect("closed");
    assert_eq!(event.position, Position(position));
    (event.cause.actor, event.cause.run_id.map(|run| run.to_string()))
}

on_both_stores! {
    async fn each_support_names_its_source_rule_path_run_event_and_times(world: World) {
        // E5
        let mut world = world;
        world.org().add_member(STAFF, ANN).add_member("grp_acme_admin@example.com", ANN);
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let daemon = serve(&mut world).await;
        let ann = login(&daemon, ANN, json!({"siret": SIRET})).await;
        let run = sync(&world, "google_sync", 0).await["run_id"].clone();

        // A directory's group, found at the login.
        let answer = why(&world, ANN, STAFF).await;
        let found = support(&answer);
        assert_eq!((&found["source"], &found["rule"]), (&json!("google_sync"), &json!("directory_group")));
        assert_eq!(found["path"], json!([STAFF]), "a direct member");
        assert_eq!(found["event"]["trigger"], "login");
        let position = found["event"]["position"].as_i64().expect("a position");
        let (actor, of_run) = event_at(&world, position).await;
        assert_eq!((json!(actor), json!(of_run)), (found["event"]["actor"].clone(), found["event"]["run_id"].clone()));
        let times = ["observed_at", "recorded_at"].map(|time| found["event"][time].as_str().expect("a time"));
        assert!(times.is_sorted() && times[1] <= found["confirmed_at"].as_str().expect("a time"), "{found}");
        assert_ne!(found["event"]["run_id"], run, "the later read has changed nothing");
        assert_eq!((&answer["effective"], &answer["user"]["email"]), (&json!(true), &json!(ANN)));

        // The directory's group that becomes Admin.
        let answer = why(&world, &ann.to_string(), "Admin").await;
        assert!(support(&answer)["says"].as_str().is_some_and(|says| says.contains("grp_acme_admin@")), "{answer}");

        // A mapped entitlement.
        let answer = why(&world, ANN, DOMAIN).await;
        let found = support(&answer);
        assert_eq!((&found["source"], &found["rule"]), (&json!("deploycenter"), &json!("mapped_entitlement")));
        assert!(found["says"].as_str().is_some_and(|says| says.contains("can_admin_maildomains")), "{found}");
        assert_eq!(found["path"], json!([DOMAIN]));
        assert_eq!(answer["group"]["resource_id"], "commune-a.fr");

        // By hand, and by the writers that the deployment has.
        let editors = group(&daemon, "Editors").await;
        let body = json!({"user_id": ann.to_string()});
        assert_eq!(admin(&daemon, "POST", &format!("{editors}/members"), body).await.0, 201);
        let answer = why(&world, ANN, "Editors").await;
        let found = support(&answer);
        assert_eq!((&found["rule"], &found["event"]["actor"]), (&json!("by_hand"), &json!("key:office")));
        assert_eq!(found["event"]["run_id"], Value::Null);
        by(&world, "system_seed", ann).await;
        by(&world, "break_glass", ann).await;
        let answer = why(&world, ANN, "Everyone").await;
        let rules: Vec<&Value> = answer["supports"].as_array().expect("two").iter().map(|one| &one["rule"]).collect();
        assert_eq!(rules, ["break_glass", "system_seed"]);

        // Over HTTP it is the same document, for whoever may look.
        let path = format!("/why?user={ann}&group=Everyone");
        assert_eq!(ask(&daemon, "GET", &path, Some("read-key"), None).await, (200, answer));
        let table = world.run(&["why", ANN, DOMAIN]).await.stdout;
        assert!(table.contains("by deploycenter: can_admin_maildomains lists commune-a.fr"), "{table}");

        // A source that is configured no more; and one that reads direct members alone.
        world.configure("prefix =", "nested = \"direct\"\nprefix =");
        assert_eq!(support(&why(&world, ANN, STAFF).await)["path"], json!([STAFF]));
        assert_eq!(support(&why(&world, ANN, "Admin").await)["path"], json!(["Admin", "grp_acme_admin@example.com"]));
        world.configure("[sources.google_sync]", "[sources.other_sync]");
        assert_eq!(support(&why(&world, ANN, STAFF).await)["rule"], "orphaned");
    }

    async fn whoever_was_removed_is_told_when_by_which_event_and_by_whom(world: World) {
        // E5
        let mut world = world;
        world.org().add_member(STAFF, ANN).add_member(STAFF, BOB).add_member(OTHERS, BOB);
        sync(&world, "google_sync", 0).await;
        assert_eq!(reasons(&why(&world, ANN, OTHERS).await), ["never_member", "not_listed"]);
        world.org().remove_member(STAFF, ANN);
        let run = sync(&world, "google_sync", 0).await["run_id"].clone();
        let position = head(&world).await;
        let answer = why(&world, ANN, STAFF).await;
        assert_eq!((reasons(&answer), &answer["member"]), (vec!["removed", "not_listed"], &json!(false)));
        let removed = lack(&answer, "removed");
        let event = &removed["event"];
        assert_eq!((&event["position"], &event["run_id"]), (&json!(position), &run), "{removed}");
        assert_eq!((&event["actor"], &event["trigger"]), (&json!("source:google_sync"), &json!("manual")));
        assert_eq!((&removed["since"], &removed["source"]), (&event["recorded_at"], &json!("google_sync")));

        let daemon = serve(&mut world).await;
        let (editors, ann) = (group(&daemon, "Editors").await, login(&daemon, ANN, json!({})).await.to_string());
        let member = format!("{editors}/members/{ann}");
        assert_eq!(admin(&daemon, "POST", &format!("{editors}/members"), json!({"user_id": ann})).await.0, 201);
        assert_eq!(admin(&daemon, "DELETE", &member, Value::Null).await.0, 204);
        let answer = why(&world, ANN, "Editors").await;
        assert_eq!(reasons(&answer), ["removed"]);
        assert_eq!(lack(&answer, "removed")["event"]["actor"], "key:office");
        assert_eq!(reasons(&why(&world, BOB, "Editors").await), ["never_member"]);

        // A group that is gone is found by its name and by its id.
        assert_eq!(admin(&daemon, "DELETE", &editors, Value::Null).await.0, 204);
        for name in ["Editors", editors.rsplit('/').next().expect("an id")] {
            let answer = why(&world, ANN, name).await;
            assert_eq!(reasons(&answer), ["group_deleted", "removed"]);
            assert_eq!(lack(&answer, "group_deleted")["event"]["position"], head(&world).await);
        }
        let again = group(&daemon, "Editors").await;
        assert_eq!(reasons(&why(&world, ANN, "Editors").await), ["never_member"], "another group has the name: {again}");
    }

    async fn a_removal_that_waits_is_said_with_its_date(world: World) {
        // E5
        let mut world = world;
        world.configure("prefix =", "removal = { grace = \"72h\" }\nprefix =");
        world.org().add_member(STAFF, ANN).add_member(STAFF, BOB);
        sync(&world, "google_sync", 0).await;
        assert_eq!(support(&why(&world, ANN, STAFF).await)["removal_due_at"], Value::Null);
        world.org().remove_member(STAFF, ANN);
        sync(&world, "google_sync", 0).await;
        assert!(support(&why(&world, ANN, STAFF).await)["removal_due_at"].is_string());
        assert_eq!(support(&why(&world, BOB, STAFF).await)["removal_due_at"], Value::Null);
        assert!(world.run(&["why", ANN, STAFF]).await.stdout.contains("removal due"));
    }

    async fn what_an_entitlement_lacks_to_become_a_membership_is_said(world: World) {
        // E5, D6, D12
        let mut world = world;
        world.environment.push(("PROVISIONING_KEY".to_owned(), "provisioning-key".to_owned()));
        world.configure_also(
            "\n[[http.keys]]\nname = \"dc\"\nsecret = { env = \"PROVISIONING_KEY\" }\nscopes = [\"provision:maildomain\"]\n",
        );
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let daemon = serve(&mut world).await;
        login(&daemon, ANN, json!({"siret": SIRET})).await;
        login(&daemon, BOB, json!({})).await;
        let answer = why(&world, ANN, DOMAIN).await;
        assert_eq!(reasons(&answer), ["never_member", "not_provisioned"], "{answer}");
        assert_eq!(answer["group"]["id"], Value::Null, "nobody has been in it yet");
        assert_eq!(reasons(&why(&world, ANN, "maildomain:ville-b.fr:admin").await), ["never_member", "not_entitled"]);
        assert_eq!(reasons(&why(&world, BOB, DOMAIN).await), ["never_member", "missing_claim", "never_observed"]);

        let url = format!("{}/api/v1/provisioning/maildomains", daemon.base);
        let request = reqwest::Client::new().post(url).bearer_auth("provisioning-key");
        let sent = request.body(json!({"domains": "commune-a.fr"}).to_string()).send().await.expect("an answer");
        assert_eq!(sent.status(), 200);
        let answer = why(&world, ANN, DOMAIN).await;
        let found = support(&answer);
        assert_eq!((&found["rule"], &found["event"]["actor"]), (&json!("mapped_entitlement"), &json!("key:dc")));
        assert_eq!(found["event"]["run_id"], Value::Null, "it was provisioned, and no run was needed");
        assert_eq!(reasons(&why(&world, BOB, DOMAIN).await), ["never_member", "missing_claim", "never_observed"]);
    }

    async fn a_source_that_is_out_a_plan_that_is_held_and_a_suspended_account_are_said(world: World) {
        // E5, G5
        let mut world = world;
        for number in 0..30 {
            world.org().add_member(STAFF, &format!("m{number:02}@example.org"));
        }
        world.org().add_user("ann@example.com");
        world.org().add_member(OTHERS, "ann@example.com").add_member(OTHERS, BOB);
        sync(&world, "google_sync", 0).await;

        // Ten leave and one comes: more than the guard lets go.
        for number in 0..10 {
            world.org().remove_member(STAFF, &format!("m{number:02}@example.org"));
        }
        world.org().add_member(STAFF, BOB);
        let held = sync(&world, "google_sync", 4).await;
        let hash = held["sources"][0]["plan_hash"].clone();
        let answer = why(&world, "m00@example.org", STAFF).await;
        assert_eq!(answer["held"][0]["would"], "remove", "{answer}");
        assert_eq!((&answer["held"][0]["plan"], &answer["effective"]), (&hash, &json!(true)));
        let answer = why(&world, BOB, STAFF).await;
        assert_eq!((reasons(&answer)[0], &answer["held"][0]["would"]), ("never_member", &json!("add")));
        assert_eq!(why(&world, "m20@example.org", STAFF).await["held"], json!([]));
        world.configure("retry = { attempts = 1 }", "retry = { attempts = 1 }\nguard = { max_removals = 100, max_removal_ratio = 1.0 }");
        sync(&world, "google_sync", 0).await;

        world.org().fault(Target::system(System::Google), Fault::status(500));
        let last = world.run(&["why", BOB, STAFF]).await.stdout;
        assert!(last.contains("last heard"), "{last}");
        sync(&world, "google_sync", 3).await;
        let answer = why(&world, "m00@example.org", STAFF).await;
        assert_eq!(reasons(&answer), ["removed", "source_unavailable", "not_listed"]);
        let unavailable = lack(&answer, "source_unavailable");
        assert!(unavailable["says"].as_str().is_some_and(|says| says.contains("http_5xx")), "{unavailable}");
        assert!(unavailable["since"].is_string(), "{unavailable}");

        world.org().clear_faults();
        world.org().suspend_user("ann@example.com");
        sync(&world, "google_sync", 0).await;
        let answer = why(&world, "ann@example.com", OTHERS).await;
        assert_eq!(reasons(&answer), ["suspended"]);
        assert_eq!((&answer["member"], &answer["effective"]), (&json!(true), &json!(false)));
        assert_eq!((&answer["user"]["status"], &lack(&answer, "suspended")["source"]), (&json!("suspended"), &json!("google_sync")));
        assert_eq!(answer["supports"].as_array().map(Vec::len), Some(1), "the row stays");
    }
}
