//! Lays `ENTITLED_<SECTION>__<KEY>` variables over the tree of the file. Imports tree and problem.
//!
//! A variable without `__` after the prefix is not a setting (`ENTITLED_LOGIN_KEY` may hold a secret). What a text
//! means is decided by the reader of its key, so nothing is interpreted here except a table that a longer
//! variable reaches into.

use std::collections::BTreeMap;

use super::problem::{Place, Problem};
use super::tree::{self, Node, Table, Value};

const PREFIX: &str = "ENTITLED_";
const SEPARATOR: &str = "__";

/// Sets every key that a variable names; returns what could not be set.
pub(super) fn overlay(root: &mut Node, environment: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (variable, text) in environment {
        let Some(setting) = setting_of(variable) else {
            continue;
        };
        let path: Vec<&str> = setting.split(SEPARATOR).collect();
        let place = Place::Variable(variable.clone());
        let outcome = match owners.insert(setting.clone(), variable) {
            Some(other) => Err(format!("the variable {other} sets the same key")),
            None => set(root, &path, text, &place),
        };
        if let Err(message) = outcome {
            problems.push(Problem { place, key: path.join("."), message });
        }
    }
    problems
}

/// The lower-case key path (`database__url`) a variable stands for, if it is a setting.
fn setting_of(variable: &str) -> Option<String> {
    let (prefix, rest) = variable.split_at_checked(PREFIX.len())?;
    (prefix.eq_ignore_ascii_case(PREFIX) && rest.contains(SEPARATOR)).then(|| rest.to_ascii_lowercase())
}

fn set(node: &mut Node, path: &[&str], text: &str, place: &Place) -> Result<(), String> {
    let [key, rest @ ..] = path else {
        node.place = place.clone();
        node.value = Value::Raw(text.to_owned());
        return Ok(());
    };
    if key.is_empty() {
        return Err("a key is missing beside `__`".to_owned());
    }
    let entries = entries_of(node, place)?;
    let child = entries.entry((*key).to_owned()).or_insert_with(|| Node::table(place.clone()));
    set(child, rest, text, place)
}

/// The table a longer variable reaches into; a single value of the file gives way to it.
fn entries_of<'n>(node: &'n mut Node, place: &Place) -> Result<&'n mut Table, String> {
    if let Value::Raw(text) = &node.value {
        match tree::parse_value(text, &node.place) {
            Some(table @ Value::Table(_)) => node.value = table,
            _ => return Err(format!("the variable {} sets the whole value", node.place)),
        }
    }
    if matches!(node.value, Value::List(_)) {
        return Err("a list is set as a whole, as in `[{ ... }, { ... }]`".to_owned());
    }
    if !matches!(node.value, Value::Table(_)) {
        *node = Node::table(place.clone());
    }
    match &mut node.value {
        Value::Table(entries) => Ok(entries),
        _ => Err("expected a table".to_owned()),
    }
}
