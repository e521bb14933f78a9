//! Lists of names in which a trailing `*` matches any suffix.

/// Names of query parameters or headers that a part of a key excludes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExcludedNames {
    exact_names: Vec<String>,
    prefixes: Vec<String>,
}

impl ExcludedNames {
    /// Case-sensitive names, for query parameters.
    pub fn exact(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = Self::default();
        for name in names {
            list.add(name.as_ref());
        }
        list
    }

    /// Case-insensitive names, for headers. Pass lower-case names, such as those of
    /// [`http::HeaderName`], to [`ExcludedNames::contains`].
    pub fn case_insensitive(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = Self::default();
        for name in names {
            list.add(&name.as_ref().to_ascii_lowercase());
        }
        list
    }

    /// True if the list contains the name or a prefix of it that ends in `*`.
    pub fn contains(&self, name: &str) -> bool {
        self.exact_names.iter().any(|exact| exact == name)
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// The same list with one more name; in lower case for a list of headers.
    #[must_use]
    pub fn with(&self, name: &str) -> Self {
        let mut list = self.clone();
        list.add(name);
        list
    }

    fn add(&mut self, name: &str) {
        match name.strip_suffix('*') {
            Some(prefix) => self.prefixes.push(prefix.to_owned()),
            None => self.exact_names.push(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExcludedNames;

    #[test]
    fn matches_exact_names_and_prefixes() {
        let cases: [(&[&str], &str, bool, bool); 8] = [
            (&[], "a", false, false),
            (&["a"], "a", true, true),
            (&["a"], "ab", false, false),
            (&["a*"], "ab", true, true),
            (&["a*"], "ba", false, false),
            (&["*"], "", true, true),
            (&["X-Trace*", "date"], "x-trace-id", false, true),
            (&["a*b"], "axb", false, false),
        ];
        for (names, name, exact, any_case) in cases {
            assert_eq!(
                ExcludedNames::exact(names).contains(name),
                exact,
                "{names:?} {name}"
            );
            assert_eq!(
                ExcludedNames::case_insensitive(names).contains(name),
                any_case,
                "{names:?} {name}"
            );
        }
    }
}
