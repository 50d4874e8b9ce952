//! Every decoder of what comes from outside, by name, each held to its promises on any bytes: it does not panic, and it never
//! reads as "known and empty" what does not say so. For the tests here and for the targets in `fuzz/`; not in the product.
//!
//! May import: http, remote, source, the model.

#[cfg(test)]
mod tests;

use entitled_model::event::Event;
use serde_json::Value;

use crate::http;
use crate::remote;
use crate::source;

/// A decoder, and a check of its promises that panics when one is broken.
pub type Decoder = (&'static str, fn(&[u8]));

/// All of them. A new one gets a line in its module's list, a target in `fuzz/` and a folder in `fuzz/corpus`.
#[must_use]
pub fn all() -> Vec<Decoder> {
    let events: [Decoder; 1] = [("event", event)];
    [&source::DECODERS[..], &http::DECODERS[..], &[&remote::DECODERS[..], &events[..]]].concat().concat()
}

/// Checks one decoder on these bytes.
///
/// # Panics
/// When it breaks a promise, or there is none of that name.
pub fn check(name: &str, bytes: &[u8]) {
    let all = all();
    let (_, decoder) = all.iter().find(|(known, _)| *known == name).expect("a decoder of that name");
    decoder(bytes);
}

/// What the bytes say, to be compared with what was read. `None` when a part that nobody reads is no JSON: serde skips it.
pub(crate) fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// The event's type on the first line, then its payload.
fn event(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (event_type, payload) = text.split_once('\n').unwrap_or((text, ""));
    let Ok((event, written)) = Event::decode(event_type, 1, payload) else { return };
    let again = Event::decode(event_type, written.schema_version, &written.payload);
    let (again, written_again) = again.expect("what is written can be read");
    assert!(again == event && written_again == written, "an event changed by being written");
}
