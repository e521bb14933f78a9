//! Redaction of streams: no way of joining the parts shows a known secret that was split by their
//! boundaries, and no part is lost.

use bytes::Bytes;
use ouli_redaction::{Guard, PartFormat, Purpose, Redaction};

use super::choices::{Choices, Dice};
use super::redaction::{rules, secrets};

/// The input is a format and the bytes of all parts; the boundaries are derived from it.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let joint = choices.one_of(&[PartFormat::Messages, PartFormat::Events, PartFormat::Lines]);
    let most = 1 + usize::from(choices.byte());
    let body = choices.rest();
    let mut dice = Dice::of(input);
    let parts: Vec<_> = match joint {
        PartFormat::Messages => dice
            .cut(body, most)
            .into_iter()
            .map(Bytes::copy_from_slice)
            .collect(),
        // Each part is an event or a line with some of the bytes.
        PartFormat::Events => dice.cut(body, most).into_iter().map(event).collect(),
        PartFormat::Lines => dice.cut(body, most).into_iter().map(line).collect(),
    };
    let (rules, secrets) = (rules(), secrets());
    let redaction = Redaction::new(&rules, &secrets, Purpose::Write);
    let mut rid = redaction.redact_across_parts(parts.clone(), joint).value;
    for part in &mut rid {
        *part = redaction.redact_body(None, part).value;
    }
    let rid = redaction.redact_across_parts(rid.clone(), joint).value;
    assert_eq!(rid.len(), parts.len(), "a part is missing");
    // A part that is not UTF-8 stays unchanged and is checked by the guard.
    let refused = |part: &Bytes| {
        std::str::from_utf8(part).is_err() && Guard::new(&[]).scan(part, &secrets).is_err()
    };
    if rid.iter().any(refused) {
        return;
    }
    let read: Vec<u8> = match joint {
        PartFormat::Messages => rid.concat(),
        PartFormat::Events | PartFormat::Lines => {
            rid.iter().flat_map(|part| content(joint, part)).collect()
        }
    };
    let text = String::from_utf8_lossy(&read);
    assert!(
        !text.contains("s3cr3t-value"),
        "{joint:?}: {parts:?} -> {rid:?}"
    );
}

fn event(text: &[u8]) -> Bytes {
    [b"data: ", &flat(text)[..], b"\n\n"].concat().into()
}

fn line(text: &[u8]) -> Bytes {
    [&flat(text)[..], b"\n"].concat().into()
}

fn flat(text: &[u8]) -> Vec<u8> {
    text.iter()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .copied()
        .collect()
}

/// The content that a reader gets from a part.
fn content(joint: PartFormat, part: &Bytes) -> Vec<u8> {
    match joint {
        PartFormat::Events => {
            let data = ouli_codec::event_stream::data_ranges(part);
            data.into_iter()
                .flat_map(|range| part[range].to_vec())
                .collect()
        }
        PartFormat::Lines | PartFormat::Messages => flat(part),
    }
}
