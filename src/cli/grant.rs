//! `entitled grant`: permissions on resources, which groups have by hand.

use clap::Subcommand;
use entitled_model::GrantId;
use entitled_model::instant::written;
use entitled_model::resource::{RESOURCE_TYPES, ResourceType};
use serde_json::{Value, json};
use uuid::Uuid;

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, group, open};
use crate::admin::AdminError;
use crate::clock::Clock;
use crate::config::Config;
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
        Grant::ResourceTypes { output } => resource_types(output),
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
    match output {
        Output::Json => {
            let grant = |record: &GrantRecord| {
                let GrantRecord { group, group_name, granted, created_at } = record;
                json!({"id": granted.grant, "group_id": group, "group": group_name, "permission": granted.permission,
                    "resource_type": granted.resource_type, "resource_id": granted.resource_id,
                    "created_at": written(*created_at)})
            };
            say!("{:#}", Value::from_iter(grants.iter().map(grant)));
        }
        Output::Table => {
            let rows = grants.into_iter().map(|GrantRecord { group: _, group_name, granted, created_at }| {
                let resource = format!("{}:{}", granted.resource_type, granted.resource_id);
                [granted.grant.to_string(), group_name, granted.permission, resource, written(created_at)]
            });
            say!("{}", table(["id", "group", "permission", "resource", "created at"], rows));
        }
    }
    Ok(())
}

fn resource_types(output: Output) {
    match output {
        Output::Json => {
            let kind = |kind: &ResourceType| {
                json!({"key": kind.key, "path": kind.path, "name": kind.name, "id_format": kind.id_format(),
                    "id_example": kind.example, "listed": kind.listed.as_str()})
            };
            say!("{:#}", Value::from_iter(RESOURCE_TYPES.iter().map(kind)));
        }
        Output::Table => {
            let rows = RESOURCE_TYPES.iter().map(|kind| {
                [kind.key, kind.name, kind.id_format(), kind.example, kind.listed.as_str()].map(str::to_owned)
            });
            say!("{}", table(["type", "name", "ids", "example", "listed"], rows));
        }
    }
}
