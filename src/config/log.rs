//! `[log]`: the daemon's own log, on stderr. Imports the reader.

use super::choice::Choice;
use super::reader::Section;
use super::writer::Page;

const LEVEL_FORM: &str =
    "a level (error, warn, info, debug, trace or off) or a filter such as \"info,entitled::http=debug\"";

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks. Default: text.
    pub format: LogFormat,
    /// A level, or a filter of `target=level` parts. Default: `info`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl LogConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            format: section.key("format").choice().unwrap_or(LogFormat::Text),
            level: section
                .key("level")
                .matching(LEVEL_FORM, |text| text.split(',').all(is_directive))
                .unwrap_or_else(|| "info".to_owned()),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { format, level } = self;
        page.section("log");
        page.put("format", format.as_str());
        page.put("level", level.as_str());
    }
}

/// A level, `target=level`, or a span filter in brackets, which is left to the subscriber.
fn is_directive(text: &str) -> bool {
    let text = text.trim();
    match text.rsplit_once('=') {
        _ if text.contains('[') => true,
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(text),
    }
}

fn is_level(text: &str) -> bool {
    ["error", "warn", "info", "debug", "trace", "off"].iter().any(|level| text.eq_ignore_ascii_case(level))
}
