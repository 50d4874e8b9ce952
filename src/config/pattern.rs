//! The shapes of short texts: words, addresses. Pure, imports nothing.

/// `[a-z][a-z0-9_]*`: a resource type or a permission.
pub(super) const WORD_FORM: &str = "lower-case letters, digits and `_`, beginning with a letter";

/// Whether `text` is [`WORD_FORM`].
pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether `text` looks like one e-mail address: something, one `@`, a domain, no spaces.
pub(super) fn is_email(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    match text.split_once('@') {
        Some((local, domain)) => plain && !local.is_empty() && is_domain(domain),
        None => false,
    }
}

/// Whether `text` looks like a domain name: non-empty labels of letters, digits and `-`.
pub(super) fn is_domain(text: &str) -> bool {
    text.split('.').all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
}

/// The key under which addresses are compared: trimmed, in Unicode lower case.
pub(super) fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Whether `text` can be sent in an HTTP header.
pub(super) fn is_header_safe(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
}
