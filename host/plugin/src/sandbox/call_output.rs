//! What a guest writes through its sinks during one call, counted against the limits.

use wasmtime::{Error, Result};

use crate::Bounds;
use crate::condition::{Condition, SkipPredicate};
use ouli_matching::key::KeyPart;
use ouli_redaction::{Edit, RuleDeclaration};

/// What a guest wrote during one call.
#[derive(Debug, Default)]
pub(crate) struct CallOutput {
    /// `ask` of any role: the host calls the role for each message.
    pub(crate) ask: bool,
    /// `abstain` of a matcher.
    pub(crate) abstain: bool,
    /// Parts of a key.
    pub(crate) parts: Vec<KeyPart>,
    /// Redaction rules.
    pub(crate) rules: Vec<RuleDeclaration>,
    /// Changes to a message.
    pub(crate) edits: Vec<Edit>,
    /// Bytes at the end of a stream part that the redactor sees again with the next part.
    pub(crate) hold: usize,
    /// Conditions of a recording policy.
    pub(crate) conditions: Vec<Condition>,
    /// Why the exchange is not recorded.
    pub(crate) skip: Option<String>,
    /// Tags of the exchange.
    pub(crate) tags: Vec<(String, String)>,
    part_bytes: usize,
    edit_bytes: usize,
    text_bytes: usize,
}

impl CallOutput {
    /// Counts text that the guest passed in.
    pub(crate) fn count_text(&mut self, bytes: usize, bounds: &Bounds) -> Result<()> {
        self.text_bytes += bytes;
        if self.text_bytes > bounds.text_bytes {
            return Err(limit_exceeded("bytes of text in one call", "text_bytes"));
        }
        Ok(())
    }

    /// Adds a part to the key.
    pub(crate) fn add_part(&mut self, part: KeyPart, bounds: &Bounds) -> Result<()> {
        if let KeyPart::Custom { name, value } = &part {
            self.part_bytes += name.len() + value.len();
        }
        if self.parts.len() >= bounds.key_parts {
            return Err(limit_exceeded("parts in a key", "key_parts"));
        }
        if self.part_bytes > bounds.key_bytes {
            return Err(limit_exceeded("bytes in a key", "key_bytes"));
        }
        self.parts.push(part);
        Ok(())
    }

    /// Adds an edit that inserts `new_bytes` bytes.
    pub(crate) fn add_edit(&mut self, edit: Edit, new_bytes: usize, bounds: &Bounds) -> Result<()> {
        self.edit_bytes += new_bytes;
        if self.edits.len() >= bounds.edits {
            return Err(limit_exceeded("edits of one message", "edits"));
        }
        if self.edit_bytes > bounds.edit_bytes {
            return Err(limit_exceeded(
                "bytes of edits of one message",
                "edit_bytes",
            ));
        }
        self.edits.push(edit);
        Ok(())
    }

    /// Adds a declared redaction rule.
    pub(crate) fn add_rule(&mut self, rule: RuleDeclaration, bounds: &Bounds) -> Result<()> {
        if self.rules.len() >= bounds.rules {
            return Err(limit_exceeded("rules of one redactor", "rules"));
        }
        self.rules.push(rule);
        Ok(())
    }

    /// Adds a declared condition.
    pub(crate) fn add_condition(
        &mut self,
        predicate: SkipPredicate,
        reason: String,
        bounds: &Bounds,
    ) -> Result<()> {
        if self.conditions.len() >= bounds.rules {
            return Err(limit_exceeded("conditions of one policy", "rules"));
        }
        self.conditions.push(Condition { predicate, reason });
        Ok(())
    }

    /// Sets a tag; a later tag of the same name replaces an earlier one.
    pub(crate) fn set_tag(&mut self, name: String, value: String, bounds: &Bounds) -> Result<()> {
        self.tags.retain(|(known, _)| *known != name);
        if self.tags.len() >= bounds.key_parts {
            return Err(limit_exceeded("tags on one exchange", "key_parts"));
        }
        self.tags.push((name, value));
        Ok(())
    }
}

fn limit_exceeded(what: &str, limit: &str) -> Error {
    Error::msg(format!("too many {what} (limits.plugin_{limit})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    fn bounds(limits: &Limits) -> Bounds {
        Bounds::from(limits)
    }

    fn part(value: &'static [u8]) -> KeyPart {
        KeyPart::Custom {
            name: "part".to_owned(),
            value: value.into(),
        }
    }

    #[test]
    fn counts_parts_and_bytes_of_a_key() {
        let limits = Limits {
            plugin_key_parts: 2,
            plugin_key_bytes: 20,
            ..Limits::default()
        };
        let bounds = bounds(&limits);
        let mut output = CallOutput::default();
        output.add_part(KeyPart::Method, &bounds).unwrap();
        output.add_part(part(b"short"), &bounds).unwrap();
        let error = output.add_part(KeyPart::Path, &bounds).unwrap_err();
        assert!(
            error.to_string().contains("limits.plugin_key_parts"),
            "{error}"
        );
        let mut output = CallOutput::default();
        let error = output.add_part(part(b"longer than the limit"), &bounds);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("limits.plugin_key_bytes"), "{error}");
    }

    #[test]
    fn a_replaced_tag_does_not_count_twice() {
        let limits = Limits {
            plugin_key_parts: 1,
            ..Limits::default()
        };
        let bounds = bounds(&limits);
        let mut output = CallOutput::default();
        for value in ["first", "second"] {
            let (name, value) = ("kind".to_owned(), value.to_owned());
            output.set_tag(name, value, &bounds).unwrap();
        }
        assert_eq!(output.tags, [("kind".to_owned(), "second".to_owned())]);
        let error = output.set_tag("other".to_owned(), String::new(), &bounds);
        assert!(error.unwrap_err().to_string().contains("too many tags"));
    }
}
