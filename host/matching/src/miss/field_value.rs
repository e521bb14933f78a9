//! The first difference as a field value, for responses without a body.

use super::report::Miss;
use super::resolution::Resolution;
use super::truncate::shorten;

/// Longest flags in the value in bytes. Longer ones are left out, since a part of them has no use.
const MAX_FLAGS: usize = 512;

impl Miss {
    /// The nearest exchange, the first difference from it, and the settings that make the request
    /// match, as a dictionary (RFC 9651, section 3.2). `None` if nothing is compared.
    pub fn to_field_value(&self) -> Option<String> {
        let nearest = self.nearest.first()?;
        let first = nearest.differences.first()?;
        let mut members = vec![
            format!("exchange={}", nearest.ordinal),
            format!("part={}", quoted(&shorten(&first.location()))),
        ];
        match (&self.remedy, &first.resolution) {
            (Some(remedy), _) if remedy.flags.len() <= MAX_FLAGS => {
                members.push(format!("add={}", quoted(&remedy.flags)));
            }
            (_, Resolution::Setting(_)) => {
                members.push(format!("setting={}", quoted(&first.resolution.to_string())));
            }
            (_, Resolution::Hint(_) | Resolution::PathForm(_)) => {
                let hint = shorten(&first.resolution.to_string());
                members.push(format!("hint={}", quoted(&hint)));
            }
        }
        Some(members.join(", "))
    }
}

/// A string in visible ASCII (RFC 9651, section 3.3.3).
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_visible_characters_only() {
        assert_eq!(quoted("a \"b\\\u{e9}\n"), r#""a \"b\\??""#);
    }
}
