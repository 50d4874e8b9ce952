//! Filters (RFC 7644, 3.4.2.2): one attribute that equals one text. Pure.
//!
//! Invariant: whatever the text holds, it stays within its quotes.

use std::fmt;

/// What a list is narrowed to.
#[derive(Clone)]
pub struct Filter(String);

impl Filter {
    /// `attribute eq "value"`, with the value as a JSON string, as the grammar asks.
    pub fn equals(attribute: Attribute, value: &str) -> Self {
        Self(format!("{attribute} eq {}", serde_json::Value::from(value)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What lists are narrowed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    UserName,
    EmailsValue,
    DisplayName,
    MembersValue,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Attribute::UserName => "userName",
            Attribute::EmailsValue => "emails.value",
            Attribute::DisplayName => "displayName",
            Attribute::MembersValue => "members.value",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_within_its_quotes() {
        let filter = |value| Filter::equals(Attribute::EmailsValue, value).0;
        assert_eq!(filter("ann@example.org"), r#"emails.value eq "ann@example.org""#);
        assert_eq!(filter(r#"a" or userName pr or x eq "b"#), r#"emails.value eq "a\" or userName pr or x eq \"b""#);
        assert_eq!(filter(r"a\"), r#"emails.value eq "a\\""#);
        assert_eq!(filter("é\n"), "emails.value eq \"é\\n\"");
    }
}
