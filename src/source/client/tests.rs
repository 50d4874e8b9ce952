//! What the client makes of everything that can go wrong, against the simulator and on a clock that the test moves.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use entitled_model::ErrorClass::{
    self, Connect, Forbidden, Http5xx, Incomplete, Malformed, RateLimited, Timeout, Unauthorized,
};
use entitled_model::observation::Retry;
use entitled_simulator::{Fault, System, Target};
use reqwest::header::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use super::{Call, Transport, reply};
use crate::clock::Clock;
use crate::source::Urgency;
use crate::source::testing::{Bench, SIRET, ann};

/// Many blanks and `{}`, by gzip.
const COMPRESSED: &str = "H4sIAAAAAAACA+3BQREAAAwCoCr29Oy+GnsACQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPBVd8ndMT6ihgEA";

pub const ONCE: &str = "claims = [\"siret\"]\nretry = { attempts = 1 }\nbody_bytes_max = 4096\ntimeout = \"10s\"";
pub const PATIENT: &str =
    "claims = [\"siret\"]\nretry = { attempts = 3, budget = \"20s\", base = \"200ms\", max = \"5s\" }";

pub async fn bench(settings: &str) -> Bench {
    let bench = Bench::deploycenter(settings).await;
    bench.hands.leap_over_sleeps();
    bench.organisation().add_organisation(SIRET, true).set_domains("ann@commune-a.fr", SIRET, ["commune-a.fr"]);
    bench
}

pub fn every_call() -> Target {
    Target::system(System::Deploycenter)
}

pub async fn class(bench: &Bench) -> Option<ErrorClass> {
    bench.ask(&ann()).await.err().map(|failure| failure.class)
}

pub fn status(code: u16) -> Fault {
    Fault::status(code)
}

#[tokio::test]
async fn every_failure_has_its_class() {
    // S5
    let cases = [
        (Fault::Reset, Connect),
        (Fault::Close, Connect),
        (Fault::Truncate, Incomplete),
        (Fault::Html, Malformed),
        (Fault::InvalidJson, Malformed),
        (Fault::Oversize { bytes: 5000 }, Malformed),
        (Fault::redirect(), Malformed),
        (Fault::omit_key("entitlements"), Malformed),
        (status(400), Malformed),
        (status(404), Malformed),
        (status(204), Malformed),
        (status(401), Unauthorized),
        (status(403), Forbidden),
        (status(429), RateLimited),
        (status(500), Http5xx),
        (status(503), Http5xx),
    ];
    let bench = bench(ONCE).await;
    for (fault, expected) in cases {
        bench.organisation().fault(every_call(), fault.clone());
        assert_eq!(class(&bench).await, Some(expected), "{fault:?}");
        bench.organisation().clear_faults();
        bench.advance(120);
        assert_eq!(class(&bench).await, None, "after {fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_a_timeout() {
    // D9
    let bench = bench("claims = [\"siret\"]\nretry = { attempts = 1 }\ntimeout = \"50ms\"").await;
    bench.organisation().fault(every_call(), Fault::hold("late"));
    assert_eq!(class(&bench).await, Some(Timeout));
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_failure() {
    let bench = bench(ONCE).await;
    let source = bench.source();
    bench.simulator.shutdown().await;
    let crate::source::Asks::Backend(backend) = &source.asks else { panic!("a backend") };
    let failure = backend.answer(&ann(), Urgency::Awaited).await.expect_err("nobody listens");
    assert_eq!((failure.class, failure.message.as_str()), (Connect, "the connection was refused"));
}

#[tokio::test]
async fn a_passing_failure_is_repeated_until_it_passes() {
    for fault in [status(503), status(429), Fault::Reset, Fault::Truncate] {
        let bench = bench(PATIENT).await;
        bench.organisation().fault(every_call().times(2), fault.clone());
        assert_eq!(class(&bench).await, None, "{fault:?}");
        assert_eq!(bench.requests(), 3, "{fault:?}");
        assert!(bench.clock.monotonic() >= Duration::from_millis(600), "{fault:?}");
    }
}

#[tokio::test]
async fn what_asking_again_can_not_mend_is_asked_once() {
    for fault in [status(401), status(403), status(400), status(405), Fault::Html, Fault::redirect()] {
        let bench = bench(PATIENT).await;
        bench.organisation().fault(every_call(), fault.clone());
        assert!(class(&bench).await.is_some());
        assert_eq!(bench.requests(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn repetitions_stop_at_the_attempts_and_at_the_budget() {
    // S17
    let bench = bench(PATIENT).await;
    bench.organisation().fault(every_call(), status(503));
    assert_eq!(class(&bench).await, Some(Http5xx));
    assert_eq!(bench.requests(), 3);

    let settings = "claims = [\"siret\"]\nretry = { attempts = 10, budget = \"3s\", base = \"1s\", max = \"5s\" }";
    let bench = self::bench(settings).await;
    bench.organisation().fault(every_call(), status(503));
    assert_eq!(class(&bench).await, Some(Http5xx));
    assert!(bench.requests() <= 3, "{}", bench.requests());
    assert!(bench.clock.monotonic() <= Duration::from_secs(3));
}

#[tokio::test]
async fn retry_after_is_waited_out_and_two_instances_differ() {
    // S17
    let mut waits = Vec::new();
    for _ in 0..2 {
        let bench = bench(PATIENT).await;
        bench.organisation().fault(every_call().times(1), Fault::too_many_requests(2));
        assert_eq!(class(&bench).await, None);
        assert!(bench.clock.monotonic() >= Duration::from_secs(2), "{:?}", bench.clock.monotonic());
        waits.push(bench.clock.monotonic());
    }
    assert_ne!(waits[0], waits[1]);
}

#[tokio::test]
async fn a_pause_beyond_the_budget_fails_at_once_for_everybody() {
    // S17
    let bench = bench(PATIENT).await;
    bench.organisation().fault(every_call().times(1), Fault::too_many_requests(60));
    assert_eq!(class(&bench).await, Some(RateLimited));
    let failure = bench.ask(&ann()).await.expect_err("paused");
    assert_eq!(failure.class, RateLimited);
    assert!(matches!(failure.retry, Retry::After(wait) if wait > Duration::from_secs(50)), "{failure:?}");
    assert_eq!(bench.requests(), 1);
    assert!(bench.source().health.read().paused_until.is_some());
    bench.advance(61);
    assert_eq!(class(&bench).await, None);
    assert_eq!(bench.source().health.read().paused_until, None);
}

#[test]
fn retry_after_is_read_in_seconds_and_as_a_date() {
    let said_at = reply::http_date("Sun, 22 Nov 2026 01:56:33 GMT").expect("a date");
    let read = |text: &'static str| reply::retry_after(&HeaderValue::from_static(text), said_at);
    assert_eq!(read(" 2 "), Some(Duration::from_secs(2)));
    assert_eq!(read("Sun, 22 Nov 2026 01:57:33 GMT"), Some(Duration::from_secs(60)));
    assert_eq!(read("Sun, 22 Nov 2026 01:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(read("99999999999"), Some(reply::PAUSE_MAX));
    assert_eq!(read("soon"), None);
    assert_eq!(read("-1"), None);
}

#[tokio::test]
async fn calls_keep_to_the_rate() {
    let bench = bench("claims = [\"siret\"]\nrate = { per_second = 2, burst = 3 }").await;
    for _ in 0..7 {
        assert_eq!(class(&bench).await, None);
    }
    assert!(bench.clock.monotonic() >= Duration::from_millis(1999), "{:?}", bench.clock.monotonic());
}

/// Answers one connection with these bytes, then waits or closes.
async fn raw(bytes: Vec<u8>, then: Then) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("accepted");
        let mut request = [0; 1024];
        let _ = connection.read(&mut request).await;
        connection.write_all(&bytes).await.expect("written");
        match then {
            Then::Stall => std::future::pending().await,
            Then::Close => (),
        }
    });
    Url::parse(&format!("http://{address}/")).expect("a url")
}

enum Then {
    Stall,
    Close,
}

async fn fetch_raw(bytes: Vec<u8>, then: Then) -> Result<usize, ErrorClass> {
    let timeout = match then {
        Then::Stall => Duration::from_millis(50),
        Then::Close => Duration::from_secs(10),
    };
    let transport = Transport::new(timeout, 4096, Clock::system()).expect("built");
    let reply = transport.fetch_once(&Call::get(raw(bytes, then).await)).await;
    reply.map(|reply| reply.body.len()).map_err(|failure| failure.class)
}

#[tokio::test]
async fn a_body_that_stalls_is_a_timeout_and_one_that_breaks_off_is_incomplete() {
    // S5, D9
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"a".to_vec();
    assert_eq!(fetch_raw(head.clone(), Then::Stall).await, Err(Timeout));
    assert_eq!(fetch_raw(head, Then::Close).await, Err(Incomplete));
    let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n".to_vec();
    assert_eq!(fetch_raw(chunk, Then::Close).await, Err(Incomplete));
    assert_eq!(fetch_raw(b"HTTP/1.1 200".to_vec(), Then::Close).await, Err(Connect));
    assert_eq!(fetch_raw(Vec::new(), Then::Stall).await, Err(Timeout));
}

#[tokio::test]
async fn a_compressed_answer_counts_decoded() {
    // 100,002 bytes, as 135 on the wire.
    let compressed = BASE64_STANDARD.decode(COMPRESSED).expect("base64");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", compressed.len());
    let whole = [head.as_bytes(), &compressed].concat();
    assert_eq!(fetch_raw(whole, Then::Close).await, Err(Malformed));
    let garbage = [head.as_bytes(), &vec![b'x'; compressed.len()]].concat();
    assert_eq!(fetch_raw(garbage, Then::Close).await, Err(Malformed));
}
