//! `entitled plan` on a server.

use serde_json::json;

use crate::cli::plan::{self, Plan};
use crate::cli::say::say;
use crate::cli::{CliError, Exit};
use crate::http::{DueRemovalsView, PlanView, PlansView};
use crate::remote::Remote;

pub async fn run(plan: Plan, remote: &Remote) -> Result<Exit, CliError> {
    match plan {
        Plan::List { output } => {
            let PlansView { plans } = remote.get(&["plans"], &[]).await?;
            plan::show_list(plans, output);
        }
        Plan::Show { hash, output } => plan::show_one(remote.get(&["plans", hex(&hash)?], &[]).await?, output),
        Plan::Approve { hash, reason, expires_in } => {
            let expires_in = expires_in.map(|wait| format!("{}ms", wait.as_millis()));
            let body = json!({"reason": reason, "expires_in": expires_in});
            let plan: PlanView = remote.post(&["plans", hex(&hash)?, "approve"], &body).await?;
            plan::show_approved(&plan.hash, &plan.source);
        }
        Plan::Reject { hash, reason } => {
            let plan: PlanView = remote.post(&["plans", hex(&hash)?, "reject"], &json!({ "reason": reason })).await?;
            say!("rejected: {}", plan.hash);
        }
        Plan::Due { source, output } => {
            let query: Vec<_> = source.iter().map(|source| ("source", source.as_str())).collect();
            plan::show_due(remote.all::<DueRemovalsView>(&["plans", "due"], &query).await?, output);
        }
    }
    Ok(Exit::Done)
}

/// A hash as a part of a path: `..` would be another path.
fn hex(hash: &str) -> Result<&str, CliError> {
    let hash = hash.trim();
    let is_hex = !hash.is_empty() && hash.chars().all(|c| c.is_ascii_hexdigit());
    if is_hex { Ok(hash) } else { Err(plan::unknown()) }
}
