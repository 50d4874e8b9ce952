//! Partial answers: `fields=nextPageToken,groups(id,email)` or `groups/email`. What is not named is left out without a
//! word, `nextPageToken` too: that silently cuts a client's list, and must do so here.

use std::collections::BTreeMap;

use serde::ser::Error;
use serde_json::{Map, Value};

/// The fields kept at one level; an empty selection below a field keeps all of it.
#[derive(Debug, Default, PartialEq)]
struct Selection(BTreeMap<String, Selection>);

/// Keeps what the mask names.
///
/// # Errors
/// When the mask has unbalanced parentheses or an empty name.
pub(super) fn masked(body: Value, mask: &str) -> Result<Value, serde_json::Error> {
    let mut rest = mask.trim();
    let selection = parse(&mut rest).filter(|_| rest.is_empty());
    let selection = selection.ok_or_else(|| serde_json::Error::custom("malformed fields"))?;
    Ok(keep(body, &selection))
}

fn parse(rest: &mut &str) -> Option<Selection> {
    let mut selection = Selection::default();
    loop {
        let (name, below) = parse_field(rest)?;
        selection.0.entry(name).or_default().0.extend(below.0);
        match rest.strip_prefix(',') {
            Some(next) => *rest = next.trim_start(),
            None => return Some(selection),
        }
    }
}

fn parse_field(rest: &mut &str) -> Option<(String, Selection)> {
    let end = rest.find([',', '(', ')', '/']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let mut below = Selection::default();
    if let Some(inner) = rest.strip_prefix('/') {
        *rest = inner;
        let (inner_name, inner_below) = parse_field(rest)?;
        below.0.insert(inner_name, inner_below);
    } else if let Some(inner) = rest.strip_prefix('(') {
        *rest = inner.trim_start();
        below = parse(rest)?;
        *rest = rest.strip_prefix(')')?.trim_start();
    }
    Some((name.to_owned(), below))
}

fn keep(body: Value, selection: &Selection) -> Value {
    if selection.0.is_empty() || selection.0.contains_key("*") {
        return body;
    }
    match body {
        Value::Array(rows) => rows.into_iter().map(|row| keep(row, selection)).collect(),
        Value::Object(object) => Value::Object(keep_keys(object, selection)),
        scalar => scalar,
    }
}

fn keep_keys(object: Map<String, Value>, selection: &Selection) -> Map<String, Value> {
    let kept = |(key, value): (String, Value)| selection.0.get(&key).map(|below| (key, keep(value, below)));
    object.into_iter().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::masked;

    #[test]
    fn only_named_fields_are_kept() {
        let body = json!({ "kind": "k", "nextPageToken": "t", "groups": [{ "id": "1", "email": "a", "name": "n" }] });
        for mask in ["nextPageToken,groups(id,email)", "nextPageToken, groups/id, groups/email"] {
            let kept = masked(body.clone(), mask).expect("well formed");
            assert_eq!(kept, json!({ "nextPageToken": "t", "groups": [{ "id": "1", "email": "a" }] }), "{mask}");
        }
        assert_eq!(masked(body.clone(), "groups/id").expect("well formed"), json!({ "groups": [{ "id": "1" }] }));
        assert_eq!(masked(body.clone(), "*").expect("well formed"), body);
    }

    #[test]
    fn a_malformed_mask_is_refused() {
        for mask in ["", "groups(", "groups)", "a,,b", "groups(id"] {
            assert!(masked(json!({}), mask).is_err(), "{mask}");
        }
    }
}
