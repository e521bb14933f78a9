//! The default rules: names and patterns that are secrets in every API.
//!
//! A false positive is as bad as a false negative: a placeholder for a value that is not a secret
//! makes different requests equal and breaks clients that read the value. So no rule here covers
//! locations, entity tags, hosts, ids or names, nor JSON members that are just called `key`, `code`
//! or `signature`.

mod patterns;
mod volatile;

pub(crate) use patterns::PATTERNS;
pub(crate) use volatile::VOLATILE;

/// Names, grouped by class.
type ByClass = &'static [(&'static str, &'static [&'static str])];

/// Pairs of class and name.
pub(crate) fn names(table: ByClass) -> impl Iterator<Item = (&'static str, &'static str)> {
    table
        .iter()
        .flat_map(|(class, names)| names.iter().map(|name| (*class, *name)))
}

/// Headers of requests and responses, and gRPC metadata.
pub(crate) const HEADERS: ByClass = &[
    (
        "authorization",
        &[
            "authorization",
            "proxy-authorization",
            "supplementaryauthorization",
            "x-goog-iam-authorization-token",
            "x-ms-copy-source-authorization",
            "x-ms-file-rename-source-authorization",
            "x-wsse",
        ],
    ),
    // One class for both headers, so that a cookie gets the same placeholder in both directions.
    ("cookie", &["cookie", "set-cookie"]),
    (
        "challenge",
        &[
            "authentication-info",
            "proxy-authenticate",
            "proxy-authentication-info",
            "www-authenticate",
        ],
    ),
    (
        "api-key",
        &[
            "*-api-key",
            "aeg-sas-key",
            "api-key",
            "apikey",
            "dd-application-key",
            "ocp-apim-subscription-key",
            "subscription-key",
            "x-auth-key",
            "x-functions-key",
            "x-rapidapi-key",
        ],
    ),
    (
        "token",
        &[
            "*-access-token",
            "*-auth-token",
            "aeg-sas-token",
            "deploy-token",
            "job-token",
            "private-token",
            // Browsers have no other header for the token of a WebSocket. The host only redacts
            // what follows a protocol that announces a token.
            "sec-websocket-protocol",
            "x-amz-security-token",
            "x-consul-token",
            "x-csrf-token",
            "x-figma-token",
            "x-gitlab-token",
            "x-vault-token",
            "x-xsrf-token",
        ],
    ),
    (
        "secret",
        &["x-api-secret", "x-app-secret", "x-client-secret"],
    ),
    (
        "encryption-key",
        &[
            "x-amz-copy-source-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-key",
            "x-goog-encryption-key",
            "x-ms-encryption-key",
        ],
    ),
];

/// Query parameters that are not secrets in forms: there `key` is the name of an object (Amazon
/// S3).
pub(crate) const QUERY: ByClass = &[("api-key", &["key"])];

/// Query parameters and form fields.
pub(crate) const PAIRS: ByClass = &[
    (
        "token",
        &[
            "access_token",
            "auth_token",
            "id_token",
            "refresh_token",
            "session_token",
            "token",
            "x-amz-security-token",
        ],
    ),
    (
        "api-key",
        &["api-key", "api_key", "apikey", "subscription-key"],
    ),
    ("password", &["passphrase", "passwd", "password", "pwd"]),
    ("secret", &["client_secret", "secret"]),
    (
        "assertion",
        &["assertion", "client_assertion", "samlresponse"],
    ),
    // OAuth (RFC 6749, section 4.1; RFC 7636; RFC 8628).
    ("code", &["code", "code_verifier", "device_code"]),
    (
        "signature",
        &["sig", "signature", "x-amz-signature", "x-goog-signature"],
    ),
    ("credential", &["x-amz-credential", "x-goog-credential"]),
];

/// JSON members at any depth; `accessToken` and `access-token` are the same name.
pub(crate) const JSON: ByClass = &[
    ("authorization", &["authorization"]),
    (
        "token",
        &[
            "access_token",
            "auth_token",
            "id_token",
            "refresh_token",
            "sas_token",
            "session_token",
            "token",
        ],
    ),
    ("api-key", &["api_key"]),
    ("password", &["passphrase", "passwd", "password", "pwd"]),
    ("secret", &["client_secret", "secret"]),
    ("assertion", &["client_assertion"]),
    ("code", &["code_verifier", "device_code"]),
    (
        "access-key",
        &[
            "account_key",
            "primary_key",
            "secondary_key",
            "secret_access_key",
        ],
    ),
    ("private-key", &["private_key"]),
    ("connection-string", &["connection_string"]),
];
