//! How commands end: their exit codes, and their errors as they are printed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::admin::AdminError;
use crate::config::ConfigError;
use crate::daemon::StartError;
use crate::history::HistoryError;
use crate::remote::RemoteError;
use crate::store::StoreError;

/// How a command ended that did not break off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// Something is not well, and what it is has been said; or a fault of our own.
    Unwell,
    /// A source was unavailable; stored memberships were kept.
    Unavailable,
    /// A plan is held for approval.
    Held,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Unwell => 1,
            Exit::Unavailable => 3,
            Exit::Held => 4,
        })
    }
}

/// Why a command broke off.
#[derive(Debug)]
pub struct CliError {
    code: u8,
    error: anyhow::Error,
    help: Option<String>,
}

impl CliError {
    /// A fault of our own, or of the machine.
    pub fn internal(doing: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { code: 1, error: anyhow::Error::new(error).context(doing), help: None }
    }

    /// The configuration can't be used.
    pub fn config(error: ConfigError) -> Self {
        Self { code: 2, error: error.into(), help: Some("config/default.toml describes every setting".into()) }
    }

    /// The command line asks for something that there is not.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code: 2, error: anyhow::Error::msg(message.into()), help: Some(help.into()) }
    }

    /// A file that was named can't be read or written.
    pub fn file(doing: &'static str, file: &Path, error: std::io::Error) -> Self {
        let error = anyhow::Error::new(error).context(format!("{} can't be {doing}", file.display()));
        Self { code: 2, error, help: None }
    }

    /// Prints `error:`, `caused by:` and `help:` to stderr.
    pub fn print(&self) -> ExitCode {
        let mut text = format!("error: {}\n", self.error);
        for cause in self.error.chain().skip(1) {
            let _ = writeln!(text, "caused by: {cause}");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "help: {help}");
        }
        eprint!("{text}");
        ExitCode::from(self.code)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let help = matches!(error, StoreError::Missing { .. }).then(|| "serve, sync and migrate up make it".to_owned());
        let code = match &error {
            StoreError::Missing { .. } | StoreError::Address(_) | StoreError::Schema(_) => 2,
            StoreError::Database { .. } | StoreError::Unreachable { .. } | StoreError::Damaged { .. } => 1,
        };
        Self { code, error: error.into(), help }
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Store(error) => error.into(),
            error => Self { code: 2, error: error.into(), help: None },
        }
    }
}

impl From<RemoteError> for CliError {
    fn from(error: RemoteError) -> Self {
        let code = if error.is_of_the_question() { 2 } else { 1 };
        Self { code, help: error.help().map(str::to_owned), error: error.into() }
    }
}

impl From<HistoryError> for CliError {
    fn from(error: HistoryError) -> Self {
        let help = match &error {
            HistoryError::Store(_) | HistoryError::Order => None,
            HistoryError::NoUser => Some("entitled user list shows who is known"),
            HistoryError::NoGroup => Some("entitled group list shows all that there are now"),
            HistoryError::Ahead { .. } => Some("entitled events tail shows the newest positions"),
        };
        match error {
            HistoryError::Store(error) => error.into(),
            error => Self { code: 2, error: error.into(), help: help.map(str::to_owned) },
        }
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => error.into(),
            StartError::Schema { help, .. } => Self { code: 2, error: error.into(), help: Some(help.into()) },
            StartError::Sources(_) => Self { code: 2, error: error.into(), help: None },
            StartError::Listen { .. } => {
                Self { code: 1, error: error.into(), help: Some("http.listen chooses another address".into()) }
            }
        }
    }
}
