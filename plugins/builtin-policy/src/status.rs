//! Ranges of status codes, as `404` or `"500-599"`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// Status codes from `lowest` to `highest`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) lowest: u32,
    pub(crate) highest: u32,
}

impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lowest == self.highest {
            true => write!(out, "{}", self.lowest),
            false => write!(out, "{}-{}", self.lowest, self.highest),
        }
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(from)?;
        written.range().ok_or_else(|| {
            de::Error::custom(format!(
                "`{written}` is no status; write a code from 100 to 599, or a range as \"500-599\""
            ))
        })
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or a range in quotes, as \"500-599\"")]
enum Written {
    Number(i64),
    Text(String),
}

impl fmt::Display for Written {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Text(text) => write!(out, "{text}"),
        }
    }
}

impl Written {
    fn range(&self) -> Option<Range> {
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
        fits.then_some(Range { lowest, highest })
    }
}

/// RFC 9110, section 15.
const LOWEST: u32 = 100;
const HIGHEST: u32 = 599;

#[cfg(test)]
mod tests {
    use super::Range;

    fn read(text: &str) -> Option<String> {
        serde_json::from_str::<Range>(text)
            .ok()
            .map(|range| range.to_string())
    }

    #[test]
    fn numbers_and_ranges_are_read() {
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
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
