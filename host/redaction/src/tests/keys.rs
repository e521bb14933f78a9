//! The view of a matcher: equal for a live request, for one with other secrets and for the recorded
//! one.

use std::sync::Arc;

use super::*;
use ouli_codec::MessageView;

struct Session {
    rules: Arc<Rules>,
    secrets: Arc<Secrets>,
}

impl Session {
    fn new() -> Self {
        Self {
            rules: Arc::new(rules()),
            secrets: Arc::default(),
        }
    }

    fn view(&self, request: &Request) -> RequestView {
        RequestView::new(
            "api".into(),
            "default".into(),
            Arc::new(request.clone()),
            Arc::clone(&self.rules),
            Arc::clone(&self.secrets),
        )
    }

    fn record(&self, request: &Request) -> Request {
        Redaction::new(&self.rules, &self.secrets, Purpose::Write)
            .redact_request(request)
            .value
    }
}

fn shown(message: &dyn MessageView) -> String {
    let json = message.json().map(|json| json.root().text().to_owned());
    format!(
        "{} {:?} {:?} {:?} {json:?}",
        message.path(),
        message.query(),
        message.fields(),
        message.body(),
    )
}

fn check(make: impl Fn(&str, &str) -> Request) -> String {
    let recording = Session::new();
    let recorded = recording.record(&make("first-secret-1", "1k2m3n"));
    let replay = Session::new();
    let key = shown(&replay.view(&recorded));
    for (one, two) in [
        ("first-secret-1", "1k2m3n"),
        ("other secret/2", "6w5v4u"),
        ("first-secret-1", "9p8q7r"),
    ] {
        assert_eq!(shown(&replay.view(&make(one, two))), key);
        assert_eq!(shown(&Session::new().view(&make(one, two))), key);
        let once = Redaction::new(&replay.rules, &replay.secrets, Purpose::Key)
            .redact_request(&make(one, two))
            .value;
        assert_eq!(shown(&replay.view(&once)), key);
    }
    key
}

const BODY: &str = concat!(
    r#"{\"password\":\"<password>\",\"api_key\":\"<api-key>\","#,
    r#"\"echo\":\"x <authorization>\"}"#
);

#[test]
fn keys_do_not_depend_on_secrets() {
    let encode = ouli_codec::form::encode_component;
    let key = check(|one, two| {
        request(
            &format!("/a/{}?sig={}&n=1&e={two}", encode(one), encode(one)),
            &[
                ("authorization", &format!("Bearer {one}")),
                ("cookie", &format!("a={one}; b={two}")),
            ],
            format!("{{\"password\":{two},\"api_key\":\"{one}\",\"echo\":\"x {one}\"}}"),
        )
    });
    assert!(
        key.starts_with(
            "/a/%3Cauthorization%3E [(\"sig\", \"<sig>\"), (\"n\", \"1\"), (\"e\", \"<cookie>\")]"
        ),
        "{key}"
    );
    assert!(
        key.contains("Bearer <authorization>") && key.contains("a=<cookie>; b=<cookie>"),
        "{key}"
    );
    assert!(key.contains(BODY), "{key}");
}

#[test]
fn keys_of_markup_that_was_cut_do_not_depend_on_secrets() {
    let key = check(|one, _| {
        let token = format!("Bearer {one}");
        let fields = [
            ("content-type", "application/xml"),
            ("authorization", &*token),
        ];
        request("/", &fields, format!("<a></a><b>{one}"))
    });
    assert!(key.contains("<a></a><b><authorization>"), "{key}");
}

#[test]
fn keys_of_forms_and_parts_do_not_depend_on_secrets() {
    let encode = ouli_codec::form::encode_component;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    check(|one, two| {
        request(
            "/",
            &form,
            format!("a=1&password={}&api_key={two}", encode(one)),
        )
    });
    let parts = [("content-type", "multipart/form-data; boundary=b")];
    check(|one, two| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{one}\r\n--b\r\n\
             Content-Disposition: form-data; name=\"j\"\r\n\r\n{{\"sig\":{two}}}\r\n--b--"
        );
        request("/", &parts, body)
    });
}

#[test]
fn placeholders_that_clients_send_compare_by_class() {
    let session = Session::new();
    for target in [
        "/a/<token-1>?x=<key-3>",
        "/a/%3Ctoken-2%3E?x=%3Ckey-1%3E",
        "/a/%3ctoken-3%3e?x=%3Ckey-7%3E",
    ] {
        let view = session.view(&request(
            target,
            &[("x-api-key", "<token-1>")],
            "see <token-5>",
        ));
        assert_eq!(view.path(), "/a/%3Ctoken%3E", "{target}");
        assert_eq!(view.query(), [("x".to_owned(), "<key>".to_owned())]);
        assert_eq!(view.fields().get_str("x-api-key"), Some("<x-api-key>"));
        assert_eq!(view.body(), "see <token>");
    }
}

#[test]
fn a_view_redacts_components_on_first_access() {
    let session = Session::new();
    let view = session.view(&request(
        "/a?sig=s3cr3t-9",
        &[],
        "{\"password\":\"p4ssw0rd\"}",
    ));
    assert_eq!(
        (view.kind(), view.endpoint(), view.session()),
        ("request", "api", "default")
    );
    assert_eq!(
        (view.method(), view.authority(), view.status()),
        ("POST", "api.example.com", 0)
    );
    assert_eq!(view.path(), "/a");
    assert!(session.secrets.is_empty());
    assert_eq!(view.query()[0].1, "<sig>");
    assert_eq!(session.secrets.len(), 1);
    assert!(view.json().is_some());
    assert_eq!(session.secrets.len(), 2);
    assert_eq!(view.request().target, "/a?sig=s3cr3t-9");
}

#[test]
fn redacted_messages_are_shown_unchanged() {
    let request = Arc::new(request("/a?b=c%20d", &[("x", "1")], "[1]"));
    let plain = RedactedMessage::request("api".into(), "s".into(), Arc::clone(&request));
    assert_eq!(
        (plain.kind(), plain.path(), plain.status()),
        ("request", "/a", 0)
    );
    assert_eq!(plain.query(), [("b".to_owned(), "c d".to_owned())]);
    assert!(plain.json().is_some());
    let answer = Arc::new(response(&[("y", "2")], "text"));
    let plain = RedactedMessage::response("api".into(), "s".into(), request, answer);
    assert_eq!(
        (plain.kind(), plain.path(), plain.status()),
        ("response", "/a", 200)
    );
    assert_eq!(
        (plain.fields().get_str("y"), plain.body().as_ref()),
        (Some("2"), b"text".as_slice())
    );
    assert!(plain.json().is_none());
}
