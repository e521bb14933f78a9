//! Credentials that are computed anew for each request (RFC 9110, section 11.4): they prove a
//! secret without sending it, and name the account that has it.

use std::ops::Range;

/// Credentials of a scheme that computes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// The end of the name of the scheme.
    pub scheme_end: usize,
    /// Where the texts are that tell whose credentials these are: the id of a key, or the name of a
    /// user. Those of equal schemes have one order. None if the scheme logs a connection in.
    pub accounts: Vec<Range<usize>>,
}

/// The parts of computed credentials. None if the scheme is unknown or the account is not in its
/// place: then the whole value is a secret.
pub fn computed(value: &[u8]) -> Option<Computed> {
    let scheme_end = value.iter().position(|byte| b" /".contains(byte))?;
    let scheme = &value[..scheme_end];
    let places = COMPUTED_SCHEMES.iter().find_map(|(start, places)| {
        let head = scheme.get(..start.len())?;
        head.eq_ignore_ascii_case(start.as_bytes())
            .then_some(*places)
    })?;
    let found = places
        .iter()
        .find_map(|place| place.find(value, scheme_end));
    found.map(|accounts| Computed {
        scheme_end,
        accounts,
    })
}

/// The ids of keys in the parameters of a signature (RFC 9421, section 2.3).
pub fn key_ids(parameters: &[u8]) -> Vec<Range<usize>> {
    let all = self::parameters(parameters, 0);
    all.filter(|(name, _)| name.eq_ignore_ascii_case(b"keyid"))
        .map(|(_, value)| value)
        .collect()
}

/// Where the account stands in computed credentials.
enum Place {
    /// In parameters, in the order of this list.
    Named(&'static [&'static str]),
    /// In a parameter, before the scope in which the key signs.
    Scoped(&'static str),
    /// Before the first colon: `ID:SIGNATURE`.
    BeforeColon,
    /// Between the name of the scheme and the next slash: `SCHEME/ID/...`.
    AfterSlash,
    /// Nowhere that can be read: the scheme logs a connection in.
    Hidden,
}

impl Place {
    fn find(&self, value: &[u8], scheme_end: usize) -> Option<Vec<Range<usize>>> {
        let start = scheme_end + 1;
        let is_slash = value[scheme_end] == b'/';
        let found = match self {
            Self::Hidden => return Some(Vec::new()),
            Self::AfterSlash if is_slash => one(start..end(value, start, b"/")?),
            Self::AfterSlash => return None,
            _ if is_slash => return None,
            Self::Named(names) => {
                let named = names
                    .iter()
                    .filter_map(|name| parameter(value, start, name));
                named.collect()
            }
            Self::Scoped(name) => {
                let found = parameter(value, start, name)?;
                let end = end(&value[..found.end], found.start, b"/").unwrap_or(found.end);
                one(found.start..end)
            }
            Self::BeforeColon => {
                let is_space = |byte: &u8| *byte == b' ';
                let start = start + value[start..].iter().position(|it| !is_space(it))?;
                one(start..end(value, start, b":")?)
            }
        };
        let is_whole = found.iter().all(|account| !account.is_empty());
        (is_whole && !found.is_empty()).then_some(found)
    }
}

fn one(account: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(account).collect()
}

/// Where a text ends at the first of some delimiters; none if another one comes first, or none at
/// all.
fn end(value: &[u8], start: usize, delimiters: &[u8]) -> Option<usize> {
    let stop = |byte: &u8| delimiters.contains(byte) || b" \t,;&\"=".contains(byte);
    let end = start + value[start..].iter().position(stop)?;
    delimiters.contains(&value[end]).then_some(end)
}

fn parameter(value: &[u8], start: usize, name: &str) -> Option<Range<usize>> {
    let mut all = parameters(value, start);
    let found = all.find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| value)
}

/// The parameters from a place of a text on, in all notations: `name=value` and `name="value"`,
/// after white space, `,`, `;` or `&`. The quotes are not part of the value.
fn parameters(text: &[u8], start: usize) -> impl Iterator<Item = (&[u8], Range<usize>)> {
    let mut at = start;
    std::iter::from_fn(move || {
        loop {
            at += text.get(at..)?.iter().position(|it| !is_delimiter(*it))?;
            let name = at;
            let in_name = |byte: &u8| *byte != b'=' && !is_delimiter(*byte);
            at = position(text, at, |byte| !in_name(byte));
            if text.get(at) != Some(&b'=') {
                continue;
            }
            let (name, value) = (&text[name..at], at + 1);
            if text.get(value) != Some(&b'"') {
                at = position(text, value, |byte| is_delimiter(*byte));
                return Some((name, value..at));
            }
            at = quoted_end(text, value + 1);
            return Some((name, value + 1..at));
        }
    })
}

fn is_delimiter(byte: u8) -> bool {
    b" \t,;&\"".contains(&byte)
}

fn position(text: &[u8], start: usize, is_end: impl Fn(&u8) -> bool) -> usize {
    let found = text[start..].iter().position(is_end);
    found.map_or(text.len(), |at| start + at)
}

/// The place of the quote that ends a quoted text, in which a backslash escapes the next byte.
fn quoted_end(text: &[u8], start: usize) -> usize {
    let mut is_escaped = false;
    position_with(text, start, |byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn position_with(text: &[u8], start: usize, mut is_end: impl FnMut(u8) -> bool) -> usize {
    let found = text[start..].iter().position(|byte| is_end(*byte));
    found.map_or(text.len(), |at| start + at)
}

const CREDENTIAL: Place = Place::Scoped("credential");

/// The schemes, by the beginning of their names in lower case. The first place with an account
/// counts.
const COMPUTED_SCHEMES: &[(&str, &[Place])] = &[
    ("acquia-http-hmac", &[Place::Named(&["id"])]),
    ("acs", &[CREDENTIAL, Place::BeforeColon]),
    ("apiauth", &[Place::BeforeColon]),
    // Amazon: signature versions 4, 3 and 2.
    (
        "aws",
        &[
            CREDENTIAL,
            Place::Named(&["awsaccesskeyid"]),
            Place::BeforeColon,
        ],
    ),
    ("bce-auth", &[Place::AfterSlash]),
    // RFC 7616.
    ("digest", &[Place::Named(&["username", "username*"])]),
    ("eg1-", &[Place::Named(&["client_token", "access_token"])]),
    ("ems-", &[CREDENTIAL]),
    ("goog", &[CREDENTIAL, Place::BeforeColon]),
    ("hawk", &[Place::Named(&["id"])]),
    (
        "hmac",
        &[
            CREDENTIAL,
            Place::Named(&["username"]),
            Place::Named(&["keyid"]),
            Place::Named(&["id"]),
            Place::BeforeColon,
        ],
    ),
    ("jdcloud", &[CREDENTIAL]),
    ("mac", &[Place::Named(&["id"])]),
    // RFC 8120: the name of the user is in the first message alone.
    ("mutual", &[Place::Named(&["user"]), Place::Hidden]),
    ("negotiate", &[Place::Hidden]),
    ("ntlm", &[Place::Hidden]),
    // RFC 5849, section 3.5.1.
    (
        "oauth",
        &[Place::Named(&["oauth_consumer_key", "oauth_token"])],
    ),
    ("obs", &[Place::BeforeColon]),
    (
        "oss",
        &[
            CREDENTIAL,
            Place::Named(&["accesskeyid"]),
            Place::BeforeColon,
        ],
    ),
    ("qbox", &[Place::BeforeColon]),
    ("qiniu", &[Place::BeforeColon]),
    ("scram-", &[Place::Hidden]),
    ("sdk-hmac", &[Place::Named(&["access"])]),
    // Azure: a policy of a resource, or the resource.
    ("sharedaccesssignature", &[Place::Named(&["sr", "skn"])]),
    ("sharedkey", &[Place::BeforeColon]),
    // HTTP signatures before RFC 9421.
    ("signature", &[Place::Named(&["keyid"])]),
    ("tc3-", &[CREDENTIAL]),
    ("tos", &[CREDENTIAL, Place::BeforeColon]),
    ("ucloud", &[Place::BeforeColon]),
    ("upyun", &[Place::BeforeColon]),
    // Web services security, in `x-wsse`.
    ("usernametoken", &[Place::Named(&["username"])]),
    // RFC 8292.
    ("vapid", &[Place::Named(&["k"])]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(value: &str) -> Option<Vec<&str>> {
        let found = computed(value.as_bytes())?;
        let texts = found.accounts.into_iter().map(|range| &value[range]);
        Some(texts.collect())
    }

    /// Credentials, and their accounts.
    const CASES: &[(&str, &str)] = &[
        (
            "AWS4-HMAC-SHA256 Credential=AKIA/2026/eu/s3, Signature=x",
            "AKIA",
        ),
        ("AWS4 Credential=AKIA", "AKIA"),
        ("AWS AKIA:c2ln/bmF0dXJl=", "AKIA"),
        (
            "AWS3-HTTPS AWSAccessKeyId=AKIA,Algorithm=HmacSHA1,Signature=x",
            "AKIA",
        ),
        (
            "GOOG4-RSA-SHA256 Credential=u@p.example/2026/auto, Signature=x",
            "u@p.example",
        ),
        ("GOOG1 GOOGID:c2ln", "GOOGID"),
        ("SharedKey store:c2ln", "store"),
        ("SharedKeyLite store:c2ln", "store"),
        (
            "SharedAccessSignature sr=h%2Fq&sig=x&se=1&skn=policy",
            "h%2Fq policy",
        ),
        ("SharedAccessSignature sig=x&sr=h%2Fd", "h%2Fd"),
        ("Hawk id=\"a b\", ts=\"1\", nonce=\"n\", mac=\"m\"", "a b"),
        ("MAC id=\"u\", nonce=\"n\", mac=\"m\"", "u"),
        (
            "OAuth oauth_token=\"t\", realm=\"r\", oauth_consumer_key=\"c\"",
            "c t",
        ),
        ("OAuth oauth_consumer_key=\"c\",oauth_signature=\"s\"", "c"),
        (
            "Signature keyId=\"https://h/a,b#k\",signature=\"s\"",
            "https://h/a,b#k",
        ),
        ("HMAC u:nonce:c2ln", "u"),
        ("hmac username=\"u\", algorithm=\"hmac-sha256\"", "u"),
        (
            "HMAC-SHA256 Credential=u&SignedHeaders=date;host&Signature=x",
            "u",
        ),
        ("acs u:c2ln", "u"),
        (
            "ACS3-HMAC-SHA256 Credential=u,SignedHeaders=a;b,Signature=x",
            "u",
        ),
        (
            "TC3-HMAC-SHA256 Credential=u/2026-01-01/cvm/tc3_request, Signature=x",
            "u",
        ),
        (
            "SDK-HMAC-SHA256 Access=u, SignedHeaders=host, Signature=x",
            "u",
        ),
        ("bce-auth-v1/u/2026-01-01T00:00:00Z/1800/host/x", "u"),
        (
            "EG1-HMAC-SHA256 client_token=c;access_token=a;nonce=n;signature=x",
            "c a",
        ),
        ("vapid t=e30.e30.x, k=u", "u"),
        ("digest realm=\"r\", USERNAME=u", "u"),
        (
            "Digest username=\"d/u, \\\"v\\\"\", realm=\"r\"",
            "d/u, \\\"v\\\"",
        ),
        ("UsernameToken Username=\"u\", PasswordDigest=\"p\"", "u"),
        (
            "AWS <authorization-1>:<authorization-2>",
            "<authorization-1>",
        ),
        ("NTLM TlRM", ""),
        ("Negotiate YII=", ""),
    ];

    #[test]
    fn every_scheme_has_its_account_in_its_place() {
        for (value, expected) in CASES {
            let found = accounts(value).unwrap_or_else(|| panic!("{value}"));
            assert_eq!(found.join(" "), *expected, "{value}");
        }
    }

    #[test]
    fn without_an_account_in_its_place_the_whole_value_is_a_secret() {
        for value in [
            "Bearer username=u",
            "DPoP x:y",
            "Custom u:c2ln",
            "OAuth y0_token",
            "OAuth oauth_token=\"\"",
            "AWS token",
            "AWS <authorization-1>",
            "AWS :c2ln",
            "AWS a=b:c2ln",
            "SharedKey",
            "SharedKey ",
            "Digest username=\"\"",
            "Digest realm=\"r\"",
            "Signature signature=\"s\"",
            "bce-auth-v1/",
            "bce-auth-v1 u:x",
            "",
            " ",
        ] {
            assert_eq!(accounts(value), None, "{value}");
        }
    }

    #[test]
    fn the_keys_of_signatures_are_in_their_parameters() {
        let found = |text: &'static str| -> Vec<&str> {
            let ranges = key_ids(text.as_bytes()).into_iter();
            ranges.map(|range| &text[range]).collect()
        };
        let one = "sig1=(\"@method\" \"@path\");created=1;keyid=\"a;b\";nonce=\"n\"";
        assert_eq!(found(one), ["a;b"]);
        assert_eq!(found("a=();keyid=\"x\", b=(\"date\");keyid=y"), ["x", "y"]);
        assert_eq!(found("keyId=\"k\",signature=\"s\""), ["k"]);
        assert!(found("sig1=:c2ln:").is_empty());
    }
}
