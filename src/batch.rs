//! Batches: what is asked while others are being answered is answered together, in one go.
//!
//! May import: std, tokio. Whoever asks alone is answered at once and alone; the more ask at the same time, the less each
//! costs. Nobody waits for company.
//!
//! Invariant: a question is handed to the work after it was asked, so that its answer is at least as new.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Questions that are answered together.
pub struct Batches<Q, A>(Arc<Shared<Q, A>>);

struct Shared<Q, A> {
    waiting: Mutex<Waiting<Q, A>>,
    /// How many batches are worked on at once, and how many questions one holds at most.
    lanes: usize,
    most: usize,
}

struct Waiting<Q, A> {
    queue: VecDeque<(Q, oneshot::Sender<Option<A>>)>,
    lanes: usize,
}

impl<Q: Send + 'static, A: Send + 'static> Batches<Q, A> {
    /// At most `lanes` batches at once, each of at most `most` questions.
    pub fn new(lanes: usize, most: usize) -> Self {
        let waiting = Mutex::new(Waiting { queue: VecDeque::new(), lanes: 0 });
        Self(Arc::new(Shared { waiting, lanes, most }))
    }

    /// The answer; none when the question has to be asked alone. `work` answers many questions, each in its place; the
    /// same work, whoever brings it.
    pub async fn answer<W, F>(&self, question: Q, work: W) -> Option<A>
    where
        W: Fn(Vec<Q>) -> F + Send + Sync + 'static,
        F: Future<Output = Vec<Option<A>>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        if self.0.take_in(question, sender) {
            let mut lane = Lane { shared: Arc::clone(&self.0), is_open: true };
            // Its own task: whoever asked may go away, and the others' answers must not go with them.
            tokio::spawn(async move { while lane.next(&work).await {} });
        }
        answer.await.ok().flatten()
    }
}

impl<Q, A> Shared<Q, A> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<Q, A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody has to set out to work now.
    fn take_in(&self, question: Q, sender: oneshot::Sender<Option<A>>) -> bool {
        let mut waiting = self.waiting();
        waiting.queue.push_back((question, sender));
        let is_free = waiting.lanes < self.lanes;
        waiting.lanes += usize::from(is_free);
        is_free
    }
}

/// Whoever works on one batch after the other, until nobody waits.
struct Lane<Q, A> {
    shared: Arc<Shared<Q, A>>,
    is_open: bool,
}

impl<Q, A> Lane<Q, A> {
    async fn next<F: Future<Output = Vec<Option<A>>>>(&mut self, work: &impl Fn(Vec<Q>) -> F) -> bool {
        let (questions, senders) = self.take();
        if questions.is_empty() {
            return false;
        }
        for (sender, answer) in senders.into_iter().zip(work(questions).await) {
            // Whoever asked may have gone away.
            let _ = sender.send(answer);
        }
        true
    }

    /// Those who wait; the lane is closed in the same moment that nobody does, so that the next one opens it again.
    fn take(&mut self) -> (Vec<Q>, Vec<oneshot::Sender<Option<A>>>) {
        let mut waiting = self.shared.waiting();
        let count = waiting.queue.len().min(self.shared.most);
        if count == 0 {
            waiting.lanes -= 1;
            self.is_open = false;
        }
        waiting.queue.drain(..count).unzip()
    }
}

impl<Q, A> Drop for Lane<Q, A> {
    /// Left open by a panic, or the end of the runtime: nobody may wait for it.
    fn drop(&mut self) {
        if self.is_open {
            let mut waiting = self.shared.waiting();
            waiting.lanes -= 1;
            waiting.queue.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    /// Batches that are answered when the gate lets one pass, and what each held.
    #[derive(Clone)]
    struct Gated {
        batches: Arc<Batches<u32, u32>>,
        gate: Arc<Semaphore>,
        held: Arc<Mutex<Vec<Vec<u32>>>>,
    }

    fn gated(lanes: usize, most: usize) -> Gated {
        Gated { batches: Arc::new(Batches::new(lanes, most)), gate: Arc::new(Semaphore::new(0)), held: Arc::default() }
    }

    impl Gated {
        async fn answer(self, question: u32) -> Option<u32> {
            let Self { batches, gate, held } = self;
            let work = move |questions: Vec<u32>| {
                held.lock().expect("held").push(questions.clone());
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.expect("open").forget();
                    assert!(!questions.contains(&666), "the work breaks");
                    questions.iter().map(|question| (*question < 100).then_some(question * 10)).collect()
                }
            };
            batches.answer(question, work).await
        }

        /// Asks in this order, and lets whoever works take up what it can.
        async fn ask(&self, questions: impl IntoIterator<Item = u32>) -> Vec<tokio::task::JoinHandle<Option<u32>>> {
            let mut asked = Vec::new();
            for question in questions {
                asked.push(tokio::spawn(self.clone().answer(question)));
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            asked
        }

        fn held(&self) -> Vec<Vec<u32>> {
            self.held.lock().expect("held").clone()
        }
    }

    #[tokio::test]
    async fn who_asks_while_others_are_answered_is_answered_with_the_next() {
        let gated = gated(1, 3);
        let asked = gated.ask(1..=6).await;
        gated.gate.add_permits(10);
        for (question, asked) in (1..).zip(asked) {
            assert_eq!(asked.await.expect("answered"), Some(question * 10));
        }
        assert_eq!(gated.held(), [vec![1], vec![2, 3, 4], vec![5, 6]]);
        // And nobody is left who would have to be waited for.
        assert_eq!(gated.clone().answer(7).await, Some(70));
    }

    #[tokio::test]
    async fn each_lane_takes_what_waits() {
        let gated = gated(2, 3);
        let asked = gated.ask(1..=4).await;
        gated.gate.add_permits(10);
        for asked in asked {
            assert!(asked.await.expect("answered").is_some());
        }
        assert_eq!(gated.held()[..2], [vec![1], vec![2]]);
    }

    #[tokio::test]
    async fn whoever_goes_away_takes_nobody_s_answer_along() {
        let gated = gated(1, 3);
        let asked = gated.ask(1..=3).await;
        asked[0].abort();
        asked[1].abort();
        gated.gate.add_permits(10);
        let last = asked.into_iter().next_back().expect("three");
        assert_eq!(last.await.expect("answered"), Some(30));
    }

    #[tokio::test]
    async fn work_that_breaks_leaves_nobody_waiting() {
        let gated = gated(1, 3);
        let asked = gated.ask([666, 2]).await;
        gated.gate.add_permits(1);
        for asked in asked {
            assert_eq!(asked.await.expect("told"), None, "to be asked alone");
        }
        gated.gate.add_permits(1);
        assert_eq!(gated.clone().answer(3).await, Some(30));
        gated.gate.add_permits(1);
        assert_eq!(gated.clone().answer(100).await, None);
    }
}
