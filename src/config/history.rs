//! `[history]`: how long records beside the event log are kept. Imports the reader.

use std::time::Duration;

use super::reader::Section;
use super::writer::{Page, time};

const DAY: Duration = Duration::from_hours(24);

/// What is kept of the past; the event log itself is kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// How long the record of a run that changed nothing is kept. Default: 90 days.
    pub runs_kept: Duration,
    /// How long a row of the access log is kept. Default: 90 days.
    pub accesses_kept: Duration,
}

impl HistoryConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let range = Duration::from_mins(1)..=3650 * DAY;
        Self {
            runs_kept: section.key("runs_kept").duration(range.clone()).unwrap_or(90 * DAY),
            accesses_kept: section.key("accesses_kept").duration(range).unwrap_or(90 * DAY),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { runs_kept, accesses_kept } = self;
        page.section("history");
        page.put("runs_kept", time(*runs_kept));
        page.put("accesses_kept", time(*accesses_kept));
    }
}
