//! Writes the effective configuration as TOML. Imports toml and duration.

use std::fmt::Write as _;
use std::time::Duration;

use toml::Value;

use super::duration;

/// A TOML document that grows by sections and lines.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// `[path]`
    pub fn section(&mut self, path: &str) {
        self.line(format_args!("\n[{path}]"));
    }

    /// `[[path]]`
    pub fn element(&mut self, path: &str) {
        self.line(format_args!("\n[[{path}]]"));
    }

    /// `key = value`
    pub fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.line(format_args!("{key} = {}", value.into()));
    }

    /// `key = value`, when there is one.
    pub fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    pub fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A duration in the form the reader takes.
pub(super) fn time(duration: Duration) -> Value {
    Value::String(duration::format(duration))
}

/// A count; none of ours exceeds 63 bits.
pub(super) fn count(count: impl TryInto<i64>) -> Value {
    Value::Integer(count.try_into().unwrap_or(i64::MAX))
}

/// `{ key = value, ... }`
pub(super) fn inline<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
