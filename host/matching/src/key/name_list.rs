//! Lists of names in which a trailing `*` stands for every name that begins so.

/// Names of query parameters or headers that a part of a key leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    whole: Vec<String>,
    prefixes: Vec<String>,
}

impl Names {
    /// Names that compare exactly, as those of query parameters do.
    pub fn exact(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = Self::default();
        for name in names {
            list.add(name.as_ref());
        }
        list
    }

    /// Names of headers, which compare without case: [`Names::cover`] then takes names in lower
    /// case, as [`http::HeaderName`] has them.
    pub fn any_case(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = Self::default();
        for name in names {
            list.add(&name.as_ref().to_ascii_lowercase());
        }
        list
    }

    /// True where the name is in the list or begins as one that ends in `*`.
    pub fn cover(&self, name: &str) -> bool {
        self.whole.iter().any(|own| own == name)
            || self.prefixes.iter().any(|own| name.starts_with(own))
    }

    fn add(&mut self, name: &str) {
        match name.strip_suffix('*') {
            Some(prefix) => self.prefixes.push(prefix.to_owned()),
            None => self.whole.push(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

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
            assert_eq!(Names::exact(names).cover(name), exact, "{names:?} {name}");
            assert_eq!(
                Names::any_case(names).cover(name),
                any_case,
                "{names:?} {name}"
            );
        }
    }
}
