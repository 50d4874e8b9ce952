//! Following the log: waiting for events behind a position, cheaply for the database however many wait.

use std::time::Duration;

use entitled_model::Position;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError};

/// How often whoever waits looks, and how old what was seen last may be: another process may have written.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The most callers who wait at once.
const WAITERS_MAX: usize = 256;

/// Sees where the log ends, once for all who wait.
pub struct Follower {
    store: Store,
    stop: CancellationToken,
    places: Semaphore,
    /// When the head was looked at last, by the monotonic clock, and where it was.
    seen: Mutex<Option<(Duration, Position)>>,
}

/// Too many are waiting already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Follower {
    #[must_use]
    pub fn new(store: Store, stop: CancellationToken) -> Self {
        Self { store, stop, places: Semaphore::new(WAITERS_MAX), seen: Mutex::new(None) }
    }

    /// Whether it has been told to stop.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until there is an event behind `position`, `at_most` is over, or everything stops.
    ///
    /// # Errors
    /// When the database does not answer; within, when too many wait already.
    pub async fn wait(&self, position: Position, at_most: Duration) -> Result<Result<(), Full>, StoreError> {
        let Ok(_place) = self.places.try_acquire() else { return Ok(Err(Full)) };
        let clock = self.store.clock();
        let end = clock.monotonic() + at_most;
        while self.head().await? <= position {
            let left = end.saturating_sub(clock.monotonic());
            if left.is_zero() {
                break;
            }
            tokio::select! {
                () = clock.sleep(left.min(LOOK_EVERY)) => {}
                () = self.stop.cancelled() => break,
            }
        }
        Ok(Ok(()))
    }

    async fn head(&self) -> Result<Position, StoreError> {
        let mut seen = self.seen.lock().await;
        let now = self.store.clock().monotonic();
        if let Some((at, head)) = *seen
            && now.saturating_sub(at) < LOOK_EVERY
        {
            return Ok(head);
        }
        let (head, _) = self.store.head(self.store.reader()).await?;
        *seen = Some((self.store.clock().monotonic(), head));
        Ok(head)
    }
}
