//! Secrets in great number.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::harness::Harness;
use super::bodies::{expect, post};

const JSON: &str = "content-type: application/json\r\n";

/// The members of one body.
const EACH: u64 = 1000;

/// A number that no earlier token had.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A body with a thousand values that are secrets by the name of their member.
fn tokens(token: impl Fn(u64) -> String) -> String {
    let members = (0..EACH).map(|_| format!("{{\"token\": \"{}\"}}", token(next())));
    format!("[{}]", members.collect::<Vec<_>>().join(","))
}

/// A token that shares no start with the next ones.
fn scattered(number: u64) -> String {
    format!(
        "{:016x}{number:x}",
        (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    )
}

fn send(harness: &Harness, mode: &str, count: u64, token: fn(u64) -> String) -> Vec<String> {
    let sent = (0..count).map(|_| {
        let request = post("/tokens", JSON, tokens(token).as_bytes());
        expect(harness, mode, &request, &[200, 503])
    });
    sent.flatten().collect()
}

pub(super) fn members(harness: &Harness) -> Vec<String> {
    let mut faults = send(harness, "record", 66, scattered);
    faults.extend(expect(
        harness,
        "record",
        &post("/last", JSON, b"{}"),
        &[200],
    ));
    faults
}

/// What came after all the secrets is recorded.
pub(super) fn last_is_recorded(folder: &Path) -> Vec<String> {
    let recorded = fs::read_to_string(folder.join("cassettes/recorded.jsons"));
    match recorded.unwrap_or_default().contains("\"/last\"") {
        true => Vec::new(),
        false => vec!["the last exchange is not recorded".to_owned()],
    }
}

pub(super) fn fresh(harness: &Harness) -> Vec<String> {
    send(harness, "auto", 70, scattered)
}

/// Tokens that share six bytes, then a text that is made of their start.
pub(super) fn sharing(harness: &Harness) -> Vec<String> {
    let sharing = |number: u64| format!("sk-abc{number:012}");
    let mut faults = send(harness, "record", 60, sharing);
    let text = "sk-abc".repeat(16 * 1024 / 6);
    let request = post("/text", "content-type: text/plain\r\n", text.as_bytes());
    for mode in ["record", "auto", "replay"] {
        faults.extend(expect(harness, mode, &request, &[200, 404]));
    }
    faults
}
