//! What the server says that it can do, asked once in a process. Without a word from it, nothing is taken for granted.

use entitled_model::Failure;
use reqwest::StatusCode;

use super::wire::{self, ProviderConfig};
use crate::config::Paging;
use crate::source::client::Reply;

/// How the server is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    pub paging: By,
    /// Whether what was not changed need not be sent again.
    pub etag: bool,
    /// Whether filters are worth a trial.
    pub filters: bool,
}

/// What a list advances by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Index,
    Cursor,
}

impl Features {
    /// What the setting decides without a question.
    pub fn decided(paging: Paging) -> Option<Self> {
        let paging = match paging {
            Paging::Auto => return None,
            Paging::Index => By::Index,
            Paging::Cursor => By::Cursor,
        };
        Some(Self { paging, etag: false, filters: true })
    }

    /// Reads `ServiceProviderConfig`; a server without one is read by index.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(reply: &Reply, source: &str) -> Result<Self, Failure> {
        match reply.status {
            StatusCode::OK => {
                let config = ProviderConfig::read(reply)?;
                let paging = if config.offers_cursor() { By::Cursor } else { By::Index };
                Ok(Self { paging, etag: config.offers_etag(), filters: !config.denies_filters() })
            }
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::NOT_IMPLEMENTED => {
                Ok(Self { paging: By::Index, etag: false, filters: true })
            }
            _ => Err(wire::refusal(reply, source)),
        }
    }
}
