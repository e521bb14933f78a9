//! What the guard rejects.

use crate::{Guard, Secrets};

fn rule(text: &str) -> Option<String> {
    let guard = Guard::new(&[]);
    guard
        .scan(text.as_bytes(), &Secrets::default())
        .err()
        .map(|rejection| rejection.rule)
}

#[test]
fn rejects_tokens_of_known_formats() {
    let cases = [
        (
            "guard.openai-key",
            format!("\"sk-proj-{}\"", "aB3_".repeat(8)),
        ),
        (
            "guard.anthropic-key",
            format!("sk-ant-api03-{}", "abcd".repeat(8)),
        ),
        (
            "guard.aws-access-key",
            format!("<Key>AKIA{}</Key>", "Q7".repeat(8)),
        ),
        (
            "guard.github-token",
            format!("token ghp_{}", "a1".repeat(18)),
        ),
        (
            "guard.github-token",
            format!("github_pat_{}", "a1_".repeat(18)),
        ),
        (
            "guard.google-api-key",
            format!("?key=AIza{}", "Sy-4_".repeat(7)),
        ),
        ("guard.slack-token", "xoxb-12345-abcdef".to_owned()),
        ("guard.gitlab-token", format!("glpat-{}", "x1".repeat(10))),
        ("guard.stripe-key", format!("sk_live_{}", "4e".repeat(12))),
        (
            "guard.private-key",
            "-----BEGIN RSA PRIVATE KEY-----\\nMII".to_owned(),
        ),
        (
            "guard.jwt",
            "x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl".to_owned(),
        ),
        (
            "guard.bearer",
            "authorization: bearer 0123456789abcdef".to_owned(),
        ),
    ];
    for (id, text) in cases {
        assert_eq!(rule(&text).as_deref(), Some(id), "{text}");
    }
}

#[test]
fn accepts_ordinary_text() {
    let cases = [
        "Bearer <authorization-1>",
        "Bearer resource_metadata=\"https://x\"",
        "sk-fading-circle-and-cube-grid-loader",
        "task-1234567890123456789012345",
        "eyJ.a.b",
        "-----BEGIN PUBLIC KEY-----",
        "AKIA<token-1>",
    ];
    for text in cases {
        assert_eq!(rule(text), None, "{text}");
    }
}

#[test]
fn disabled_rules_do_not_apply_but_known_secrets_are_rejected() {
    let text = b"glpat-0123456789abcdefghij";
    let secrets = Secrets::default();
    let rejection = Guard::new(&[]).scan(text, &secrets).unwrap_err();
    assert_eq!(
        (rejection.rule.as_str(), rejection.offset),
        ("guard.gitlab-token", 0)
    );
    let shown = rejection.to_string();
    assert!(
        shown.contains("`[redaction] disabled_rules = [\"guard.gitlab-token\"]`")
            && !shown.contains("0123")
    );
    let guard = Guard::new(&[
        "guard.gitlab-token".to_owned(),
        "guard.known-secret".to_owned(),
    ]);
    assert_eq!(guard.scan(text, &secrets), Ok(()));
    secrets.register_env("CI_TOKEN", text);
    let rejection = guard
        .scan(b"\xff glpat-0123456789abcdefghij", &secrets)
        .unwrap_err();
    assert_eq!(
        (rejection.rule.as_str(), rejection.offset),
        ("env.CI_TOKEN", 2)
    );
    assert!(!rejection.to_string().contains("0123"));
    let secrets = Secrets::default();
    secrets.register("token", b"s3cr3t-value");
    let rejection = guard.scan(b"czNjcjN0LXZhbHVl", &secrets).unwrap_err();
    assert_eq!(rejection.rule, "guard.known-secret");
}
