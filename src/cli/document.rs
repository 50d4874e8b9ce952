//! What `sync` prints: the contract's JSON document, and the same as a table.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use entitled_model::instant::written;
use entitled_model::plan::hex;
use entitled_model::{Outcome, RunId, SourceName, UserId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CliError, Exit};
use crate::reconcile::{Change, Kept, LIST_MAX, RunError, SourceRun};
use crate::report::chain;
use crate::store::Store;

/// The most changes that a table lists.
const TABLE_CHANGES_MAX: usize = 50;

/// One invocation of `sync`, ended.
pub struct Document {
    pub run_id: RunId,
    pub dry_run: bool,
    /// The users that were named, if any.
    pub users: Vec<UserId>,
    pub entries: Vec<Entry>,
}

/// One source's part.
pub struct Entry {
    pub source: SourceName,
    pub ended: Result<SourceRun, RunError>,
}

impl Entry {
    /// For one user, or for all.
    fn outcome_of(&self, user: Option<UserId>) -> Outcome {
        let Ok(run) = &self.ended else { return Outcome::Failed };
        user.and_then(|user| run.users.get(&user)).map_or(run.outcome, |part| part.outcome)
    }

    fn unread(&self) -> bool {
        self.ended.as_ref().is_ok_and(|run| run.error.is_some())
    }

    fn json(&self, of: Option<UserId>) -> Value {
        let concerns = |change: &&Change| of.is_none_or(|user| change.user == user);
        match &self.ended {
            Err(error) => json!({
                "source": self.source, "outcome": Outcome::Failed, "observed_at": null,
                "error": {"class": "internal", "message": chain(error)},
                "created": [], "removed": [], "kept": [], "unchanged": 0,
                "counts": {"created": 0, "removed": 0, "kept": 0}, "plan_hash": null, "held": null,
            }),
            Ok(run) => {
                let part = of.and_then(|user| run.users.get(&user));
                let list = |changes: &[Change]| -> Vec<Value> {
                    changes.iter().filter(concerns).map(|change| self.change(change)).collect()
                };
                let kept: Vec<Value> =
                    run.kept.iter().filter(|kept| concerns(&&kept.change)).map(|kept| self.kept(kept)).collect();
                let (created, removed) = (list(&run.created), list(&run.removed));
                let counts = match of {
                    None => [run.created_count, run.removed_count, run.kept_count],
                    Some(_) => [created.len() as u64, removed.len() as u64, kept.len() as u64],
                };
                let whole_error = run.error.as_ref().map(|failed| (failed.class, &failed.message));
                let error = match part {
                    None => whole_error,
                    Some(part) => part.error.as_ref().map(|(class, message)| (*class, message)),
                };
                let cut = of.is_none() && counts.iter().any(|count| *count > LIST_MAX as u64);
                let mut entry = json!({
                    "source": self.source,
                    "outcome": self.outcome_of(of),
                    "error": error.map(|(class, message)| json!({"class": class, "message": message})),
                    "observed_at": run.observed_at.map(written),
                    "created": created, "removed": removed, "kept": kept,
                    "unchanged": part.map_or(run.unchanged, |part| part.unchanged),
                    "counts": {"created": counts[0], "removed": counts[1], "kept": counts[2]},
                    "entitlements_changed": part.map_or(run.entitlements_changed, |part| part.entitlements_changed),
                    "plan_hash": run.plan_hash,
                    "held": run.held,
                });
                if cut {
                    entry["cut"] = true.into();
                }
                entry
            }
        }
    }

    fn change(&self, change: &Change) -> Value {
        json!({"user": user(change), "group": change.group, "source": self.source})
    }

    fn kept(&self, kept: &Kept) -> Value {
        let mut value = self.change(&kept.change);
        value["reason"] = kept.reason.into();
        if let Some(due_at) = kept.due_at {
            value["due_at"] = written(due_at).into();
        }
        value
    }
}

/// The user's id; `new:<address>` for one whom a rehearsal would create.
fn user(change: &Change) -> String {
    change.newcomer.as_ref().map_or_else(|| change.user.to_string(), |address| format!("new:{address}"))
}

impl Document {
    fn outcome(&self) -> Outcome {
        self.outcome_of(None)
    }

    fn outcome_of(&self, user: Option<UserId>) -> Outcome {
        self.entries.iter().map(|entry| entry.outcome_of(user)).max().unwrap_or(Outcome::Unchanged)
    }

    /// The contract's exit code.
    pub fn exit(&self) -> Exit {
        match self.outcome() {
            Outcome::Failed => Exit::Unwell,
            Outcome::Held => Exit::Held,
            _ if self.entries.iter().any(Entry::unread) => Exit::Unavailable,
            Outcome::Unavailable => Exit::Unavailable,
            Outcome::Unchanged | Outcome::Applied | Outcome::Blocked => Exit::Done,
        }
    }

    /// One source's plan is the whole plan; of several the hash is over their hashes.
    fn plan_hash(&self) -> Option<String> {
        let hashes: Vec<&String> =
            self.entries.iter().filter_map(|entry| entry.ended.as_ref().ok()?.plan_hash.as_ref()).collect();
        match hashes.as_slice() {
            [] => None,
            [one] => Some((*one).clone()),
            several => {
                let mut digest = Sha256::new();
                several.iter().for_each(|hash| digest.update(hash));
                Some(hex(&digest.finalize()))
            }
        }
    }

    pub fn json(&self) -> Value {
        let sources = |of| self.entries.iter().map(|entry| entry.json(of)).collect::<Vec<_>>();
        let mut document = json!({
            "run_id": self.run_id,
            "trigger": "manual",
            "dry_run": self.dry_run,
            "outcome": self.outcome(),
            "plan_hash": self.plan_hash(),
            "sources": sources(None),
        });
        if self.users.len() > 1 {
            let of = |user: &UserId| {
                json!({
                    "user": user, "run_id": self.run_id, "outcome": self.outcome_of(Some(*user)), "sources": sources(Some(*user)),
                })
            };
            document["users"] = self.users.iter().map(of).collect();
        }
        document
    }

    /// The same for people: a line a source, then the changes with addresses.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn table(&self, store: &Store) -> Result<String, CliError> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["source", "outcome", "created", "removed", "kept", "unchanged", "what failed"]);
        for entry in &self.entries {
            table.add_row(match &entry.ended {
                Err(error) => [
                    entry.source.to_string(),
                    "failed".into(),
                    "".into(),
                    "".into(),
                    "".into(),
                    "".into(),
                    chain(error),
                ],
                Ok(run) => {
                    let what = run.error.as_ref().map(|failed| format!("{}: {}", failed.class, failed.message));
                    let counts =
                        [run.created_count, run.removed_count, run.kept_count, run.unchanged].map(|n| n.to_string());
                    let [created, removed, kept, unchanged] = counts;
                    let what = what.or(run.held.clone()).unwrap_or_default();
                    [entry.source.to_string(), run.outcome.to_string(), created, removed, kept, unchanged, what]
                }
            });
        }
        let mut text = format!("{table}\n");
        for line in self.changes(store).await? {
            let _ = writeln!(text, "{line}");
        }
        if let Some(hash) = self.plan_hash() {
            let wrote = if self.dry_run { "; nothing was written" } else { "" };
            let _ = writeln!(text, "plan {hash}{wrote}");
        }
        Ok(text)
    }

    async fn changes(&self, store: &Store) -> Result<Vec<String>, CliError> {
        let mut found = Vec::new();
        for run in self.entries.iter().filter_map(|entry| entry.ended.as_ref().ok()) {
            found.extend(run.created.iter().map(|change| ("+", change, None)));
            found.extend(run.removed.iter().map(|change| ("-", change, None)));
            found.extend(run.kept.iter().map(|kept| ("=", &kept.change, Some(kept))));
        }
        let shown = &found[..found.len().min(TABLE_CHANGES_MAX)];
        let users: Vec<UserId> = shown.iter().map(|(_, change, _)| change.user).collect();
        let addresses = store.emails_of(store.reader(), &users).await?;
        let mut lines: Vec<String> = shown
            .iter()
            .map(|(sign, change, kept)| {
                let who = change.newcomer.as_ref().or(addresses.get(&change.user)).cloned();
                let who = who.unwrap_or_else(|| change.user.to_string());
                let reason = kept.map(|kept| {
                    let due_at = kept.due_at.map(|due_at| format!(" until {}", written(due_at))).unwrap_or_default();
                    format!("  (kept: {}{due_at})", kept.reason)
                });
                let reason = reason.unwrap_or_default();
                format!("{sign} {who}  {}{reason}", change.group)
            })
            .collect();
        if found.len() > shown.len() {
            lines.push(format!("… and {} more; --output json lists them", found.len() - shown.len()));
        }
        Ok(lines)
    }
}
