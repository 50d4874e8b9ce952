//! Tries each right by itself: a token with one scope too many is refused whole, and says of none which it was.
//!
//! Asked past the gate and the rate limit, five small questions at most: it is for an operator who looks for a failure.

use entitled_model::{ErrorClass, Failure};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use url::Url;

use super::Directory;
use crate::config;
use crate::source::Right;
use crate::source::client::{Call, Reply};
use crate::source::google::token::{GROUPS_SCOPE, USERS_SCOPE};
use crate::source::google::wire::{self, Answered, GroupsPage, Kinded, MembersPage, Page as _};

impl Directory {
    /// Tries to read one group, one member of it, and one user. Without any group, members are not tried.
    pub async fn rights(&self) -> Vec<Right> {
        let token = self.tokens.header_for(GROUPS_SCOPE).await;
        let groups = match self.first_of(&["groups"], &token).await {
            Ok(reply) => self.read::<GroupsPage>(&reply).map(first_group),
            Err(failure) => Err(failure),
        };
        let mut rights = Vec::new();
        if let Ok(Some(group)) = &groups {
            let members = self.first_of(&["groups", group, "members"], &token).await;
            let members = members.and_then(|reply| self.read::<MembersPage>(&reply).map(drop));
            rights.push(self.right("members", GROUPS_SCOPE, members));
        }
        rights.insert(0, self.right("groups", GROUPS_SCOPE, groups.map(drop)));
        let token = self.tokens.header_for(USERS_SCOPE).await;
        let users = self.first_of(&["users"], &token).await.and_then(|reply| self.opened(&reply));
        rights.push(self.right("users", USERS_SCOPE, users));
        rights
    }

    async fn first_of(&self, path: &[&str], token: &Result<HeaderValue, Failure>) -> Result<Reply, Failure> {
        let headers = vec![(AUTHORIZATION, token.clone()?)];
        self.client.transport().fetch_once(&Call { headers, ..Call::get(self.listing(path)) }).await
    }

    /// A list's first entry alone.
    fn listing(&self, path: &[&str]) -> Url {
        let mut url = self.api_base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["admin", "directory", "v1"]).extend(path);
        }
        let scope = match &self.listed {
            _ if path.contains(&"members") => None,
            config::Directory::Customer(customer) => Some(("customer", customer.as_str())),
            config::Directory::Domain(domain) => Some(("domain", domain.as_str())),
        };
        url.query_pairs_mut().extend_pairs(scope).append_pair("maxResults", "1");
        url
    }

    fn read<T: Kinded>(&self, reply: &Reply) -> Result<Option<T>, Failure> {
        Ok(match wire::read::<T>(reply, &self.source)? {
            Answered::With(page) => Some(page),
            Answered::NoSuchKey => None,
        })
    }

    /// Whether a list was shown; what it says does not matter here.
    fn opened(&self, reply: &Reply) -> Result<(), Failure> {
        if reply.status == StatusCode::OK { Ok(()) } else { self.read::<GroupsPage>(reply).map(drop) }
    }

    fn right(&self, opens: &'static str, scope: &str, tried: Result<(), Failure>) -> Right {
        let Self { source, .. } = self;
        let remedy = match tried.as_ref().map_err(|failure| failure.class) {
            Err(ErrorClass::Unauthorized) => Some(format!(
                "delegate {scope} to the client id of sources.{source}.credentials (Admin console, Security, API \
                 controls, Domain-wide delegation)"
            )),
            Err(ErrorClass::Forbidden) => {
                Some(format!("give sources.{source}.subject an administrator's role that may read {opens}"))
            }
            _ => None,
        };
        Right { opens, tried, remedy }
    }
}

fn first_group(page: Option<GroupsPage>) -> Option<String> {
    let (groups, _) = page?.into_parts();
    groups.into_iter().next().map(|group| group.id)
}
