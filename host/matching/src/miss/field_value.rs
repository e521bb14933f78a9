//! The first difference as a field value, for responses without a body.

use super::cause::Cause;
use super::report::Miss;
use super::resolution::Resolution;
use super::truncate::shorten;

/// Longest flags in the value in bytes. Longer ones are left out, since a part of them has no use.
const MAX_FLAGS: usize = 512;

impl Miss {
    /// The nearest exchange, the first difference from it, and the settings that make the request
    /// match, as a dictionary (RFC 9651, section 3.2). `None` if nothing is compared.
    pub fn to_field_value(&self) -> Option<String> {
        let (exchange, part, other) = self.first_difference()?;
        let remedy = self.remedy.as_ref().map(|remedy| &remedy.flags);
        let help = match remedy.filter(|flags| flags.len() <= MAX_FLAGS) {
            Some(flags) => format!("add={}", quoted(flags)),
            None => other,
        };
        let part = quoted(&shorten(&part));
        Some(format!("exchange={exchange}, part={part}, {help}"))
    }

    /// The exchange, the part that differs first, and what helps without a remedy.
    fn first_difference(&self) -> Option<(u64, String, String)> {
        let hint = |text: &str| format!("hint={}", quoted(&shorten(text)));
        match &self.cause {
            Cause::OtherIdentity(conflict) => {
                return Some((
                    conflict.exchange,
                    conflict.part.clone(),
                    hint(&conflict.reason),
                ));
            }
            Cause::ReplayedSecret(secret) => {
                let text = "the upstream does not know it: record the session again";
                return Some((secret.exchange, secret.part.clone(), hint(text)));
            }
            _ => {}
        }
        let nearest = self.nearest.first()?;
        let first = nearest.differences.first()?;
        let resolution = first.resolution.to_string();
        let help = match &first.resolution {
            Resolution::Setting(_) => format!("setting={}", quoted(&resolution)),
            Resolution::Hint(_) | Resolution::PathForm(_) => hint(&resolution),
        };
        Some((nearest.ordinal as u64, first.location(), help))
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
