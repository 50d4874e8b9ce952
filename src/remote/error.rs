//! Why a server did not do what was asked.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::json::Object;

/// How much of a server's own words is repeated, in characters.
const WORDS_CHARS_MAX: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("the HTTP client can't be set up")]
    Setup { source: reqwest::Error },
    #[error("the server's address can't be used")]
    Address,
    #[error("{host} does not answer")]
    Unreachable { host: String, source: reqwest::Error },
    /// What the server said, in its own words.
    #[error("{detail}")]
    Refused { status: u16, detail: String, had_token: bool },
    #[error("{host} does not answer as entitled does")]
    NotOurs { host: String },
    #[error("the server answers {status} with another address, {to}: redirects are not followed")]
    Redirect { status: u16, to: String },
    #[error("the server's answer is larger than 64 MiB")]
    TooLarge,
    #[error("the server answers more than it was asked for")]
    Unasked,
    #[error("the server's list does not end")]
    Endless,
}

#[derive(Deserialize)]
struct Told {
    title: String,
    detail: String,
}

impl RemoteError {
    pub(super) fn refused(status: StatusCode, kind: &str, body: &[u8], had_token: bool) -> Self {
        let status = status.as_u16();
        // What stands in between (a proxy, another program) is not quoted.
        let foreign = || format!("the server answers {status}, and not as entitled does");
        let told = kind.starts_with("application/problem+json").then(|| problem(body)).flatten();
        Self::Refused { status, detail: told.unwrap_or_else(foreign), had_token }
    }

    pub(super) fn redirect(status: StatusCode, to: &str) -> Self {
        // An address may hold a user and a query.
        let to = url::Url::parse(to).ok().and_then(|url| url.host_str().map(str::to_owned));
        Self::Redirect { status: status.as_u16(), to: to.unwrap_or_else(|| "of its own".to_owned()) }
    }

    /// Whether what was asked for is at fault, rather than the server or the way to it.
    #[must_use]
    pub fn is_of_the_question(&self) -> bool {
        matches!(self, Self::Refused { status: 400..=499, .. })
    }

    /// What may help.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Refused { status: 401, had_token: false, .. } => {
                Some("set ENTITLED_TOKEN to a token, or ENTITLED_TOKEN_FILE to a file that holds one")
            }
            Self::Refused { status: 401, .. } => {
                Some("the token of ENTITLED_TOKEN or ENTITLED_TOKEN_FILE is not valid")
            }
            Self::Refused { status: 403, .. } => {
                Some("the token of ENTITLED_TOKEN or ENTITLED_TOKEN_FILE may not do this")
            }
            Self::NotOurs { .. } | Self::Redirect { .. } => Some("--server takes the address of entitled itself"),
            Self::Unreachable { .. } => Some("without --server the command works on the database itself"),
            _ => None,
        }
    }
}

/// What a problem says (RFC 9457): without control characters, which a terminal would obey, and cut.
pub(super) fn problem(body: &[u8]) -> Option<String> {
    let Object(Told { title, detail }) = serde_json::from_slice(body).ok()?;
    let said = if detail.trim().is_empty() { title } else { detail };
    Some(said.chars().filter(|c| !c.is_control()).take(WORDS_CHARS_MAX).collect())
}
