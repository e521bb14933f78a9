//! The parameters of credentials (RFC 9110, section 11.4).

use std::ops::Range;

/// The beginnings of parameters that name an account: AWS signature version 4, Digest (RFC 7616).
const ACCOUNTS: [&str; 3] = ["credential=", "username=\"", "username="];

/// Where the text is that tells whose computed credentials these are: the id of a key, or the name
/// of a user.
pub fn account(parameters: &[u8]) -> Option<Range<usize>> {
    let start = ACCOUNTS.iter().find_map(|name| {
        let mut places = parameters.windows(name.len());
        let found = places.position(|it| it.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(found + name.len())
    })?;
    let mut rest = parameters[start..].iter();
    let len = rest.position(|byte| b"/,\" ".contains(byte));
    let end = len.map_or(parameters.len(), |len| start + len);
    Some(start..end).filter(|account| !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_ends_where_its_value_ends() {
        for (parameters, expected) in [
            (" Credential=AKIA/2026/eu/s3, Signature=x", Some("AKIA")),
            (" username=\"u\", realm=\"r\"", Some("u")),
            (" realm=\"r\", USERNAME=u", Some("u")),
            (" Credential=AKIA", Some("AKIA")),
            (" username=\"\"", None),
            (" realm=\"r\"", None),
        ] {
            let found = account(parameters.as_bytes());
            assert_eq!(found.map(|it| &parameters[it]), expected, "{parameters}");
        }
    }
}
