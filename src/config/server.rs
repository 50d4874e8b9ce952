//! A running entitled that the command line asks in the place of a database. Imports address, file, pattern and secret.

use std::collections::BTreeMap;
use std::path::Path;

use url::Url;

use super::address::{is_plain_address, travels_in_clear};
use super::secret::{Secret, SecretOrigin};
use super::{file, pattern};

const TOKEN: &str = "ENTITLED_TOKEN";
const TOKEN_FILE: &str = "ENTITLED_TOKEN_FILE";

/// Where it is, and what lets one in.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Its root: the path ends in `/`.
    pub url: Url,
    pub token: Option<Secret>,
    /// Whether the token and what is personal could be read on the network.
    pub travels_in_clear: bool,
}

impl ServerConfig {
    /// The token is of the environment, or of a file that the environment names: never of an argument, which others see.
    ///
    /// # Errors
    /// What is wrong with the address or with the token; neither is repeated.
    pub fn read(address: &str, environment: &BTreeMap<String, String>) -> Result<Self, String> {
        let form = || "--server takes an http:// or https:// address without user, query and fragment".to_owned();
        let mut url = Url::parse(address.trim()).ok().filter(is_plain_address).ok_or_else(form)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { travels_in_clear: travels_in_clear(&url), token: token(environment)?, url })
    }
}

fn token(environment: &BTreeMap<String, String>) -> Result<Option<Secret>, String> {
    let (origin, text) = match (environment.get(TOKEN), environment.get(TOKEN_FILE)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(format!("{TOKEN} and {TOKEN_FILE} are both set: one of them is needed")),
        (Some(text), None) => (SecretOrigin::Variable(TOKEN.to_owned()), text.clone()),
        (None, Some(path)) => {
            let text = file::read_text(Path::new(path));
            let text = text.map_err(|cause| format!("the file of {TOKEN_FILE} cannot be read: {cause}"))?;
            (SecretOrigin::File(path.into()), text)
        }
    };
    let text = text.trim();
    if text.is_empty() || text.contains(' ') || !pattern::is_header_safe(text) {
        return Err("the token must be one word of printable ASCII".to_owned());
    }
    Ok(Some(Secret::new(text, origin)))
}
