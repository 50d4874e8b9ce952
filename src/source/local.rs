//! The entitlements backend without a network: a file of the operator's, or no file at all.
//!
//! Without a file everybody `can_access`, and nothing else is said.
//!
//! With one, it holds one table per person, by address (compared folded):
//!
//! ```toml
//! [users."ann@example.org"]
//! can_access = true                        # any key but `groups` is an entitlement, kept verbatim
//! can_admin_maildomains = ["commune-a.fr"] # mapped by [[sources.<name>.map]], as from any backend
//! groups = ["editors", "Everyone"]         # all of the person's groups; `Admin` and `Everyone` are the system groups
//! ```
//!
//! A person's `groups`, where given, are all of their groups of this source: others are removed. An entry without `groups`
//! says nothing about groups, and a person who is not in the file has neither groups nor entitlements there. A change
//! takes effect at the next question; replace the file by renaming a whole one over it. A file that can't be read, is not
//! TOML or has no table `users` is a `malformed` failure, which removes nothing.
//!
//! Imports the model, toml and tokio (fs).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use entitled_model::observation::{Coverage, ObservedGroup, SystemGroup, UserAnswer};
use entitled_model::{EmailKey, ErrorClass, Failure, GroupName, MapRule};
use serde_json::{Value, json};

use super::{EntitlementsBackend, Person, Urgency, answer};

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The key of an entry that is no entitlement.
const GROUPS_KEY: &str = "groups";

pub(super) struct Local {
    file: Option<PathBuf>,
    rules: Vec<MapRule>,
    read: Mutex<Option<Arc<Contents>>>,
}

/// A file's text, and what it says.
struct Contents {
    bytes: Vec<u8>,
    users: HashMap<EmailKey, BTreeMap<String, Value>>,
}

#[async_trait]
impl EntitlementsBackend for Local {
    async fn answer(&self, person: &Person, _urgency: Urgency) -> Result<UserAnswer, Failure> {
        let Some(file) = &self.file else { return self.everybody() };
        let contents = self.contents(file).await?;
        let entry = person.email.as_ref().and_then(|email| contents.users.get(&email.key()));
        entry.map_or_else(|| Ok(answer::unlisted()), |entry| self.listed(entry))
    }
}

impl Local {
    pub fn new(file: Option<PathBuf>, rules: Vec<MapRule>) -> Self {
        Self { file, rules, read: Mutex::new(None) }
    }

    fn everybody(&self) -> Result<UserAnswer, Failure> {
        answer::read(&BTreeMap::from([("can_access".to_owned(), json!(true))]), &self.rules)
    }

    fn listed(&self, entry: &BTreeMap<String, Value>) -> Result<UserAnswer, Failure> {
        let mut stated = entry.clone();
        let groups = stated.remove(GROUPS_KEY);
        let mut answer = answer::read(&stated, &self.rules)?;
        if let Some(groups) = groups {
            answer.groups.extend(read_groups(&groups)?);
            answer.coverage = Coverage::Everything;
        }
        Ok(answer)
    }

    /// What the file says now; parsed again only when it has changed.
    async fn contents(&self, file: &Path) -> Result<Arc<Contents>, Failure> {
        let bytes = read_bounded(file).await.map_err(|cause| malformed(&format!("cannot be read: {cause}")))?;
        if let Some(contents) = self.last().filter(|contents| contents.bytes == bytes) {
            return Ok(contents);
        }
        let contents = Arc::new(Contents { users: read_users(&bytes)?, bytes });
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&contents));
        Ok(contents)
    }

    fn last(&self) -> Option<Arc<Contents>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a file says of each person, shown with the entry that says it; entries that can't be read are left out.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn each_answer(bytes: &[u8], rules: &[MapRule], show: impl Fn(&BTreeMap<String, Value>, UserAnswer)) {
    let Ok(users) = read_users(bytes) else { return };
    let local = Local::new(None, rules.to_vec());
    for entry in users.values() {
        if let Ok(answer) = local.listed(entry) {
            show(entry, answer);
        }
    }
}

async fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    if tokio::fs::metadata(file).await?.len() > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    tokio::fs::read(file).await
}

fn read_users(bytes: &[u8]) -> Result<HashMap<EmailKey, BTreeMap<String, Value>>, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("is not UTF-8"))?;
    // toml's own message quotes the line, which names a person.
    let table: toml::Table = text.parse().map_err(|_| malformed("is not TOML"))?;
    let Some(toml::Value::Table(users)) = table.get("users") else {
        return Err(malformed("has no table `users`"));
    };
    let mut read = HashMap::with_capacity(users.len());
    for (address, entry) in users {
        let entry = entry.as_table().ok_or_else(|| malformed("has an entry under `users` that is not a table"))?;
        let entry = entry.iter().map(|(key, value)| Ok((key.clone(), to_json(value)?)));
        let entry = entry.collect::<Result<BTreeMap<_, _>, Failure>>()?;
        if read.insert(EmailKey::fold(address), entry).is_some() {
            return Err(malformed("has two entries under `users` for one address"));
        }
    }
    Ok(read)
}

fn to_json(value: &toml::Value) -> Result<Value, Failure> {
    Ok(match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(integer) => json!(integer),
        toml::Value::Boolean(flag) => json!(flag),
        toml::Value::Datetime(at) => json!(at.to_string()),
        toml::Value::Float(float) => {
            let number = serde_json::Number::from_f64(*float);
            Value::Number(number.ok_or_else(|| malformed("holds a number that is not finite"))?)
        }
        toml::Value::Array(values) => Value::Array(values.iter().map(to_json).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => {
            let fields = table.iter().map(|(key, value)| Ok((key.clone(), to_json(value)?)));
            Value::Object(fields.collect::<Result<_, Failure>>()?)
        }
    })
}

fn read_groups(groups: &Value) -> Result<BTreeSet<ObservedGroup>, Failure> {
    let listed = groups.as_array().ok_or_else(|| malformed("has `groups` that are not a list"))?;
    listed.iter().map(read_group).collect()
}

fn read_group(group: &Value) -> Result<ObservedGroup, Failure> {
    let name = group.as_str().ok_or_else(|| malformed("has `groups` with something other than a string"))?;
    let name = GroupName::parse(name).map_err(|error| malformed(&format!("has a bad name in `groups`: {error}")))?;
    let system = SystemGroup::ALL.into_iter().find(|group| group.name() == name.as_str());
    Ok(system.map_or(ObservedGroup::Directory { name, external_id: None }, ObservedGroup::System))
}

fn malformed(what: &str) -> Failure {
    Failure::new(ErrorClass::Malformed, format!("the source's file {what}"))
}
