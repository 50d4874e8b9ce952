//! A clock that moves backwards confuses nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::on_both_stores;
use crate::stage::{groups_of, know_member, registry, source, texts};
use crate::support::{SIRET, World};
use entitled::clock::Clock;
use entitled::reconcile::{Reconciler, Run, Scope, SourceRun};
use entitled::source::Silent;
use entitled::store::{Access, Store};
use entitled_model::{Instant, Outcome, RunId, Trigger};
use tokio_util::sync::CancellationToken;

const ANN: &str = "ann@commune-a.fr";

/// A whole run of the backend, in this process, at a time of its own.
async fn run_at(world: &World, now: Instant) -> SourceRun {
    let (clock, _hands) = Clock::manual(now);
    let open = Store::open(world.database.url(), 5, Duration::from_secs(10), Access::ReadWrite, clock.clone());
    let store = open.await.expect("a store");
    let sources = registry(world, &clock);
    let run = Run {
        run_id: RunId(Clock::system().new_id()),
        source: sources.get(&source("deploycenter")).expect("configured"),
        scope: Scope::Whole,
        trigger: Trigger::Manual,
        correlation_id: None,
        approve: None,
        lease: None,
        progress: &Silent,
        stop: CancellationToken::new(),
    };
    let ended = Reconciler::new(store.clone(), Arc::default(), Arc::default()).run(&run).await.expect("no error");
    store.close().await.expect("closed");
    ended
}

on_both_stores! {
    async fn a_clock_that_moves_backwards_changes_neither_result_nor_order(world: World) {
        // S21
        know_member(&world, ANN).await;
        let noon = Clock::system().now();
        let mut expected = Vec::new();
        for (step, hours) in [0, 2, -3, -30, -2].into_iter().enumerate() {
            let domain = format!("town-{step}.fr");
            world.org().set_domains(ANN, SIRET, [domain.clone()]);
            let ended = run_at(&world, noon + chrono::TimeDelta::hours(hours)).await;
            assert_eq!(ended.outcome, Outcome::Applied, "step {step}: {ended:?}");
            let again = run_at(&world, noon + chrono::TimeDelta::hours(hours) - chrono::TimeDelta::minutes(1)).await;
            assert_eq!(again.outcome, Outcome::Unchanged, "step {step}: {again:?}");
            let group = format!("maildomain:{domain}:admin");
            expected.push(group);
            assert_eq!(groups_of(&world, ANN, "deploycenter").await, expected[step..], "step {step}");
        }
        let created = "SELECT payload FROM event
            WHERE event_type = 'group.created' AND source = 'deploycenter' ORDER BY position";
        let in_order = texts(&world, created).await;
        assert_eq!(in_order.len(), expected.len());
        assert!(in_order.iter().zip(&expected).all(|(payload, group)| payload.contains(group)), "{in_order:?}");
    }
}
