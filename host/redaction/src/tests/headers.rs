//! Redaction of headers, targets and URLs.

use super::*;

fn header(name: &str, value: &str) -> String {
    let (rules, secrets) = (rules(), Secrets::default());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let first = redaction
        .redact_request(&request("/", &[(name, value)], ""))
        .value;
    assert_eq!(
        redaction.redact_request(&first).value,
        first,
        "a second pass changes the request"
    );
    first.fields.get_str(name).unwrap().to_owned()
}

#[test]
fn redacted_headers_stay_valid_for_clients() {
    let cases = [
        ("x-api-key", "k-1", "<x-api-key-1>"),
        ("x-my-token", "t t", "<token-1>"),
        (
            "authorization",
            "Bearer abc.def",
            "Bearer <authorization-1>",
        ),
        ("authorization", "raw", "<authorization-1>"),
        (
            "authorization",
            "Basic dXNlcjpodW50ZXIy",
            "Basic <authorization-1>",
        ),
        (
            "proxy-authorization",
            "AWS4 Credential=a, Signature=b",
            "AWS4 Credential=<proxy-authorization-1>, <proxy-authorization-2>",
        ),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/2026/eu/s3/aws4_request, Signature=b",
            "AWS4-HMAC-SHA256 Credential=<authorization-1>/<authorization-2>",
        ),
        (
            "authorization",
            "Digest realm=\"r\", username=\"u\", nonce=\"n\"",
            "Digest <authorization-1> username=\"<authorization-2>\"<authorization-3>",
        ),
        (
            "cookie",
            "a=1; b=\"2\";c=1 ; d=",
            "a=<cookie-1>; b=<cookie-2>;c=<cookie-1> ; d=",
        ),
        ("cookie", "lonely", "<cookie-1>"),
        (
            "set-cookie",
            "sid=abc; Path=/; Max-Age=3; Secure",
            "sid=<set-cookie-1>; Path=/; Max-Age=3; Secure",
        ),
        (
            "www-authenticate",
            "Digest realm=\"r, s\", qop=\"auth\", nonce=\"n\", opaque=o",
            "Digest realm=\"r, s\", qop=\"auth\", nonce=\"<www-authenticate-1>\", \
             opaque=<www-authenticate-2>",
        ),
        (
            "sec-websocket-protocol",
            "realtime, bearer, secret-1",
            "realtime, bearer, <sec-websocket-protocol-1>",
        ),
        (
            "sec-websocket-protocol",
            "v1, base64url.bearer.authorization.k8s.io.c2Vj, openai-insecure-api-key.k1",
            "v1, base64url.bearer.authorization.<sec-websocket-protocol-1>, \
             openai-insecure-api-key.<sec-websocket-protocol-2>",
        ),
    ];
    for (name, value, expected) in cases {
        assert_eq!(header(name, value), expected, "{name}: {value}");
    }
}

#[test]
fn the_accounts_of_computed_credentials_are_replaced_one_by_one() {
    let cases = [
        (
            "SharedAccessSignature sr=h%2Fq&sig=x&se=1&skn=p",
            "SharedAccessSignature sr=<authorization-1>&<authorization-2>&skn=<authorization-3>",
        ),
        (
            "OAuth oauth_consumer_key=\"c\", oauth_token=\"t\", oauth_nonce=\"n\"",
            "OAuth oauth_consumer_key=\"<authorization-1>\", oauth_token=\"<authorization-2>\"\
             <authorization-3>",
        ),
        (
            "SharedKey store:c2ln=",
            "SharedKey <authorization-1>:<authorization-2>",
        ),
        ("OAuth y0_token", "OAuth <authorization-1>"),
    ];
    for (value, expected) in cases {
        assert_eq!(header("authorization", value), expected, "{value}");
    }
}

#[test]
fn other_headers_lose_only_their_secrets() {
    let cases = [
        ("x-note", "see pat_abcd1234", "see pat_<pat-1>"),
        ("x-note", "plain", "plain"),
        (
            "location",
            "https://u:pw@h/p?a=1&sig=x%20y",
            "https://u:%3Cuserinfo-1%3E@h/p?a=1&sig=%3Csig-1%3E",
        ),
        (
            "location",
            "/cb#access_token=abc&x=1",
            "/cb#access_token=%3Caccess-token-1%3E&x=1",
        ),
        (
            "link",
            "<https://h/?sig=s>; rel=\"next\"",
            "<https://h/?sig=%3Csig-1%3E>; rel=\"next\"",
        ),
        (
            "referer",
            "https://h/pat_abcd1234/x",
            "https://h/pat_%3Cpat-1%3E/x",
        ),
    ];
    for (name, value, expected) in cases {
        assert_eq!(header(name, value), expected, "{name}: {value}");
    }
}

#[test]
fn header_values_that_are_not_utf8_keep_their_bytes() {
    let (rules, secrets) = (rules(), Secrets::default());
    let mut input = request("/", &[], "");
    let value = HeaderValue::from_bytes(b"\xff a=1 pat_abcd1234 \xe9").unwrap();
    input.fields.push(HeaderName::from_static("x-note"), value);
    let redacted = Redaction::new(&rules, &secrets, Purpose::Write)
        .redact_request(&input)
        .value;
    let value = redacted.fields.get_all("x-note").next().unwrap().as_bytes();
    assert_eq!(value, b"\xff a=1 pat_<pat-1> \xe9");
}

#[test]
fn targets_are_redacted_in_place() {
    let cases = [
        ("/a/b?x=1&SIG=a%2Fb&y=2", "/a/b?x=1&SIG=%3Csig-1%3E&y=2"),
        (
            "/a?password=&access_token=t&access_token=t",
            "/a?password=&access_token=%3Caccess-token-1%3E&access_token=%3Caccess-token-1%3E",
        ),
        ("/pat_abcd1234/x", "/pat_%3Cpat-1%3E/x"),
        ("/?q=pat_abcd1234", "/?q=pat_%3Cpat-1%3E"),
        ("/?q=%70at_abcd1234%20x", "/?q=pat_%3Cpat-1%3E%20x"),
        (
            "/?next=https%3A%2F%2Fh%2F%3Fsig%3Dabc%26b%3D1",
            "/?next=https%3A%2F%2Fh%2F%3Fsig%3D%253Csig-1%253E%26b%3D1",
        ),
        (
            "/?p=%7B%22password%22%3A%22x%22%7D",
            "/?p=%7B%22password%22%3A%22%3Cpassword-1%3E%22%7D",
        ),
        ("/plain?a=b&c", "/plain?a=b&c"),
        ("/?", "/?"),
        ("*", "*"),
    ];
    for (target, expected) in cases {
        let (rules, secrets) = (rules(), Secrets::default());
        let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
        let first = redaction.redact_request(&request(target, &[], "")).value;
        assert_eq!(first.target, expected, "{target}");
        assert_eq!(redaction.redact_request(&first).value, first);
    }
}
