//! What can go wrong, as values, and whom it befalls. A fault is installed with a target and acts on every call that
//! matches, or on as many as `times` says.

mod act;
mod installed;
mod reshape;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::System;

pub(crate) use act::answer;
pub(crate) use installed::Installed;

/// The calls a fault acts on. Every part given must match; users and groups by address (whatever its case), alias or id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The system asked.
    pub system: System,
    /// A piece of the path and query, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// Only this page of a list, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// Only calls about this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only calls about this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How many calls it acts on before it disappears; without it, on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

impl Target {
    /// Every call to a system.
    pub fn system(system: System) -> Target {
        Target { system, path_contains: None, page: None, user: None, group: None, times: None }
    }

    /// Only calls whose path and query contain this.
    pub fn path_contains(self, piece: &str) -> Target {
        Target { path_contains: Some(piece.to_owned()), ..self }
    }

    /// Only this page of a list, counted from 1.
    pub fn page(self, page: u64) -> Target {
        Target { page: Some(page), ..self }
    }

    /// Only calls about this user.
    pub fn user(self, user: &str) -> Target {
        Target { user: Some(user.to_owned()), ..self }
    }

    /// Only calls about this group.
    pub fn group(self, group: &str) -> Target {
        Target { group: Some(group.to_owned()), ..self }
    }

    /// Disappears after so many calls.
    pub fn times(self, times: u64) -> Target {
        Target { times: Some(times), ..self }
    }
}

/// Something that goes wrong. Of several that match one call, all waits act, then the first that answers instead of
/// the system, or else all that reshape its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Waits before the answer, which is made before the wait.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Keeps the answer back until the name is released.
    Hold {
        /// What `release` is called with.
        name: String,
        /// Whether the answer says what was true at its arrival or at its release.
        #[serde(default)]
        answer: HeldAnswer,
    },
    /// Answers with a status.
    Status {
        /// The status code.
        code: u16,
        /// The body; `{"detail": "..."}` without it.
        #[serde(default)]
        body: Option<String>,
        /// The header `Retry-After`: seconds, or an HTTP date.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// Answers with an error in Google's form.
    GoogleError {
        /// The status code.
        code: u16,
        /// `userRateLimitExceeded`, `forbidden`, ...
        reason: String,
    },
    /// Resets the connection (RST) before any head.
    Reset,
    /// Closes the connection (FIN) before any head.
    Close,
    /// Sends the head and half of the body it announces, then closes.
    Truncate,
    /// Answers 200 with an HTML page.
    Html,
    /// Answers 200 with text that says it is JSON and is not.
    InvalidJson,
    /// Gives a key a value of another type: by default `can_admin_maildomains` (a string for the list), the list of a
    /// Google page (an object), or `access_token` (a number).
    WrongType {
        /// The key, in `entitlements`, in each entry of a list, or at the top.
        #[serde(default)]
        key: Option<String>,
    },
    /// Cuts the answer's list in half, rounding down, without a word: `can_admin_maildomains`, or a Google page.
    ShortList,
    /// Pads the answer with blanks, without announcing its length; it stays valid JSON.
    Oversize {
        /// Bytes of the body, at least.
        bytes: u64,
    },
    /// States the page token just used as the next one.
    RepeatToken,
    /// States a fresh next page token for ever; pages after the last are empty.
    EndlessPages,
    /// Answers 302.
    Redirect {
        /// Where to; another path of the simulator without it.
        #[serde(default)]
        location: Option<String>,
    },
    /// Leaves a key out.
    OmitKey {
        /// The key, in `entitlements`, in each entry of a list, or at the top.
        key: String,
    },
    /// Sets a key to null.
    NullKey {
        /// The key, in `entitlements`, in each entry of a list, or at the top.
        key: String,
    },
    /// Replaces the value of a key.
    ReplaceKey {
        /// The key, in `entitlements`, in each entry of a list, or at the top.
        key: String,
        /// The value.
        value: Value,
    },
    /// Sets a header of the answer, `Date` too; one that can't be a header is left alone.
    SetHeader {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// What a held answer says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldAnswer {
    /// What was true when the call arrived: the answer is on its way, and late.
    #[default]
    AsOfArrival,
    /// What is true when it is released: the call itself is late.
    AsOfRelease,
}

impl Fault {
    /// Waits so many milliseconds.
    pub fn delay(ms: u64) -> Fault {
        Fault::Delay { ms }
    }

    /// Holds the answer, made at arrival, until the name is released.
    pub fn hold(name: &str) -> Fault {
        Fault::Hold { name: name.to_owned(), answer: HeldAnswer::AsOfArrival }
    }

    /// Holds the call, to be answered when the name is released.
    pub fn hold_call(name: &str) -> Fault {
        Fault::Hold { name: name.to_owned(), answer: HeldAnswer::AsOfRelease }
    }

    /// Answers with a status.
    pub fn status(code: u16) -> Fault {
        Fault::Status { code, body: None, retry_after: None }
    }

    /// Answers 429 with `Retry-After` in seconds.
    pub fn too_many_requests(retry_after_seconds: u64) -> Fault {
        Fault::Status { code: 429, body: None, retry_after: Some(retry_after_seconds.to_string()) }
    }

    /// Answers with an error in Google's form.
    pub fn google_error(code: u16, reason: &str) -> Fault {
        Fault::GoogleError { code, reason: reason.to_owned() }
    }

    /// Gives the usual key a value of another type.
    pub fn wrong_type() -> Fault {
        Fault::WrongType { key: None }
    }

    /// Gives a key a value of another type.
    pub fn wrong_type_of(key: &str) -> Fault {
        Fault::WrongType { key: Some(key.to_owned()) }
    }

    /// Answers 302.
    pub fn redirect() -> Fault {
        Fault::Redirect { location: None }
    }

    /// Leaves a key out.
    pub fn omit_key(key: &str) -> Fault {
        Fault::OmitKey { key: key.to_owned() }
    }

    /// Sets a key to null.
    pub fn null_key(key: &str) -> Fault {
        Fault::NullKey { key: key.to_owned() }
    }

    /// Sets a header of the answer.
    pub fn set_header(name: &str, value: &str) -> Fault {
        Fault::SetHeader { name: name.to_owned(), value: value.to_owned() }
    }

    /// Replaces the value of a key.
    pub fn replace_key(key: &str, value: Value) -> Fault {
        Fault::ReplaceKey { key: key.to_owned(), value }
    }
}
