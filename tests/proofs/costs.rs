//! What is asked of the store and of the sources, counted: seconds wobble, counts do not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use entitled::login::{Freshness, Login, Logins};
use entitled::reconcile::SourceRun;
use entitled::runner::{Order, Runner};
use entitled_model::{EmailAddress, Outcome, Trigger};
use entitled_simulator::System;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::on_both_stores;
use crate::parts;
use crate::support::{SIRET, World};

const ANN: &str = "ann@commune-a.fr";
/// A login that DeployCenter is asked about, and that changes nothing.
const LOGIN_STATEMENTS: u64 = 15;
/// A full read of a directory that changes nothing.
const UNCHANGED_STATEMENTS: u64 = 27;
/// A full read of a directory by which memberships end.
const REMOVING_STATEMENTS: u64 = 31;
/// What the directory sends for each membership, its share of the groups' and people's lists included.
const ENTRY_BYTES_MAX: u64 = 300;

/// How many statements Ann's login takes; every source is asked.
async fn login(runner: &Runner) -> u64 {
    let tasks = TaskTracker::new();
    let logins = Logins::new(runner.clone(), Duration::from_mins(1), false, tasks.clone(), CancellationToken::new());
    let login = Login {
        email: Some(EmailAddress::parse(ANN).expect("an address")),
        claims: BTreeMap::from([("siret".to_owned(), json!(SIRET))]),
        actor: "key:login-hook".to_owned(),
        ..Login::default()
    };
    let before = runner.store.statements();
    let answer = Arc::new(logins).answer(login).await.expect("an answer");
    tasks.close();
    tasks.wait().await;
    assert!(answer.sources.iter().all(|part| part.freshness == Freshness::Fresh));
    runner.store.statements() - before
}

/// A full read of the directory: what it came to, and its costs.
struct Read {
    ended: SourceRun,
    statements: u64,
    calls: u64,
    bytes: u64,
}

async fn read(world: &World, runner: &Runner) -> Read {
    let source = runner.registry.iter().find(|source| source.name.as_str() == "google_sync").expect("a directory");
    let order = Order::new(runner.store.clock(), Trigger::Schedule, CancellationToken::new());
    world.org().clear_requests();
    let before = runner.store.statements();
    let ended = runner.whole(source, &order).await.expect("a run").expect("nobody else is at it");
    Read {
        ended,
        statements: runner.store.statements() - before,
        calls: world.org().count(System::Google),
        bytes: world.org().bytes_answered(System::Google),
    }
}

/// Groups `from..to`, with `members` people each.
fn add_groups(world: &World, groups: std::ops::Range<usize>, members: usize) {
    for group in groups {
        for member in 0..members {
            world.org().add_member(&format!("grp_acme_{group}@example.com"), &format!("person-{member}@example.org"));
        }
    }
}

on_both_stores! {
    async fn a_login_takes_as_many_statements_however_much_is_stored(world: World) {
        // D1
        let mut world = world;
        world.configure(r#"cache_ttl = "5m""#, r#"cache_ttl = "0s""#);
        add_groups(&world, 0..3, 3);
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let store = world.store().await;
        let all = parts::runner(&world, &store).await;
        read(&world, &all).await;
        world.without_source("google_sync");
        let runner = parts::runner(&world, &store).await;
        login(&runner).await;
        let few = login(&runner).await;
        add_groups(&world, 3..40, 50);
        read(&world, &all).await;
        assert_eq!((few, login(&runner).await), (LOGIN_STATEMENTS, LOGIN_STATEMENTS));
        store.close().await.expect("closed");
    }

    async fn a_full_read_takes_as_many_statements_however_much_is_stored(world: World) {
        // S3
        add_groups(&world, 0..3, 3);
        let store = world.store().await;
        let runner = parts::runner(&world, &store).await;
        let first = read(&world, &runner).await;
        assert_eq!(first.ended.outcome, Outcome::Applied);
        let few = read(&world, &runner).await;
        assert_eq!((few.ended.outcome, few.calls), (Outcome::Unchanged, 5), "two lists, and one of each group");
        assert_eq!(few.bytes, first.bytes);
        add_groups(&world, 3..40, 50);
        let Read { ended, .. } = read(&world, &runner).await;
        assert_eq!((ended.outcome, ended.created_count), (Outcome::Applied, 37 * 50));
        let many = read(&world, &runner).await;
        assert_eq!((many.ended.outcome, many.calls), (Outcome::Unchanged, 42));
        assert_eq!((few.statements, many.statements), (UNCHANGED_STATEMENTS, UNCHANGED_STATEMENTS));
        let entry = (many.bytes - few.bytes) / (37 * 50);
        assert!(entry < ENTRY_BYTES_MAX, "{entry} bytes for each membership: is something read twice?");
        for group in 0..40 {
            world.org().remove_member(&format!("grp_acme_{group}@example.com"), "person-0@example.org");
        }
        let Read { ended, statements: forty, .. } = read(&world, &runner).await;
        assert_eq!((ended.outcome, ended.removed_count), (Outcome::Applied, 40));
        world.org().remove_member("grp_acme_0@example.com", "person-1@example.org");
        let Read { ended, statements: one, .. } = read(&world, &runner).await;
        assert_eq!((ended.outcome, ended.removed_count), (Outcome::Applied, 1));
        assert_eq!((forty, one), (REMOVING_STATEMENTS, REMOVING_STATEMENTS), "a changed group costs rows, not statements");
        store.close().await.expect("closed");
    }
}
