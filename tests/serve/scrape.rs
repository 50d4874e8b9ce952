//! Reading metrics as a scraper does.

use std::collections::BTreeMap;

use crate::support::Daemon;

/// One sample: its name, its labels and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples; a line that is none fails the test.
pub async fn scrape(daemon: &Daemon) -> Vec<Sample> {
    let text = daemon.get("/metrics").await.text().await.expect("text");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| read(line).unwrap_or_else(|| panic!("{line}")))
        .collect()
}

/// The value of the one sample with these labels; 0 when there is none yet.
pub fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &&Sample| {
        sample.name == name && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|is| is == value))
    };
    samples.iter().filter(has).map(|sample| sample.value).sum()
}

fn read(line: &str) -> Option<Sample> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = match head.split_once('{') {
        None => (head, BTreeMap::new()),
        Some((name, labels)) => (name, read_labels(labels.strip_suffix('}')?)?),
    };
    let first = name.chars().next()?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let value = value.replace("+Inf", "inf").parse().ok()?;
    (!first.is_ascii_digit() && name.chars().all(word)).then(|| Sample { name: name.to_owned(), labels, value })
}

fn read_labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        (!name.is_empty() && !value.contains('\\')).then_some(())?;
        labels.insert(name.to_owned(), value.to_owned());
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(labels)
}
