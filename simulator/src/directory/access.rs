//! Who may read what: a bearer token that lives, with a scope for the resource.

use axum::http::{HeaderMap, header};

use super::GoogleError;
use crate::world::World;

/// What a call reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resource {
    Groups,
    Members,
    Users,
}

impl Resource {
    /// The scopes that open it, any one of them, after `https://www.googleapis.com/auth/` (discovery document).
    fn scopes(self) -> &'static [&'static str] {
        match self {
            Resource::Groups => &["admin.directory.group", "admin.directory.group.readonly"],
            Resource::Members => &[
                "admin.directory.group",
                "admin.directory.group.readonly",
                "admin.directory.group.member",
                "admin.directory.group.member.readonly",
            ],
            Resource::Users => &["admin.directory.user", "admin.directory.user.readonly", "cloud-platform"],
        }
    }
}

/// Checks the call's token.
///
/// # Errors
/// 401 when it is missing, unknown, revoked or expired; 403 when its scope is too narrow.
pub(super) fn check(world: &World, headers: &HeaderMap, resource: Resource) -> Result<(), GoogleError> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(login_required)?;
    let issued = world.tokens.find(token, world.clock.unix_seconds());
    let scopes = issued.ok_or_else(|| GoogleError::new(401, "authError"))?.scopes;
    let opens = |scope: &String| {
        let name = scope.strip_prefix("https://www.googleapis.com/auth/");
        name.is_some_and(|name| resource.scopes().contains(&name))
    };
    if scopes.iter().any(opens) { Ok(()) } else { Err(GoogleError::new(403, "insufficientPermissions")) }
}

fn login_required() -> GoogleError {
    GoogleError { message: "Login Required.".to_owned(), ..GoogleError::new(401, "required") }
}
