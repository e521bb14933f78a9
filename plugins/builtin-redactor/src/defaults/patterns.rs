//! Patterns of well-known secrets, wherever they occur. Each kind has its own class, so that it can
//! be disabled alone.

/// Regular expressions with their classes. If two match the same text, the first one counts.
pub(crate) const PATTERNS: &[(&str, &str)] = &[
    ("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("openai-key", r"\bsk-[A-Za-z0-9][A-Za-z0-9_-]{20,}"),
    ("aws-access-key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (
        "azure-key",
        r"(?i)\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/=]{20,})",
    ),
    (
        "github-token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    ("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("google-api-key", r"\bAIza[0-9A-Za-z_-]{20,}"),
    ("google-token", r"\bya29\.[0-9A-Za-z_-]{20,}"),
    ("huggingface-token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("npm-token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    (
        "sendgrid-key",
        r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    ),
    ("slack-token", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
    (
        "slack-webhook",
        r"\bhooks\.slack\.com/services/([A-Za-z0-9/]{20,})",
    ),
    (
        "stripe-key",
        r"\b(?:[rs]k_(?:live|test)_|whsec_)[A-Za-z0-9]{16,}",
    ),
    // Up to the end line of the key; if that is cut off, all characters that a key can contain. The
    // end line is not looked for beyond other five dashes: a text of begin lines would be read once
    // for each of them.
    (
        "private-key",
        concat!(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
            r"(?:(?:-{0,4}[^-])*-----END [A-Z ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\:,-]*)",
        ),
    ),
    // Signed tokens (RFC 7519), and encrypted ones (RFC 7516), which have two more parts.
    (
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){0,2}",
    ),
    ("bearer", r"(?i)\bBearer\s+([A-Za-z0-9._~+/=-]{16,})"),
];
