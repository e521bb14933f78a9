//! What the redactor declares, and what it does with addresses in two pieces.

use ouli_plugin::testing::{Change, Redacted, Rule, Value, json, redact, request};

use super::{ADDRESS, CLASS, MaskEmail};

fn redacted(contact: &Value) -> Result<Redacted, String> {
    redact::<MaskEmail>(&request("POST", "/").json(json!({"contact": contact})))
}

#[test]
fn an_address_in_two_pieces_gets_one_stand_in() {
    let redacted = redacted(&json!({"user": "ad\"a", "host": "example.com"})).unwrap();
    let edit = Change::replace_json("/contact/user", r#""<e-mail-1>""#);
    assert_eq!(redacted.edits(), [edit]);
    assert_eq!(redacted.placeholders()[0].secret, b"ad\"a@example.com");
}

#[test]
fn half_an_address_is_none() {
    let redacted = redacted(&json!({"user": "ada"})).unwrap();
    assert!(redacted.edits().is_empty() && redacted.placeholders().is_empty());
    let pattern = Rule::Pattern {
        regex: ADDRESS.to_owned(),
        class: CLASS.to_owned(),
    };
    assert_eq!(redacted.declared(), [pattern]);
}

#[test]
fn pieces_that_are_no_text_are_an_error() {
    for contact in [
        json!({"user": 1, "host": "a"}),
        json!({"user": "a", "host": null}),
    ] {
        let error = redacted(&contact).unwrap_err();
        assert_eq!(error, "contact.user and contact.host must be strings");
    }
}
