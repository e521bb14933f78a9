//! Credentials in a header (RFC 9110, section 11.4), as far as they are compared.

use std::borrow::Cow;
use std::ops::Range;

use ouli_codec::credentials;

/// The value of a header as it is compared. The scheme of credentials is case-insensitive (RFC
/// 9110, section 11.1). Of those that are computed anew for each request, the scheme and the
/// account count, and of other signatures the ids of their keys.
pub(super) fn compared<'a>(header: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
    if SIGNATURES.contains(&header) {
        return Cow::Owned(with_texts(&[], value, &credentials::key_ids(value)));
    }
    if !HEADERS.contains(&header) {
        return Cow::Borrowed(value);
    }
    if let Some(computed) = credentials::computed(value) {
        let scheme = canonical(&value[..computed.scheme_end]);
        return match computed.accounts.is_empty() {
            true => scheme,
            false => Cow::Owned(with_texts(&scheme, value, &computed.accounts)),
        };
    }
    let Some(end) = value.iter().position(|byte| *byte == b' ') else {
        return Cow::Borrowed(value);
    };
    let (scheme, rest) = value.split_at(end);
    match canonical(scheme) {
        known if *known == *scheme => Cow::Borrowed(value),
        known => Cow::Owned([&known, rest].concat()),
    }
}

/// A text, and these parts of a value.
fn with_texts(text: &[u8], value: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut all = text.to_vec();
    for range in ranges {
        // Quotes in a value are escaped.
        all.extend_from_slice(b" \"");
        all.extend_from_slice(&value[range.clone()]);
        all.push(b'"');
    }
    all
}

/// The name of a scheme in the spelling of its registration, or in lower case.
fn canonical(scheme: &[u8]) -> Cow<'_, [u8]> {
    let mut known = KNOWN_SCHEMES.iter().map(|known| known.as_bytes());
    match known.find(|known| known.eq_ignore_ascii_case(scheme)) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(scheme.to_ascii_lowercase()),
    }
}

/// Headers with credentials.
const HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "x-wsse"];

/// Headers with signatures that name their keys (RFC 9421, and the drafts before it).
const SIGNATURES: [&str; 2] = ["signature", "signature-input"];

/// Schemes in the spelling of their registration. Others are compared in lower case.
const KNOWN_SCHEMES: [&str; 8] = [
    "Basic",
    "Bearer",
    "Digest",
    "DPoP",
    "Negotiate",
    "NTLM",
    "Token",
    "AWS4-HMAC-SHA256",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_case_insensitive_and_signatures_are_left_out() {
        for (one, other) in [
            ("Bearer a", "bearer a"),
            ("Basic a", "BASIC a"),
            ("Custom a", "custom a"),
            ("NTLM a", "ntlm b"),
            (
                "Digest username=\"u\", nonce=a",
                "digest nonce=b, username=u",
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/b, Signature=c",
                "aws4-hmac-sha256 Signature=d, Credential=a/e",
            ),
        ] {
            let [left, right] = [one, other].map(|it| compared("authorization", it.as_bytes()));
            assert_eq!(left, right, "{one}");
        }
        let different = [
            "Bearer a",
            "Bearer A",
            "Basic a",
            "Bearera",
            "Bearer",
            "AWS a:b",
            "AWS b:b",
            "AWS a",
            "OAuth a",
            "OAuth b",
            "OAuth oauth_consumer_key=a",
            "OAuth oauth_consumer_key=a, oauth_token=b",
            "Digest a",
            "Digest b",
        ];
        let mut values: Vec<_> = different
            .iter()
            .map(|it| compared("authorization", it.as_bytes()))
            .collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), different.len());
        assert_ne!(compared("x-a", b"Bearer a"), compared("x-a", b"bearer a"));
    }

    #[test]
    fn signatures_in_headers_of_their_own_count_by_their_keys() {
        let input = |text: &'static str| compared("signature-input", text.as_bytes());
        let one = input("a=(\"date\");created=1;keyid=\"k\"");
        assert_eq!(one, input("a=(\"date\");created=2;keyid=\"k\""));
        assert_ne!(one, input("a=(\"date\");created=1;keyid=\"l\""));
        let signature = |text: &'static str| compared("signature", text.as_bytes());
        assert_eq!(signature("a=:b:"), signature("a=:c:"));
        let old = signature("keyId=\"k\",signature=\"s\"");
        assert_eq!(old, signature("keyId=\"k\",signature=\"t\""));
        assert_ne!(old, signature("keyId=\"l\",signature=\"s\""));
    }
}
