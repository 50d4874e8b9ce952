//! `entitled source`: the sources, and what is left of those that are no longer configured.

use clap::Subcommand;
use entitled_model::SourceName;
use entitled_model::plan::Plan;
use serde_json::{Value, json};

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, open};
use crate::admin::Admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{ListedSourceView, ListedSourcesView};
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
    let configured = config.sources.iter().map(|(name, source)| (name.clone(), source.kind.as_str())).collect();
    show(ListedSourcesView::read(&store, &configured).await?, output);
    Ok(Exit::Done)
}

pub(super) fn show(ListedSourcesView { sources }: ListedSourcesView, output: Output) {
    match output {
        Output::Json => say!("{:#}", json!(sources)),
        Output::Table => {
            let row = |row: ListedSourceView| {
                [row.source, row.kind, row.memberships.to_string(), row.last_success_at.unwrap_or_default()]
            };
            say!("{}", table(["source", "kind", "memberships", "last success"], sources.into_iter().map(row)));
        }
    }
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
