//! What people write, read as it is kept.

use entitled_model::GroupName;

use super::{AdminError, DESCRIPTION_BYTES_MAX, REASON_BYTES_MAX};

/// Refuses the names under which applications look for access to resources.
pub(super) fn free_of_resources(name: &GroupName) -> Result<(), AdminError> {
    let mut parts = name.as_str().splitn(3, ':');
    let (kind, _, permission) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if word(kind) && permission.is_some() { Err(AdminError::ReservedName) } else { Ok(()) }
}

/// A description as it is kept: none instead of a blank one.
pub(super) fn described(given: &str) -> Result<Option<String>, AdminError> {
    let text = given.trim();
    let odd = text.chars().any(|c| c.is_control() && c != '\n');
    if text.len() > DESCRIPTION_BYTES_MAX || odd {
        return Err(AdminError::Description);
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Reads the reason that somebody gives for a decision.
///
/// # Errors
/// When it is blank, too long or holds control characters.
pub fn reason(given: &str) -> Result<String, AdminError> {
    let text = given.trim();
    if text.is_empty() || text.len() > REASON_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(AdminError::Reason);
    }
    Ok(text.to_owned())
}
