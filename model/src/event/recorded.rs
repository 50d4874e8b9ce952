//! An event in its place in the log, and the digest that chains it to those before it.

use sha2::{Digest as _, Sha256};

use super::Event;
use crate::identity::{EventId, Position, RunId, SourceName};
use crate::instant::{self, Instant};

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    /// `source:<name>`, `key:<name>`, `user:<id>`, `token:<id>`, `operator` or `system`.
    pub actor: String,
    pub source: Option<SourceName>,
    pub run_id: Option<RunId>,
    /// The request that led here.
    pub correlation_id: Option<String>,
    pub causation_id: Option<EventId>,
}

/// An event in its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub position: Position,
    pub event_id: EventId,
    pub cause: Cause,
    /// When it happened, by the clock of whoever saw it.
    pub occurred_at: Instant,
    /// When it was written.
    pub recorded_at: Instant,
    pub event: Event,
    pub written: Written,
}

/// The form in which an event was written. It is what the digest is over, so that an event read into a newer type, years
/// later, still proves what was written then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub schema_version: i32,
    /// The canonical payload of that version: compact JSON, fields in the order of the type.
    pub payload: String,
}

/// The digest of an event and, through the one before, of all before it.
pub type Digest = [u8; 32];

/// The digest before the first event.
pub const GENESIS: Digest = [0; 32];

impl Recorded {
    /// The digest of this event after `previous`: over its canonical form, not over stored bytes, which a database may rewrite.
    #[must_use]
    pub fn digest(&self, previous: &Digest) -> Digest {
        let Recorded { position, event_id, cause, occurred_at, recorded_at, event, written } = self;
        let Cause { actor, source, run_id, correlation_id, causation_id } = cause;
        let mut digest = Sha256::new();
        digest.update(previous);
        let mut field = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        field(&position.to_string());
        field(&event_id.to_string());
        field(event.event_type());
        field(&written.schema_version.to_string());
        field(actor);
        field(source.as_ref().map_or("", SourceName::as_str));
        field(&run_id.map(|id| id.to_string()).unwrap_or_default());
        field(correlation_id.as_deref().unwrap_or_default());
        field(&causation_id.map(|id| id.to_string()).unwrap_or_default());
        field(&instant::written(*occurred_at));
        field(&instant::written(*recorded_at));
        field(&written.payload);
        digest.finalize().into()
    }
}
