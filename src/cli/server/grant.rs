//! `entitled grant` on a server.

use serde_json::json;

use super::group;
use crate::cli::grant::{self, Grant};
use crate::cli::say::say;
use crate::cli::{CliError, Exit};
use crate::http::{GrantView, GrantsView};
use crate::remote::Remote;

const GRANTS: [&str; 2] = ["admin", "grants"];

pub async fn run(grant: Grant, remote: &Remote) -> Result<Exit, CliError> {
    match grant {
        Grant::List { resource_type, resource_id, group, output } => {
            let group = match group {
                Some(group) => Some(group::found(remote, &group).await?),
                None => None,
            };
            let asked = [("resource_type", &resource_type), ("resource_id", &resource_id), ("group_id", &group)];
            let query: Vec<_> = asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            grant::show(remote.all::<GrantsView>(&GRANTS, &query).await?, output);
        }
        Grant::Create { group, permission, resource_type, resource_id } => {
            let group = group::found(remote, &group).await?;
            let body = json!({"group_id": group, "permission": permission, "resource_type": resource_type,
                "resource_id": resource_id});
            let made: GrantView = remote.post(&GRANTS, &body).await?;
            say!("{}", made.id);
        }
        Grant::Delete { grant } => remote.delete(&["admin", "grants", &grant.to_string()]).await?,
        Grant::ResourceTypes { output } => {
            grant::show_types(remote.get(&["admin", "resource-types"], &[]).await?, output);
        }
    }
    Ok(Exit::Done)
}
