//! Several processes at once: the newest observation wins, and a whole source is read by one at a time.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, google, groups_of, know_member, registry, source, texts};
use crate::support::{Ended, PATIENCE, SIRET, World};
use entitled::clock::Clock;
use entitled::reconcile::{Asked, Reconciler, Run, Scope};
use entitled::source::{Person, Silent};
use entitled_model::{Outcome, RunId, Trigger};
use entitled_simulator::{Fault, System, Target};
use serde_json::json;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

const A: &str = "grp_acme_a@example.com";
const B: &str = "grp_acme_b@example.com";
const ANN: &str = "ann@example.org";
/// How long is watched for something that must not happen.
const WATCHED: Duration = Duration::from_millis(700);

fn patient(world: World) -> World {
    let mut world = world;
    world.configure("timeout = \"2s\"", "timeout = \"60s\"");
    world
}

fn start(world: &World, arguments: &[&str]) -> Child {
    let mut command = world.command(&[&["sync", "--output", "json"], arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

async fn end(running: Child) -> Ended {
    let output = tokio::time::timeout(PATIENCE, running.wait_with_output()).await.expect("it ends").expect("it ends");
    Ended::from(output)
}

/// Starts a sync of the directory whose second question, about group A, is held: the first one has been answered.
async fn hold_after_first_answer(world: &World, scope: &[&str]) -> Child {
    world.org().clear_requests().fault(Target::system(System::Google).group(A).times(1), Fault::hold("held"));
    let running = start(world, &[&["--source", "google_sync"], scope].concat());
    arrived(world, System::Google, 2).await;
    running
}

async fn arrived(world: &World, system: System, count: u64) {
    world.org().wait_for_requests(system, count, PATIENCE).await.expect("asked");
}

on_both_stores! {
    async fn of_two_refreshes_of_one_user_the_one_that_began_last_wins(world: World) {
        // S10
        let world = patient(world);
        world.org().add_member(A, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        let first = hold_after_first_answer(&world, &["--user", ANN]).await;
        world.org().add_member(B, ANN).remove_member(A, ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert!(world.org().release("held"));
        let first = end(first).await;
        assert_eq!(first.code, 0, "{first:?}");
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [B]);
        expect(&google(&world, &["--user", ANN]).await, 0, "unchanged");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn eight_refreshes_of_one_user_at_once_end_well_and_write_once(world: World) {
        // S10
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(A, ANN).add_member(B, ANN);
        let running: Vec<Child> = (0..8).map(|_| start(&world, &["--user", ANN])).collect();
        for running in running {
            let ended = end(running).await;
            assert_eq!(ended.code, 0, "{ended:?}");
        }
        let open =
            texts(&world, "SELECT g.name FROM membership m JOIN user_group g ON g.id = m.group_id ORDER BY 1").await;
        assert_eq!(open, [A, B, "maildomain:commune-a.fr:admin"], "each once, and none ended");
        assert_eq!(world.count("SELECT count(*) FROM event WHERE event_type = 'membership.changed'").await, 3);
        assert_eq!(world.count("SELECT count(*) FROM event WHERE event_type = 'entitlement.changed'").await, 1);
        assert_eq!(world.count("SELECT count(*) FROM run").await, 16);
        expect(&world.sync(&["--user", ANN]).await, 0, "unchanged");
    }

    async fn eight_first_meetings_with_one_person_make_one_user(world: World) {
        // S10, S19
        world.org().add_member(A, ANN);
        let running: Vec<Child> = (0..8).map(|_| start(&world, &["--source", "google_sync", "--user", ANN])).collect();
        for running in running {
            let ended = end(running).await;
            assert_eq!(ended.code, 0, "{ended:?}");
        }
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
        assert_eq!(world.count("SELECT count(*) FROM membership").await, 1);
        assert_eq!(world.count("SELECT count(*) FROM observation").await, 1);
        expect(&google(&world, &["--user", ANN]).await, 0, "unchanged");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_full_read_that_began_earlier_does_not_undo_a_refresh(world: World) {
        // S11
        let mut world = patient(world);
        world.configure("prefix = \"grp_acme_\"", "prefix = \"grp_acme_\"\nconcurrency = 1");
        world.org().add_member(A, ANN).add_member(A, "bob@example.org").add_member(B, "cid@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().add_member(B, "dan@example.org").clear_requests();
        world
            .org()
            .fault(Target::system(System::Google).path_contains("/members").group(B).times(1), Fault::hold("full"));
        let full = start(&world, &["--source", "google_sync"]);
        arrived(&world, System::Google, 4).await;
        world.org().remove_member(A, ANN).remove_member(A, "bob@example.org").add_member("grp_acme_c@example.com", ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert!(world.org().release("full"));
        let full = end(full).await;
        expect(&full, 0, "applied");
        assert_eq!(
            groups_of(&world, ANN, "google_sync").await,
            ["grp_acme_c@example.com"],
            "what the refresh established"
        );
        assert_eq!(groups_of(&world, "bob@example.org", "google_sync").await, [A], "what the full read saw");
        assert_eq!(groups_of(&world, "dan@example.org", "google_sync").await, [B]);
        expect(&google(&world, &[]).await, 0, "applied");
        assert_eq!(groups_of(&world, "bob@example.org", "google_sync").await, [""; 0]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_refresh_that_began_before_a_full_read_changes_nothing_after_it(world: World) {
        // S11
        let world = patient(world);
        world.org().add_member(A, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        let one = hold_after_first_answer(&world, &["--user", ANN]).await;
        world.org().remove_member(A, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        assert!(world.org().release("held"));
        assert_eq!(end(one).await.code, 0);
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [""; 0]);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn an_observation_overtaken_while_it_waits_to_write_changes_nothing(world: World) {
        // S10
        world.org().add_member(A, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        let (store, clock) = (world.store().await, Clock::system());
        let sources = registry(&world, &clock);
        let google_sync = sources.get(&source("google_sync")).expect("configured");
        let ann = store.user_by_any_name(store.reader(), ANN).await.expect("an answer").expect("known");
        let user = ann.id;
        world.org().remove_member(A, ANN);
        let mut unit = store.begin().await.expect("a unit");
        let run = Run {
            run_id: RunId(clock.new_id()),
            source: google_sync,
            scope: Scope::Users(vec![Asked { person: Person::from(ann), newcomer: false }]),
            trigger: Trigger::Manual,
            correlation_id: None,
            approve: None,
            lease: None,
            progress: &Silent,
            stop: CancellationToken::new(),
        };
        let reconciler = Reconciler::new(store.clone(), Arc::default(), Arc::default());
        let mut waiting = Box::pin(reconciler.run(&run));
        let early = tokio::time::timeout(WATCHED, &mut waiting).await;
        assert!(early.is_err(), "it waits for the head of the log: {early:?}");
        let now = clock.now();
        unit.mark_observed(&source("google_sync"), RunId(clock.new_id()), &[(Some(user), now, now, None)])
            .await
            .expect("marked");
        unit.commit().await.expect("committed");
        let ended = tokio::time::timeout(PATIENCE, waiting).await.expect("it ends").expect("no error");
        assert_eq!((ended.outcome, ended.removed_count), (Outcome::Unchanged, 0));
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [A]);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
    }

    async fn a_source_is_never_read_by_two_at_once(world: World) {
        // S16
        let world = patient(world);
        world.org().add_member(A, ANN).add_member(B, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().clear_requests().fault(Target::system(System::Google).times(1), Fault::hold("whole"));
        let first = start(&world, &["--source", "google_sync"]);
        arrived(&world, System::Google, 1).await;
        let second = start(&world, &["--source", "google_sync"]);
        let asked = world.org().wait_for_requests(System::Google, 2, WATCHED).await;
        assert!(asked.is_err(), "the second one asked while the first was reading");
        assert!(world.org().release("whole"));
        let (first, second) = (end(first).await, end(second).await);
        assert_eq!((first.code, second.code), (0, 0), "{first:?} {second:?}");
        let asked: Vec<String> = world.org().requests(System::Google).into_iter().map(|request| request.path).collect();
        let lists: Vec<usize> =
            asked.iter().enumerate().filter(|(_, path)| path.ends_with("/groups")).map(|(at, _)| at).collect();
        assert_eq!(lists, [0, asked.len() / 2], "one after the other: {asked:?}");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_refresh_of_one_user_does_not_wait_for_a_whole_read(world: World) {
        // S16, S11
        let world = patient(world);
        world.org().add_member(A, ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        world.org().clear_requests().fault(Target::system(System::Google).times(1), Fault::hold("whole"));
        let whole = start(&world, &["--source", "google_sync"]);
        arrived(&world, System::Google, 1).await;
        world.org().add_member(B, ANN);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert!(world.org().release("whole"));
        assert_eq!(end(whole).await.code, 0);
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [A, B]);
    }

    async fn what_a_held_run_lets_through_is_not_undone_by_an_older_answer(world: World) {
        // S11
        let mut world = patient(world);
        world.configure("retry = { attempts = 1 }", "retry = { attempts = 1 }\non_hold = \"apply_additions\"\nguard = { max_removals = 0 }");
        for user in [ANN, "bob@example.org"] {
            know_member(&world, user).await;
        }
        world.org().set_domains("bob@example.org", SIRET, ["commune-a.fr"]);
        world.org().set_entitlement(ANN, "max_storage", json!(1));
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        world.org().clear_requests().fault(Target::system(System::Deploycenter).user(ANN).times(1), Fault::hold("old"));
        world.org().fault(Target::system(System::Deploycenter).user(ANN).times(1), Fault::replace_key("max_storage", json!(1)));
        let old = start(&world, &["--source", "deploycenter", "--user", ANN]);
        arrived(&world, System::Deploycenter, 1).await;
        world.org().set_domains("bob@example.org", SIRET, [""; 0]);
        world.org().set_entitlement(ANN, "max_storage", json!(2));
        expect(&deploycenter(&world, &[]).await, 4, "held");
        let of_ann = "SELECT count(*) FROM entitlement WHERE key = 'max_storage' AND CAST(value AS text) = '2'";
        assert_eq!(world.count(of_ann).await, 1, "it was let through");
        assert!(world.org().release("old"));
        assert_eq!(end(old).await.code, 0);
        assert_eq!(world.count(of_ann).await, 1, "the newest observation wins");
    }

    async fn a_refresh_that_is_under_way_brings_nothing_of_an_erased_user_back(world: World) {
        // Rule 9
        let world = patient(world);
        world.org().add_member(A, ANN).add_alias(ANN, "a.nn@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        let id = world.user(ANN).await["id"].as_str().expect("an id").to_owned();
        world.org().add_member(B, ANN);
        let refresh = hold_after_first_answer(&world, &["--user", ANN]).await;
        let erased = world.run(&["user", "erase", &id, "--reason", "they asked"]).await;
        assert_eq!(erased.code, 0, "{erased:?}");
        assert!(world.org().release("held"));
        assert_eq!(end(refresh).await.code, 0);
        let after = world.user(&id).await;
        assert_eq!((&after["email"], &after["status"]), (&serde_json::Value::Null, &serde_json::json!("deactivated")));
        assert_eq!(groups_of(&world, &id, "google_sync").await, [A], "nothing is given to them any more");
        for table in ["directory_account", "directory_address"] {
            assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        expect(&google(&world, &[]).await, 0, "applied");
        assert_ne!(world.user(ANN).await["id"], serde_json::json!(id), "whoever is listed comes as somebody else");
        assert_eq!(groups_of(&world, &id, "google_sync").await, [""; 0]);
    }
}
