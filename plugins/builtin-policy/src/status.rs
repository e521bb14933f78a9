//! Ranges of status codes, for example `404` or `"500-599"`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// Status codes from `lowest` to `highest`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusRange {
    pub(crate) lowest: u32,
    pub(crate) highest: u32,
}

impl fmt::Display for StatusRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lowest == self.highest {
            true => write!(out, "{}", self.lowest),
            false => write!(out, "{}-{}", self.lowest, self.highest),
        }
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        value.range().ok_or_else(|| {
            de::Error::custom(format!(
                "`{value}` is not a status; write a code from 100 to 599, or a range such as \
                 \"500-599\""
            ))
        })
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a number, or a range in quotes such as \"500-599\""
)]
enum Value {
    Number(i64),
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Text(text) => write!(out, "{text}"),
        }
    }
}

impl Value {
    fn range(&self) -> Option<StatusRange> {
        let (lowest, highest) = match self {
            Self::Number(number) => {
                let number = u32::try_from(*number).ok()?;
                (number, number)
            }
            Self::Text(text) => {
                let (lowest, highest) = text.split_once('-').unwrap_or((text, text));
                (lowest.trim().parse().ok()?, highest.trim().parse().ok()?)
            }
        };
        let fits = lowest >= LOWEST && lowest <= highest && highest <= HIGHEST;
        fits.then_some(StatusRange { lowest, highest })
    }
}

/// The valid status codes (RFC 9110, section 15).
const LOWEST: u32 = 100;
const HIGHEST: u32 = 599;

#[cfg(test)]
mod tests {
    use super::StatusRange;

    fn parse(text: &str) -> Option<String> {
        serde_json::from_str::<StatusRange>(text)
            .ok()
            .map(|range| range.to_string())
    }

    #[test]
    fn parses_numbers_and_ranges() {
        for (text, expected) in [
            ("404", Some("404")),
            (r#""404""#, Some("404")),
            (r#""500-599""#, Some("500-599")),
            (r#"" 500 - 599 ""#, Some("500-599")),
            (r#""599-500""#, None),
            (r#""5xx""#, None),
            ("99", None),
            ("-1", None),
            ("600", None),
            ("true", None),
        ] {
            assert_eq!(parse(text).as_deref(), expected, "{text}");
        }
    }
}
