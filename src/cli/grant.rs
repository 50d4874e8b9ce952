//! `entitled grant`: permissions on resources, which groups have by hand.

use clap::Subcommand;
use entitled_model::GrantId;
use entitled_model::resource::ResourceType;
use serde_json::json;
use uuid::Uuid;

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, group, open};
use crate::admin::AdminError;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{GrantView, ResourceTypesView};
use crate::store::{Access, GrantFilter, GrantRecord, Store};

/// How many grants are read at a time.
const PAGE_ROWS: u64 = 1_000;

#[derive(Subcommand)]
pub enum Grant {
    /// All grants, or some of them
    List {
        /// Those on resources of this type
        #[arg(long, value_name = "TYPE")]
        resource_type: Option<String>,
        /// Those on this resource; needs its type
        #[arg(long, value_name = "ID", requires = "resource_type")]
        resource_id: Option<String>,
        /// Those that this group has, by name or id
        #[arg(long)]
        group: Option<String>,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Give a group a permission on a resource
    Create {
        /// The group's name or id
        group: String,
        /// A word, such as admin
        permission: String,
        /// One of `grant resource-types`
        resource_type: String,
        /// Of the type's form
        resource_id: String,
    },
    /// Take a grant back
    Delete {
        /// The grant's id
        grant: Uuid,
    },
    /// The types of the resources on which grants are given
    ResourceTypes {
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

pub async fn run(grant: Grant, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    match grant {
        Grant::List { resource_type, resource_id, group, output } => {
            let store = open(config, clock, Access::ReadOnly).await?;
            let filter = filter(&store, resource_type, resource_id, group).await?;
            list(&store, &filter, output).await?;
        }
        Grant::Create { group, permission, resource_type, resource_id } => {
            let admin = admin(config, clock).await?;
            let group = group::found(&admin.store, &group).await?;
            let made = admin.create_grant(group, &permission, &resource_type, &resource_id).await?;
            say!("{}", made.granted.grant);
        }
        Grant::Delete { grant } => admin(config, clock).await?.delete_grant(GrantId(grant)).await?,
        Grant::ResourceTypes { output } => show_types(ResourceTypesView::all(), output),
    }
    Ok(Exit::Done)
}

async fn filter(
    store: &Store,
    resource_type: Option<String>,
    resource_id: Option<String>,
    group: Option<String>,
) -> Result<GrantFilter, CliError> {
    let kind = |key: &String| ResourceType::of_key(key).ok_or(AdminError::NoResourceType);
    let kind = resource_type.as_ref().map(kind).transpose()?;
    let id = |id: String| kind.map(|kind| kind.id(&id).map_err(AdminError::ResourceId)).transpose();
    let resource_id = resource_id.map(id).transpose()?.flatten();
    let group = match group {
        Some(group) => Some(group::found(store, &group).await?),
        None => None,
    };
    Ok(GrantFilter { resource_type, resource_id, group })
}

async fn list(store: &Store, filter: &GrantFilter, output: Output) -> Result<(), CliError> {
    let mut grants: Vec<GrantRecord> = Vec::new();
    loop {
        let after = grants.last().map(|last| last.granted.grant);
        let page = store.grants_after(store.reader(), filter, after, PAGE_ROWS).await?;
        if page.is_empty() {
            break;
        }
        grants.extend(page);
    }
    show(grants.into_iter().map(GrantView::from).collect(), output);
    Ok(())
}

pub(super) fn show(grants: Vec<GrantView>, output: Output) {
    match output {
        Output::Json => say!("{:#}", json!(grants)),
        Output::Table => {
            let rows = grants.into_iter().map(|grant| {
                let resource = format!("{}:{}", grant.resource_type, grant.resource_id);
                [grant.id, grant.group, grant.permission, resource, grant.created_at]
            });
            say!("{}", table(["id", "group", "permission", "resource", "created at"], rows));
        }
    }
}

pub(super) fn show_types(ResourceTypesView { resource_types }: ResourceTypesView, output: Output) {
    match output {
        Output::Json => say!("{:#}", json!(resource_types)),
        Output::Table => {
            let rows = resource_types
                .into_iter()
                .map(|kind| [kind.key, kind.name, kind.id_format, kind.id_example, kind.listed]);
            say!("{}", table(["type", "name", "ids", "example", "listed"], rows));
        }
    }
}
