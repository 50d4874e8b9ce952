//! `entitled token` on a server. A token makes no tokens there: to make one takes a key, or a person's login.

use serde_json::json;

use super::user;
use crate::cli::token::{self, Token};
use crate::cli::{CliError, Exit};
use crate::http::{NewTokenView, TokensView};
use crate::remote::Remote;

const TOKENS: [&str; 2] = ["admin", "tokens"];

pub async fn run(token: Token, remote: &Remote) -> Result<Exit, CliError> {
    match token {
        Token::Create { user, service: _, name, scopes, expires_in_days, output } => {
            let owner = owner(remote, user.as_deref()).await?;
            let mut body = json!({"owner": owner, "name": name, "expires_in_days": expires_in_days.in_days()});
            if !scopes.is_empty() {
                body["scopes"] = scopes.iter().map(ToString::to_string).collect();
            }
            let NewTokenView { token, secret } = remote.post(&TOKENS, &body).await?;
            token::show_made(&token, &secret, output);
        }
        Token::List { user, output } => {
            let owner = owner(remote, user.as_deref()).await?;
            let query: Vec<_> = owner.iter().map(|owner| ("owner", owner.as_str())).collect();
            token::show(remote.all::<TokensView>(&TOKENS, &query).await?, output);
        }
        Token::Revoke { token } => remote.delete(&["admin", "tokens", &token.to_string()]).await?,
    }
    Ok(Exit::Done)
}

async fn owner(remote: &Remote, user: Option<&str>) -> Result<Option<String>, CliError> {
    match user {
        Some(user) => Ok(Some(user::found(remote, user).await?.id)),
        None => Ok(None),
    }
}
