//! Damaged and edited cassettes.

use bytes::Bytes;
use serde_json::Value;

use super::read;
use crate::test_exchanges::{cassette, sample, text};
use crate::{FormatError, HEADER, LoadedCassette, decode};
use ouli_message::Exchange;

#[test]
fn truncation_keeps_every_complete_exchange() {
    let one = cassette(&[sample(1)]).len();
    let bytes = cassette(&[sample(1), sample(2)]);
    for end in 0..=bytes.len() {
        let loaded = read(&bytes[..end]);
        let complete = usize::from(end + 1 >= one) + usize::from(end + 1 >= bytes.len());
        assert_eq!(loaded.exchanges.len(), complete, "cut at {end}");
        for (number, recorded) in (1..).zip(&loaded.exchanges) {
            assert_eq!(recorded.exchange, sample(number), "cut at {end}");
        }
        let expected = [0, HEADER.len(), one, bytes.len()];
        let clean = end == 0 || expected.iter().any(|at| end == *at || end + 1 == *at);
        assert_eq!(loaded.torn_tail.is_none(), clean, "cut at {end}");
        if let Some(torn) = loaded.torn_tail {
            assert_eq!(torn.offset + torn.bytes, end as u64);
            assert_eq!(torn.offset, loaded.valid_length);
        }
        assert_eq!(loaded.damage, []);
    }
}

#[test]
fn a_flipped_byte_is_detected() {
    let recorded = [sample(1), sample(2), sample(3)];
    let bytes = cassette(&recorded);
    for at in 0..bytes.len() {
        for mask in [0x01, 0x02, 0x10, 0x20, 0x80, 0xff] {
            let mut flipped = bytes.clone();
            flipped[at] ^= mask;
            let Ok(loaded) = decode(&Bytes::from(flipped)) else {
                assert!(at < HEADER.len(), "byte {at}");
                continue;
            };
            check_flipped(&loaded, &recorded, at);
        }
    }
}

fn check_flipped(loaded: &LoadedCassette, recorded: &[Exchange], at: usize) {
    let unread = !loaded.damage.is_empty() || loaded.torn_tail.is_some();
    let min = if unread { 1 } else { 3 };
    assert!(loaded.exchanges.len() >= min, "byte {at}");
    for found in &loaded.exchanges {
        assert!(
            found.edited || recorded.contains(&found.exchange),
            "byte {at}"
        );
    }
    let same = loaded.exchanges.iter().map(|it| &it.exchange).eq(recorded);
    let edited = loaded.exchanges.iter().any(|it| it.edited);
    assert!(same || edited || unread, "byte {at}");
}

#[test]
fn damage_in_the_middle_is_skipped_and_reported() {
    let good = String::from_utf8(cassette(&[sample(1), sample(2), sample(3)])).unwrap();
    let second = good.find("{\n  \"exchange\": 2").unwrap();
    let third = good.find("{\n  \"exchange\": 3").unwrap();
    let cases = [
        ("/items/2", "/items/2\u{1}", "control character"),
        (
            "\"target\": \"/items/2",
            "\"goal\": \"/items/2",
            "unknown field `goal`",
        ),
        (
            "\"exchange\": 2",
            "\"exchange\": \"2\"",
            "invalid type: string",
        ),
        (
            "2,\n  \"endpoint\": \"origin\",",
            "2,",
            "missing field `endpoint`",
        ),
    ];
    for (from, to, reason) in cases {
        let bad = good.replacen(from, to, 1);
        let loaded = read(bad.as_bytes());
        let ordinals: Vec<_> = loaded.exchanges.iter().map(|it| it.ordinal).collect();
        assert_eq!(ordinals, [1, 3], "{reason}");
        assert_eq!(loaded.torn_tail, None);
        let [damage] = &loaded.damage[..] else {
            panic!("expected one damage: {:?}", loaded.damage)
        };
        assert_eq!(damage.offset, second as u64);
        assert_eq!(
            damage.bytes as usize,
            third - second + to.len() - from.len()
        );
        assert!(damage.error.reason.contains(reason), "{}", damage.error);
    }
}

#[test]
fn an_error_has_a_position() {
    let good = String::from_utf8(cassette(&[sample(1), sample(2)])).unwrap();
    let bad = good.replacen("\"method\": \"POST\"", "\"method\": [1]", 1);
    let loaded = read(bad.as_bytes());
    assert_eq!(
        loaded.damage[0].error.to_string(),
        "line 6, column 14, in exchange 1: invalid type: sequence, expected a string"
    );
    let bad = good.replacen("\"status\": 200", "\"status\": 2000", 2);
    let torn = read(bad.as_bytes())
        .torn_tail
        .expect("no exchange is complete");
    let line = 1 + good[..good.find("\"status\"").unwrap()]
        .matches('\n')
        .count();
    assert_eq!(
        torn.error.to_string(),
        format!("line {line}, column 18, in exchange 1: expected a status from 200 to 999, or 101")
    );
}

#[test]
fn each_of_many_errors_has_a_position() {
    let recorded: Vec<_> = (1..10).map(sample).collect();
    let good = String::from_utf8(cassette(&recorded)).unwrap();
    let bad = good.replace("\"status\": 200", "\"status\": 2000");
    // Every second exchange is restored, so that the decoder continues after each error.
    let mut texts: Vec<_> = bad.split_inclusive("\n}\n").collect();
    let valid: Vec<_> = good.split_inclusive("\n}\n").collect();
    for at in (1..texts.len()).step_by(2) {
        texts[at] = valid[at];
    }
    let loaded = read(texts.concat().as_bytes());
    let errors = loaded.damage.iter().chain(&loaded.torn_tail);
    let lines: Vec<_> = errors.map(|damage| damage.error.line).collect();
    let all = good.lines().enumerate();
    let expected = all.filter(|(_, line)| line.contains("\"status\": "));
    let expected: Vec<_> = expected.map(|(at, _)| at as u64 + 1).step_by(2).collect();
    assert_eq!((lines.len(), lines), (5, expected));
}

#[test]
fn rejects_wrong_members_and_values() {
    let good = String::from_utf8(cassette(&[sample(1)])).unwrap();
    let cases = [
        ("\"accept\", ", "\"acc ept\", "),
        ("[\"accept\", \"*/*\"]", "[\"accept\"]"),
        ("[\"accept\", \"*/*\"]", "[\"accept\", \"*/*\", 1]"),
        ("[\"accept\", \"*/*\"]", "{\"accept\": \"*/*\"}"),
        ("{\"base64\": \"/3Jhdw==\"}", "{\"base64\": \"/3Jhdw\"}"),
        (
            "{\"base64\": \"/3Jhdw==\"}",
            "{\"base64\": \"\", \"base64\": \"\"}",
        ),
        ("\"after\": \"\\n\"", "\"after\": \"x\""),
        ("\"after\": \"\\n\"", "\"text\": \"x\""),
        ("\"status\": 200", "\"status\": \"200\""),
        ("\"kind\": \"sample\"", "\"kind\": 1"),
        ("\"target\": ", "\"target\": \"twice\", \"target\": "),
        (
            "\"json\": {\"number\": 1},",
            "\"file\": \"x.bodies/../../etc\", \"size\": 1,",
        ),
    ];
    for (from, to) in cases {
        assert!(good.contains(from), "{from}");
        let loaded = read(good.replacen(from, to, 1).as_bytes());
        assert!(
            loaded.exchanges.is_empty() && loaded.torn_tail.is_some(),
            "{to}"
        );
    }
    let array = format!("{HEADER}[1, \"origin\"]\n");
    assert!(read(array.as_bytes()).torn_tail.is_some());
}

#[test]
fn what_cannot_be_sent_is_damage() {
    let fields = |count: usize| {
        let fields = (0..count).map(|number| format!("[\"x-{number}\", \"\"], "));
        format!("{}[\"set-cookie\", \"a=1\"]", fields.collect::<String>())
    };
    let long = fields(16_384);
    let status = "\"status\": 200";
    let cookie = "[\"set-cookie\", \"a=1\"]";
    let final_status = "expected a status from 200 to 999, or 101";
    let length = "expected a number of bytes as `content-length`";
    let cases = [
        (status, "\"status\": 99", final_status),
        (status, "\"status\": 100", final_status),
        (status, "\"status\": 103", final_status),
        (status, "\"status\": 199", final_status),
        (status, "\"status\": 1000", final_status),
        (status, "\"status\": -1", "invalid value: integer `-1`"),
        (status, "\"status\": 65736", "expected u16"),
        (
            status,
            "\"status\": 101",
            "only allowed with a `stream` of `websocket`",
        ),
        (cookie, &long, "more than 16384 fields"),
        ("[\"x-checksum\", \"7\"]", &long, "more than 16384 fields"),
        (cookie, "[\"content-length\", \"-1\"]", length),
        (cookie, "[\"content-length\", \"\"]", length),
        (
            cookie,
            "[\"content-length\", \"18446744073709551616\"]",
            length,
        ),
        (cookie, "[\"a b\", \"1\"]", "expected a header field name"),
        (cookie, "[\"\", \"1\"]", "expected a header field name"),
        (
            cookie,
            "[\":status\", \"1\"]",
            "expected a header field name",
        ),
        (
            cookie,
            "[\"a\", \"b\\r\\nc: d\"]",
            "expected a header field value",
        ),
        (
            status,
            "\"status\": 200, \"reason\": \"a\\r\\nb: c\"",
            "expected a reason phrase of one line",
        ),
    ];
    let good = String::from_utf8(cassette(&[sample(1), sample(2)])).unwrap();
    for (from, to, reason) in cases {
        assert!(good.contains(from), "{from}");
        let loaded = read(good.replacen(from, to, 1).as_bytes());
        let [damage] = &loaded.damage[..] else {
            panic!("{to:.60}: {:?}", loaded.damage);
        };
        assert!(damage.error.reason.contains(reason), "{to:.60}: {damage}");
        assert_eq!((damage.error.exchange, loaded.exchanges.len()), (1, 1));
    }
    for (from, to) in [
        (cookie, &*fields(16_382)),
        (cookie, "[\"content-length\", \"5, 5\"]"),
        (status, "\"status\": 999"),
    ] {
        let loaded = read(good.replacen(from, to, 1).as_bytes());
        assert_eq!((loaded.damage, loaded.exchanges.len()), (vec![], 2));
    }
}

#[test]
fn rejects_headers_of_other_formats() {
    let cases = [
        (
            "{ \"ouli-cassette\": 2, \"new\": [] }",
            "which reads format 1: use a newer ouli-gateway",
        ),
        (
            "{ \"ouli-cassette\": 9, \"needs\": \"3.1.0\" }",
            "use ouli-gateway 3.1.0 or newer",
        ),
        ("{ \"ouli-cassette\": 0 }", "there is no format 0"),
        (
            "{ \"ouli-cassette\": 1, \"new\": [] }",
            "unknown field `new`",
        ),
        (
            "{\"other\": 1}",
            "line 1, column 12, in the header: missing field `ouli-cassette`",
        ),
        ("[1]", "expected an object"),
        ("HTTP/1.1 200 OK", "expected value"),
    ];
    for (header, message) in cases {
        let error = decode(&Bytes::from(header)).unwrap_err();
        assert!(error.to_string().contains(message), "{header}: {error}");
        let newer = header.contains(": 2") || header.contains(": 9");
        assert_eq!(matches!(error, FormatError::Newer { .. }), newer);
    }
}

#[test]
fn reformatting_is_not_an_edit() {
    let mut exchanges = [sample(1), sample(2)];
    for exchange in &mut exchanges {
        exchange.request.body = text("no JSON");
    }
    let bytes = cassette(&exchanges);
    let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    let values: Vec<_> = values.collect::<Result<_, _>>().unwrap();
    for write in [serde_json::to_string, serde_json::to_string_pretty] {
        let text: Vec<_> = values.iter().map(|value| write(value).unwrap()).collect();
        for between in ["", " ", "\n", "\r\n\t"] {
            let loaded = read(text.join(between).as_bytes());
            assert_eq!((loaded.damage, loaded.torn_tail), (vec![], None));
            assert!(loaded.exchanges.iter().all(|it| !it.edited));
            assert!(
                loaded
                    .exchanges
                    .iter()
                    .map(|it| &it.exchange)
                    .eq(&exchanges)
            );
        }
    }
}

#[test]
fn edits_are_marked() {
    let good = String::from_utf8(cassette(&[sample(1), sample(2)])).unwrap();
    let digest = &good[good.find(",\n  \"digest\"").unwrap()..good.find("\n}\n{").unwrap()];
    let cases = [
        ("/items/1", "/items/7", [true, false]),
        ("\"two\\n\"", "\"two\\r\\n\"", [true, false]),
        ("{\"number\": 1}", "{ \"number\": 1}", [true, false]),
        (digest, "", [true, false]),
        ("\"exchange\": 1", "\"exchange\": 2", [false, true]),
        ("\"exchange\": 2", "\"exchange\": 9", [false, false]),
        (
            "[\"accept\", \"*/*\"]",
            "[\"Accept\",\n\"\\u002a/*\"]",
            [false, false],
        ),
    ];
    for (from, to, edited) in cases {
        let loaded = read(good.replacen(from, to, 1).as_bytes());
        let marks: Vec<_> = loaded.exchanges.iter().map(|it| it.edited).collect();
        assert_eq!(marks, edited, "{to}");
    }
}

#[test]
fn a_whole_cassette_inside_a_body_is_never_taken_for_exchanges() {
    let inner = String::from_utf8(cassette(&[sample(8), sample(9)])).unwrap();
    let list = inner
        .strip_prefix(HEADER)
        .unwrap()
        .replace("}\n{\n  \"exchange\"", "},\n{\n  \"exchange\"");
    let mut outer = sample(1);
    outer.request.body = text(&format!("[\n{list}]"));
    outer.response.body = text(&inner);
    let good = String::from_utf8(cassette(&[outer.clone(), sample(2)])).unwrap();
    assert_eq!(read(good.as_bytes()).exchanges[0].exchange, outer);
    let bad = good.replacen("\"endpoint\"", "\"endpoimt\"", 1);
    let loaded = read(bad.as_bytes());
    let targets: Vec<_> = loaded
        .exchanges
        .iter()
        .map(|it| &it.exchange.request.target)
        .collect();
    assert_eq!(targets, ["/items/2?page=2"]);
    assert_eq!(loaded.damage.len(), 1);
}

#[test]
fn a_boundary_edited_into_a_body_is_ignored() {
    let mut exchanges: Vec<_> = (0..2000).map(sample).collect();
    exchanges[0].request.body = text("[0]");
    let fill = ",\n{\n  \"exchange\": 1}".repeat(40_000);
    let good = String::from_utf8(cassette(&exchanges)).unwrap();
    let edited = good.replacen("\"json\": [0]", &format!("\"json\": [0{fill}]"), 1);
    let loaded = read(edited.as_bytes());
    assert_eq!((loaded.damage.len(), loaded.torn_tail), (0, None));
    assert_eq!(loaded.exchanges.len(), exchanges.len());
    let marked: Vec<_> = loaded.exchanges.iter().map(|it| it.edited).collect();
    assert!(marked[0] && !marked[1..].contains(&true));
}
