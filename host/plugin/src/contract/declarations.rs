//! What the roles of a plugin declare in `prepare`.

use super::roles::Role;
use crate::condition::Condition;
use ouli_matching::key::KeyPart;
use ouli_redaction::RuleDeclaration;

/// What one role declared.
#[derive(Debug)]
pub(crate) struct Declared<T> {
    /// What the host applies by itself.
    pub(crate) items: Vec<T>,
    /// The role is also called for each message.
    pub(crate) is_called: bool,
}

/// What all roles of a plugin declared.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    pub(crate) matcher: Option<Declared<KeyPart>>,
    pub(crate) redactor: Option<Declared<RuleDeclaration>>,
    pub(crate) policy: Option<Declared<Condition>>,
}

impl Declarations {
    /// The roles of the plugin.
    pub(crate) fn roles(&self) -> impl Iterator<Item = Role> + use<> {
        let role = |name, is_called| Role { name, is_called };
        let matcher = self
            .matcher
            .as_ref()
            .map(|it| role("matcher", it.is_called));
        let redactor = self
            .redactor
            .as_ref()
            .map(|it| role("redactor", it.is_called));
        let policy = self
            .policy
            .as_ref()
            .map(|it| role("recording-policy", it.is_called));
        [matcher, redactor, policy].into_iter().flatten()
    }

    /// True if one of the roles is called for each message.
    pub(crate) fn has_called_role(&self) -> bool {
        self.roles().any(|role| role.is_called)
    }

    /// The declarations as lines of text.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(Declared { items, is_called }) = &self.matcher {
            let parts: Vec<_> = items.iter().map(KeyPart::name).collect();
            let parts = parts.join(", ");
            lines.push(format!("matcher: {parts}{}", called_suffix(*is_called)));
        }
        if let Some(Declared { items, is_called }) = &self.redactor {
            let count = items.len();
            let suffix = called_suffix(*is_called);
            lines.push(format!("redactor: {count} rules{suffix}"));
            lines.extend(wrap(items.iter().map(RuleDeclaration::id)));
        }
        if let Some(Declared { items, is_called }) = &self.policy {
            let count = items.len();
            let suffix = called_suffix(*is_called);
            lines.push(format!("recording-policy: {count} conditions{suffix}"));
            lines.extend(wrap(items.iter().map(ToString::to_string)));
        }
        lines
    }
}

fn called_suffix(is_called: bool) -> &'static str {
    match is_called {
        true => ", called per message",
        false => "",
    }
}

/// The items, separated by commas, in indented lines of a terminal's width.
fn wrap(items: impl Iterator<Item = String>) -> Vec<String> {
    const WIDTH: usize = 90;
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.len() + item.len() < WIDTH => {
                line.push_str(", ");
                line.push_str(&item);
            }
            Some(_) | None => lines.push(format!("  {item}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_each_role_and_whether_it_is_called() {
        let declarations = Declarations {
            matcher: Some(Declared {
                items: vec![KeyPart::Method, KeyPart::Path],
                is_called: true,
            }),
            redactor: None,
            policy: Some(Declared {
                items: Vec::new(),
                is_called: false,
            }),
        };
        let expected = [
            "matcher: method, path, called per message",
            "recording-policy: 0 conditions",
        ];
        assert_eq!(declarations.describe(), expected);
        assert!(declarations.has_called_role());
        let names: Vec<_> = declarations.roles().map(|role| role.name).collect();
        assert_eq!(names, ["matcher", "recording-policy"]);
    }

    #[test]
    fn long_lists_are_wrapped() {
        let lines = wrap((0..10).map(|_| "a".repeat(30)));
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.len() < 100), "{lines:?}");
    }
}
