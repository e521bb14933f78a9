//! Replays of uploads that broke off, on a path where each request is answered before its end.

use std::sync::Arc;

use super::cut_uploads::record_numbered;
use super::early_responses::{recorded, upload};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

fn folder_of(kind: &str, parts: &[String]) -> Arc<Folder> {
    recorded(record_numbered(kind, parts), parts.len() as u64).0
}

/// The number of the response to a whole upload, or the text of a miss.
fn number_for(replay: &Running, kind: &str, body: &str) -> String {
    let response = client::http1(replay).post("/up", kind, body);
    match response.status {
        401 => response.header("x-number").to_owned(),
        _ => response.text().to_owned(),
    }
}

#[test]
fn concurrent_uploads_of_one_file_get_one_response_each() {
    let file: String = (0..9000)
        .map(|line| format!("{line},some text\n"))
        .collect();
    let parts = (0..25).map(|number| file[..1000 + number * 7 % 25 * 5000].to_owned());
    let folder = folder_of(TEXT, &parts.collect::<Vec<_>>());
    for _ in 0..3 {
        let replay = gateway::replay(&folder)
            .set("on_exhausted = \"miss\"")
            .start();
        let mut numbers: Vec<_> = std::thread::scope(|scope| {
            let asked = || scope.spawn(|| number_for(&replay, TEXT, &file));
            let asked: Vec<_> = (0..25).map(|_| asked()).collect();
            asked.into_iter().map(|it| it.join().unwrap()).collect()
        });
        numbers.sort_by_key(|number| number.parse::<u32>().unwrap_or(u32::MAX));
        let all: Vec<_> = (0..25).map(|number| number.to_string()).collect();
        assert_eq!(numbers, all);
    }
}

#[test]
fn an_exchange_is_not_repeated_while_another_was_not_compared() {
    // A secret is replaced, so that a key is derived for each length.
    let text = "a".repeat(60_000);
    let file = format!("{{\"password\": \"other-8e2a0\", \"text\": \"{text}");
    let folder = folder_of(JSON, &[file[..100].to_owned(), file.clone()]);
    let ask = |limit: &str| {
        let limit = format!("[limits]\ntruncated_comparison = \"{limit}\"");
        let replay = gateway::replay_repeating(&folder).section(&limit).start();
        let body = format!("{file} and more\"}}");
        [0, 1].map(|_| number_for(&replay, JSON, &body))
    };
    assert_eq!(ask("64 MiB"), ["0", "1"]);
    let [first, second] = ask("64 KiB");
    assert_eq!(first, "0");
    assert!(second.contains("limits.truncated_comparison"), "{second}");
}

#[test]
fn an_upload_with_the_recorded_bytes_is_found_whatever_else_is_recorded() {
    let line = "some text, ".repeat(2000);
    let part = |number: usize| format!("{number} {}", &line[..20_000 + number * 13 % 40]);
    let parts: Vec<_> = (0..40).map(part).collect();
    let folder = folder_of(TEXT, &parts);
    // Enough for ten of them.
    let limit = "[limits]\ntruncated_comparison = \"400 KiB\"";
    let replay = gateway::replay_repeating(&folder).section(limit).start();
    for number in [39, 20, 38, 0] {
        let body = format!("{} and more", parts[number]);
        assert_eq!(number_for(&replay, TEXT, &body), number.to_string());
    }
}

#[test]
fn an_upload_does_not_wait_for_what_another_one_sent() {
    let secret = |text: &str| format!("{{\"text\": \"{text}\", \"password\": \"pass-8e2a0\", \"m");
    let large = |letter: &str| letter.repeat(100_000);
    let cases = [
        (JSON, secret("one longer text"), secret("another")),
        // In a file of its own.
        (TEXT, large("a"), large("b")[..90_000].to_owned()),
        (TEXT, "one longer text".to_owned(), "another".to_owned()),
    ];
    for (number, (kind, longer, part)) in cases.into_iter().enumerate() {
        let folder = folder_of(kind, &[longer, part.clone()]);
        let replay = gateway::replay_repeating(&folder).start();
        // The client sends what was recorded, and waits.
        let fields = format!("content-type: {kind}\r\n");
        let mut client = upload(&replay, &fields, 200_000, &part);
        let response = client.read_until("no");
        assert!(response.contains("x-number: 1\r\n"), "{number} {response}");
    }
}
