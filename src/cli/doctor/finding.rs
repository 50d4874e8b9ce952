//! What was found, as it is printed: one line, and a second one that helps.

use std::fmt;

use serde_json::{Value, json};

use crate::cli::Output;
use crate::cli::say::say;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    /// It works, and will not for ever.
    Warn,
    Fail,
}

pub struct Finding {
    verdict: Verdict,
    /// What was looked at.
    what: String,
    says: String,
    help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, what, says, help } = self;
        let word = match verdict {
            Verdict::Ok => "ok    ",
            Verdict::Warn => "warn  ",
            Verdict::Fail => "FAIL  ",
        };
        write!(f, "{word}{what}: {says}")?;
        help.iter().try_for_each(|help| write!(f, "\n      help: {help}"))
    }
}

/// The findings so far. A table shows each at once, so that a source that is slow hides nothing.
pub struct Findings {
    output: Output,
    found: Vec<Finding>,
}

impl Finding {
    pub fn ok(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what: what.into(), says: says.into(), help: None }
    }

    pub fn warn(what: impl Into<String>, says: impl Into<String>, help: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, what: what.into(), says: says.into(), help: Some(help.into()) }
    }

    pub fn fail(what: impl Into<String>, says: impl Into<String>, help: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, what: what.into(), says: says.into(), help: Some(help.into()) }
    }

    fn document(&self) -> Value {
        let Self { verdict, what, says, help } = self;
        let word = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        json!({ "what": what, "verdict": word, "says": says, "help": help })
    }
}

impl Findings {
    pub fn new(output: Output) -> Self {
        Self { output, found: Vec::new() }
    }

    pub fn add(&mut self, finding: Finding) {
        if self.output == Output::Table {
            say!("{finding}");
        }
        self.found.push(finding);
    }

    /// Whether nothing failed.
    pub fn end(self) -> bool {
        let well = self.found.iter().all(|finding| finding.verdict != Verdict::Fail);
        if self.output == Output::Json {
            let findings = Value::from_iter(self.found.iter().map(Finding::document));
            say!("{:#}", json!({ "well": well, "findings": findings }));
        }
        well
    }
}
