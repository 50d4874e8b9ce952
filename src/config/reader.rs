//! Walks the tree table by table and collects what is wrong. Imports tree, field, problem and suggest.
//!
//! Invariant: every key of every table is asked for or reported. A reader never stops at a problem: it takes a
//! stand-in value and goes on, and [`Context::finish`] refuses the whole.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::field::{self, Field, Spot};
use super::problem::{ConfigError, Place, Problem};
use super::suggest;
use super::tree::{Node, Table, Value};

/// What one reading shares: the environment (for secrets) and the problems and warnings so far.
pub(super) struct Context<'e> {
    pub environment: &'e BTreeMap<String, String>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<String>>,
}

impl<'e> Context<'e> {
    pub fn new(environment: &'e BTreeMap<String, String>) -> Self {
        Self { environment, problems: RefCell::default(), warnings: RefCell::default() }
    }

    /// Reads the root table.
    pub fn read<T>(&self, root: Node, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let spot = Spot { context: self, path: String::new(), place: root.place.clone(), muted: false };
        Section::of(spot, root).read_with(read)
    }

    pub fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    /// The warnings, unless there are problems.
    pub fn finish(self) -> Result<Vec<String>, ConfigError> {
        match ConfigError::of(self.problems.into_inner()) {
            Some(error) => Err(error),
            None => Ok(self.warnings.into_inner()),
        }
    }
}

/// A table while it is read.
pub(super) struct Section<'c> {
    spot: Spot<'c>,
    entries: Table,
    /// The keys asked for so far, with the place of those that were given.
    asked: BTreeMap<&'static str, Option<Place>>,
}

impl<'c> Section<'c> {
    /// A table at `spot`; anything else is reported and stands as an empty one.
    pub fn of(mut spot: Spot<'c>, node: Node) -> Self {
        spot.place = node.place.clone();
        let entries = match field::typed(node) {
            Value::Table(entries) => entries,
            _ => {
                spot.problem("expected a table");
                spot.muted = true;
                Table::new()
            }
        };
        Self { spot, entries, asked: BTreeMap::new() }
    }

    /// Reads the table, then reports the keys nobody asked for.
    pub fn read_with<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let read = read(&mut self);
        self.report_unknown();
        read
    }

    pub fn place(&self) -> Place {
        self.spot.place.clone()
    }

    /// The full key of this table, such as `sources.deploycenter`.
    pub fn path(&self) -> &str {
        &self.spot.path
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Gives `key` the text of a variable of the environment, unless it is set or the text is empty.
    pub fn default_from(&mut self, key: &'static str, variable: &str) {
        if let Some(text) = self.variable(variable).filter(|text| !text.trim().is_empty()) {
            let node = Node { place: Place::Variable(variable.to_owned()), value: Value::Raw(text.to_owned()) };
            self.entries.entry(key.to_owned()).or_insert(node);
        }
    }

    /// What the environment says under `name`.
    pub fn variable(&self, name: &str) -> Option<&'c str> {
        self.spot.context.environment.get(name).map(String::as_str)
    }

    /// Takes the value under `key`, to be read by its type.
    pub fn key(&mut self, key: &'static str) -> Field<'c> {
        let node = self.entries.remove(key);
        let given = node.as_ref().map(|node| node.place.clone());
        self.asked.insert(key, given);
        let spot = self.spot_of(key);
        Field { spot, node }
    }

    /// Reads the table under `key`; a missing one reads like an empty one.
    pub fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'c>) -> T) -> T {
        let Field { spot, node } = self.key(key);
        let node = node.unwrap_or_else(|| Node::table(spot.place.clone()));
        Section::of(spot, node).read_with(read)
    }

    /// Reads each table of the list under `key`, as in `[[http.keys]]`.
    pub fn tables<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Section<'c>) -> T) -> Vec<T> {
        let list = self.key(key);
        let outer = list.spot.clone();
        let elements = list.elements("a list of tables").into_iter().enumerate();
        elements
            .map(|(index, node)| {
                let path = format!("{}[{index}]", outer.path);
                let spot = Spot { path, ..outer.clone() };
                Section::of(spot, node).read_with(&mut read)
            })
            .collect()
    }

    /// Reads every remaining entry as a table under a name of the operator's choice.
    pub fn named_tables<T>(&mut self, mut read: impl FnMut(&str, &mut Section<'c>) -> T) -> Vec<T> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(name, node)| {
                let section = Section::of(self.spot_of(&name), node);
                section.read_with(|section| read(&name, section))
            })
            .collect()
    }

    /// Refuses `key`, known elsewhere but not allowed here, and says why.
    pub fn refuse(&mut self, key: &'static str, why: &str) {
        if let Some(node) = self.entries.remove(key) {
            let place = node.place;
            let spot = self.spot_of(key);
            Spot { place, ..spot }.problem(why);
        }
    }

    /// Reports what is wrong with a key that was asked for before, or (with an empty key) with the table.
    pub fn problem(&self, key: &str, message: impl Into<String>) {
        self.spot_of(key).problem(message);
    }

    pub fn warn(&self, warning: String) {
        self.spot.context.warn(warning);
    }

    /// Lets the remaining keys pass, because what they mean is unknown.
    pub fn ignore_rest(&mut self) {
        self.entries.clear();
    }

    fn spot_of(&self, key: &str) -> Spot<'c> {
        let given = self.asked.get(key).cloned().flatten();
        let path = match (self.path(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        };
        Spot { path, place: given.unwrap_or_else(|| self.place()), ..self.spot.clone() }
    }

    fn report_unknown(&self) {
        for (key, node) in &self.entries {
            let allowed: Vec<&str> = self.asked.keys().copied().collect();
            let suggestion = suggest::nearest(key, allowed.iter().copied())
                .map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
            let place = node.place.clone();
            let spot = self.spot_of(key);
            Spot { place, ..spot }.problem(format!("unknown key{suggestion}; allowed keys: {}", allowed.join(", ")));
        }
    }
}
