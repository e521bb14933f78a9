//! Content codings: decoding stays within its bounds and restores what was encoded.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use ouli_codec::content_coding::{
    Bounds, Coding, Encoder, decode, decode_with_offsets, encode, parse, remove_codings,
    split_coded,
};
use ouli_message::Fields;

use super::choices::{Choices, Dice};

const BOUNDS: Bounds = Bounds {
    bytes: 64 << 10,
    ratio: 1000,
};

/// The input is a list of codings and a body.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let all = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];
    let mut codings: Vec<_> = (0..1 + choices.below(2))
        .map(|_| choices.one_of(&all))
        .collect();
    if input.len().is_multiple_of(4) {
        codings.push(Coding::AwsChunked);
    }
    let body = Bytes::copy_from_slice(choices.rest());
    let named = parse(&String::from_utf8_lossy(&body));
    assert!(named.is_err() || named.is_ok_and(|named| named.len() <= 4));

    let mut dice = Dice::of(input);
    let mut end = 0;
    let mut ends: Vec<_> = dice
        .cut(&body, 40)
        .into_iter()
        .map(|piece| {
            end += piece.len() as u64;
            end
        })
        .collect();
    ends.push(body.len() as u64);
    let decoded = decode(body.clone(), &codings, BOUNDS);
    match (
        &decoded,
        decode_with_offsets(&body, &ends, &codings, BOUNDS),
    ) {
        (Ok(decoded), Ok((whole, places))) => {
            assert!(decoded.len() as u64 <= BOUNDS.bytes);
            assert_eq!(whole, *decoded);
            assert!(places.is_sorted(), "{places:?}");
            assert_eq!(places.last(), Some(&(decoded.len() as u64)));
        }
        (Err(_), Err(_)) => {}
        (one, other) => panic!("{one:?} at once, {other:?} in pieces"),
    }

    let coded = encode(&body, &codings).expect("any bytes can be encoded");
    as_received(&body, &coded, &codings);
    assert_eq!(
        decode(coded, &codings, BOUNDS).expect("the body was encoded before"),
        body
    );
    in_pieces(&body, &codings, &mut dice);
}

/// The header leads to the same body. A body that is not encoded although the header says so is
/// decoded or taken unchanged.
fn as_received(body: &Bytes, coded: &Bytes, codings: &[Coding]) {
    let names: Vec<_> = codings.iter().map(|coding| coding.name()).collect();
    let value = HeaderValue::try_from(names.join(", ")).expect("names are tokens");
    let mut fields = Fields::default();
    fields.push(HeaderName::from_static("content-encoding"), value);
    let received = remove_codings(coded, &fields, BOUNDS).expect("the body was encoded before");
    assert_eq!(received.bytes, *body);
    if let Ok(received) = remove_codings(body, &fields, BOUNDS)
        && received.removed.is_empty()
    {
        assert_eq!(received.bytes, *body);
    }
    let half = body.len() as u64 / 2;
    let parts = split_coded(coded, &[half, body.len() as u64 - half], codings);
    assert_eq!(parts.concat(), *coded);
}

/// A stream that is encoded chunk by chunk has the same body, and each chunk can be decoded at its
/// end.
fn in_pieces(body: &Bytes, codings: &[Coding], dice: &mut Dice) {
    let mut encoder = Encoder::new(codings).expect("there is a coding");
    let (mut coded, mut ends, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    let mut size = 0;
    for piece in dice.cut(body, 200) {
        coded.extend_from_slice(
            &encoder
                .encode_chunk(piece)
                .expect("any bytes can be encoded"),
        );
        size += piece.len() as u64;
        ends.push(coded.len() as u64);
        expected.push(size);
    }
    coded.extend_from_slice(&encoder.finish());
    let (whole, places) = decode_with_offsets(&coded.into(), &ends, codings, BOUNDS)
        .expect("the body was encoded before");
    assert_eq!(whole, *body);
    assert_eq!(places, expected);
}
