//! How a run came to be, and how it ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What started a run. Nothing that decides ever looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Schedule,
    Login,
    Manual,
    Webhook,
}

impl Trigger {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Login => "login",
            Trigger::Manual => "manual",
            Trigger::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a run ended, from good to bad: of several, the greatest is the outcome of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The store already said what the source says.
    Unchanged,
    /// Changes were written.
    Applied,
    /// All that was left to do were removals that are never made by a sync.
    Blocked,
    /// The source did not answer usably; stored memberships were kept.
    Unavailable,
    /// The plan is beyond the guard's limits; nothing was written.
    Held,
    /// A fault of our own; nothing was written.
    Failed,
}

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Unchanged => "unchanged",
            Outcome::Applied => "applied",
            Outcome::Blocked => "blocked",
            Outcome::Unavailable => "unavailable",
            Outcome::Held => "held",
            Outcome::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
