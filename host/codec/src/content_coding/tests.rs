//! Tests of content codings: round trips, damage, decompression bombs, and `accept-encoding`.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write};

use super::*;

const BOUNDS: Bounds = Bounds {
    bytes: 4 << 20,
    ratio: 100,
};

fn text() -> Vec<u8> {
    (0..20_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes())
        .collect()
}

#[test]
fn encoded_bodies_decode_to_the_original() {
    let mut lists: Vec<Vec<Coding>> = Coding::ALL.iter().map(|coding| vec![*coding]).collect();
    lists.push(vec![
        Coding::Deflate,
        Coding::Gzip,
        Coding::Zstd,
        Coding::Brotli,
    ]);
    lists.push(Vec::new());
    for list in lists {
        let coded = encode(&text(), &list).unwrap();
        assert_eq!(
            coded,
            encode(&text(), &list).unwrap(),
            "{list:?} is not deterministic"
        );
        assert_eq!(decode(coded, &list, BOUNDS).unwrap(), text(), "{list:?}");
        assert!(decode(Bytes::new(), &list, BOUNDS).unwrap().is_empty());
    }
}

#[test]
fn damaged_bodies_are_errors() {
    for coding in Coding::ALL {
        let coded = encode(&text(), &[coding]).unwrap();
        for cut in [1, 2, 5, coded.len() / 2, coded.len() - 1] {
            let short = decode(coded.slice(..cut), &[coding], BOUNDS);
            assert!(
                matches!(short, Err(CodingError::Invalid(..))),
                "{coding:?} cut at {cut}"
            );
        }
        for size in [1, 9, 100_000] {
            let mut long = coded.to_vec();
            long.resize(coded.len() + size, b'x');
            let long = decode(long.into(), &[coding], BOUNDS);
            assert!(
                matches!(long, Err(CodingError::Invalid(..))),
                "{coding:?} and {size} more"
            );
        }
        let other = decode(Bytes::from_static(b"plain text"), &[coding], BOUNDS);
        assert!(matches!(other, Err(CodingError::Invalid(..))), "{coding:?}");
    }
}

#[test]
fn decodes_several_members_or_frames_and_raw_deflate() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let twice = [
            encode(b"one ", &[coding]).unwrap(),
            encode(b"two", &[coding]).unwrap(),
        ]
        .concat();
        assert_eq!(decode(twice.into(), &[coding], BOUNDS).unwrap(), "one two");
    }
    let mut plain = write::DeflateEncoder::new(Vec::new(), Compression::default());
    plain.write_all(&text()).unwrap();
    let plain = plain.finish().unwrap();
    assert_eq!(
        decode(plain.into(), &[Coding::Deflate], BOUNDS).unwrap(),
        text()
    );
}

#[test]
fn decompression_bombs_stop_at_the_limits() {
    let zeros = vec![0; 3 << 20];
    for coding in Coding::ALL {
        let bomb = encode(&zeros, &[coding]).unwrap();
        let ratio = decode(bomb.clone(), &[coding], BOUNDS);
        assert!(matches!(ratio, Err(CodingError::Ratio(100))), "{coding:?}");
        let small = Bounds {
            bytes: 1000,
            ..BOUNDS
        };
        assert!(matches!(
            decode(bomb, &[coding], small),
            Err(CodingError::TooLarge(1000))
        ));
        let coded = encode(&zeros[..RATIO_FROM as usize], &[coding]).unwrap();
        assert!(
            decode(coded, &[coding], BOUNDS).is_ok(),
            "{coding:?} below the threshold"
        );
    }
}

#[test]
fn decodes_truncated_bodies_as_far_as_possible() {
    let plain = text();
    let mut lists: Vec<Vec<Coding>> = Coding::ALL.iter().map(|coding| vec![*coding]).collect();
    lists.push(vec![Coding::Deflate, Coding::Brotli]);
    for list in lists {
        let coded = encode(&plain, &list).unwrap();
        for size in [0, 1, 2, 10, coded.len() / 2, coded.len() - 1] {
            let cut = coded.slice(..size);
            let middle = size as u64 / 2;
            let (decoded, ends) =
                decode_partial(&cut, &[middle, size as u64], &list, BOUNDS).unwrap();
            assert!(plain.starts_with(&decoded), "{list:?} {size}");
            assert_eq!(ends[1], decoded.len() as u64, "{list:?} {size}");
            assert!(ends[0] <= ends[1]);
            // Zstandard has blocks of 128 KiB, which are decoded whole.
            let half = size == coded.len() - 1;
            assert!(
                !half || decoded.len() > plain.len() / 3,
                "{list:?} {}",
                decoded.len()
            );
        }
        let zeros = encode(&vec![0; 3 << 20], &list).unwrap();
        let bomb = decode_partial(&zeros, &[], &list, BOUNDS);
        assert!(matches!(bomb, Err(CodingError::Ratio(100))), "{list:?}");
        let small = Bounds {
            bytes: 1000,
            ..BOUNDS
        };
        let large = decode_partial(&coded, &[], &list, small);
        assert!(
            matches!(large, Err(CodingError::TooLarge(1000))),
            "{list:?}"
        );
    }
    let garbage = Bytes::from_static(b"\x1f\x8b\x08\0\0\0\0\0\0\0 no gzip at all, truly");
    assert!(decode_partial(&garbage, &[], &[Coding::Gzip], BOUNDS).is_err());
}

#[test]
fn parses_content_encoding() {
    let cases: [(&str, &[Coding]); 5] = [
        ("", &[]),
        ("identity", &[]),
        ("GZIP", &[Coding::Gzip]),
        ("x-gzip", &[Coding::Gzip]),
        (
            "deflate , br,, identity, zstd",
            &[Coding::Deflate, Coding::Brotli, Coding::Zstd],
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(parse(value).unwrap(), expected, "{value}");
    }
    assert_eq!(
        parse("gzip, lzma").unwrap_err().to_string(),
        "content coding `lzma` is unknown"
    );
    assert!(matches!(parse("br,br,br,br,br"), Err(CodingError::TooMany)));
}

#[test]
fn evaluates_accept_encoding() {
    let cases = [
        (None, Coding::Zstd, true),
        (Some(""), Coding::Gzip, false),
        (Some("gzip"), Coding::Gzip, true),
        (Some("X-Gzip"), Coding::Gzip, true),
        (Some("gzip"), Coding::Brotli, false),
        (Some("gzip;q=0, *"), Coding::Gzip, false),
        (Some("gzip;q=0, *"), Coding::Brotli, true),
        (Some("*;q=0"), Coding::Brotli, false),
        (Some("br ; Q=0.001"), Coding::Brotli, true),
        (Some("br;q=0.000"), Coding::Brotli, false),
        (Some("identity"), Coding::Deflate, false),
    ];
    for (value, coding, expected) in cases {
        assert_eq!(accepts(value, coding), expected, "{value:?} {coding:?}");
    }
}

#[test]
fn restricts_accept_encoding_to_supported_codings() {
    let cases = [
        ("gzip, deflate, br, zstd", "gzip, deflate, br, zstd"),
        (
            "dcb, lzma;q=1, gzip;q=0.5,identity;q=0",
            "gzip;q=0.5, identity;q=0",
        ),
        ("*", "gzip, deflate, br, zstd"),
        (
            "br;q=1, *;q=0.1",
            "br;q=1, gzip;q=0.1, deflate;q=0.1, zstd;q=0.1",
        ),
        ("compress", "identity"),
        ("", "identity"),
    ];
    for (value, expected) in cases {
        assert_eq!(restrict(value), expected, "{value}");
    }
}
