//! Secrets: resolved when the configuration is read, from the environment or a file. Imports the reader.
//!
//! Invariant: a secret's value leaves this module only by [`Secret::expose`] and [`Secret::value`].

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::field::Field;
use super::file;
use super::pattern;
use super::problem::Place;
use super::reader::Section;
use super::tree::{Node, Value};

const FORMS: &str = "secrets only by environment or file: use { env = \"NAME\" } or { file = \"PATH\" }";

/// A secret text, never empty, and where it came from. `Debug` shows the origin only.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    origin: SecretOrigin,
}

/// Where a secret came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// This variable of the environment.
    Variable(String),
    /// This file, as the path was written (relative to the working directory).
    File(PathBuf),
    /// The configuration itself: only a database address or a DSN, which may hold a password.
    Inline,
}

impl Secret {
    pub(super) fn new(text: impl Into<SecretString>, origin: SecretOrigin) -> Self {
        Self { value: text.into(), origin }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &SecretString {
        &self.value
    }

    /// The value's text: for the wire, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// Where the value came from.
    #[must_use]
    pub fn origin(&self) -> &SecretOrigin {
        &self.origin
    }

    /// The form under which `config show` prints it; `inline` is the harmless stand-in for an inline value.
    pub(super) fn shown(&self, inline: impl FnOnce(&str) -> String) -> toml::Value {
        let (key, value) = match &self.origin {
            SecretOrigin::Variable(name) => ("env", name.clone()),
            SecretOrigin::File(path) => ("file", path.display().to_string()),
            SecretOrigin::Inline => return toml::Value::String(inline(self.expose())),
        };
        toml::Value::Table([(key.to_owned(), value.into())].into_iter().collect())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({:?})", self.origin)
    }
}

/// Compares values, not origins. For tests and start-up checks: what a caller presents must be compared in constant time.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Field<'_> {
    /// A secret: `{ env = "NAME" }`, `{ file = "PATH" }`, or the text of the key's own variable.
    pub fn secret(mut self) -> Option<Secret> {
        let node = self.node.take()?;
        match (&node.value, &node.place) {
            (Value::Raw(text), Place::Variable(name)) if !text.trim_start().starts_with('{') => {
                let origin = SecretOrigin::Variable(name.clone());
                self.spot.checked(non_empty(text, origin))
            }
            (Value::Table(_) | Value::Raw(_), _) => Section::of(self.spot, node).read_with(read_reference),
            _ => {
                self.spot.problem(FORMS);
                None
            }
        }
    }

    /// A secret that can be sent in a header: one line of printable ASCII.
    pub fn header_secret(self) -> Option<Secret> {
        let spot = self.spot.clone();
        let secret = self.secret()?;
        if !pattern::is_header_safe(secret.expose()) {
            spot.problem("expected a secret of one line of printable ASCII");
            return None;
        }
        Some(secret)
    }

    /// A secret that may also stand in the file as a string (an address that may hold a password).
    pub fn inline_or_secret(mut self) -> Option<Secret> {
        match self.node.take() {
            Some(Node { value: Value::Text(text), .. }) => self.spot.checked(non_empty(&text, SecretOrigin::Inline)),
            node => {
                self.node = node;
                self.secret()
            }
        }
    }
}

fn non_empty(text: &str, origin: SecretOrigin) -> Result<Secret, String> {
    match text.trim().is_empty() {
        true => Err("expected a value that is not empty".to_owned()),
        false => Ok(Secret::new(text, origin)),
    }
}

/// Reads `env` or `file` of a table, exactly one of which must be there.
pub(super) fn read_reference(section: &mut Section<'_>) -> Option<Secret> {
    let given = (section.has("env"), section.has("file"));
    let (env, file) = (section.key("env").text(), section.key("file").text());
    match given {
        (true, false) => from_variable(section, &env?),
        (false, true) => from_file(section, Path::new(&file?)),
        _ => {
            section.problem("", FORMS);
            None
        }
    }
}

fn from_variable(section: &Section<'_>, name: &str) -> Option<Secret> {
    let problem = match section.variable(name) {
        None => "is not set",
        Some(text) if text.trim().is_empty() => "is empty",
        Some(text) => return Some(Secret::new(text, SecretOrigin::Variable(name.to_owned()))),
    };
    section.problem("", format!("the environment variable {name} {problem}"));
    None
}

fn from_file(section: &Section<'_>, path: &Path) -> Option<Secret> {
    let problem = match file::read_text(path) {
        Err(cause) => format!("cannot be read: {cause}"),
        Ok(text) if text.trim().is_empty() => "is empty".to_owned(),
        Ok(text) => {
            let text = text.trim_end_matches(['\r', '\n']);
            return Some(Secret::new(text, SecretOrigin::File(path.to_owned())));
        }
    };
    section.problem("", format!("the file {} {problem}", path.display()));
    None
}
