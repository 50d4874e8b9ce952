//! Logs to stderr, and Sentry when it is configured.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::{CliError, Global};
use crate::config::{Config, LogFormat};

/// Keeps Sentry going; dropped, it sends what is left.
pub struct Telemetry {
    _sentry: Option<sentry::ClientInitGuard>,
}

/// Starts both.
///
/// # Errors
/// When the log filter or the DSN can't be read.
pub fn start(config: &Config, global: &Global) -> Result<Telemetry, CliError> {
    let level = match global.verbose {
        0 => config.log.level.clone(),
        1 => "debug,hyper=info,h2=info,reqwest=info,sqlx=warn,sea_orm=warn,rustls=info".to_owned(),
        _ => "trace,sqlx=warn,sea_orm=warn".to_owned(),
    };
    // What a migration does is told in a line of ours.
    let filter = EnvFilter::try_new(format!("sea_orm_migration=warn,sqlx::postgres::notice=warn,{level}"))
        .map_err(|error| CliError::usage(format!("log.level is no log filter: {error}"), "for example: info"))?;
    let format = global.log_format.map_or(config.log.format, LogFormat::from);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start, as in tests, keeps the first one's logs.
    let _ = match format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Text => logs.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    Ok(Telemetry { _sentry: sentry(config)? })
}

fn sentry(config: &Config) -> Result<Option<sentry::ClientInitGuard>, CliError> {
    let Some(dsn) = &config.sentry.dsn else { return Ok(None) };
    let parsed = dsn.expose().parse();
    let dsn =
        parsed.map_err(|error| CliError::usage(format!("sentry.dsn is no DSN: {error}"), "see config/default.toml"))?;
    let mut options = sentry::ClientOptions::default();
    options.dsn = Some(dsn);
    options.release = Some(config.sentry.release.clone().into());
    options.environment = Some(config.sentry.environment.clone().into());
    options.send_default_pii = false;
    options.max_breadcrumbs = 0;
    Ok(Some(sentry::init(options)))
}
