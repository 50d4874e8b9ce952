//! One value while it is read by its type. Imports tree, problem, choice and duration.
//!
//! Invariant: `None` means the key was not given, or was wrong and has been reported. A value is never quoted.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::choice::{Choice, alternatives};
use super::duration;
use super::problem::{Place, Problem};
use super::reader::Context;
use super::tree::{self, Node, Value};

/// Where a key stands: what a problem with it is reported under.
#[derive(Clone)]
pub(super) struct Spot<'c> {
    pub context: &'c Context<'c>,
    /// The full key.
    pub path: String,
    pub place: Place,
    /// Set when the table around is wrong, so that its contents are not judged.
    pub muted: bool,
}

impl Spot<'_> {
    pub fn problem(&self, message: impl Into<String>) {
        if !self.muted {
            self.context.push(Problem { place: self.place.clone(), key: self.path.clone(), message: message.into() });
        }
    }

    /// Reports an error and drops it.
    pub fn checked<T>(&self, outcome: Result<T, String>) -> Option<T> {
        outcome.map_err(|message| self.problem(message)).ok()
    }
}

/// A key's value, if it was given.
pub(super) struct Field<'c> {
    pub spot: Spot<'c>,
    pub node: Option<Node>,
}

impl Field<'_> {
    /// Reports the key if it was not given; `expected` says what belongs there.
    pub fn required(self, expected: &str) -> Self {
        if self.node.is_none() {
            self.spot.problem(format!("missing: expected {expected}"));
        }
        self
    }

    /// A text that `parse` accepts; `parse` fails with the whole message.
    pub fn parsed<T>(mut self, expected: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let outcome = match self.node.take()?.value {
            Value::Text(text) | Value::Raw(text) => parse(&text),
            _ => Err(format!("expected {expected}")),
        };
        self.spot.checked(outcome)
    }

    /// A text for which `accepts` holds; `expected` describes it.
    pub fn matching(self, expected: &str, accepts: impl FnOnce(&str) -> bool) -> Option<String> {
        self.parsed(expected, |text| match accepts(text) {
            true => Ok(text.to_owned()),
            false => Err(format!("expected {expected}")),
        })
    }

    /// A text that is not empty.
    pub fn text(self) -> Option<String> {
        self.matching("a string that is not empty", |text| !text.trim().is_empty())
    }

    /// A whole number in `range`, which must fit into `T`.
    pub fn integer<T: TryFrom<i64>>(mut self, range: RangeInclusive<i64>) -> Option<T> {
        let value = self.node.take()?;
        match typed(value) {
            Value::Integer(integer) if range.contains(&integer) => T::try_from(integer).ok(),
            _ => {
                self.spot.problem(expected_integer(&range));
                None
            }
        }
    }

    /// A number in `range`, whole or with decimals.
    pub fn decimal(mut self, range: RangeInclusive<f64>) -> Option<f64> {
        let decimal = match typed(self.node.take()?) {
            Value::Decimal(decimal) => decimal,
            Value::Integer(0) => 0.0,
            Value::Integer(1) => 1.0,
            _ => f64::NAN,
        };
        if !range.contains(&decimal) {
            let (least, most) = (range.start(), range.end());
            self.spot.problem(format!("expected a number from {least} to {most}"));
            return None;
        }
        Some(decimal)
    }

    /// `true` or `false`.
    pub fn boolean(mut self) -> Option<bool> {
        match typed(self.node.take()?) {
            Value::Boolean(boolean) => Some(boolean),
            _ => {
                self.spot.problem("expected true or false".to_owned());
                None
            }
        }
    }

    /// A duration in `range`.
    pub fn duration(self, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.parsed(duration::FORM, |text| {
            let parsed = duration::parse(text).ok_or(format!("expected {}", duration::FORM))?;
            match range.contains(&parsed) {
                true => Ok(parsed),
                false => Err(format!(
                    "expected a duration from {} to {}",
                    duration::format(*range.start()),
                    duration::format(*range.end())
                )),
            }
        })
    }

    /// One of the words of `T`.
    pub fn choice<T: Choice>(self) -> Option<T> {
        let expected = alternatives(T::WORDS.iter().map(|(word, _)| *word));
        self.parsed(&expected, |text| {
            T::WORDS
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, choice)| *choice)
                .ok_or(format!("expected {expected}"))
        })
    }

    /// A list of texts that `parse` accepts, in order; a variable may separate them by commas.
    pub fn list<T>(self, expected: &str, mut parse: impl FnMut(&str) -> Result<T, String>) -> Option<Vec<T>> {
        self.node.as_ref()?;
        let outer = self.spot.clone();
        let elements = self.separated().elements("a list of strings");
        let read = elements.into_iter().enumerate().filter_map(|(index, node)| {
            let spot = Spot { path: format!("{}[{index}]", outer.path), place: node.place.clone(), ..outer.clone() };
            let node = Some(node);
            Field { spot, node }.parsed(expected, &mut parse)
        });
        Some(read.collect())
    }

    /// The elements of a list; none when it was not given.
    pub fn elements(mut self, expected: &str) -> Vec<Node> {
        match self.node.take().map(typed) {
            None => Vec::new(),
            Some(Value::List(elements)) => elements,
            Some(_) => {
                self.spot.problem(format!("expected {expected}"));
                Vec::new()
            }
        }
    }

    /// Turns a variable's `a, b` into the list of its parts, unless it is written as a TOML list.
    fn separated(mut self) -> Self {
        if let Some(Node { value: value @ Value::Raw(_), place }) = &mut self.node
            && let Value::Raw(text) = value
            && !text.trim_start().starts_with('[')
        {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            *value = Value::List(
                parts.map(|part| Node { place: place.clone(), value: Value::Text(part.to_owned()) }).collect(),
            );
        }
        self
    }
}

/// The value, where a variable's text is read as TOML.
pub(super) fn typed(node: Node) -> Value {
    match node.value {
        Value::Raw(text) => tree::parse_value(&text, &node.place).unwrap_or(Value::Unusable),
        value => value,
    }
}

fn expected_integer(range: &RangeInclusive<i64>) -> String {
    match (*range.start(), *range.end()) {
        (i64::MIN, i64::MAX) => "expected an integer".to_owned(),
        (least, i64::MAX) => format!("expected an integer of at least {least}"),
        (least, most) => format!("expected an integer from {least} to {most}"),
    }
}
