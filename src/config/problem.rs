//! What is wrong with a configuration, and where. Imports nothing of its siblings.
//!
//! Invariant: no text here holds a value from the configuration that could be a secret.

use std::fmt;
use std::sync::Arc;

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere: the built-in defaults.
    BuiltIn,
    /// In the file, at a line counted from 1 where one is known.
    File {
        /// The path as it was given.
        file: Arc<str>,
        /// Line, from 1.
        line: Option<usize>,
    },
    /// In the environment, by this variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => formatter.write_str("built-in defaults"),
            Self::File { file, line: Some(line) } => write!(formatter, "{file}:{line}"),
            Self::File { file, line: None } => formatter.write_str(file),
            Self::Variable(name) => formatter.write_str(name),
        }
    }
}

/// One thing that must be changed before the daemon starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file and line, or the variable.
    pub place: Place,
    /// The full key (`sources.deploycenter.service_id`); empty when the file as a whole is meant.
    pub key: String,
    /// What is allowed, or what went wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, message } = self;
        match key.as_str() {
            "" => write!(formatter, "{place}: {message}"),
            key => write!(formatter, "{place}: {key}: {message}"),
        }
    }
}

/// Every problem of a configuration, in the order of the file, then of the variables. Its `Display` has one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(problems))]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// `None` when there is nothing wrong.
    pub(super) fn of(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort();
        problems.dedup();
        (!problems.is_empty()).then_some(Self { problems })
    }

    /// The problems, at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

fn listed(problems: &[Problem]) -> String {
    let heading = match problems.len() {
        1 => "the configuration has 1 problem:".to_owned(),
        count => format!("the configuration has {count} problems:"),
    };
    problems.iter().fold(heading, |text, problem| format!("{text}\n  {problem}"))
}
