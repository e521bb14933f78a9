//! Credentials in a header (RFC 9110, section 11.4), as far as they are compared.

use std::borrow::Cow;

use ouli_codec::credentials;

/// The value of a header as it is compared. The scheme of credentials is case-insensitive (RFC
/// 9110, section 11.1). Of those that are computed anew for each request, only the scheme counts.
pub(super) fn compared<'a>(header: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
    let Some((scheme, rest)) = parsed(header, value) else {
        return Cow::Borrowed(value);
    };
    let known = KNOWN_SCHEMES.iter().map(|known| known.as_bytes());
    let mut known = known.filter(|known| known.eq_ignore_ascii_case(scheme));
    let known = known.next();
    if is_computed(scheme) {
        return known.map_or_else(|| Cow::Owned(scheme.to_ascii_lowercase()), Cow::Borrowed);
    }
    match known {
        Some(known) if known != scheme => Cow::Owned([known, rest].concat()),
        Some(_) => Cow::Borrowed(value),
        None => Cow::Owned([&scheme.to_ascii_lowercase(), rest].concat()),
    }
}

/// The text that tells whose computed credentials these are: the id of a key, or the name of a
/// user.
pub(super) fn account<'a>(header: &str, value: &'a [u8]) -> Option<&'a [u8]> {
    let (_, rest) = parsed(header, value).filter(|(scheme, _)| is_computed(scheme))?;
    credentials::account(rest).map(|range| &rest[range])
}

/// The scheme and what follows it; none if the header has none.
fn parsed<'a>(header: &str, value: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    if header != "authorization" && header != "proxy-authorization" {
        return None;
    }
    let end = value.iter().position(|byte| *byte == b' ')?;
    Some(value.split_at(end))
}

fn is_computed(scheme: &[u8]) -> bool {
    COMPUTED_SCHEMES.iter().any(|start| {
        let head = scheme.get(..start.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
    })
}

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

/// The beginnings of the names of authentication schemes that prove a secret without sending it, in
/// lower case: signatures and challenges.
const COMPUTED_SCHEMES: [&str; 16] = [
    "acs3-",
    "aws",
    "bce-auth",
    "digest",
    "goog",
    "hawk",
    "hmac",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "scram-",
    "sdk-hmac",
    "sharedkey",
    "signature",
    "tc3-",
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
            ("Digest a", "digest b"),
            ("AWS4-HMAC-SHA256 Credential=a/b", "aws4-hmac-sha256 c"),
        ] {
            let [left, right] = [one, other].map(|it| compared("authorization", it.as_bytes()));
            assert_eq!(left, right, "{one}");
        }
        let different = ["Bearer a", "Bearer A", "Basic a", "Bearera", "Bearer"];
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
    fn an_account_is_a_key_id_or_a_user() {
        let of = |value: &'static str| account("authorization", value.as_bytes());
        let aws = "AWS4-HMAC-SHA256 Credential=AKIA/2026/eu/s3/aws4_request, Signature=x";
        assert_eq!(of(aws), Some(&b"AKIA"[..]));
        assert_eq!(of("Digest username=\"u\", realm=\"r\""), Some(&b"u"[..]));
        assert_eq!(of("Digest realm=\"r\", username=u"), Some(&b"u"[..]));
        assert_eq!(of("Bearer username=u"), None);
        assert_eq!(of("DPoP x"), None);
    }
}
