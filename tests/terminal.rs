//! Text from outside never reaches a terminal as it is: escape sequences, line breaks, and
//! characters that hide or reorder others are escaped, whichever command prints them.

use std::fs;
use std::sync::Arc;

use ouli_message::printable::is_printable;

use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::plugins::fixture;

/// A terminal that executes it is cleared, and prints a line and a reversed word. As in JSON.
const HOSTILE: &str = "x\\u001b[2J\\u009b31m\\r\\nverdict: passed\\u202e\\u200b\\u2028y";

/// A cassette with hostile text in every place that has text.
fn hostile() -> Arc<Folder> {
    let folder = Arc::new(Folder::new());
    let exchange = |ordinal: u64, rest: &str| {
        format!(
            "{{\n  \"exchange\": {ordinal},\n  \"endpoint\": \"{HOSTILE}\",\n  \"request\": \
             {{\"method\": \"GET\", \"authority\": \"{HOSTILE}\", \
             \"target\": \"/{ordinal}{HOSTILE}\", \
             \"headers\": [], \"body\": {{\"text\": \"{HOSTILE}\"}}}},\n{rest}}}\n"
        )
    };
    let response = |more: &str| format!("\"response\": {{\"status\": 200, \"headers\": []{more}}}");
    let body = format!(", \"body\": {{\"text\": \"{HOSTILE}\"}}");
    let turns = format!(
        "\"turns\": [{{\"client\": \"text\", \"text\": \"{HOSTILE}\"}}, \
         {{\"server\": \"close\", \"code\": 1000, \"text\": \"{HOSTILE}\"}}]"
    );
    let long = "\\u001b".repeat(4000);
    let text = [
        "{ \"ouli-cassette\": 1 }\n".to_owned(),
        exchange(
            1,
            &format!(
                "{}, \"tags\": {{\"{HOSTILE}\": \"{HOSTILE}\"}}",
                response(&body)
            ),
        ),
        exchange(
            2,
            &format!(
                "{}, \"stream\": {{\"protocol\": \"websocket\", {turns}}}",
                response("")
            ),
        ),
        exchange(
            3,
            &format!("{}, \"stream\": {{\"unit\": \"line\"}}", response(&body)),
        ),
        exchange(4, &response("")).replacen("/4", &format!("/4{long}"), 1),
        exchange(5, &format!("\"{HOSTILE}\": 1")),
    ];
    fs::create_dir_all(folder.cassettes()).unwrap();
    fs::write(folder.cassette("default"), text.concat()).unwrap();
    folder
}

/// Fails if a terminal would execute or hide something, or if a line comes from outside.
fn assert_is_printable(name: &str, output: &str) {
    for line in output.lines() {
        assert!(line.chars().all(is_printable), "{name}: {line:?}");
        assert!(!line.starts_with("verdict: passed"), "{name}: {line}");
    }
    assert!(!output.contains('\r'), "{name}");
}

#[test]
fn commands_print_cassettes_escaped() {
    let folder = hostile();
    folder.write_config("mode = \"replay\"\nplugins = \"plugins\"\n");
    for arguments in [
        &["cassette", "show", "default"][..],
        &["cassette", "show", "default", "--body"],
        &["cassette", "list"],
        &["check"],
        &["cassette", "show", "no\x1b[2J\u{202e}name"],
    ] {
        let ended = program(&folder, arguments).run();
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!printed.is_empty());
        assert_is_printable(&arguments.join(" "), &printed);
    }
    let shown = program(&folder, &["cassette", "show", "default"]).run();
    assert!(
        shown
            .stdout
            .contains("/1x\\u{1b}[2J\\u{9b}31m\\r\\nverdict: passed\\u{202e}\\u{200b}")
    );
    assert!(
        shown.stdout.contains("bytes)  200"),
        "a long target is cut: {}",
        shown.stdout
    );
    assert_eq!(shown.stdout.lines().count(), 6, "{}", shown.stdout);
}

#[test]
fn log_and_verdict_are_escaped() {
    let folder = hostile();
    for format in ["text", "json"] {
        folder.write_config(&format!(
            "mode = \"replay\"\nplugins = \"plugins\"\nlog_format = \"{format}\"\n\
             access_log = true\n[[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:0\"\n"
        ));
        let mut process = program(&folder, &[]).env("RUST_LOG", "debug").start();
        let address = process.address();
        for request in [
            "GET /a\u{9b}31m%1b%0a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "GET /b HTTP/1.1\r\nhost: a\r\nouli-session: s\u{202e}\u{200b}\r\n\
             connection: close\r\n\r\n",
            "GET /c HTTP/1.1\r\nhost: a\r\nx: \u{1b}[2J\r\nconnection: close\r\n\r\n",
            "M\u{202e} /d HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        ] {
            client::raw(address, request).rest();
        }
        let ended = process.stop();
        assert!(ended.stderr.contains("verdict: FAILED"), "{}", ended.stderr);
        assert_is_printable(format, &ended.stderr);
        if format == "json" {
            let records = ended.stderr.lines().filter(|line| line.starts_with('{'));
            for record in records {
                serde_json::from_str::<serde_json::Value>(record).unwrap();
            }
        }
    }
}

/// The component of `bad-prepare` with another text of the same length in its data.
fn plugin_that_fails_with(text: &str) -> Vec<u8> {
    let own = b"this plugin wants what it cannot have";
    let mut component = fixture("bad-prepare");
    let at = component
        .windows(own.len())
        .position(|it| it == own)
        .unwrap();
    let padded = format!(
        "{text:x<width$}",
        width = own.len() - (text.len() - text.chars().count())
    );
    component[at..at + own.len()].copy_from_slice(padded.as_bytes());
    component
}

/// curl prints the body of an error as it is.
#[test]
fn error_bodies_are_escaped() {
    let folder = hostile();
    for format in ["problem", "openai", "xml", "aws-xml", "text", "graphql"] {
        let gateway = gateway::replay(&folder)
            .set(&format!("error_format = \"{format}\""))
            .start();
        for session in ["default", "s\u{202e}\u{200b}", "s\u{9b}31m"] {
            let request = format!(
                "GET /1 HTTP/1.1\r\nhost: a\r\nouli-session: {session}\r\n\
                 connection: close\r\n\r\n"
            );
            let answer = client::raw(gateway.address, request).rest();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("ouli-error: "), "{format}: {answer}");
            assert_is_printable(format, body);
            assert_is_printable(format, &head.replace('\r', ""));
        }
    }
}

#[test]
fn the_error_text_of_a_plugin_is_escaped() {
    let folder = Folder::new();
    let text = "a\u{1b}[2J\u{9b}\r\nverdict: passed\u{202e}";
    folder.put_plugin("bad.wasm", &plugin_that_fails_with(text));
    folder.write_config(
        "mode = \"replay\"\nplugins = \"plugins\"\n[[plugin]]\nfile = \"bad.wasm\"\n\
         [[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:0\"\n",
    );
    let file = folder.plugins().join("bad.wasm");
    for arguments in [
        &["check"][..],
        &[],
        &["plugin", "check", file.to_str().unwrap()],
    ] {
        let ended = program(&folder, arguments).run();
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            printed.contains("a\\u{1b}[2J\\u{9b}\\r\\nverdict"),
            "{printed:?}"
        );
        assert_is_printable(&arguments.join(" "), &printed);
    }
}
