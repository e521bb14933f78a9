//! The reason phrase of a response (RFC 9112, section 4), which only HTTP/1.1 has.

use http::{Extensions, StatusCode};
use hyper::ext::ReasonPhrase;

/// The phrase, if it is not the standard one of the status.
pub fn reason_phrase(status: StatusCode, extensions: &Extensions) -> Option<String> {
    let phrase = std::str::from_utf8(extensions.get::<ReasonPhrase>()?.as_bytes()).ok()?;
    let standard = status.canonical_reason().unwrap_or_default();
    (phrase != standard).then(|| phrase.to_owned())
}

/// Sets the phrase that is sent over HTTP/1.1. One that is invalid there is not sent.
pub fn set_reason_phrase(extensions: &mut Extensions, phrase: &str) {
    if let Ok(phrase) = ReasonPhrase::try_from(phrase.as_bytes()) {
        extensions.insert(phrase);
    }
}

/// Gives a status without a standard phrase an empty one. hyper would send `<none>`.
pub(crate) fn set_default_reason(status: StatusCode, extensions: &mut Extensions) {
    if status.canonical_reason().is_none() && extensions.get::<ReasonPhrase>().is_none() {
        set_reason_phrase(extensions, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_phrase_that_is_not_standard_is_kept() {
        let phrase = |status: u16, phrase: &str| {
            let mut extensions = Extensions::new();
            set_reason_phrase(&mut extensions, phrase);
            reason_phrase(StatusCode::from_u16(status).unwrap(), &extensions)
        };
        assert_eq!(phrase(200, "OK"), None);
        assert_eq!(phrase(200, "Fine").as_deref(), Some("Fine"));
        assert_eq!(phrase(200, "").as_deref(), Some(""));
        assert_eq!(phrase(299, ""), None);
        assert_eq!(phrase(200, "a\r\nb"), None);
    }
}
