//! Runs about users that change nothing are recorded together, on the state that they found.

use std::sync::Arc;
use std::time::Duration;

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, groups_of, know_member, registry, source};
use crate::support::{PATIENCE, SIRET, World};
use entitled::clock::Clock;
use entitled::reconcile::{Asked, Reconciler, Run, Scope, SourceRun};
use entitled::source::{Person, Registry, Silent};
use entitled::store::Store;
use entitled_model::event::{Cause, Event};
use entitled_model::{Outcome, RunId, Trigger};
use tokio_util::sync::CancellationToken;

const ANN: &str = "ann@example.org";
const DOMAIN: &str = "maildomain:commune-a.fr:admin";
/// How many statements a unit of work takes that records runs: the head, the marks, the runs.
const UNIT_STATEMENTS: u64 = 3;
const RUNS: u64 = 10;

/// DeployCenter is asked about one user.
async fn refresh(store: Store, sources: Arc<Registry>, email: String) -> SourceRun {
    let user = store.user_by_any_name(store.reader(), &email).await.expect("an answer").expect("known");
    let run = Run {
        run_id: RunId(store.clock().new_id()),
        source: sources.get(&source("deploycenter")).expect("configured"),
        scope: Scope::Users(vec![Asked { person: Person::from(user), newcomer: false }]),
        trigger: Trigger::Login,
        correlation_id: None,
        approve: None,
        lease: None,
        progress: &Silent,
        stop: CancellationToken::new(),
    };
    Reconciler::new(store.clone(), Arc::default(), Arc::default()).run(&run).await.expect("no error")
}

/// Waits until the store has been sent so many statements.
async fn sent(store: &Store, statements: u64) {
    let sending = async {
        while store.statements() < statements {
            store.clock().sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, sending).await.expect("sent");
}

/// Everybody is a member, and DeployCenter has said so.
async fn settled(world: &World) -> (Store, Arc<Registry>) {
    for person in 0..RUNS {
        let email = format!("person-{person}@example.org");
        know_member(world, &email).await;
        world.org().set_domains(&email, SIRET, ["commune-a.fr"]);
    }
    know_member(world, ANN).await;
    world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
    expect(&deploycenter(world, &[]).await, 0, "applied");
    let store = world.store().await;
    (store, Arc::new(registry(world, &Clock::system())))
}

on_both_stores! {
    async fn runs_that_end_at_the_same_time_share_a_unit_of_work(world: World) {
        // D1, S3
        let (store, sources) = settled(&world).await;
        let before = store.statements();
        let alone = refresh(store.clone(), sources.clone(), ANN.to_owned()).await;
        assert_eq!(alone.outcome, Outcome::Unchanged);
        let reading = store.statements() - before - UNIT_STATEMENTS;
        let unit = store.begin().await.expect("a unit");
        let before = store.statements();
        let refreshing = (0..RUNS).map(|person| {
            tokio::spawn(refresh(store.clone(), sources.clone(), format!("person-{person}@example.org")))
        });
        let refreshing: Vec<_> = refreshing.collect();
        // All have found nothing to change, and wait for the head.
        sent(&store, before + RUNS * reading).await;
        drop(unit);
        for refreshing in refreshing {
            assert_eq!(refreshing.await.expect("no panic").outcome, Outcome::Unchanged);
        }
        let units = (store.statements() - before - RUNS * reading) / UNIT_STATEMENTS;
        assert!((1..=3).contains(&units), "{units} units of work");
        let runs = "SELECT count(*) FROM run WHERE trigger = 'login' AND outcome = 'unchanged'";
        assert_eq!(world.count(runs).await, 11, "each has its record");
        let marked = "SELECT count(*) FROM observation o JOIN run r ON r.run_id = o.run_id WHERE r.trigger = 'login'";
        assert_eq!(world.count(marked).await, 11, "and each user their mark");
        store.close().await.expect("closed");
    }

    async fn a_run_that_found_nothing_to_change_looks_again_when_that_is_no_longer_so(world: World) {
        // S10, S11
        let (store, sources) = settled(&world).await;
        let ann = store.user_by_any_name(store.reader(), ANN).await.expect("an answer").expect("known");
        let group = store.group_ids(store.reader(), &[DOMAIN]).await.expect("groups")[DOMAIN];
        let before = store.statements();
        assert_eq!(refresh(store.clone(), sources.clone(), ANN.to_owned()).await.outcome, Outcome::Unchanged);
        let reading = store.statements() - before - UNIT_STATEMENTS;
        // An older answer, by which she lost it, is being written.
        let mut unit = store.begin().await.expect("a unit");
        let removed = Event::memberships_changed(group, &source("deploycenter"), Vec::new(), vec![ann.id]);
        let cause = Cause { actor: "source:deploycenter".to_owned(), source: Some(source("deploycenter")), ..Cause::default() };
        let at = unit.at();
        unit.record(&cause, at, [removed]).await.expect("recorded");
        let before = store.statements();
        let waiting = tokio::spawn(refresh(store.clone(), sources.clone(), ANN.to_owned()));
        sent(&store, before + reading).await;
        unit.commit().await.expect("committed");
        let ended = waiting.await.expect("no panic");
        assert_eq!((ended.outcome, ended.created_count), (Outcome::Applied, 1));
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, [DOMAIN]);
        store.close().await.expect("closed");
    }
}
