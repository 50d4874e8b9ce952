//! `entitled doctor`: is the store there, is its schema right, does every source answer?

use std::collections::BTreeMap;

use entitled_model::{EmailAddress, ErrorClass, Failure, UserId};
use serde_json::Value;

use super::say::say;
use super::{CliError, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon;
use crate::report::chain;
use crate::source::{Asks, Person, Registry, Source, Urgency};
use crate::store::{Access, SchemaState, Store};

/// An address that nobody has (RFC 2606): a source that answers about it is reachable and takes the credential.
const NOBODY: &str = "doctor@entitled.invalid";

pub async fn run(config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let mut well = true;
    let mut told = |what: &str, found: Result<String, (String, &str)>| match found {
        Ok(fine) => say!("ok    {what}: {fine}"),
        Err((wrong, help)) => {
            well = false;
            say!("FAIL  {what}: {wrong}\n      help: {help}");
        }
    };
    match daemon::open_store(config, clock, Access::ReadOnly).await {
        Err(error) => told("store", Err((chain(&error), "see database.url"))),
        Ok(_) if daemon::is_missing(config) => {
            let wrong = "there is no database file yet".to_owned();
            told("store", Err((wrong, "entitled serve, sync or migrate up creates it")));
        }
        Ok(store) => {
            told("store", Ok(format!("{} answers", config.database.redacted())));
            told("schema", schema(&store).await);
        }
    }
    match Registry::build(config, clock) {
        Err(error) => told("sources", Err((chain(&error), "see the setting that is named"))),
        Ok(registry) => {
            for source in registry.iter() {
                told(&format!("source {}", source.name), ask(source, clock).await);
                if let Some(read) = read_lists(source).await {
                    told(&format!("lists of source {}", source.name), read);
                }
            }
        }
    }
    Ok(if well { Exit::Done } else { Exit::Unwell })
}

async fn schema(store: &Store) -> Result<String, (String, &'static str)> {
    match store.schema_state().await {
        Ok(SchemaState::Ok { current }) => Ok(current),
        Ok(SchemaState::Mismatch { current, expected }) => {
            let current = current.unwrap_or_else(|| "empty".to_owned());
            Err((format!("{current}, expected {expected}"), "entitled migrate up"))
        }
        Err(error) => Err((chain(&error), "see database.url")),
    }
}

async fn ask(source: &Source, clock: &Clock) -> Result<String, (String, &'static str)> {
    let claims: BTreeMap<String, Value> =
        source.required_claims.iter().map(|claim| (claim.clone(), Value::from("00000000000000"))).collect();
    let email = EmailAddress::parse(NOBODY).ok();
    let nobody = Person { user: UserId(clock.new_id()), email, sub: None, external_id: None, claims };
    let answered = match &source.asks {
        Asks::Backend(backend) => backend.answer(&nobody, Urgency::Awaited).await,
        Asks::Groups(groups) => groups.groups_of(&nobody, Urgency::Awaited).await,
    };
    answered.map_err(failed).map(|_| format!("{} answers and takes the credential", source.kind))
}

/// Reads the lists from which many users are derived, where a source has such.
async fn read_lists(source: &Source) -> Option<Result<String, (String, &'static str)>> {
    let Asks::Backend(backend) = &source.asks else { return None };
    let read = backend.enumerator()?.enumerate(&[]).await;
    Some(read.map_err(failed).map(|_| "they can be read to their end".to_owned()))
}

fn failed(failure: Failure) -> (String, &'static str) {
    let Failure { class, message, .. } = failure;
    (format!("{class}: {message}"), help(class))
}

fn help(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Timeout => "is it slow? the source's timeout setting bounds the wait",
        ErrorClass::Connect => "is the address right, and does a firewall stand between?",
        ErrorClass::Http5xx => "the source itself is failing: ask whoever runs it",
        ErrorClass::RateLimited => "wait, and lower the source's rate setting",
        ErrorClass::Unauthorized => "the credential is not accepted: renew it",
        ErrorClass::Forbidden => "the credential lacks a scope or a role",
        ErrorClass::Malformed => "is the address that of the API? a proxy or a login page may stand in front",
        ErrorClass::Incomplete => "the answer was cut off: a proxy may stand in front",
        ErrorClass::MissingClaim => "see the source's claims setting",
    }
}
