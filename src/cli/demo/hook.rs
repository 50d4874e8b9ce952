//! The login hook, called as an application calls it: over HTTP, with a credential.

use std::collections::BTreeMap;

use entitled_simulator::Person;
use serde::Deserialize;
use serde_json::{Value, json};

use super::stage::{LOGIN_KEY, Stage};
use super::watch::StoryError;

/// What the hook answers, as far as the story looks at it.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub decision: String,
    groups: Vec<Group>,
    entitlements: Vec<Entitlement>,
    sources: Vec<SourcePart>,
    position: u64,
}

#[derive(Debug, Deserialize)]
struct Group {
    group: String,
    sources: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Entitlement {
    key: String,
    value: Value,
}

#[derive(Debug, Deserialize)]
struct SourcePart {
    source: String,
    freshness: String,
    age_seconds: Option<f64>,
    error: Option<Failed>,
}

#[derive(Debug, Deserialize)]
struct Failed {
    class: String,
}

impl Stage {
    /// Reports a login.
    ///
    /// # Errors
    /// When the hook does not answer 200 with the contract's document.
    pub async fn login(&self, person: &Person) -> Result<Answer, StoryError> {
        let request = self.http.post(self.url("/hooks/login")).bearer_auth(LOGIN_KEY).json(&body(person));
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// The same call, to be pasted.
    pub fn login_curl(&self, person: &Person) -> [String; 3] {
        [
            format!("curl {} \\", self.url("/hooks/login")),
            format!("  -H 'Authorization: Bearer {LOGIN_KEY}' \\"),
            format!("  -d '{}'", body(person)),
        ]
    }
}

fn body(person: &Person) -> Value {
    json!({ "email": person.email, "claims": { "siret": person.siret } })
}

impl Answer {
    /// The groups that a source supports.
    pub fn groups_by<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a str> {
        let supported = self.groups.iter().filter(move |group| group.sources.iter().any(|by| by == source));
        supported.map(|group| group.group.as_str())
    }

    /// Whether a source's part of the answer is as recent as that.
    pub fn is(&self, source: &str, freshness: &str) -> bool {
        self.sources.iter().any(|part| part.source == source && part.freshness == freshness)
    }

    /// The answer in a few lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("decision   {}", self.decision)];
        let mut by_sources: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for Group { group, sources } in &self.groups {
            by_sources.entry(sources.join(" and ")).or_default().push(group);
        }
        for (sources, groups) in by_sources {
            lines.push(format!("groups     by {sources}:"));
            lines.extend(groups.iter().map(|group| format!("             {group}")));
        }
        let stated = self.entitlements.iter().filter(|stated| stated.value.is_boolean());
        let stated: Vec<String> = stated.map(|stated| format!("{} = {}", stated.key, stated.value)).collect();
        lines.push(format!("entitled   {}", stated.join(", ")));
        lines.extend(self.sources.iter().map(|part| format!("source     {}", part.line())));
        lines.push(format!("position   {}", self.position));
        lines
    }
}

impl SourcePart {
    fn line(&self) -> String {
        let Self { source, freshness, age_seconds, error } = self;
        let age = age_seconds.map(|age| format!(", {age:.1} s old")).unwrap_or_default();
        let error = error.as_ref().map(|failed| format!(", because of {}", failed.class)).unwrap_or_default();
        format!("{source}: {freshness}{age}{error}")
    }
}
