//! Runs about users that change nothing: all that is written is that they were made. Those that end at the same time are
//! written in one unit of work, since each unit keeps the head of the log from everybody else until it is committed.
//!
//! Invariant: as with any other run, a mark is only written on the state that the run's plan was made for.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::{Position, SourceName};

use super::{Applied, RunRecord, Store, StoreError, Unit};

/// The most runs in one unit of work.
pub(super) const BATCH_MAX: usize = 100;

/// A run that changes nothing.
#[derive(Debug, Clone)]
pub struct QuietRun {
    /// The position that it found nothing to change at.
    pub based_on: Position,
    pub marks: Vec<Applied>,
    pub record: RunRecord,
}

impl Store {
    /// Records a run that changes nothing, together with others. False when it was not recorded, because it may have to
    /// change something by now or the database refused: it has to be carried out as any other.
    pub async fn record_quiet(&self, run: QuietRun) -> bool {
        let store = self.clone();
        let work = move |runs| {
            let store = store.clone();
            async move { store.record_together(runs).await }
        };
        self.quiet.answer(run, work).await.is_some()
    }

    async fn record_together(&self, runs: Vec<QuietRun>) -> Vec<Option<()>> {
        let recorded = self.record_all(&runs).await;
        // What the database refused, each run will be told by itself.
        let recorded = recorded.unwrap_or_default();
        (0..runs.len()).map(|at| recorded.contains(&at).then_some(())).collect()
    }

    /// The places of those that were recorded.
    async fn record_all(&self, runs: &[QuietRun]) -> Result<BTreeSet<usize>, StoreError> {
        let mut unit = self.begin().await?;
        let quiet = self.still_quiet(&unit, runs).await?;
        if !quiet.is_empty() {
            let runs: Vec<&QuietRun> = quiet.iter().map(|at| &runs[*at]).collect();
            let marks: Vec<_> = runs
                .iter()
                .flat_map(|run| run.marks.iter().map(|mark| (&run.record.source, run.record.run_id, mark)))
                .collect();
            unit.mark_all_observed(&marks).await?;
            let records: Vec<&RunRecord> = runs.iter().map(|run| &run.record).collect();
            unit.record_runs(&records).await?;
            unit.commit().await?;
        }
        Ok(quiet)
    }

    /// The places of the runs that would find nothing to change now either. Marks need no looking after: an older one never
    /// takes a newer one's place.
    async fn still_quiet(&self, unit: &Unit, runs: &[QuietRun]) -> Result<BTreeSet<usize>, StoreError> {
        let mut oldest: BTreeMap<&SourceName, Position> = BTreeMap::new();
        for QuietRun { based_on, record, .. } in runs {
            let oldest = oldest.entry(&record.source).or_insert(*based_on);
            *oldest = (*oldest).min(*based_on);
        }
        let mut moved = BTreeSet::new();
        for (source, oldest) in oldest {
            if oldest < unit.head() && self.changed_since(unit.reader(), oldest, source).await? {
                moved.insert(source);
            }
        }
        // One statement can't mark the same user twice.
        let mut marked = BTreeSet::new();
        let mut holds = |run: &QuietRun| {
            let source = &run.record.source;
            let users: Vec<_> = run.marks.iter().map(|(user, ..)| (source.clone(), *user)).collect();
            let is_same = run.based_on == unit.head() || !moved.contains(source);
            let holds = is_same && users.iter().all(|user| !marked.contains(user));
            if holds {
                marked.extend(users);
            }
            holds
        };
        Ok(runs.iter().enumerate().filter(|(_, run)| holds(run)).map(|(at, _)| at).collect())
    }
}
