//! `[scheduler]`: when sources run, and how the daemon stops. Imports the reader.

use std::time::Duration;

use super::reader::Section;
use super::writer::{Page, time};

/// The loop that runs the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// How long a shutdown waits for what is in flight before it is rolled back. Default: 20 s.
    pub grace: Duration,
    /// The upper bound of the random delay of each source's first run; zero for none. Default: 5 s.
    pub start_jitter: Duration,
    /// How long a replica holds a source without renewing its claim. Default: 15 s.
    pub lease: Duration,
}

impl SchedulerConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let limit = Duration::from_mins(10);
        Self {
            grace: section.key("grace").duration(Duration::from_millis(10)..=limit).unwrap_or(Duration::from_secs(20)),
            start_jitter: section
                .key("start_jitter")
                .duration(Duration::ZERO..=limit)
                .unwrap_or(Duration::from_secs(5)),
            lease: section.key("lease").duration(Duration::from_millis(100)..=limit).unwrap_or(Duration::from_secs(15)),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { grace, start_jitter, lease } = self;
        page.section("scheduler");
        page.put("grace", time(*grace));
        page.put("start_jitter", time(*start_jitter));
        page.put("lease", time(*lease));
    }
}
