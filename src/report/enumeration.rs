//! What is told of reading many users from lists: users by id, causes by settings and fields.

use entitled_model::{ErrorClass, SourceName, UserId};

use crate::metrics::Metrics;
use crate::reconcile::Enumeration;

/// Disagreeing users that are logged of one run; the metric counts them all.
const LOGGED_USERS_MAX: usize = 20;

/// What is wrong with the lists, while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// They are wrong about somebody.
    Disagreeing,
    /// They are wrong about so many that they are not used.
    Distrusted,
    /// They can't be read.
    Failing(ErrorClass),
}

impl Trouble {
    pub fn of(enumeration: &Enumeration) -> Option<Self> {
        match enumeration {
            Enumeration::Used { disagreeing } => (!disagreeing.is_empty()).then_some(Trouble::Disagreeing),
            Enumeration::Distrusted { .. } => Some(Trouble::Distrusted),
            Enumeration::Failed(failure) => Some(Trouble::Failing(failure.class)),
        }
    }

    pub fn message(self, source: &SourceName) -> String {
        match self {
            Trouble::Disagreeing => {
                format!("source {source}: its lists and its answer about a user disagree; the answer counts")
            }
            Trouble::Distrusted => {
                format!("source {source}: its lists are not trusted; every user is asked about")
            }
            Trouble::Failing(class) => {
                format!("source {source}: its lists can't be read: {class}; every user is asked about")
            }
        }
    }
}

/// Logs and counts.
pub fn tell(metrics: &Metrics, source: &SourceName, enumeration: &Enumeration) {
    match enumeration {
        Enumeration::Used { disagreeing } => disagreed(metrics, source, disagreeing.iter()),
        Enumeration::Distrusted { disagreeing } => {
            disagreed(metrics, source, disagreeing.iter());
            metrics.enumeration_fell_back(source, "distrusted");
            tracing::warn!(%source, disagreeing = disagreeing.len(), "lists are not trusted; every user was asked about");
        }
        Enumeration::Failed(failure) => {
            metrics.enumeration_fell_back(source, failure.class.as_str());
            let detail = failure.message.as_str();
            tracing::warn!(%source, error = %failure.class, detail, "lists could not be read; every user was asked about");
        }
    }
}

fn disagreed<'a>(metrics: &Metrics, source: &SourceName, users: impl ExactSizeIterator<Item = &'a UserId>) {
    metrics.enumeration_disagreed(source, users.len() as u64);
    for user in users.take(LOGGED_USERS_MAX) {
        tracing::warn!(%source, %user, "lists and the answer about a user disagree; the answer counts");
    }
}
