//! Line ends that another program converted, and the conflict markers of git.

use super::{cassette_text, read};
use crate::test_exchanges::{sample, text};
use ouli_message::Exchange;

fn exchanges() -> [Exchange; 4] {
    let mut all = [1, 2, 3, 4].map(sample);
    all[0].response.body = text("{\n  \"a\": 1,\n  \"b\": 2\n}\n");
    all[1].response.body = text("{\r\n  \"a\": 1\r\n}\r\n");
    all[2].response.body = text("one\r\ntwo\n");
    all
}

#[test]
fn a_checkout_with_crlf_keeps_the_recorded_bytes() {
    let all = exchanges();
    let lf = cassette_text(&all);
    let crlf = lf.replace("\r\n", "\n").replace('\n', "\r\n");
    let loaded = read(crlf.as_bytes());
    assert!(loaded.has_crlf && loaded.damage.is_empty() && loaded.torn_tail.is_none());
    assert_eq!(loaded.valid_length, crlf.len() as u64);
    for (found, expected) in loaded.exchanges.iter().zip(&all) {
        assert!(!found.edited, "{}", found.ordinal);
        assert_eq!(found.exchange, *expected);
    }
    assert_eq!(loaded.exchanges.len(), 4);
}

#[test]
fn a_commit_that_removed_cr_keeps_the_recorded_bytes() {
    let all = exchanges();
    let loaded = read(cassette_text(&all).replace("\r\n", "\n").as_bytes());
    assert!(!loaded.has_crlf);
    assert!(loaded.exchanges.iter().all(|it| !it.edited));
    assert_eq!(loaded.exchanges[1].exchange, all[1]);
}

#[test]
fn an_edit_with_crlf_is_an_edit_and_damage_has_its_place() {
    let lf = cassette_text(&exchanges());
    let crlf = lf.replace("\r\n", "\n").replace('\n', "\r\n");
    let edited = crlf.replacen("\"b\": 2", "\"b\": 3", 1);
    let loaded = read(edited.as_bytes());
    let marks: Vec<_> = loaded.exchanges.iter().map(|it| it.edited).collect();
    assert_eq!(marks, [true, false, false, false]);
    // The third is damaged and the last is torn.
    let third = crlf.find("\"exchange\": 3").unwrap();
    let fourth = crlf.find("{\r\n  \"exchange\": 4").unwrap();
    let (head, tail) = crlf.split_at(third);
    let cut = format!("{head}{}", tail.replacen("\"status\"", "\"state\"", 1));
    let loaded = read(cut.as_bytes());
    let damage = &loaded.damage[0];
    let fourth_now = cut.find("{\r\n  \"exchange\": 4").unwrap();
    assert_eq!((loaded.exchanges.len(), loaded.damage.len()), (3, 1));
    assert_eq!((damage.offset + damage.bytes) as usize, fourth_now);
    let loaded = read(&crlf.as_bytes()[..fourth + 40]);
    assert_eq!(loaded.valid_length as usize, fourth);
    assert_eq!(loaded.torn_tail.unwrap().bytes, 40);
}

#[test]
fn conflict_markers_are_damage_with_a_hint() {
    let all = exchanges();
    let whole = cassette_text(&all);
    let third = whole.find("{\n  \"exchange\": 3").unwrap();
    let fourth = whole.find("{\n  \"exchange\": 4").unwrap();
    let (before, side, after) = (&whole[..third], &whole[third..fourth], &whole[fourth..]);
    let line = |text: &str| text.matches('\n').count() as u64 + 1;
    let between = format!("{before}<<<<<<< HEAD\n{side}=======\n{after}>>>>>>> topic\n");
    let loaded = read(between.as_bytes());
    let torn = loaded.torn_tail.unwrap();
    for found in loaded.damage.iter().chain([&torn]) {
        assert!(
            found.to_string().contains("conflict marker of git"),
            "{found}"
        );
    }
    assert_eq!(
        (loaded.damage.len(), loaded.damage[0].error.line),
        (2, line(before))
    );
    assert_eq!(torn.error.line, line(&between) - 1);
    let half = side.find("  \"response\"").unwrap();
    let (start, end) = side.split_at(half);
    let inside = format!("{before}{start}<<<<<<< HEAD\n=======\n>>>>>>> topic\n{end}{after}");
    let loaded = read(inside.as_bytes());
    assert_eq!((loaded.exchanges.len(), loaded.damage.len()), (3, 1));
    assert_eq!(loaded.damage[0].error.line, line(before) + line(start) - 1);
    assert!(loaded.damage[0].to_string().contains("git checkout --ours"));
}
