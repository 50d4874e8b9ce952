//! The product's parts in this process, as the world's configuration has them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use entitled::clock::Clock;
use entitled::config::{self, Config};
use entitled::metrics::Metrics;
use entitled::report::Reports;
use entitled::runner::Runner;
use entitled::source::Registry;
use entitled::store::{Access, Store};

use crate::support::World;

/// The world's configuration.
pub fn configured(world: &World) -> Config {
    load(world, &world.config_file())
}

/// Another file's configuration, in the world's environment.
pub fn load(world: &World, file: &Path) -> Config {
    let environment: BTreeMap<String, String> = world.environment.iter().cloned().collect();
    config::load(Some(file), &environment).expect("a configuration").config
}

pub async fn open(url: &str, clock: &Clock) -> Store {
    Store::open(url, 5, Duration::from_secs(10), Access::ReadWrite, clock.clone()).await.expect("a store")
}

/// Who asks the world's sources, and keeps what they say in this store.
pub async fn runner(world: &World, store: &Store) -> Runner {
    let config = configured(world);
    entitled::daemon::prepare_store(store, &config).await.expect("a schema");
    Runner {
        store: store.clone(),
        registry: Arc::new(Registry::build(&config, store.clock()).expect("sources")),
        reports: Arc::new(Reports::new(Arc::new(Metrics::default()))),
        provisioned_types: Arc::new(config.http.provisioned_types()),
        lease_period: Duration::from_secs(15),
    }
}
