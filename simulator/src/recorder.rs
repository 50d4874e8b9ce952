//! Keeps the requests each system received, so that a test can say what was asked, how often, and how many at once.
//! The ring is bounded; the counts are not cut.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::call::{Call, System};
use crate::clock;

/// Requests kept for reading back, over all systems; older ones are dropped, counted all the same.
pub(crate) const RECORDED_REQUESTS_MAX: usize = 20_000;

/// A request as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedRequest {
    /// Counts from 1 over all systems, in order of arrival.
    pub number: u64,
    /// The system asked.
    pub system: System,
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path, as sent, without the query.
    pub path: String,
    /// The query's pairs, decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// The headers, names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// When it arrived: milliseconds since the simulator started.
    pub at_ms: u64,
    /// When it arrived, on tokio's clock.
    #[serde(skip)]
    pub at: Instant,
}

impl RecordedRequest {
    /// The last value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        last_value(&self.query, name)
    }

    /// The value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        last_value(&self.headers, name)
    }
}

fn last_value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[derive(Debug, Default)]
struct Tape {
    ring: VecDeque<RecordedRequest>,
    last_number: u64,
    tallies: BTreeMap<System, Tally>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    count: u64,
    in_flight: usize,
    peak_concurrency: usize,
    bytes_answered: u64,
}

/// The tape and the bell that rings when it grows.
#[derive(Debug)]
pub(crate) struct Recorder {
    started: Instant,
    tape: Mutex<Tape>,
    arrived: Notify,
}

/// A request being answered; counted as in flight until dropped.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    recorder: &'a Recorder,
    system: System,
}

impl Recorder {
    pub(crate) fn new() -> Recorder {
        Recorder { started: clock::instant(), tape: Mutex::default(), arrived: Notify::new() }
    }

    /// Records an arrival and counts it as in flight.
    pub(crate) fn record(&self, call: &Call) -> InFlight<'_> {
        let at = clock::instant();
        let mut tape = self.tape();
        tape.last_number += 1;
        let request = RecordedRequest {
            number: tape.last_number,
            system: call.system,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            headers: call.headers.clone(),
            body: String::from_utf8_lossy(&call.body).into_owned(),
            at_ms: u64::try_from(at.duration_since(self.started).as_millis()).unwrap_or(u64::MAX),
            at,
        };
        if tape.ring.len() == RECORDED_REQUESTS_MAX {
            tape.ring.pop_front();
        }
        tape.ring.push_back(request);
        let tally = tape.tallies.entry(call.system).or_default();
        tally.count += 1;
        tally.in_flight += 1;
        tally.peak_concurrency = tally.peak_concurrency.max(tally.in_flight);
        drop(tape);
        self.arrived.notify_waiters();
        InFlight { recorder: self, system: call.system }
    }

    pub(crate) fn requests(&self, system: System) -> Vec<RecordedRequest> {
        self.tape().ring.iter().filter(|request| request.system == system).cloned().collect()
    }

    pub(crate) fn count(&self, system: System) -> u64 {
        self.tally(system).count
    }

    pub(crate) fn peak_concurrency(&self, system: System) -> usize {
        self.tally(system).peak_concurrency
    }

    pub(crate) fn bytes_answered(&self, system: System) -> u64 {
        self.tally(system).bytes_answered
    }

    /// Forgets the requests and the counts; what is in flight stays counted as such.
    pub(crate) fn clear(&self) {
        let mut tape = self.tape();
        tape.ring.clear();
        for tally in tape.tallies.values_mut() {
            let Tally { in_flight, .. } = *tally;
            *tally = Tally { in_flight, peak_concurrency: in_flight, ..Tally::default() };
        }
    }

    /// Waits until a system has been asked `n` times since the last `clear`.
    pub(crate) async fn wait_for(&self, system: System, n: u64) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if self.count(system) >= n {
                return;
            }
            arrived.await;
        }
    }

    fn tally(&self, system: System) -> Tally {
        self.tape().tallies.get(&system).copied().unwrap_or_default()
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight<'_> {
    /// Counts the body of the answer.
    pub(crate) fn answered(&self, bytes: u64) {
        if let Some(tally) = self.recorder.tape().tallies.get_mut(&self.system) {
            tally.bytes_answered += bytes;
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(tally) = self.recorder.tape().tallies.get_mut(&self.system) {
            tally.in_flight -= 1;
        }
    }
}
