//! When the gate lets questions through, against the simulator and on a clock that the test moves.

use std::time::Duration;

use entitled_model::ErrorClass::{Http5xx, Malformed, Unauthorized};
use entitled_simulator::{Fault, System};
use futures_util::future::join_all;

use super::FAILURES_IN_A_ROW_MAX;
use crate::source::client::tests::{ONCE, PATIENT, bench, class, every_call, status};
use crate::source::testing::ann;

#[tokio::test]
async fn five_failures_in_a_row_open_the_circuit_until_a_probe_succeeds() {
    // S18
    let bench = bench(ONCE).await;
    bench.organisation().fault(every_call(), status(503));
    for _ in 0..FAILURES_IN_A_ROW_MAX {
        assert_eq!(class(&bench).await, Some(Http5xx));
    }
    assert_eq!(class(&bench).await, Some(Http5xx));
    assert_eq!(bench.requests(), 5, "the sixth is not asked");
    let health = bench.source().health.read();
    assert_eq!((health.consecutive_failures, health.last_error), (5, Some(Http5xx)));
    assert!(health.open_until.is_some_and(|until| until > bench.clock.now()));

    bench.advance(34);
    assert_eq!(class(&bench).await, Some(Http5xx));
    assert_eq!(class(&bench).await, Some(Http5xx));
    assert_eq!(bench.requests(), 6, "one probe");

    bench.advance(34);
    bench.organisation().clear_faults();
    assert_eq!(class(&bench).await, None);
    assert_eq!(class(&bench).await, None);
    assert_eq!(bench.source().health.read().consecutive_failures, 0);
}

#[tokio::test]
async fn one_single_probe_is_let_through() {
    // S18
    let bench = bench(ONCE).await;
    bench.organisation().fault(every_call().times(5), status(503));
    for _ in 0..5 {
        class(&bench).await;
    }
    bench.advance(34);
    bench.organisation().fault(every_call(), Fault::hold("probe"));
    let asks = join_all((0..20).map(|_| class(&bench)));
    let release = async {
        let seen = bench.organisation().wait_for_requests(System::Deploycenter, 6, Duration::from_secs(5)).await;
        seen.expect("the probe");
        bench.organisation().release("probe");
    };
    let (classes, ()) = tokio::join!(asks, release);
    assert_eq!(classes.iter().filter(|class| class.is_none()).count(), 1);
    assert_eq!(bench.requests(), 6);
}

#[tokio::test]
async fn a_success_in_between_starts_the_count_again() {
    // S18
    let bench = bench(ONCE).await;
    for _ in 0..3 {
        bench.organisation().fault(every_call().times(4), status(503));
        for _ in 0..5 {
            class(&bench).await;
        }
    }
    assert_eq!(bench.requests(), 15);
}

#[tokio::test]
async fn refused_questions_do_not_open_the_circuit() {
    // S15: users whose question is refused don't keep the others from being asked.
    let bench = bench(ONCE).await;
    bench.organisation().fault(every_call().times(10), status(400));
    for _ in 0..10 {
        assert_eq!(class(&bench).await, Some(Malformed));
    }
    assert_eq!(class(&bench).await, None);
}

#[tokio::test]
async fn a_refused_key_is_tried_again_once_a_minute() {
    // D8
    let bench = bench(PATIENT).await;
    bench.organisation().fault(every_call(), status(401));
    let classes = join_all((0..50).map(|_| class(&bench))).await;
    assert!(classes.iter().all(|class| *class == Some(Unauthorized)), "{classes:?}");
    assert_eq!(bench.requests(), 1, "even when fifty ask at start");
    let failure = bench.ask(&ann()).await.expect_err("held");
    assert!(failure.message.contains("sources.deploycenter.token"), "{}", failure.message);
    bench.advance(59);
    class(&bench).await;
    assert_eq!(bench.requests(), 1);
    bench.advance(1);
    class(&bench).await;
    class(&bench).await;
    assert_eq!(bench.requests(), 2);
    bench.organisation().clear_faults();
    bench.advance(60);
    assert_eq!(class(&bench).await, None);
    assert_eq!(class(&bench).await, None);
}

#[tokio::test]
async fn a_question_that_is_dropped_leaves_the_gate_passable() {
    let bench = bench(ONCE).await;
    bench.organisation().fault(every_call(), Fault::hold("slow"));
    let dropped = tokio::time::timeout(Duration::from_millis(30), bench.ask(&ann())).await;
    assert!(dropped.is_err());
    bench.organisation().clear_faults().fault(every_call().times(5), status(503));
    for _ in 0..5 {
        assert_eq!(class(&bench).await, Some(Http5xx));
    }
    bench.advance(34);
    bench.organisation().fault(every_call(), Fault::hold("probe"));
    let dropped = tokio::time::timeout(Duration::from_millis(30), bench.ask(&ann())).await;
    assert!(dropped.is_err());
    bench.organisation().clear_faults();
    assert_eq!(class(&bench).await, None);
}
