//! Whole messages: a secret that one component reveals is redacted in all of them.

use super::*;

fn shown(fields: &Fields) -> Vec<String> {
    let field =
        |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    fields.iter().map(field).collect()
}

#[test]
fn a_secret_is_redacted_in_the_whole_message() {
    let (rules, secrets) = (rules(), Secrets::default());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let first = redaction.redact_request(&request(
        "/who/hu7n4t2e-x?echo=hu7n4t2e-x",
        &[
            ("x-echo", "hu7n4t2e-x"),
            ("authorization", "Basic dXNlcjpodTduNHQyZS14"),
        ],
        "{\"early\":\"hu7n4t2e-x\",\"password\":\"hu7n4t2e-x\",\"late\":[\"aHU3bjR0MmUteA==\"]}",
    ));
    let message = &first.value;
    let word = "<authorization-2>";
    assert_eq!(
        message.target,
        "/who/%3Cauthorization-2%3E?echo=%3Cauthorization-2%3E"
    );
    assert_eq!(
        shown(&message.fields),
        [
            format!("x-echo: {word}"),
            "authorization: Basic <authorization-1>".to_owned()
        ]
    );
    let body = format!("{{\"early\":\"{word}\",\"password\":\"{word}\",\"late\":[\"{word}\"]}}");
    assert_eq!(message.body.inline(), body.as_bytes());
    assert_eq!(first.counts["header.authorization"], 6);
    assert_eq!(first.counts["json.password"], 1);

    let answer =
        redaction.redact_response(&response(&[("x-you", "hu7n4t2e-x")], "you are hu7n4t2e-x"));
    assert_eq!(answer.value.fields.get_str("x-you"), Some(word));
    assert_eq!(
        answer.value.body.inline(),
        format!("you are {word}").as_bytes()
    );
    assert!(redaction.redact_request(message).counts.is_empty());
    assert_eq!(redaction.redact_request(message).value, *message);
}

#[test]
fn volatile_headers_are_dropped_from_responses_only() {
    let (rules, secrets) = (rules(), Secrets::default());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let headers = [("date", "now"), ("x-request-id", "1"), ("etag", "2")];
    let answer = redaction.redact_response(&response(&headers, "")).value;
    assert_eq!(shown(&answer.fields), ["etag: 2"]);
    assert_eq!(
        redaction
            .redact_request(&request("/", &headers, ""))
            .value
            .fields
            .len(),
        3
    );
}

#[test]
fn redacts_trailers_and_environment_variables() {
    let (rules, secrets) = (rules(), Secrets::default());
    secrets.register_env("DB_PASSWORD", b"p@ss word+1");
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let mut input = request(
        "/?q=p%40ss+word%2B1&r=p%40ss%20word%2b1",
        &[],
        "say p@ss word+1!",
    );
    input.trailers = fields(&[("x-api-key", "k"), ("x-sum", "p@ss word+1")]);
    let redacted = redaction.redact_request(&input);
    assert_eq!(redacted.value.target, "/?q=%3Cenv-1%3E&r=%3Cenv-1%3E");
    assert_eq!(redacted.value.body.inline(), b"say <env-1>!");
    assert_eq!(
        shown(&redacted.value.trailers),
        ["x-api-key: <x-api-key-1>", "x-sum: <env-1>"]
    );
    assert_eq!(redacted.counts["env.DB_PASSWORD"], 4);
}

#[test]
fn only_redacted_messages_pass_the_guard() {
    let (rules, secrets) = (rules(), Secrets::default());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let input = request(
        "/?sig=abc123def",
        &[("authorization", "Bearer 0123456789abcdef")],
        "abc123def",
    );
    let redacted = redaction.redact_request(&input).value;
    let guard = Guard::new(&[]);
    let whole = |request: &Request| {
        [
            request.target.as_bytes(),
            shown(&request.fields).concat().as_bytes(),
            request.body.inline(),
        ]
        .join(b"\n".as_slice())
    };
    assert_eq!(guard.scan(&whole(&redacted), &secrets), Ok(()));
    assert_eq!(
        guard.scan(&whole(&input), &secrets).unwrap_err().rule,
        "query.sig"
    );
}

#[test]
fn names_of_rules_are_not_searched_for() {
    let (rules, secrets) = (rules(), Secrets::default());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let text = "{\"password\":\"access_token\",\"type\":\"access_token\"}";
    let redacted = redaction
        .redact_body(None, &Bytes::from_static(text.as_bytes()))
        .value;
    assert_eq!(
        redacted,
        "{\"password\":\"<password-1>\",\"type\":\"access_token\"}"
    );
}

#[test]
fn stored_bodies_stay_unchanged() {
    let (rules, secrets) = (rules(), Secrets::default());
    let mut input = request("/", &[], "");
    input.body = Content::Stored {
        digest: "abc".to_owned(),
        size: 3,
    };
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    assert_eq!(redaction.redact_request(&input).value, input);
}
