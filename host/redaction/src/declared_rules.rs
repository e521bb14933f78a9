//! The rules of redaction as plugins declare them.

/// A rule as a plugin declares it. Classes name the kind of secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleDeclaration {
    /// The value of a header.
    Header {
        /// Its name; a `*` stands for any run of characters.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The value of a parameter of a query.
    Query {
        /// Its name, which compares without case.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The value of a field of a form, urlencoded or multipart.
    Form {
        /// Its name, which compares without case.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The value of a JSON member at any depth.
    JsonMember {
        /// Its name, which compares without case, `-` and `_`.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The JSON value at a pointer.
    Json {
        /// The pointer; a step `*` stands for every index or member.
        pointer: String,
        /// The kind of secret.
        class: String,
    },
    /// What a regular expression finds.
    Pattern {
        /// The expression; its first group, or all of it, is the secret.
        regex: String,
        /// The kind of secret.
        class: String,
    },
    /// A response header that changes from run to run and is left out.
    VolatileHeader {
        /// Its name; a `*` stands for any run of characters.
        name: String,
    },
}

impl RuleDeclaration {
    /// The id, which reports show and which switches the rule off.
    pub fn id(&self) -> String {
        let (kind, name) = match self {
            Self::Header { name, .. } => ("header", name),
            Self::Query { name, .. } => ("query", name),
            Self::Form { name, .. } => ("form", name),
            Self::JsonMember { name, .. } => ("json", name),
            Self::Json { pointer, .. } => return format!("pointer.{pointer}"),
            Self::Pattern { class, .. } => ("pattern", class),
            Self::VolatileHeader { name } => ("volatile", name),
        };
        format!("{kind}.{}", name.to_lowercase())
    }

    /// The kind of secret; volatile headers are none.
    pub(super) fn class(&self) -> Option<&str> {
        match self {
            Self::Header { class, .. }
            | Self::Query { class, .. }
            | Self::Form { class, .. }
            | Self::JsonMember { class, .. }
            | Self::Json { class, .. }
            | Self::Pattern { class, .. } => Some(class),
            Self::VolatileHeader { .. } => None,
        }
    }

    /// The name that it looks for; pointers and expressions have none.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Header { name, .. }
            | Self::Query { name, .. }
            | Self::Form { name, .. }
            | Self::JsonMember { name, .. }
            | Self::VolatileHeader { name } => Some(name),
            Self::Json { .. } | Self::Pattern { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_kind_and_subject() {
        let text = str::to_owned;
        let cases = [
            (
                RuleDeclaration::Header {
                    name: text("Authorization"),
                    class: text("x"),
                },
                "header.authorization",
            ),
            (
                RuleDeclaration::Query {
                    name: text("Sig"),
                    class: text("x"),
                },
                "query.sig",
            ),
            (
                RuleDeclaration::Form {
                    name: text("password"),
                    class: text("x"),
                },
                "form.password",
            ),
            (
                RuleDeclaration::JsonMember {
                    name: text("Password"),
                    class: text("x"),
                },
                "json.password",
            ),
            (
                RuleDeclaration::Json {
                    pointer: text("/A/b"),
                    class: text("x"),
                },
                "pointer./A/b",
            ),
            (
                RuleDeclaration::Pattern {
                    regex: text("a"),
                    class: text("jwt"),
                },
                "pattern.jwt",
            ),
            (
                RuleDeclaration::VolatileHeader { name: text("Date") },
                "volatile.date",
            ),
        ];
        for (rule, id) in cases {
            assert_eq!(rule.id(), id);
        }
    }
}
