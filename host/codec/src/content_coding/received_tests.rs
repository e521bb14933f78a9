//! Tests of bodies that are not exactly what their header says.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use http::{HeaderName, HeaderValue};

use super::*;
use ouli_message::Fields;

const BOUNDS: Bounds = Bounds {
    bytes: 1 << 20,
    ratio: 100,
};

fn fields(coding: &str, content_type: &'static str) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in [("content-encoding", coding), ("content-type", content_type)] {
        fields.push(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    fields
}

fn remove(coding: &str, raw: &[u8]) -> Result<ReceivedBody, CodingError> {
    let raw = Bytes::copy_from_slice(raw);
    remove_codings(&raw, &fields(coding, "text/plain"), BOUNDS)
}

fn gzip_with(builder: GzBuilder, text: &[u8]) -> Vec<u8> {
    let mut encoder = builder.write(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn collects_what_a_container_holds_besides_the_body() {
    let builder = GzBuilder::new().filename("name").comment("comment");
    let first = gzip_with(builder.extra("field"), b"one ");
    let second = gzip_with(GzBuilder::new().filename("second"), b"two");
    let body = remove("gzip", &[&first[..], &second, b"tail"].concat()).unwrap();
    assert_eq!(body.bytes, "one two");
    assert_eq!(body.extra.metadata, b"field\nname\ncomment\nsecond\n");
    assert_eq!(body.extra.tail, "tail");
    assert!(!body.extra.has_padding_only());

    let frame = zstd::encode_all(&b"body"[..], 3).unwrap();
    let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 6, 0, 0, 0][..], b"hidden"].concat();
    let body = remove("zstd", &[&skippable, &frame[..], &[0; 9]].concat()).unwrap();
    assert_eq!(
        (&body.bytes[..], &body.extra.metadata[..]),
        (&b"body"[..], &b"hidden\n"[..])
    );
    assert!(body.extra.has_padding_only() && body.extra.tail.len() == 9);
}

#[test]
fn metadata_of_brotli_is_noticed() {
    // An empty body: 100 bytes of metadata, then an empty last block (RFC 7932, section 9.2).
    let with_metadata = [&[0xac, 0x31][..], &[b'x'; 100], &[3]].concat();
    let body = remove("br", &with_metadata).unwrap();
    assert!(body.bytes.is_empty() && body.extra.has_hidden_metadata);
    // Empty metadata is a flush.
    let mut coded = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut coded, 4096, 5, 22);
    for _ in 0..200 {
        writer.write_all(b"some text").unwrap();
        writer.flush().unwrap();
    }
    drop(writer);
    let body = remove("br", &coded).unwrap();
    assert_eq!(body.bytes.len(), 1800);
    assert!(!body.extra.has_hidden_metadata);
    let body = remove("br", &[&coded[..], b"tail"].concat()).unwrap();
    assert_eq!(body.extra.tail, "tail");
}

#[test]
fn only_the_codings_that_a_body_has_are_removed() {
    let once = encode(b"some text", &[Coding::Gzip]).unwrap();
    let body = remove("gzip, gzip", &once).unwrap();
    assert_eq!(
        (&body.bytes[..], &body.removed[..]),
        (&b"some text"[..], &[Coding::Gzip][..])
    );
    assert!(body.is_mislabelled);
    let body = remove("gzip, aws-chunked", &once).unwrap();
    assert_eq!(body.removed, [Coding::Gzip]);
    let chunks = encode(b"some text", &[Coding::Gzip, Coding::AwsChunked]).unwrap();
    let body = remove("aws-chunked,gzip", &chunks).unwrap();
    assert_eq!(body.removed, [Coding::Gzip, Coding::AwsChunked]);
    assert!(!body.is_mislabelled);
    // A tail inside of another coding cannot be made again.
    let tail = [&once[..], b"tail"].concat();
    let inner = encode(&tail, &[Coding::Brotli]).unwrap();
    assert!(remove("gzip, br", &inner).is_err());
}

#[test]
fn limits_apply_to_bodies_with_wrong_headers() {
    let bomb = encode(&vec![b'x'; 3 << 20], &[Coding::Gzip]).unwrap();
    for coding in ["gzip", "gzip, gzip"] {
        assert!(remove(coding, &bomb).unwrap_err().is_limit());
    }
}

#[test]
fn truncated_bodies_are_decoded_as_far_as_possible_or_taken_as_they_are() {
    let coded = encode(&b"some text ".repeat(100), &[Coding::Gzip]).unwrap();
    let half = coded.slice(..coded.len() - 9);
    let partially = |coding: &str, raw: &Bytes| {
        remove_codings_partially(
            raw,
            &[raw.len() as u64],
            &fields(coding, "text/plain"),
            BOUNDS,
        )
    };
    let (body, ends) = partially("gzip", &half).unwrap();
    assert!(body.bytes.starts_with(b"some text some") && ends == [body.bytes.len() as u64]);
    let text = Bytes::from_static(b"plain text");
    for coding in ["gzip", "made-up", "aws-chunked"] {
        let (body, ends) = partially(coding, &text).unwrap();
        assert_eq!((body.bytes, ends), (text.clone(), vec![10]), "{coding}");
        assert!(body.is_mislabelled);
    }
    assert!(partially("made-up", &half).is_err());
}

#[test]
fn damaged_headers_of_gzip_are_errors() {
    let coded = gzip_with(GzBuilder::new().filename("name"), b"text");
    for (index, byte) in [(2, 7), (3, 0x80), (3, 0x02), (3, 0x0c)] {
        let mut damaged = coded.clone();
        damaged[index] = byte;
        assert!(
            decode(damaged.into(), &[Coding::Gzip], BOUNDS).is_err(),
            "{index} {byte}"
        );
    }
}
