//! The store and its schema; and whom the sources may be asked about.

use super::{Finding, Findings};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{self, StartError};
use crate::report::chain;
use crate::source::Person;
use crate::store::{Access, Store, expected_schema};

/// Users that are looked at for one whom a source may be asked about.
const SAMPLE_USERS_MAX: u32 = 100;

/// The active users that came last; none when the store can't be used.
pub async fn examine(config: &Config, clock: &Clock, findings: &mut Findings) -> Vec<Person> {
    match daemon::open_store(config, clock, Access::ReadOnly).await {
        Err(error) => {
            findings.add(Finding::fail("store", chain(&error), "is database.url right, and does the server run?"));
            Vec::new()
        }
        Ok(_) if daemon::is_missing(config) => {
            let wrong = "there is no database file yet";
            findings.add(Finding::fail("store", wrong, "entitled serve, sync or migrate up creates it (database.url)"));
            Vec::new()
        }
        Ok(store) => {
            findings.add(Finding::ok("store", format!("{} answers", config.database.redacted())));
            schema(&store, config, findings).await
        }
    }
}

async fn schema(store: &Store, config: &Config, findings: &mut Findings) -> Vec<Person> {
    match daemon::require_schema(store).await {
        Ok(()) => findings.add(Finding::ok("schema", expected_schema())),
        Err(StartError::Schema { state, help }) => {
            findings.add(Finding::fail("schema", state, help));
            return Vec::new();
        }
        Err(error) => {
            findings.add(Finding::fail("schema", chain(&error), "see database.url"));
            return Vec::new();
        }
    }
    orphans(store, config, findings).await;
    match store.newest_users(store.reader(), SAMPLE_USERS_MAX).await {
        Ok(users) => users.into_iter().map(Person::from).collect(),
        Err(error) => {
            findings.add(Finding::fail("store", chain(&error), "may the user of database.url read its tables?"));
            Vec::new()
        }
    }
}

/// Sources that were taken out of the configuration and still hold something.
async fn orphans(store: &Store, config: &Config, findings: &mut Findings) {
    let configured = config.sources.keys().cloned().collect();
    let Ok(orphaned) = store.orphaned_sources(store.reader(), &configured).await else { return };
    for source in orphaned {
        let help = format!("configure it again, or: entitled source forget {source}");
        findings.add(Finding::warn(
            source.to_string(),
            "it is no longer configured, and what it said still stands",
            help,
        ));
    }
}
