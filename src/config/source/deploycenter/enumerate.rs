//! `enumerate` of a source of kind `deploycenter`: reading many users at once. Imports the reader.

use entitled_model::MapRule;
use url::Url;

use crate::config::address::PlainHttp;
use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::writer::{count, inline};

/// The entitlement that the management API's lists tell of.
const ENTITLEMENT: &str = "can_admin_maildomains";

/// The claim that names a user's organisation.
const ORGANISATION_CLAIM: &str = "siret";

const SECRET_FORM: &str = "{ env = \"NAME\" } or { file = \"PATH\" }";

/// The management API, from which whole runs derive `can_admin_maildomains`.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumerateConfig {
    /// The operator's key, sent as `Authorization: Bearer <operator_key>`.
    pub operator_key: Secret,
    /// The operator whose organisations are listed.
    pub operator_id: String,
    /// The root of the API, ending in `/`. Default: what the last part of `base_url` stands under.
    pub management_base: Url,
    /// Users who are asked one by one all the same in each run, to compare. Default: 20.
    pub sample: usize,
}

impl EnumerateConfig {
    /// The table, if there is one; `claims` and `map` must suit it.
    pub(super) fn read(
        section: &mut Section<'_>,
        base_url: Option<&Url>,
        claims: &[String],
        map: &[MapRule],
    ) -> Option<Self> {
        if !section.has("enumerate") {
            drop(section.key("enumerate"));
            return None;
        }
        let read = section.table("enumerate", |table| {
            let operator_key = table.key("operator_key").required(SECRET_FORM).header_secret();
            let form = "an id that is not empty";
            let operator_id = table.key("operator_id").required(form).matching(form, |id| !id.trim().is_empty());
            let management_base = table.key("management_base").base(PlainHttp::Warned);
            let sample = table.key("sample").integer(0..=1000);
            let management_base = management_base.or_else(|| base_url?.join("../").ok());
            Some(Self {
                operator_key: operator_key?,
                operator_id: operator_id?.trim().to_owned(),
                management_base: management_base?,
                sample: sample.unwrap_or(20),
            })
        });
        if !claims.iter().any(|claim| claim == ORGANISATION_CLAIM) {
            section
                .problem("enumerate", "expected `claims` to name \"siret\", by which a user's organisation is found");
        }
        if map.is_empty() || map.iter().any(|rule| rule.entitlement != ENTITLEMENT) {
            section.problem(
                "enumerate",
                format!("expected `map` to be about {ENTITLEMENT:?} alone: of others it says nothing"),
            );
        }
        read
    }

    pub(super) fn shown(&self) -> toml::Value {
        let Self { operator_key, operator_id, management_base, sample } = self;
        inline([
            ("operator_key", operator_key.shown(|_| "<secret>".to_owned())),
            ("operator_id", operator_id.as_str().into()),
            ("management_base", management_base.as_str().into()),
            ("sample", count(*sample)),
        ])
    }
}
