//! Sources of kind `deploycenter`. Imports the reader.

mod enumerate;

use std::collections::BTreeSet;

use entitled_model::MapRule;

use url::Url;

pub use enumerate::EnumerateConfig;

use super::map;
use crate::config::address::PlainHttp;
use crate::config::choice::Choice;
use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::writer::{Page, count};

/// Query parameters entitled sends itself; a claim of the same name would overwrite one of them.
const OWN_PARAMETERS: [&str; 4] = ["service_id", "account_type", "account_id", "account_email"];

/// The claim that is never required, whatever the lists say.
const IDP_CLAIM: &str = "idp_id";

const BASE_URL_FORM: &str = "an http:// or https:// address ending in `/`";

/// An entitlements backend like DeployCenter, asked one user at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct DeployCenterConfig {
    /// The whole address of the endpoint; its path ends in `/`.
    pub base_url: Url,
    /// The service asked about, above 0.
    pub service_id: u64,
    /// The service's key, sent as `X-Service-Auth: Bearer <token>`.
    pub token: Secret,
    /// Claims of the login that are persisted and sent. Default: none.
    /// See [`DeployCenterConfig::required_claims`].
    pub claims: Vec<String>,
    /// Claims without which the backend is asked all the same, sent when present. Default: none.
    pub optional_claims: Vec<String>,
    /// The query parameter of that name. Default: `user`.
    pub account_type: String,
    /// How the backend is asked. Default: GET.
    pub method: QueryMethod,
    /// What answers when the backend is unavailable and nothing is stored. Default: nothing.
    pub fallback: Option<Fallback>,
    /// How many users are read in a few calls. Default: they are asked one by one.
    pub enumerate: Option<EnumerateConfig>,
    /// The mapped entitlements. Default: none.
    pub map: Vec<MapRule>,
}

/// How the backend is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryMethod {
    /// `GET`.
    Get,
    /// `POST` with `{"usage_metrics": []}`, which spares the backend its call back; newer versions only.
    Post,
}

impl Choice for QueryMethod {
    const WORDS: &'static [(&'static str, Self)] = &[("GET", Self::Get), ("POST", Self::Post)];
}

/// What answers instead of an unavailable backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The local backend.
    Local,
}

impl Choice for Fallback {
    const WORDS: &'static [(&'static str, Self)] = &[("local", Self::Local)];
}

impl DeployCenterConfig {
    /// The claims without which the backend is not asked: `claims` less `optional_claims` and `idp_id`.
    pub fn required_claims(&self) -> impl Iterator<Item = &str> {
        self.claims
            .iter()
            .filter(|claim| *claim != IDP_CLAIM && !self.optional_claims.contains(claim))
            .map(String::as_str)
    }

    /// Every claim that is persisted and sent when present: `claims`, then the rest of `optional_claims`.
    pub fn sent_claims(&self) -> impl Iterator<Item = &str> {
        let others = self.optional_claims.iter();
        self.claims.iter().chain(others.filter(|claim| !self.claims.contains(claim))).map(String::as_str)
    }

    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let base_url = section.key("base_url").required(BASE_URL_FORM).address(PlainHttp::Warned);
        if base_url.as_ref().is_some_and(|url| !url.path().ends_with('/')) {
            section.problem("base_url", format!("expected {BASE_URL_FORM}: without it DeployCenter answers 301"));
        }
        let service_id = section.key("service_id").required("an integer of at least 1").integer(1..=i64::MAX);
        let token = section.key("token").required("{ env = \"NAME\" } or { file = \"PATH\" }").header_secret();
        let (claims, optional_claims) = (read_claims(section, "claims"), read_claims(section, "optional_claims"));
        let account_type = section.key("account_type").text();
        let method = section.key("method").choice();
        let fallback = section.key("fallback").choice();
        let map = map::read(section);
        let enumerate = EnumerateConfig::read(section, base_url.as_ref(), &claims, &map);
        Some(Self {
            base_url: base_url?,
            service_id: service_id?,
            token: token?,
            claims,
            optional_claims,
            account_type: account_type.unwrap_or_else(|| "user".to_owned()),
            method: method.unwrap_or(QueryMethod::Get),
            fallback,
            enumerate,
            map,
        })
    }

    pub(super) fn show(&self, path: &str, page: &mut Page) {
        let Self {
            base_url,
            service_id,
            token,
            claims,
            optional_claims,
            account_type,
            method,
            fallback,
            enumerate,
            map,
        } = self;
        page.put("base_url", base_url.as_str());
        page.put("service_id", count(*service_id));
        page.put("token", token.shown(|_| "<secret>".to_owned()));
        page.put("claims", claims.clone());
        page.put("optional_claims", optional_claims.clone());
        page.put("account_type", account_type.as_str());
        page.put("method", method.as_str());
        page.put_some("fallback", fallback.map(Fallback::as_str));
        page.put_some("enumerate", enumerate.as_ref().map(EnumerateConfig::shown));
        map::show(map, path, page);
    }
}

fn read_claims(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let form = "the name of a claim that is not empty";
    let claims = section.key(key).list(form, |claim| match claim {
        _ if claim.trim().is_empty() => Err(format!("expected {form}")),
        _ if OWN_PARAMETERS.contains(&claim) => {
            Err(format!("expected another claim than those entitled sends itself: {}", OWN_PARAMETERS.join(", ")))
        }
        _ => Ok(claim.to_owned()),
    });
    let claims = claims.unwrap_or_default();
    if claims.iter().collect::<BTreeSet<_>>().len() < claims.len() {
        section.problem(key, "expected each claim once");
    }
    claims
}
