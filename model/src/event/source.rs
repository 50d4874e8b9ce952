//! Sources: forgotten.

use serde::{Deserialize, Serialize};

use super::{Payload, Stream};
use crate::identity::SourceName;

/// What a source that is no longer configured had left behind was taken away; the events before this one say what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceForgotten {
    pub source: SourceName,
    pub reason: String,
}

impl Payload for SourceForgotten {
    fn stream(&self) -> Stream {
        Stream("source", self.source.to_string())
    }
}
