//! The `query` parameter, as far as it is played: one clause, `email:prefix*`.

use super::GoogleError;
use crate::organisation::folded;

/// The folded prefix that addresses must have; empty without a query.
///
/// # Errors
/// 400 for any other clause, so that a client never takes an ignored filter for an applied one.
pub(super) fn prefix(query: Option<&str>) -> Result<String, GoogleError> {
    let Some(query) = query.map(str::trim).filter(|query| !query.is_empty()) else { return Ok(String::new()) };
    let clause = query.strip_prefix("email:").and_then(|value| value.strip_suffix('*'));
    clause.map(|value| folded(value.trim_matches(['\'', '"']))).ok_or_else(|| GoogleError::invalid("query"))
}
