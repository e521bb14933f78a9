//! Conversations, and streams with large bodies, in the writer.

use bytes::Bytes;

use super::{OPTIONS, WriterFixture, writer_fixture};
use crate::test_exchanges::{conversation, payload, sample, streamed};
use crate::{Completion, WriteError, body_digest, digest};
use ouli_message::stream::{ChunkKind, MessageKind};
use ouli_message::{Content, Exchange};

#[test]
fn large_messages_are_stored_once() {
    let fixture = writer_fixture(OPTIONS);
    let large = "large ".repeat(100);
    let exchange = with_messages(&[large.as_bytes(), &[0xff; 100], large.as_bytes()]);
    let first = fixture
        .submit("x", exchange.clone())
        .recv()
        .unwrap()
        .unwrap();
    let second = fixture
        .submit("x", exchange.clone())
        .recv()
        .unwrap()
        .unwrap();
    assert_eq!(first.bytes, second.bytes + 600);
    let loaded = fixture.load("x");
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
        fixture
            .folder
            .read_body("x", &body_digest(large.as_bytes()))
            .unwrap(),
        large
    );
    assert_eq!(count_body_files(&fixture), 1);
    let again = fixture.submit("x", found.clone()).recv().unwrap();
    assert_eq!(again.unwrap().place.number, 3);
}

#[test]
fn a_rejected_message_leaves_no_files() {
    let fixture = writer_fixture(OPTIONS);
    let large = [b"secret", &[b'x'; 200][..]].concat();
    let missing = Content::Stored {
        digest: body_digest(b"missing"),
        size: 7,
    };
    let mut unknown = conversation(1);
    *unknown.contents_mut().last().unwrap() = missing;
    let receivers = [
        fixture.submit("x", with_messages(&[b"a secret"])),
        fixture.submit("x", with_messages(&[&[b'y'; 200], &large])),
        fixture.submit("x", unknown),
        fixture.submit("x", conversation(1)),
    ];
    let outcomes = receivers.map(|it| it.recv().unwrap());
    assert!(matches!(outcomes[0], Err(WriteError::Refused(_))));
    assert!(matches!(outcomes[1], Err(WriteError::Refused(_))));
    assert!(matches!(outcomes[2], Err(WriteError::Cassette(_))));
    assert_eq!(outcomes[3].as_ref().unwrap().place.number, 1);
    fixture.writer.close().unwrap();
    assert_eq!(fixture.load("x").exchanges[0].exchange, conversation(1));
    assert!(!fixture.folder.root().join("x.bodies").exists());
}

#[test]
fn chunks_of_a_stored_body_keep_their_sizes() {
    let fixture = writer_fixture(OPTIONS);
    let body = format!("data: {}\n\ndata: 2\n\n", "1".repeat(100));
    let exchange = streamed(ChunkKind::Event, body.as_bytes(), &[108, 9]);
    fixture
        .submit("x", exchange.clone())
        .recv()
        .unwrap()
        .unwrap();
    let loaded = fixture.load("x");
    let found = &loaded.exchanges[0].exchange;
    assert!(matches!(
        found.response.body,
        Content::Stored { size: 117, .. }
    ));
    assert_eq!(found.stream, exchange.stream);
}

#[test]
fn stored_messages_stay_while_a_cassette_refers_to_them() {
    let fixture = writer_fixture(OPTIONS);
    fixture.submit("x", with_messages(&[&[b'y'; 200]]));
    for remaining in [1, 0] {
        fixture.writer.rotate("x", Completion::ignored());
        fixture.submit("x", sample(1));
        fixture.writer.flush().unwrap();
        assert_eq!(count_body_files(&fixture), remaining);
    }
}

fn with_messages(messages: &[&[u8]]) -> Exchange {
    let mut exchange = conversation(1);
    let recorded = exchange.stream.as_mut().unwrap().messages_mut();
    for (message, content) in recorded.iter_mut().zip(messages) {
        message.kind = MessageKind::Binary(payload(content, false));
    }
    exchange
}

fn count_body_files(fixture: &WriterFixture) -> usize {
    let bodies = fixture.folder.root().join("x.bodies");
    bodies.read_dir().unwrap().count()
}
