//! What a parser allocates is bounded by a factor of the size of its input. The fuzzer looks for
//! worse shapes than those of `tests/cost`.

use bytes::Bytes;
use ouli_codec::grpc::MessageSplitter;
use ouli_codec::json::{Document, Pointer};
use ouli_codec::websocket::{Bounds, read_transcript};
use ouli_codec::{event_stream, form, multipart};
use ouli_message::stream::{Arrival, Side};
use ouli_redaction::{PartFormat, Purpose, Redaction, RuleDeclaration, Rules, Secrets};

use super::super::allocation::counted;

/// The most that is allocated in all, in bytes for each byte of an input.
const TOTAL: u64 = 4096;
/// The most that is allocated at one time.
const PEAK: u64 = 1024;
/// What is allocated whatever the size of the input.
const CONSTANT: u64 = 4 << 20;

/// The work of one target.
type Work = fn(&[u8]);

/// The work of the targets whose parsers are measured alone. What their properties do beside it,
/// such as parsing each part again, is not linear.
const WORK: [(&str, Work); 8] = [
    ("cassette_read", |input| {
        let text = [ouli_cassette::HEADER.as_bytes(), input].concat();
        drop(ouli_cassette::decode(&text.into()));
    }),
    ("events", |input| {
        event_stream::event_sizes(input).count();
        event_stream::data_ranges(input).len();
        event_stream::line_sizes(input).count();
    }),
    ("grpc", |input| {
        let mut splitter = MessageSplitter::new(1 << 20);
        drop(splitter.feed(input));
    }),
    ("json", |input| {
        let document = Document::parse(Bytes::copy_from_slice(input));
        let pointer = Pointer::parse("/*/a/*/b").unwrap();
        document.map(|document| document.find(&pointer).count());
    }),
    ("multipart", |input| {
        multipart::parse(input, "b");
        form::parse(input);
    }),
    ("protobuf", |input| {
        redaction(|redaction| {
            drop(redaction.redact_protobuf(&Bytes::copy_from_slice(input), None))
        });
    }),
    ("redaction", |input| {
        let body = Bytes::copy_from_slice(input);
        for content_type in [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=b",
            "text/event-stream",
            "text/html",
        ] {
            redaction(|redaction| drop(redaction.redact_body(Some(content_type), &body)));
        }
        let parts: Vec<_> = input.chunks(16).map(Bytes::copy_from_slice).collect();
        redaction(|redaction| drop(redaction.redact_across_parts(parts, PartFormat::Events)));
    }),
    ("websocket", |input| {
        let arrivals: Vec<_> = (1..=input.len() as u64)
            .map(|end| Arrival {
                side: Side::Server,
                end,
                at: end,
            })
            .collect();
        let bounds = Bounds {
            frame: 1 << 20,
            message: 1 << 20,
            ratio: 100,
        };
        read_transcript(b"", input, &arrivals, None, bounds, 1 << 24).into_replay_order();
    }),
];

/// Panics if the parser of a target allocates too much for an input.
pub(super) fn check(target: &str, input: &[u8]) {
    let Some((_, work)) = WORK.iter().find(|(name, _)| *name == target) else {
        return;
    };
    let size = input.len() as u64;
    let allocated = counted(|| work(input));
    assert!(
        allocated.total <= TOTAL * size + CONSTANT && allocated.peak <= PEAK * size + CONSTANT,
        "{target} allocates {allocated:?} for {size} bytes"
    );
}

/// Redacts by some rules.
fn redaction(redact: impl FnOnce(Redaction<'_>)) {
    thread_local! {
        static RULES: Rules = {
            let (name, class) = ("password".to_owned(), "secret".to_owned());
            let pattern = (r"\bpat_([a-z0-9]{8,})".to_owned(), class.clone());
            let declared = vec![
                RuleDeclaration::Form { name: name.clone(), class: class.clone() },
                RuleDeclaration::JsonMember { name, class },
                RuleDeclaration::Pattern { regex: pattern.0, class: pattern.1 },
            ];
            Rules::compile(declared, &[]).unwrap()
        };
    }
    let rules = RULES.with(Clone::clone);
    redact(Redaction::new(&rules, &Secrets::default(), Purpose::Write));
}
