//! `entitled token`: made, listed and revoked on the database itself; so comes the first administrator's.

use clap::{ArgGroup, Subcommand};
use entitled_model::token::Lifetime;
use entitled_model::{Instant, TokenId, UserId};
use serde_json::json;

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, open};
use crate::admin::NewToken;
use crate::clock::Clock;
use crate::config::{Config, Scope};
use crate::http::TokenView;
use crate::store::{Access, Store, TokenRecord};

/// How many tokens one look at the store reads.
const PAGE_ROWS: u64 = 1_000;

#[derive(Subcommand)]
pub enum Token {
    /// Make a token and show its secret, this once
    #[command(group = ArgGroup::new("whose").required(true).args(["user", "service"]))]
    Create {
        /// Whose it is to be: an e-mail, a sub or a user id
        #[arg(long, value_name = "U")]
        user: Option<String>,
        /// For a program instead of a person
        #[arg(long)]
        service: bool,
        /// For the list
        #[arg(long)]
        name: Option<String>,
        /// What it may do; several times for several [default for a person: read]
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
        scopes: Vec<Scope>,
        /// How long it lives: 1 to 3650
        #[arg(long, value_name = "DAYS", default_value = "365", value_parser = lifetime, allow_hyphen_values = true)]
        expires_in_days: Lifetime,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Tokens, newest first
    List {
        /// Of one user alone: an e-mail, a sub or a user id
        #[arg(long, value_name = "U")]
        user: Option<String>,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Let a token count no longer
    Revoke {
        /// The token's id, not its secret
        #[arg(value_name = "ID", value_parser = token_id)]
        token: TokenId,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse()
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    let days = text.parse().ok().and_then(Lifetime::days);
    days.ok_or_else(|| format!("expected a whole number from 1 to {}", Lifetime::DAYS_MAX))
}

/// A secret that was given by mistake is not repeated in the message.
fn token_id(text: &str) -> Result<TokenId, &'static str> {
    uuid::Uuid::parse_str(text).map(TokenId).map_err(|_| "expected a token's id, as token list shows it")
}

pub async fn run(token: Token, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    match token {
        Token::Create { user, service: _, name, mut scopes, expires_in_days, output } => {
            let admin = admin(config, clock).await?;
            let owner = match &user {
                Some(user) => Some(user_of(&admin.store, user).await?),
                None => None,
            };
            if owner.is_some() && scopes.is_empty() {
                scopes.push(Scope::Read);
            }
            let scopes = scopes.into_iter().collect();
            let new = NewToken { owner, name, scopes, lifetime: expires_in_days };
            let (made, secret) = admin.create_token(&new).await?;
            show_made(&TokenView::at(made, clock.now()), secret.reveal(), output);
        }
        Token::List { user, output } => {
            let store = open(config, clock, Access::ReadOnly).await?;
            let owner = match &user {
                Some(user) => Some(user_of(&store, user).await?),
                None => None,
            };
            list(&store, owner, clock.now(), output).await?;
        }
        Token::Revoke { token } => admin(config, clock).await?.revoke_token(token, None).await?,
    }
    Ok(Exit::Done)
}

async fn user_of(store: &Store, name: &str) -> Result<UserId, CliError> {
    let found = store.user_by_any_name(store.reader(), name).await?;
    let unknown = || CliError::usage("there is no such user", "entitled user list shows who is known");
    found.map(|user| user.id).ok_or_else(unknown)
}

async fn list(store: &Store, owner: Option<UserId>, now: Instant, output: Output) -> Result<(), CliError> {
    let mut tokens: Vec<TokenRecord> = Vec::new();
    loop {
        let before = tokens.last().map(|last| last.id);
        let page = store.tokens_before(owner, before, PAGE_ROWS).await?;
        let more = page.len() as u64 == PAGE_ROWS;
        tokens.extend(page);
        if !more {
            break;
        }
    }
    show(tokens.into_iter().map(|token| TokenView::at(token, now)).collect(), output);
    Ok(())
}

pub(super) fn show(tokens: Vec<TokenView>, output: Output) {
    match output {
        Output::Json => say!("{:#}", json!(tokens)),
        Output::Table => {
            let row = |token: TokenView| {
                [
                    token.id,
                    token.owner.unwrap_or_else(|| "service".to_owned()),
                    token.name.unwrap_or_default(),
                    token.scopes.join(" "),
                    token.status,
                    token.created_at,
                    token.expires_at,
                    token.last_used_at.unwrap_or_default(),
                ]
            };
            let header = ["id", "owner", "name", "scopes", "status", "created at", "expires at", "last used at"];
            say!("{}", table(header, tokens.into_iter().map(row)));
        }
    }
}

/// The only time that the secret is told.
pub(super) fn show_made(made: &TokenView, secret: &str, output: Output) {
    match output {
        Output::Json => {
            let mut document = json!(made);
            document["secret"] = secret.into();
            say!("{document:#}");
        }
        Output::Table => say!("{secret}"),
    }
}
