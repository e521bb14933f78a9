//! The registry of secrets: placeholders, numbering, and what is searched for.

use super::*;

#[test]
fn equal_secrets_have_equal_placeholders() {
    let secrets = Secrets::default();
    assert_eq!(secrets.placeholder("token", b"first"), "<token-1>");
    assert_eq!(secrets.placeholder("key", b"second"), "<key-1>");
    assert_eq!(secrets.placeholder("token", b"third"), "<token-2>");
    assert_eq!(secrets.placeholder("key", b"first"), "<token-1>");
    assert_eq!(secrets.placeholder("key", b"<token-9>"), "<token-9>");
    assert_eq!(secrets.placeholder("No Class", b"fourth"), "<secret-1>");
    assert_eq!(secrets.len(), 4);
}

#[test]
fn numbering_continues_after_a_recording() {
    let secrets = Secrets::default();
    secrets.resume_numbering(b"\xff <token-41> %3Ctoken-7%3E <key-2>");
    secrets.resume_numbering(b"<token-3>");
    assert_eq!(secrets.placeholder("token", b"new"), "<token-42>");
    assert_eq!(secrets.placeholder("key", b"newer"), "<key-3>");
}

#[test]
fn common_values_are_not_searched_for() {
    let secrets = Secrets::default();
    for value in [
        "short",
        "Password",
        "********",
        "ababababab",
        "undefined",
        "<token-1>",
    ] {
        secrets.register("token", value.as_bytes());
        assert!(
            secrets.searcher().find(value.as_bytes()).is_empty(),
            "{value}"
        );
    }
    assert!(!secrets.register_env("CI", b"true"));
    assert!(secrets.register_env("KEY", b"s3cr3t!"));
    let hit = secrets.searcher().find_any(b"a s3cr3t! b").unwrap();
    assert_eq!(
        (&**hit.secret.rule(), &*hit.secret.placeholder()),
        ("env.KEY", "<env-1>")
    );
}

#[test]
fn debug_output_shows_no_secret() {
    let secrets = Secrets::default();
    secrets.register("token", b"s3cr3t!");
    let shown = format!(
        "{secrets:?} {:?} {:?}",
        secrets.searcher(),
        secrets.searcher().find_any(b"s3cr3t!")
    );
    assert!(!shown.contains("s3cr3t"), "{shown}");
}
