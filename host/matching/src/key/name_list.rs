//! Lists of names in which a trailing `*` stands for every name that begins so.

/// Names of query parameters or headers that a part of a key leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExcludedNames {
    exact_names: Vec<String>,
    prefixes: Vec<String>,
}

impl ExcludedNames {
    /// Names that compare exactly, as those of query parameters do.
    pub fn exact(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = Self::default();
        for name in names {
            list.add(name.as_ref());
        }
        list
    }

    /// Names of headers, which compare without case: [`ExcludedNames::contains`] then takes names in lower
    /// case, as [`http::HeaderName`] has them.
    pub fn case_insensitive(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = Self::default();
        for name in names {
            list.add(&name.as_ref().to_ascii_lowercase());
        }
        list
    }

    /// True where the name is in the list or begins as one that ends in `*`.
    pub fn contains(&self, name: &str) -> bool {
        self.exact_names.iter().any(|own| own == name)
            || self.prefixes.iter().any(|own| name.starts_with(own))
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
    fn names_cover_themselves_and_what_begins_so() {
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
