//! What the writer does with the messages of a conversation, and with streamed bodies that are
//! large.

use bytes::Bytes;

use super::writer::{OPTIONS, WriterFixture, writer_fixture};
use super::{conversation, payload, sample, streamed};
use crate::digest;
use crate::format::digest::body_digest;
use crate::writer::completion::Completion;
use crate::writer::queue::WriteError;
use ouli_message::stream::{ChunkKind, MessageKind};
use ouli_message::{Content, Exchange};

#[test]
fn large_messages_are_stored_once() {
    let bench = writer_fixture(OPTIONS);
    let large = "large ".repeat(100);
    let exchange = with_messages(&[large.as_bytes(), &[0xff; 100], large.as_bytes()]);
    let first = bench.submit("x", exchange.clone()).recv().unwrap().unwrap();
    let second = bench.submit("x", exchange.clone()).recv().unwrap().unwrap();
    assert_eq!(first.bytes, second.bytes + 600);
    let loaded = bench.load("x");
    let found = &loaded.exchanges[0].exchange;
    let stored = Content::Stored {
        digest: body_digest(large.as_bytes()),
        size: 600,
    };
    let expected = [
        &stored,
        &Content::Inline(Bytes::from(vec![0xff; 100])),
        &stored,
    ];
    assert!(found.contents().skip(2).take(3).eq(expected));
    assert_eq!(digest(found), digest(&exchange));
    assert_eq!(
        bench
            .folder
            .read_body("x", &body_digest(large.as_bytes()))
            .unwrap(),
        large
    );
    assert_eq!(count_body_files(&bench), 1);
    let again = bench.submit("x", found.clone()).recv().unwrap();
    assert_eq!(again.unwrap().ordinal, 3);
}

#[test]
fn a_rejected_message_leaves_no_files() {
    let bench = writer_fixture(OPTIONS);
    let large = [b"secret", &[b'x'; 200][..]].concat();
    let missing = Content::Stored {
        digest: body_digest(b"missing"),
        size: 7,
    };
    let mut unknown = conversation(1);
    *unknown.contents_mut().last().unwrap() = missing;
    let told = [
        bench.submit("x", with_messages(&[b"a secret"])),
        bench.submit("x", with_messages(&[&[b'y'; 200], &large])),
        bench.submit("x", unknown),
        bench.submit("x", conversation(1)),
    ];
    let told = told.map(|it| it.recv().unwrap());
    assert!(matches!(told[0], Err(WriteError::Refused(_))));
    assert!(matches!(told[1], Err(WriteError::Refused(_))));
    assert!(matches!(told[2], Err(WriteError::Cassette(_))));
    assert_eq!(told[3].as_ref().unwrap().ordinal, 1);
    bench.writer.close().unwrap();
    assert_eq!(bench.load("x").exchanges[0].exchange, conversation(1));
    assert!(!bench.folder.root().join("x.bodies").exists());
}

#[test]
fn chunks_of_a_stored_body_keep_their_sizes() {
    let bench = writer_fixture(OPTIONS);
    let body = format!("data: {}\n\ndata: 2\n\n", "1".repeat(100));
    let exchange = streamed(ChunkKind::Event, body.as_bytes(), &[108, 9]);
    bench.submit("x", exchange.clone()).recv().unwrap().unwrap();
    let loaded = bench.load("x");
    let found = &loaded.exchanges[0].exchange;
    assert!(matches!(
        found.response.body,
        Content::Stored { size: 117, .. }
    ));
    assert_eq!(found.stream, exchange.stream);
}

#[test]
fn stored_messages_stay_while_a_cassette_names_them() {
    let bench = writer_fixture(OPTIONS);
    bench.submit("x", with_messages(&[&[b'y'; 200]]));
    for left in [1, 0] {
        bench.writer.rotate("x", Completion::ignored());
        bench.submit("x", sample(1));
        bench.writer.flush().unwrap();
        assert_eq!(count_body_files(&bench), left);
    }
}

fn with_messages(messages: &[&[u8]]) -> Exchange {
    let mut exchange = conversation(1);
    let turns = exchange.stream.as_mut().unwrap().messages_mut();
    for (turn, message) in turns.iter_mut().zip(messages) {
        turn.kind = MessageKind::Binary(payload(message, false));
    }
    exchange
}

fn count_body_files(bench: &WriterFixture) -> usize {
    let bodies = bench.folder.root().join("x.bodies");
    bodies.read_dir().unwrap().count()
}
