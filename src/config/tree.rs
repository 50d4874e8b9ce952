//! A configuration as a tree of values that know where they were given. Imports toml, pattern and problem.
//!
//! Invariant: no `Debug` and no `Display` here, because any text in the tree may be a secret.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::pattern;
use super::problem::{ConfigError, Place, Problem};

/// The entries of a table by key.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and where it was given.
#[derive(Clone)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

/// A TOML value, or the text of a variable whose type only its reader knows.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Table),
    /// A date or a number beyond 64 bits: nothing asks for one.
    Unusable,
    /// From the environment, as it stands there.
    Raw(String),
}

impl Node {
    /// An empty table.
    pub fn table(place: Place) -> Self {
        Self { place, value: Value::Table(Table::new()) }
    }
}

/// The tree of a file.
///
/// # Errors
/// Every syntax error (a duplicate key or table is one). The text itself is not quoted: it may hold secrets.
pub(super) fn parse_file(file: &Arc<str>, text: &str) -> Result<Node, ConfigError> {
    let lines = LineStarts::of(text);
    let place = |offset: usize| Place::File { file: file.clone(), line: Some(lines.line_of(offset)) };
    let (table, errors) = DeTable::parse_recoverable(text);
    let problems = errors.iter().map(|error| syntax_problem(error, text, &place)).collect();
    if let Some(error) = ConfigError::of(problems) {
        return Err(error);
    }
    Ok(Node {
        place: Place::File { file: file.clone(), line: None },
        value: Value::Table(convert_table(table.into_inner(), &place)),
    })
}

/// A TOML value that stands alone, such as the text of a variable; `None` when it is not one.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<Value> {
    let value = DeValue::parse(text.trim()).ok()?.into_inner();
    Some(convert(value, &|_| place.clone()))
}

fn syntax_problem(error: &Error, text: &str, place: &dyn Fn(usize) -> Place) -> Problem {
    let span = error.span().unwrap_or_default();
    let (place, key) = (place(span.start), key_at(text, span).unwrap_or_default().to_owned());
    Problem { place, key, message: format!("not TOML: {}", error.message()) }
}

/// The key that an error points at. Only what stands where a key begins is one: what follows a `=` may be a secret.
fn key_at(text: &str, Range { start, end }: Range<usize>) -> Option<&str> {
    let before = text.get(..start)?.rsplit('\n').next()?;
    let header = before.chars().all(|c| c.is_ascii_alphanumeric() || " [._-".contains(c));
    text.get(start..end).filter(|key| header && pattern::is_word(key))
}

fn convert_table(table: DeTable<'_>, place: &dyn Fn(usize) -> Place) -> Table {
    table
        .into_iter()
        .map(|(key, value)| {
            let node = Node { place: place(key.span().start), value: convert(value.into_inner(), place) };
            (key.into_inner().into_owned(), node)
        })
        .collect()
}

fn convert(value: DeValue<'_>, place: &dyn Fn(usize) -> Place) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Unusable, Value::Integer)
        }
        DeValue::Float(decimal) => decimal.as_str().parse().map_or(Value::Unusable, Value::Decimal),
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(_) => Value::Unusable,
        DeValue::Array(elements) => {
            Value::List(elements.into_iter().map(|element| convert_element(element, place)).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(table, place)),
    }
}

fn convert_element(element: Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> Node {
    Node { place: place(element.span().start), value: convert(element.into_inner(), place) }
}

/// Offsets at which lines begin.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self(std::iter::once(0).chain(after_newlines).collect())
    }

    fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}
