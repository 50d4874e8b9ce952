//! `entitled simulate`: the systems that entitled reads from, played on loopback.

use std::path::PathBuf;

use clap::Args;
use entitled_simulator::{GOOGLE_TOKEN_URI, Organisation, Sample, Simulator, SimulatorConfig};
use serde_json::json;

use super::say::say;
use super::serve::Signals;
use super::{CliError, Exit};

#[derive(Args)]
pub struct Options {
    /// The port on loopback; 0 takes a free one
    #[arg(long, default_value_t = 8421)]
    port: u16,
    /// The same seed makes the same organisation
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[arg(long, default_value_t = 40)]
    users: usize,
    #[arg(long, default_value_t = 12)]
    groups: usize,
    #[arg(long, default_value_t = 130)]
    memberships: usize,
    /// Mail domains
    #[arg(long, default_value_t = 4)]
    domains: usize,
    #[arg(long, default_value_t = 3)]
    organisations: usize,
    /// Write the service-account key here, for `credentials = { file = "..." }`
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub async fn run(options: Options) -> Result<Exit, CliError> {
    let mut signals = Signals::listen()?;
    let Options { port, seed, users, groups, memberships, domains, organisations, key_file } = options;
    let sample = Sample { seed, users, groups, memberships, domains, organisations };
    let config = SimulatorConfig {
        port,
        organisation: Organisation::sample(&sample),
        // Google's own client names this audience whatever address it is given.
        other_audiences: vec![GOOGLE_TOKEN_URI.to_owned()],
        ..SimulatorConfig::default()
    };
    let simulator =
        Simulator::start(config).await.map_err(|error| CliError::internal("the simulators can't be started", error))?;
    if let Some(file) = &key_file {
        let key = simulator.service_account_key().to_string();
        tokio::fs::write(file, key)
            .await
            .map_err(|error| CliError::internal("the key file can't be written", error))?;
    }
    let addresses = json!({
        "base_url": simulator.base_url(),
        "deploycenter": {
            "base_url": simulator.deploycenter_url(), "service_id": 42, "key": simulator.deploycenter_key(),
            "management_base": simulator.management_url(), "operator_id": simulator.operator_id(),
            "operator_key": simulator.operator_key(),
        },
        "google_workspace": {
            "api_base": simulator.base_url(), "token_uri": simulator.token_uri(), "metadata_base": simulator.base_url(),
            "iam_base": simulator.base_url(), "key_file": key_file,
        },
        "control": simulator.control_url(),
    });
    say!("{addresses:#}");
    signals.next().await;
    simulator.shutdown().await;
    Ok(Exit::Done)
}
