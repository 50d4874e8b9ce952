//! Who is asking, and what they may do: decided here alone.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use entitled_model::role::Role;
use entitled_model::{TokenId, UserId};

use super::effect::Effect;
use crate::config::Scope;
use crate::http::Problem;
use crate::store::PersonStanding;

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A machine caller of the configuration.
    Key(String),
    /// A service's token.
    Service(TokenId),
    /// A person, by a token of theirs.
    Token(UserId),
    /// A person who has logged in, at the organisation's identity provider.
    Person(UserId),
}

/// How far somebody may go in administration. Each level holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Nothing,
    Reads,
    /// Manages users, and roles up to its own.
    Manages,
    Administers,
}

/// A caller who was recognised, and what they may do.
#[derive(Debug, Clone)]
pub struct Principal {
    who: Who,
    level: Level,
    /// What the credential may do with what is the person's own.
    own: Level,
    /// The narrow scopes: hooks and provisioning.
    scopes: BTreeSet<Scope>,
}

impl Principal {
    pub(super) fn key(name: &str, scopes: &BTreeSet<Scope>) -> Self {
        Self { who: Who::Key(name.to_owned()), level: level(scopes), own: Level::Nothing, scopes: scopes.clone() }
    }

    pub(super) fn service(token: TokenId, scopes: BTreeSet<Scope>) -> Self {
        Self { who: Who::Service(token), level: level(&scopes), own: Level::Nothing, scopes }
    }

    /// A personal token never may what its owner may not.
    pub(super) fn token(owner: &PersonStanding, scopes: &BTreeSet<Scope>, default: Option<Role>) -> Self {
        let own = level(scopes);
        Self { who: Who::Token(owner.user), level: own.min(level_of(owner, default)), own, scopes: BTreeSet::new() }
    }

    pub(super) fn person(person: &PersonStanding, default: Option<Role>) -> Self {
        let own = Level::Administers;
        Self { who: Who::Person(person.user), level: level_of(person, default), own, scopes: BTreeSet::new() }
    }

    /// Who it is, as events and the access log name an actor.
    #[must_use]
    pub fn actor(&self) -> String {
        match &self.who {
            Who::Key(name) => format!("key:{name}"),
            Who::Service(token) => format!("token:{token}"),
            Who::Token(user) | Who::Person(user) => format!("user:{user}"),
        }
    }

    /// The person, where it is one.
    ///
    /// # Errors
    /// 403 for a program.
    pub fn user(&self) -> Result<UserId, Problem> {
        match &self.who {
            Who::Token(user) | Who::Person(user) => Ok(*user),
            Who::Key(_) | Who::Service(_) => Err(refused("this is for people: the credential is a program's")),
        }
    }

    /// The person whose role bounds what they may do; none for programs, whose scopes say all.
    #[must_use]
    pub fn person_of(&self) -> Option<UserId> {
        match &self.who {
            Who::Token(user) | Who::Person(user) => Some(*user),
            Who::Key(_) | Who::Service(_) => None,
        }
    }

    /// Requires that the principal may do what a route does.
    ///
    /// # Errors
    /// 403.
    pub(super) fn may(&self, effect: Effect) -> Result<(), Problem> {
        match effect {
            Effect::Open | Effect::Known | Effect::OfResourceType => Ok(()),
            Effect::LoginHook => self.require(&[Scope::HookLogin]),
            Effect::DeployCenterHook => self.require(&[Scope::HookDeployCenter]),
            Effect::Own => self.user().map(drop),
            Effect::OwnChange => {
                self.user()?;
                if self.own == Level::Administers { Ok(()) } else { Err(refused("the token may only look")) }
            }
            Effect::OwnMint => {
                self.user()?;
                self.may_mint()
            }
            Effect::Ask => self.require(&[Scope::Check, Scope::Read, Scope::Admin]),
            Effect::Read => self.require(&[Scope::Read, Scope::Admin]),
            Effect::Manage => {
                if self.level >= Level::Manages {
                    Ok(())
                } else {
                    self.require(&[Scope::Admin])
                }
            }
            Effect::Change => self.require(&[Scope::Admin]),
            Effect::Mint => {
                self.may_mint()?;
                self.require(&[Scope::Admin])
            }
        }
    }

    /// Whoever steals a token must not be able to make another that outlives it.
    fn may_mint(&self) -> Result<(), Problem> {
        match &self.who {
            Who::Key(_) | Who::Person(_) => Ok(()),
            Who::Token(_) | Who::Service(_) => Err(refused("a token can't make tokens").code("token_by_token")),
        }
    }

    /// Requires one of `scopes`.
    ///
    /// # Errors
    /// 403 when the principal has none of them.
    pub fn require(&self, scopes: &[Scope]) -> Result<(), Problem> {
        let has = |scope: &Scope| match scope {
            Scope::Read => self.level >= Level::Reads,
            Scope::Admin => self.level >= Level::Administers,
            Scope::HookLogin | Scope::HookDeployCenter | Scope::Provision(_) | Scope::Check => {
                self.scopes.contains(scope)
            }
        };
        if scopes.iter().any(has) {
            return Ok(());
        }
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        Err(refused(&format!("the credential lacks the scope {}", scopes.join(" or "))))
    }
}

fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail).challenge(r#"Bearer realm="entitled", error="insufficient_scope""#)
}

fn level(scopes: &BTreeSet<Scope>) -> Level {
    if scopes.contains(&Scope::Admin) {
        Level::Administers
    } else if scopes.contains(&Scope::Read) {
        Level::Reads
    } else {
        Level::Nothing
    }
}

/// How far a person may go, by the role that counts, else by the configured one.
fn level_of(person: &PersonStanding, default: Option<Role>) -> Level {
    if !person.is_active {
        return Level::Nothing;
    }
    match person.role().or(default) {
        None => Level::Nothing,
        Some(Role::Viewer | Role::Use) => Level::Reads,
        Some(Role::Manage) => Level::Manages,
        Some(Role::Owner) => Level::Administers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(is_administrator: bool) -> PersonStanding {
        PersonStanding {
            user: UserId(uuid::Uuid::nil()),
            is_active: true,
            is_administrator,
            is_directory_administrator: false,
            assigned: None,
        }
    }

    fn allowed(principal: &Principal) -> Vec<Effect> {
        const ALL: [Effect; 13] = [
            Effect::Open,
            Effect::Known,
            Effect::LoginHook,
            Effect::DeployCenterHook,
            Effect::OfResourceType,
            Effect::Own,
            Effect::OwnChange,
            Effect::OwnMint,
            Effect::Ask,
            Effect::Read,
            Effect::Manage,
            Effect::Change,
            Effect::Mint,
        ];
        let narrow = [Effect::Open, Effect::Known, Effect::OfResourceType];
        ALL.into_iter().filter(|effect| !narrow.contains(effect) && principal.may(*effect).is_ok()).collect()
    }

    #[test]
    fn what_each_may_do() {
        // T7
        let (read, admin) = (BTreeSet::from([Scope::Read]), BTreeSet::from([Scope::Admin]));
        let hook = BTreeSet::from([Scope::HookLogin]);
        let token = TokenId(uuid::Uuid::nil());
        for (principal, may) in [
            (Principal::key("a", &read), vec![Effect::Ask, Effect::Read]),
            (
                Principal::key("a", &admin),
                vec![Effect::Ask, Effect::Read, Effect::Manage, Effect::Change, Effect::Mint],
            ),
            (Principal::key("a", &hook), vec![Effect::LoginHook]),
            (Principal::key("a", &BTreeSet::from([Scope::Check])), vec![Effect::Ask]),
            (Principal::service(token, hook), vec![Effect::LoginHook]),
            (Principal::service(token, read.clone()), vec![Effect::Ask, Effect::Read]),
            (Principal::service(token, admin.clone()), vec![Effect::Ask, Effect::Read, Effect::Manage, Effect::Change]),
            (Principal::token(&person(false), &read, None), vec![Effect::Own]),
            (Principal::token(&person(false), &admin, None), vec![Effect::Own, Effect::OwnChange]),
            (Principal::token(&person(true), &read, None), vec![Effect::Own, Effect::Ask, Effect::Read]),
            (
                Principal::token(&person(true), &admin, None),
                vec![Effect::Own, Effect::OwnChange, Effect::Ask, Effect::Read, Effect::Manage, Effect::Change],
            ),
            (Principal::person(&person(false), None), vec![Effect::Own, Effect::OwnChange, Effect::OwnMint]),
            (
                Principal::person(&person(true), None),
                vec![
                    Effect::Own,
                    Effect::OwnChange,
                    Effect::OwnMint,
                    Effect::Ask,
                    Effect::Read,
                    Effect::Manage,
                    Effect::Change,
                    Effect::Mint,
                ],
            ),
        ] {
            assert_eq!(allowed(&principal), may, "{principal:?}");
        }
    }
}
