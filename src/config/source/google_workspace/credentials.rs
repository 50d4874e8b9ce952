//! Whose signature asks Google for tokens. Imports the reader and serde_json.

use secrecy::SecretString;
use serde_json::Value as Json;
use url::Url;

use super::EMAIL_FORM;
use crate::config::pattern::is_email;
use crate::config::reader::Section;
use crate::config::secret::{self, Secret};
use crate::config::writer::inline;

const FORMS: &str = "{ file = \"PATH\" }, { env = \"NAME\" } or { keyless = true, service_account = \"ADDRESS\" }";

/// Whose signature asks for tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum GoogleCredentials {
    /// A service account's key, read when the configuration was.
    Key(Box<ServiceAccountKey>),
    /// The instance's own identity signs for a service account; no private key on disk.
    Keyless {
        /// The service account's address.
        service_account: String,
    },
}

/// The fields of a service account's key file that matter.
#[derive(Clone, Debug)]
pub struct ServiceAccountKey {
    /// The whole JSON text, and where it came from.
    pub json: Secret,
    /// `iss` of what asks for tokens.
    pub client_email: String,
    /// PEM; not checked to be a key.
    pub private_key: SecretString,
    /// `kid`, if the file has it.
    pub private_key_id: Option<String>,
    /// Where tokens are fetched, if the file says so.
    pub token_uri: Option<Url>,
}

impl PartialEq for ServiceAccountKey {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl GoogleCredentials {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        if !section.has("credentials") {
            return section.key("credentials").required(FORMS).secret().and(None);
        }
        section.table("credentials", Self::read_table)
    }

    fn read_table(section: &mut Section<'_>) -> Option<Self> {
        let named = section.has("service_account");
        let key_given = section.has("file") || section.has("env");
        let keyless = section.key("keyless").boolean().unwrap_or(false);
        let service_account = section.key("service_account").matching(EMAIL_FORM, |text| is_email(text.trim()));
        match (keyless, named, key_given) {
            (false, false, _) => {
                let json = secret::read_reference(section)?;
                ServiceAccountKey::read(section, json).map(|key| Self::Key(Box::new(key)))
            }
            (true, true, false) => {
                let service_account = service_account?.trim().to_owned();
                Some(Self::Keyless { service_account })
            }
            _ => {
                section.ignore_rest();
                section.problem("", format!("expected one of {FORMS}"));
                None
            }
        }
    }

    pub(super) fn shown(&self) -> toml::Value {
        match self {
            Self::Key(key) => key.json.shown(|_| "<secret>".to_owned()),
            Self::Keyless { service_account } => {
                inline([("keyless", true.into()), ("service_account", service_account.as_str().into())])
            }
        }
    }
}

impl ServiceAccountKey {
    /// Takes the fields out of the JSON. What is wrong is named by field, never quoted.
    fn read(section: &Section<'_>, json: Secret) -> Option<Self> {
        let Ok(Json::Object(fields)) = serde_json::from_str(json.expose()) else {
            section.problem("", "expected a service account's key: a JSON object");
            return None;
        };
        let text = |name: &str| {
            let text = fields.get(name).and_then(Json::as_str);
            text.filter(|text| !text.trim().is_empty()).map(str::to_owned)
        };
        let required = |name: &str| {
            if text(name).is_none() {
                section.problem(
                    "",
                    format!("expected a service account's key: the field `{name}` is missing or not a string"),
                );
            }
            text(name)
        };
        let (client_email, private_key) = (required("client_email"), required("private_key"));
        let token_uri = text("token_uri").map(|text| Url::parse(&text));
        if matches!(token_uri, Some(Err(_))) {
            section.problem("", "expected a service account's key: the field `token_uri` is not an address");
        }
        Some(Self {
            client_email: client_email?,
            private_key: private_key?.into(),
            private_key_id: text("private_key_id"),
            token_uri: token_uri.and_then(Result::ok),
            json,
        })
    }
}
