//! Asking: what is stored about access, at least as new as the caller needs it.
//!
//! May import: batches, the store (its API), the model.
//!
//! Invariant: the position in an answer is of the same snapshot as the answer, which was taken after the question was asked.
//! Where a caller names a position, it is waited for first, and the answer is read after that.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use entitled_model::Position;
use entitled_model::access::{Held, Question, Verdict, verdict};

use crate::batch::Batches;
use crate::store::{Answers, Seen, Store, StoreError};

/// How long is waited for a position unless the caller says, and at most.
pub const WAIT: Duration = Duration::from_secs(1);
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// How often the position is looked at meanwhile.
const WAIT_PAUSE: Duration = Duration::from_millis(10);
/// The most lone questions that share a statement.
const BATCH_MAX: usize = 256;

/// The age that an answer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtLeast {
    /// Everything up to here must be in it.
    pub position: Position,
    /// How long that is waited for.
    pub wait: Duration,
}

impl Default for AtLeast {
    /// Whatever is there.
    fn default() -> Self {
        Self { position: Position(0), wait: WAIT }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the log is at position {reached}, and {wanted} was not reached in time")]
    NotReached { reached: Position, wanted: Position },
}

/// Waits until the log has reached a position. Without one, nothing is asked of the store.
///
/// # Errors
/// When it is not reached in time, or the store does not answer.
pub async fn reached(store: &Store, AtLeast { position: wanted, wait }: AtLeast) -> Result<(), AskError> {
    if wanted <= Position(0) {
        return Ok(());
    }
    let clock = store.clock();
    let deadline = clock.monotonic() + wait.min(WAIT_MAX);
    loop {
        let (reached, _) = store.head(store.reader()).await?;
        let left = deadline.saturating_sub(clock.monotonic());
        if reached >= wanted {
            return Ok(());
        }
        if left.is_zero() {
            return Err(AskError::NotReached { reached, wanted });
        }
        clock.sleep(WAIT_PAUSE.min(left)).await;
    }
}

/// Answers questions; those that are asked at the same time share a statement.
#[derive(Clone)]
pub struct Asker {
    store: Store,
    lone: Arc<Batches<Question, Result<Seen<Held>, StoreError>>>,
}

impl Asker {
    #[must_use]
    pub fn new(store: Store) -> Self {
        // Each lane keeps a core of the database busy; answering over HTTP takes as much.
        let lanes = available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        Self { store, lone: Arc::new(Batches::new(lanes, BATCH_MAX)) }
    }

    /// Answers questions, all at the same position.
    ///
    /// # Errors
    /// As [`reached`].
    pub async fn check(&self, questions: &[Question], at_least: AtLeast) -> Result<Seen<Vec<Verdict>>, AskError> {
        let store = &self.store;
        reached(store, at_least).await?;
        if questions.is_empty() {
            let (position, _) = store.head(store.reader()).await?;
            return Ok(Seen { position, found: Vec::new() });
        }
        if let [question] = questions
            && let Some(answer) = self.with_others(question.clone()).await
        {
            let Seen { position, found } = answer?;
            return Ok(Seen { position, found: vec![verdict(question, found)] });
        }
        let answers = store.check(store.reader(), questions).await?;
        let verdicts = questions.iter().zip(answers.held).map(|(question, held)| verdict(question, held));
        Ok(Seen { position: answers.position, found: verdicts.collect() })
    }

    async fn with_others(&self, question: Question) -> Option<Result<Seen<Held>, StoreError>> {
        let store = self.store.clone();
        self.lone.answer(question, move |questions| together(store.clone(), questions)).await
    }
}

/// Answers lone questions in one statement. When that fails, each is asked alone: one may be at fault for all.
async fn together(store: Store, questions: Vec<Question>) -> Vec<Option<Result<Seen<Held>, StoreError>>> {
    match store.check(store.reader(), &questions).await {
        Ok(Answers { position, held }) => held.into_iter().map(|found| Some(Ok(Seen { position, found }))).collect(),
        Err(error) if questions.len() == 1 => vec![Some(Err(error))],
        Err(_) => questions.iter().map(|_| None).collect(),
    }
}
