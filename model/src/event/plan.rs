//! Held plans: approved, rejected, applied; approvals that ended unused.

use serde::{Deserialize, Serialize};

use super::{Payload, Stream};
use crate::identity::SourceName;

/// A person lets a held plan be applied, once, as long as it is this very plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanApproved {
    pub source: SourceName,
    pub hash: String,
    pub reason: String,
    /// As [`crate::instant::written`]; none for as long as the plan stays the same.
    pub expires_at: Option<String>,
}

impl Payload for PlanApproved {
    fn stream(&self) -> Stream {
        Stream("plan", self.hash.clone())
    }
}

/// A person does not want a held plan applied; it stays held, and an approval of it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRejected {
    pub source: SourceName,
    pub hash: String,
    pub reason: String,
}

impl Payload for PlanRejected {
    fn stream(&self) -> Stream {
        Stream("plan", self.hash.clone())
    }
}

/// An approved plan was applied; its approval is used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanApplied {
    pub source: SourceName,
    pub hash: String,
}

impl Payload for PlanApplied {
    fn stream(&self) -> Stream {
        Stream("plan", self.hash.clone())
    }
}

/// An approval ended unused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanApprovalVoided {
    pub source: SourceName,
    pub hash: String,
    pub why: VoidReason,
    /// What the source's plan was instead.
    pub plan: String,
}

impl Payload for PlanApprovalVoided {
    fn stream(&self) -> Stream {
        Stream("plan", self.hash.clone())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// What is stored or upstream gave another plan.
    Changed,
    Expired,
}
