//! Entity tags (RFC 9110): whoever changes what they have read says what that was, and is refused where it is another by now.

use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use entitled_model::plan::hex;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::http::Problem;

/// An answer that carries the tag of what it shows.
pub(in crate::http) struct Tagged<T>(pub T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let Ok(shown) = serde_json::to_vec(&self.0) else { return Problem::internal().into_response() };
        ([(CONTENT_TYPE, "application/json".to_owned()), (ETAG, tag(&shown))], shown).into_response()
    }
}

/// The tag of what is shown, byte for byte: a strong one.
fn tag(shown: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha256::digest(shown)))
}

/// What a caller takes for true.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) enum IfMatch {
    /// Nothing was said, or that it be there at all.
    Any,
    /// It must be one of these. A weak tag stands for none.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// # Errors
    /// When the header is neither `*` nor a list of tags: one that can't be read must not be passed over.
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let bad = || Problem::new(StatusCode::BAD_REQUEST, "If-Match must be * or entity tags, as ETag gives them");
        let mut tags = Vec::new();
        let mut given = headers.get_all(IF_MATCH).iter().peekable();
        if given.peek().is_none() {
            return Ok(Self::Any);
        }
        for value in given {
            let mut rest = value.to_str().map_err(|_| bad())?.trim();
            if rest == "*" {
                return Ok(Self::Any);
            }
            while !rest.is_empty() {
                let (weak, opened) = rest.strip_prefix("W/").map_or((false, rest), |strong| (true, strong));
                let (tag, after) = opened.strip_prefix('"').and_then(|text| text.split_once('"')).ok_or_else(bad)?;
                if !weak {
                    tags.push(format!("\"{tag}\""));
                }
                let after = after.trim_start();
                rest = match after.strip_prefix(',') {
                    Some(next) => next.trim_start(),
                    None if after.is_empty() => after,
                    None => return Err(bad()),
                };
            }
        }
        Ok(Self::OneOf(tags))
    }

    /// Whether what is shown now is what the caller takes for true.
    pub(super) fn holds(&self, shown: &impl Serialize) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => serde_json::to_vec(shown).is_ok_and(|shown| tags.contains(&tag(&shown))),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<IfMatch, ()> {
        let values = values.iter().map(|value| (IF_MATCH, HeaderValue::from_bytes(value).expect("a value")));
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| _ = headers.append(name, value));
        IfMatch::read(&headers).map_err(drop)
    }

    #[test]
    fn only_strong_tags_count_and_what_is_no_tag_is_refused() {
        let one_of = |tags: &[&str]| Ok(IfMatch::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        assert_eq!(read(&[]), Ok(IfMatch::Any));
        assert_eq!(read(&[b" * "]), Ok(IfMatch::Any));
        assert_eq!(read(&[br#""a""#]), one_of(&[r#""a""#]));
        assert_eq!(read(&[br#""a" , W/"b","c,d""#, br#""e""#]), one_of(&[r#""a""#, r#""c,d""#, r#""e""#]));
        assert_eq!(read(&[br#"W/"a""#]), one_of(&[]), "a weak one stands for none");
        assert_eq!(read(&[b""]), one_of(&[]), "an empty list has none");
        for bad in [&b"a"[..], br#""a"#, br#""a" "b""#, br#""a"b"#, b"W/a", b"*, \"a\"", b"\xff"] {
            assert_eq!(read(&[bad]), Err(()), "{bad:?}");
        }
    }

    #[test]
    fn a_tag_holds_for_what_was_shown_alone() {
        let shown = serde_json::json!({"name": "Editors"});
        let tag = tag(shown.to_string().as_bytes());
        assert!(IfMatch::OneOf(vec![tag.clone()]).holds(&shown));
        assert!(!IfMatch::OneOf(vec![tag]).holds(&serde_json::json!({"name": "Writers"})));
        assert!(!IfMatch::OneOf(Vec::new()).holds(&shown));
        assert!(IfMatch::Any.holds(&shown));
    }
}
