//! Tells values that were generated from those that people write.

use crate::surprise::surprise;

/// Values under names that are only sometimes those of secrets: `?code=USD` and `?token=BTC` are
/// none.
const SOMETIMES: [&str; 5] = ["code", "key", "sig", "signature", "token"];

/// True for a name that is only sometimes that of a secret.
pub fn is_sometimes_secret(name: &str) -> bool {
    SOMETIMES.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Shorter values are not generated, or are too short to be secret.
const MIN_LEN: usize = 12;
/// Values with fewer distinct bytes are patterns such as `000000000001`.
const MIN_DISTINCT: usize = 6;
/// Shorter runs of letters and digits are words, versions or dates.
const MIN_RUN: usize = 6;
/// Changes between letters and digits in a run. Words with a number have one, compact dates three.
const MIN_CHANGES: usize = 3;
/// No number that people write is that long.
const MAX_NUMBER: usize = 20;
/// A part of a value that takes this many bits more than a text is none.
const MIN_SURPRISE: u32 = 10;
/// The same for letters alone, of which there are more than in most words.
const MIN_SURPRISE_OF_LETTERS: u32 = 6;
const MANY_LETTERS: usize = 19;
/// The least length of the words of a name, on average: `GetOrderHistory` has five letters each.
const MIN_WORD: usize = 3;
/// Shorter runs may be abbreviations, such as `OAuth`.
const MIN_MIXED_RUN: usize = 8;
/// Hexadecimal digits of a group.
const MIN_HEX: usize = 16;
/// The groups of a code, and their length.
const MIN_GROUPS: usize = 3;
const MIN_GROUP: usize = 4;
/// Values below this length that are words are common.
const MAX_COMMON_WORD: usize = 12;

/// True if a value looks as if it were generated: it has at least 12 bytes, 6 of them distinct, and
/// letters and digits, or capitals and small letters, change as often as by chance, its letters
/// follow each other as in no word, or a number in it is too long.
pub fn looks_random(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    value
        .iter()
        .for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    if value.len() < MIN_LEN || distinct < MIN_DISTINCT {
        return false;
    }
    // `-` and `_` are digits of base64 in URLs.
    let joined: Vec<u8> = value
        .iter()
        .copied()
        .filter(|it| !b"-_".contains(it))
        .collect();
    is_grouped_hex(value)
        || is_grouped_code(value)
        || runs(value).any(is_random_run)
        || runs(&joined).any(is_mixed)
        || surprise(value) >= min_surprise(value)
}

fn min_surprise(value: &[u8]) -> u32 {
    match value.len() >= MANY_LETTERS && value.iter().all(u8::is_ascii_alphabetic) {
        true => MIN_SURPRISE_OF_LETTERS,
        false => MIN_SURPRISE,
    }
}

/// True for a short value that is a word, a number, or words and numbers: it occurs by chance.
pub fn is_common_word(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    value.len() < MAX_COMMON_WORD
        && value.iter().all(is_part)
        && runs(value).all(|run| changes(run, u8::is_ascii_digit) <= 1)
}

/// The runs of letters and digits.
fn runs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| !byte.is_ascii_alphanumeric())
}

fn is_random_run(run: &[u8]) -> bool {
    if run.len() < MIN_RUN || is_compact_date(run) {
        return false;
    }
    let digits = changes(run, u8::is_ascii_digit);
    digits >= MIN_CHANGES || is_mixed(run) || is_long_number(run)
}

fn is_long_number(run: &[u8]) -> bool {
    run.len() > MAX_NUMBER && run.iter().all(u8::is_ascii_digit)
}

/// True if capitals and small letters change more often than in a name of several words.
fn is_mixed(run: &[u8]) -> bool {
    run.len() >= MIN_MIXED_RUN && words(run) > 2 && words(run) * MIN_WORD > run.len()
}

/// The number of words in a run: each begins with a capital, and so does a number.
fn words(run: &[u8]) -> usize {
    let begins = |[one, next]: &[u8; 2]| {
        (!one.is_ascii_uppercase() && next.is_ascii_uppercase())
            || one.is_ascii_digit() != next.is_ascii_digit()
    };
    1 + run.array_windows().filter(|pair| begins(pair)).count()
}

/// How often bytes that have a property and those that have not follow each other.
fn changes(run: &[u8], has: fn(&u8) -> bool) -> usize {
    let pairs = run
        .array_windows()
        .filter(|[one, next]| has(one) != has(next));
    pairs.count()
}

/// True for `20260131T235959Z`.
fn is_compact_date(run: &[u8]) -> bool {
    run.len() <= 20
        && run
            .iter()
            .filter(|byte| byte.is_ascii_alphabetic())
            .all(|byte| b"TZtz".contains(byte))
}

/// True for hexadecimal digits in groups, as in a UUID.
fn is_grouped_hex(value: &[u8]) -> bool {
    let digits: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'-').collect();
    digits.len() >= MIN_HEX
        && digits.iter().all(u8::is_ascii_hexdigit)
        && changes(&digits, u8::is_ascii_digit) > MIN_CHANGES
}

/// True for letters and digits in groups of one length, as in a licence key.
fn is_grouped_code(value: &[u8]) -> bool {
    let mut groups = value.split(|byte| *byte == b'-');
    let length = groups.next().map_or(0, <[u8]>::len);
    let joined: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'-').collect();
    length >= MIN_GROUP
        && groups.clone().count() + 1 >= MIN_GROUPS
        && groups.all(|group| group.len() == length)
        && joined.iter().all(u8::is_ascii_alphanumeric)
        && changes(&joined, u8::is_ascii_digit) >= MIN_CHANGES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_values_look_random() {
        for value in [
            "4eC39HqLyjWDarjtT1zdp7dc",
            "123e4567-e89b-12d3-a456-426614174000",
            "9f86d081884c7d659a2feaa0c55ad015",
            "eyJvZmZzZXQiOjEwMH0=",
            "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "QwErTyUiOpAsDfGhJk",
            "k3jd8fh4qp2woz",
            "4/0AX4XfWh8Kd02nbYq-7z",
            "deploy-key-5e7d1c",
            "ySSWKhvH_ogQ-ykyB_z8Hg",
            "qwhvbzkdmxtrplncgjfsyaeu",
            "8402759316408275931640827593164082759316",
            "JBSWY3DPEHPK3PXP",
            "aB3dE6gH9kLm",
            "V1StGXR8_Z5jdHi6B-myT",
            "my-token-5e7d1c",
            "ZyoosGqxptwb",
            "vbzkdmxtrplncgjf",
            "FREVFSTMZSEOADVQ",
            "0cb27453a7d1f9e6",
            "XA43-WNCE-VRT9-CUTY",
            "ds9-GEEIxTGq",
        ] {
            assert!(looks_random(value.as_bytes()), "{value}");
            assert!(!is_common_word(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn words_numbers_and_dates_do_not() {
        for value in [
            "PROJ-777",
            "BTC",
            "USD",
            "123456",
            "customers-export-2024-q1",
            "GetCustomerOrderHistory",
            "2024-01-15T10:00:00Z",
            "20240115T100000Z",
            "photos/2024/summer-01.jpg",
            "acme-corporation",
            "000000000001",
            "a-rather-long-name-of-a-thing",
            "reportselectsouth",
            "internationalization",
            "Donaudampfschifffahrt",
            "2026-11-30T16:25:59.123+02:00",
            "text-embedding-3-small",
            "claude-3-5-sonnet-20241022",
            "eu-central-1a.compute.example",
            "MAX_CONNECTIONS_PER_HOST",
            "anticonstitutionnellement",
            "4149672629178917736",
            "IMG_20210218_184613.jpg",
            "0f:ae:8c:ab:e8:cb",
            "IMG1-2024-0317-0001",
        ] {
            assert!(!looks_random(value.as_bytes()), "{value}");
        }
        for value in ["acme-corp", "blue42", "123456", "hunter2", "v1.2.3"] {
            assert!(is_common_word(value.as_bytes()), "{value}");
        }
        for value in ["p4ssw0rd", "pass word", "acme-corporation", "s3cr3t!"] {
            assert!(!is_common_word(value.as_bytes()), "{value}");
        }
    }

    /// Values of a length from an alphabet.
    fn generated(alphabet: &[u8], length: usize) -> impl Iterator<Item = Vec<u8>> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap()
        };
        std::iter::repeat_with(move || {
            let letters = std::iter::repeat_with(|| alphabet[next() % alphabet.len()]);
            letters.take(length).collect()
        })
    }

    #[test]
    fn few_generated_values_look_like_text() {
        const BASE62: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let base64url = [BASE62, b"-_"].concat();
        let (base36, base32) = (&BASE62[26..], b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
        for (alphabet, length, most) in [
            (BASE62, 16, 12),
            (BASE62, 20, 4),
            (&base64url[..], 22, 4),
            (&base64url[..], 43, 0),
            (b"0123456789abcdef", 16, 24),
            (b"0123456789abcdef", 20, 5),
            (b"0123456789abcdef", 32, 0),
            (base36, 25, 4),
            (base32, 32, 4),
            (&BASE62[..52], 24, 4),
            (&BASE62[..26], 24, 12),
        ] {
            let values = generated(alphabet, length).take(5_000);
            let missed: Vec<_> = values.filter(|it| !looks_random(it)).collect();
            let examples: Vec<_> = missed.iter().take(3).collect();
            let name = String::from_utf8_lossy(alphabet);
            assert!(
                missed.len() <= most,
                "{name} {length}: {} {examples:?}",
                missed.len()
            );
        }
    }
}
