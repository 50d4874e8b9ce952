//! `entitled source`: the sources, and what is left of those that are no longer configured.

use std::collections::BTreeSet;

use clap::Subcommand;
use entitled_model::SourceName;
use entitled_model::instant::written;
use entitled_model::plan::Plan;
use serde_json::{Value, json};

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, open};
use crate::admin::Admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Access;

#[derive(Subcommand)]
pub enum Source {
    /// Every source that is configured or holds something
    List {
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Take away what a source that is no longer configured left behind; without --approve it only says what that is
    Forget {
        /// The source's name
        source: String,
        /// The hash of the plan that was shown
        #[arg(long, value_name = "HASH", requires = "reason")]
        approve: Option<String>,
        /// Why it goes
        #[arg(long, value_name = "TEXT", requires = "approve")]
        reason: Option<String>,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

pub async fn run(source: Source, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    match source {
        Source::List { output } => list(config, clock, output).await,
        Source::Forget { source, approve, reason, output } => {
            let source = SourceName::configured(&source)
                .map_err(|error| CliError::usage(error.to_string(), "entitled source list names them"))?;
            forget(config, clock, &source, approve.zip(reason), output).await
        }
    }
}

async fn list(config: &Config, clock: &Clock, output: Output) -> Result<Exit, CliError> {
    let store = open(config, clock, Access::ReadOnly).await?;
    let configured: BTreeSet<SourceName> = config.sources.keys().cloned().collect();
    let orphaned = store.orphaned_sources(store.reader(), &configured).await?;
    let (held, runs) = (store.memberships_by_source().await?, store.source_runs().await?);
    let kind = |name: &str| match config.sources.iter().find(|(source, _)| source.as_str() == name) {
        Some((_, source)) => source.kind.as_str(),
        None if orphaned.iter().any(|source| source.as_str() == name) => "orphaned",
        None => "reserved",
    };
    let names: BTreeSet<&str> =
        configured.iter().chain(&orphaned).map(SourceName::as_str).chain(held.keys().map(String::as_str)).collect();
    let row = |name: &&str| {
        let last = runs.get(*name).and_then(|runs| runs.last_success_at).map(written);
        (name.to_string(), kind(name), held.get(*name).copied().unwrap_or_default(), last)
    };
    let rows: Vec<_> = names.iter().map(row).collect();
    match output {
        Output::Json => {
            let source = |(name, kind, memberships, last): &(String, &str, u64, Option<String>)| json!({"source": name, "kind": kind, "memberships": memberships, "last_success_at": last});
            say!("{:#}", Value::from_iter(rows.iter().map(source)));
        }
        Output::Table => {
            let rows = rows.into_iter().map(|(name, kind, memberships, last)| {
                [name, kind.to_owned(), memberships.to_string(), last.unwrap_or_default()]
            });
            say!("{}", table(["source", "kind", "memberships", "last success"], rows));
        }
    }
    Ok(Exit::Done)
}

/// Exits 4 when it only says what would go.
async fn forget(
    config: &Config,
    clock: &Clock,
    source: &SourceName,
    approved: Option<(String, String)>,
    output: Output,
) -> Result<Exit, CliError> {
    let admin: Admin = admin(config, clock).await?;
    let configured = config.sources.keys().cloned().collect();
    let (plan, exit) = match approved {
        None => (admin.plan_to_forget(source, &configured).await?, Exit::Held),
        Some((hash, reason)) => (admin.forget_source(source, &configured, &hash, &reason).await?, Exit::Done),
    };
    match output {
        Output::Json => say!("{:#}", document(&plan, exit)),
        Output::Table => say!("{}", lines(&plan, exit)),
    }
    Ok(exit)
}

fn document(plan: &Plan, exit: Exit) -> Value {
    json!({
        "source": plan.source, "plan_hash": plan.hash(), "done": exit == Exit::Done,
        "memberships": plan.removes.len(), "kept": plan.kept.len(), "groups": plan.deleted_groups.len(),
        "entitlements_of_users": plan.entitlements.len(), "suspensions": plan.people.reactivated.len(),
    })
}

fn lines(plan: &Plan, exit: Exit) -> String {
    let Plan { source, removes, kept, deleted_groups, entitlements, people, .. } = plan;
    let kept = if kept.is_empty() { "" } else { "; the last active person in Admin stays" };
    let what = format!(
        "{} memberships, {} groups, the entitlements of {} users and {} suspensions of {source}{kept}",
        removes.len(),
        deleted_groups.len(),
        entitlements.len(),
        people.reactivated.len()
    );
    if exit == Exit::Done {
        return format!("gone: {what}");
    }
    let hash = plan.hash();
    format!(
        "would go: {what}\nnothing was written; to do it:\nentitled source forget {source} --approve {hash} --reason \"...\""
    )
}
