//! What every request and every handle shares: the organisation, the faults, the tape, the tokens, the clock.

use std::sync::atomic::AtomicUsize;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::clock::Clock;
use crate::deploycenter::{Deploycenter, PostSupport, Webhook};
use crate::fault::Installed;
use crate::organisation::Organisation;
use crate::recorder::Recorder;
use crate::token::Tokens;

/// The simulated world and its bookkeeping.
#[derive(Debug)]
pub(crate) struct World {
    /// Audiences accepted in an assertion; the first is the token endpoint's own address.
    pub audiences: Vec<String>,
    pub deploycenter: Deploycenter,
    pub clock: Clock,
    pub recorder: Recorder,
    pub faults: Installed,
    pub tokens: Tokens,
    pub post: RwLock<PostSupport>,
    /// Rows of a page of the management API.
    pub page_rows: AtomicUsize,
    pub webhooks: RwLock<Vec<Webhook>>,
    pub organisation: RwLock<Organisation>,
}

impl World {
    pub(crate) fn organisation(&self) -> RwLockReadGuard<'_, Organisation> {
        self.organisation.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn organisation_mut(&self) -> RwLockWriteGuard<'_, Organisation> {
        self.organisation.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn post(&self) -> PostSupport {
        *self.post.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_post(&self, post: PostSupport) {
        *self.post.write().unwrap_or_else(PoisonError::into_inner) = post;
    }
}
