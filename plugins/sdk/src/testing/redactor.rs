//! Calls a redactor in a test.

use std::cell::{Cell, RefCell};

use super::environment::{self, Phase};
use super::{Placeholder, Sample};
use crate::Redactor;

/// A rule that a redactor declared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the methods of `Rules`")]
pub enum Rule {
    Header { name: String, class: String },
    Query { name: String, class: String },
    Form { name: String, class: String },
    JsonMember { name: String, class: String },
    Json { pointer: String, class: String },
    Pattern { regex: String, class: String },
    VolatileHeader { name: String },
}

/// A change that a redactor asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the methods of `Edit`")]
pub enum Change {
    SetHeader {
        name: String,
        values: Vec<Vec<u8>>,
    },
    RemoveHeader {
        name: String,
    },
    Replace {
        start: u64,
        end: u64,
        bytes: Vec<u8>,
    },
    ReplaceJson {
        pointer: String,
        text: String,
    },
    SetTarget {
        target: String,
    },
}

impl Change {
    /// The JSON value at a pointer is replaced by this text.
    #[must_use]
    pub fn replace_json(pointer: &str, text: &str) -> Self {
        Self::ReplaceJson {
            pointer: pointer.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// What a redactor declared, and its edits of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    declared: Vec<Rule>,
    edits: Vec<Change>,
    hold: u32,
    placeholders: Vec<Placeholder>,
}

impl Redacted {
    /// What `prepare` declared.
    #[must_use]
    pub fn declared(&self) -> &[Rule] {
        &self.declared
    }

    /// The changes that `redact` asked for, in order.
    #[must_use]
    pub fn edits(&self) -> &[Change] {
        &self.edits
    }

    /// How many bytes of a part of a stream the redactor holds.
    #[must_use]
    pub fn hold(&self) -> u32 {
        self.hold
    }

    /// The placeholders that the plugin asked for, in order, each once.
    #[must_use]
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }
}

/// Calls a redactor: `prepare`, and `redact` if `prepare` asked for it. The numbers of placeholders
/// start again in each call.
pub fn redact<P: Redactor>(message: &Sample) -> Result<Redacted, String> {
    environment::reset();
    let rules = crate::Rules(Rules::default());
    environment::run(Phase::Prepare, || P::prepare(&rules))?;
    let edit = crate::Edit(Edit::default());
    if rules.0.is_called.get() {
        let message = message.view();
        environment::run(Phase::Call, || P::redact(&message, &edit))?;
    }
    Ok(Redacted {
        declared: rules.0.rules.into_inner(),
        edits: edit.0.changes.into_inner(),
        hold: edit.0.hold.get(),
        placeholders: environment::placeholders(),
    })
}

/// Records the calls of the contract's methods.
#[derive(Default)]
pub(crate) struct Rules {
    rules: RefCell<Vec<Rule>>,
    is_called: Cell<bool>,
}

impl Rules {
    pub(crate) fn header(&self, name: &str, class: &str) {
        let (name, class) = (name.to_owned(), class.to_owned());
        self.add(Rule::Header { name, class });
    }

    pub(crate) fn query(&self, name: &str, class: &str) {
        let (name, class) = (name.to_owned(), class.to_owned());
        self.add(Rule::Query { name, class });
    }

    pub(crate) fn form(&self, name: &str, class: &str) {
        let (name, class) = (name.to_owned(), class.to_owned());
        self.add(Rule::Form { name, class });
    }

    pub(crate) fn json_member(&self, name: &str, class: &str) {
        let (name, class) = (name.to_owned(), class.to_owned());
        self.add(Rule::JsonMember { name, class });
    }

    pub(crate) fn json(&self, pointer: &str, class: &str) {
        let (pointer, class) = (pointer.to_owned(), class.to_owned());
        self.add(Rule::Json { pointer, class });
    }

    pub(crate) fn pattern(&self, regex: &str, class: &str) {
        let (regex, class) = (regex.to_owned(), class.to_owned());
        self.add(Rule::Pattern { regex, class });
    }

    pub(crate) fn volatile_header(&self, name: &str) {
        let name = name.to_owned();
        self.add(Rule::VolatileHeader { name });
    }

    pub(crate) fn ask(&self) {
        self.is_called
            .set(environment::require_phase(Phase::Prepare, "ask"));
    }

    fn add(&self, rule: Rule) {
        self.rules.borrow_mut().push(rule);
    }
}

/// Records the calls of the contract's methods.
#[derive(Default)]
pub(crate) struct Edit {
    changes: RefCell<Vec<Change>>,
    hold: Cell<u32>,
}

impl Edit {
    pub(crate) fn set_header(&self, name: &str, values: &[&[u8]]) {
        self.add(Change::SetHeader {
            name: name.to_owned(),
            values: values.iter().map(|value| value.to_vec()).collect(),
        });
    }

    pub(crate) fn remove_header(&self, name: &str) {
        let name = name.to_owned();
        self.add(Change::RemoveHeader { name });
    }

    pub(crate) fn replace(&self, start: u64, end: u64, bytes: &[u8]) {
        let bytes = bytes.to_owned();
        self.add(Change::Replace { start, end, bytes });
    }

    pub(crate) fn replace_json(&self, pointer: &str, text: &str) {
        self.add(Change::replace_json(pointer, text));
    }

    pub(crate) fn set_target(&self, target: &str) {
        let target = target.to_owned();
        self.add(Change::SetTarget { target });
    }

    pub(crate) fn hold(&self, bytes: u32) {
        self.hold.set(bytes);
    }

    fn add(&self, change: Change) {
        self.changes.borrow_mut().push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Rule, redact};
    use crate::testing::{json, part};
    use crate::{Answer, Edit, Message, Redactor, Rules, placeholder};

    struct Mail;

    impl Redactor for Mail {
        fn prepare(rules: &Rules) -> Answer {
            rules.json_member("pin", "pin");
            rules.ask();
            Ok(())
        }

        fn redact(message: &Message, edit: &Edit) -> Answer {
            for pointer in ["/from", "/to"] {
                if let Some(mail) = message.json_as::<String>(pointer)? {
                    edit.replace_json_with(pointer, placeholder("e-mail", mail))?;
                }
            }
            edit.hold(4);
            Ok(())
        }
    }

    #[test]
    fn edits_and_placeholders_are_listed_in_order() {
        let message = part("message").json(json!({"from": "a@b.c", "to": "a@b.c"}));
        let redacted = redact::<Mail>(&message).unwrap();
        let rule = Rule::JsonMember {
            name: "pin".to_owned(),
            class: "pin".to_owned(),
        };
        assert_eq!(redacted.declared(), [rule]);
        let edits = ["/from", "/to"].map(|at| Change::replace_json(at, r#""<e-mail-1>""#));
        assert_eq!(redacted.edits(), edits);
        assert_eq!((redacted.hold(), redacted.placeholders().len()), (4, 1));
        assert_eq!(redacted.placeholders()[0].secret, b"a@b.c");
    }

    #[test]
    fn a_value_of_another_type_is_an_error() {
        let error = redact::<Mail>(&part("message").json(json!({"to": 1}))).unwrap_err();
        assert!(error.starts_with("`/to`: invalid type"), "{error}");
    }
}
