//! Logins that belong to a connection instead of a request: NTLM, and Negotiate where it carries
//! NTLM or a server keeps the login of a connection (RFC 4559, section 6).

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};

/// True if a request begins or continues such a login.
pub fn has_credentials(request: &HeaderMap) -> bool {
    let mut values = request.get_all(AUTHORIZATION).iter();
    values.any(names_scheme)
}

/// True if a response asks for such a login.
pub fn has_challenge(response: &HeaderMap) -> bool {
    let mut values = response.get_all(WWW_AUTHENTICATE).iter();
    values.any(|value| {
        let challenges = value.as_bytes().split(|byte| *byte == b',');
        challenges.into_iter().any(is_scheme)
    })
}

fn names_scheme(value: &HeaderValue) -> bool {
    is_scheme(value.as_bytes())
}

/// Names of schemes are case-insensitive (RFC 9110, section 11.1).
fn is_scheme(credentials: &[u8]) -> bool {
    let credentials = credentials.trim_ascii_start();
    let end = credentials.iter().position(u8::is_ascii_whitespace);
    let scheme = &credentials[..end.unwrap_or(credentials.len())];
    [&b"ntlm"[..], b"negotiate"]
        .iter()
        .any(|name| scheme.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &http::HeaderName, values: &[&'static str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_static(value));
        values.map(|value| (name.clone(), value)).collect()
    }

    #[test]
    fn the_scheme_of_credentials_decides() {
        for (value, expected) in [
            ("NTLM TlRMTVNTUAAB", true),
            ("negotiate YII=", true),
            ("Negotiate", true),
            ("Basic bnRsbTp4", false),
            ("NTLMv3 x", false),
            ("Bearer NTLM", false),
            ("", false),
        ] {
            let request = map(&AUTHORIZATION, &[value]);
            assert_eq!(has_credentials(&request), expected, "{value}");
        }
    }

    #[test]
    fn any_of_several_challenges_counts() {
        for (values, expected) in [
            (&["Negotiate", "NTLM"][..], true),
            (&["Basic realm=\"x\", NTLM"], true),
            (&["Basic realm=\"x\"", "Bearer"], false),
            (&[], false),
        ] {
            let response = map(&WWW_AUTHENTICATE, values);
            assert_eq!(has_challenge(&response), expected, "{values:?}");
        }
    }
}
