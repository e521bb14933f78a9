//! The redaction rules as plugins declare them.

/// A rule as a plugin declares it. The class names the kind of secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleDeclaration {
    /// The value of a header.
    Header {
        /// Case-insensitive name; `*` matches any characters.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The value of a query parameter.
    Query {
        /// Case-insensitive name; `*` matches any characters.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The value of a form field, urlencoded or multipart.
    Form {
        /// Case-insensitive name; `*` matches any characters.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The value of a JSON member at any depth.
    JsonMember {
        /// Name, compared without case, `-` and `_`; `*` matches any characters.
        name: String,
        /// The kind of secret.
        class: String,
    },
    /// The JSON value at a pointer.
    Json {
        /// JSON pointer; the step `*` matches every index or member.
        pointer: String,
        /// The kind of secret.
        class: String,
    },
    /// The matches of a regular expression.
    Pattern {
        /// The expression. The secret is its first group, or the whole match without a group.
        regex: String,
        /// The kind of secret.
        class: String,
    },
    /// A response header that changes with every recording and is dropped.
    VolatileHeader {
        /// Case-insensitive name; `*` matches any characters.
        name: String,
    },
}

impl RuleDeclaration {
    /// The id that reports show and that disables the rule.
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

    /// The kind of secret. None for volatile headers.
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

    /// The name that the rule matches. None for pointers and expressions.
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
    fn ids_hold_kind_and_name() {
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
