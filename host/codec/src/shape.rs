//! The shape of a value that a client makes up: one client gives all of its ids one shape.

use std::fmt;

use crate::randomness::looks_random;

/// The shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// RFC 9562, section 4, also as a URN.
    Uuid,
    /// Digits alone.
    Number,
    /// Letters that follow each other as in a text.
    Word,
    /// Any other one, as of hex digits or of letters and digits.
    Token,
}

impl Shape {
    /// The shape of a value.
    pub fn of(value: &str) -> Self {
        let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
        let is_number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        if is_uuid(value) {
            Self::Uuid
        } else if !has(u8::is_ascii_digit) {
            match looks_random(value.as_bytes()) {
                true => Self::Token,
                false => Self::Word,
            }
        } else if value.bytes().all(is_number) && value.parse::<f64>().is_ok() {
            Self::Number
        } else {
            Self::Token
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Uuid => "a UUID",
            Self::Number => "a number",
            Self::Word => "a word",
            Self::Token => "a token",
        })
    }
}

/// Shorter tokens without a digit, or without a letter, are words and numbers.
const MIN_TOKEN: usize = 8;

/// True if the client that made up the one value may have made up the other. A token may have no
/// digit, or no letter, by chance; then both have one length.
pub fn may_be_of_one_client(one: &str, other: &str) -> bool {
    let shapes = [Shape::of(one), Shape::of(other)];
    let is_by_chance = one.len() == other.len() && one.len() >= MIN_TOKEN;
    match shapes {
        [one, other] if one == other => true,
        [Shape::Token, Shape::Word | Shape::Number] => is_by_chance,
        [Shape::Word | Shape::Number, Shape::Token] => is_by_chance,
        _ => false,
    }
}

fn is_uuid(value: &str) -> bool {
    const URN: &str = "urn:uuid:";
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let head = value.get(..URN.len());
    let has_urn = head.is_some_and(|head| head.eq_ignore_ascii_case(URN));
    let digits = if has_urn { &value[URN.len()..] } else { value };
    let mut groups = digits.split('-');
    let is_group = |size: usize, group: &str| {
        group.len() == size && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    GROUPS
        .iter()
        .all(|size| groups.next().is_some_and(|it| is_group(*size, it)))
        && groups.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_shapes() {
        for (value, shape) in [
            ("0b7c1f1e-3d52-4c3e-9a43-2f3c5d6e7f80", Shape::Uuid),
            ("urn:uuid:0B7C1F1E-3D52-4C3E-9A43-2F3C5D6E7F80", Shape::Uuid),
            ("0b7c1f1e3d524c3e9a432f3c5d6e7f80", Shape::Token),
            ("0b7c1f1e-3d52-4c3e-9a43", Shape::Token),
            ("7", Shape::Number),
            ("-1.5e3", Shape::Number),
            ("2026-01-02", Shape::Token),
            ("latest", Shape::Word),
            ("customer-report", Shape::Word),
            ("", Shape::Word),
            ("job_aZ81kPq2", Shape::Token),
        ] {
            assert_eq!(Shape::of(value), shape, "{value}");
        }
    }

    #[test]
    fn a_word_stands_for_no_id() {
        let ids = [
            [
                "9d1a7e55-0c1b-4f6e-8a77-6b5a4c3d2e1f",
                "0b7c1f1e-3d52-4c3e-9a43-2f3c5d6e7f80",
            ],
            ["7", "12345"],
            ["alice", "bob"],
            ["x7Jk2LmQ9", "run-12"],
            // Hex digits that are all digits, and letters and digits that are all letters.
            ["deadbeef12", "1234567890"],
            ["aZ81kPq2", "xKdPqRsT"],
        ];
        for [one, other] in ids {
            assert!(may_be_of_one_client(one, other), "{one} {other}");
            assert!(may_be_of_one_client(other, one), "{other} {one}");
        }
        for [id, _] in ids.into_iter().filter(|[id, _]| *id != "alice") {
            assert!(!may_be_of_one_client("latest", id), "{id}");
            assert!(!may_be_of_one_client(id, "latest"), "{id}");
        }
        assert!(!may_be_of_one_client("7", ids[0][0]));
        assert!(!may_be_of_one_client("x7Jk2LmQ9", ids[0][0]));
    }
}
