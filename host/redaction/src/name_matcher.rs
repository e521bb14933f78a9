//! Maps the names in rules to values. Most names are in no rule and are rejected by a cheap test.

use std::collections::HashMap;

use ouli_message::glob;

/// A map with case-insensitive names.
#[derive(Clone, Debug)]
pub(super) struct NameMap<T> {
    exact: HashMap<Box<str>, T>,
    /// Names in which `*` matches any characters.
    globs: Vec<(Box<str>, T)>,
    /// For each first letter, a bit for each length of the names that begin with it.
    length_bits: [u64; 32],
    /// Characters that are ignored in comparisons.
    ignored: &'static [u8],
}

impl<T> NameMap<T> {
    /// An empty map. Comparisons ignore the `ignored` characters.
    pub(super) fn new(ignored: &'static [u8]) -> Self {
        Self {
            exact: HashMap::new(),
            globs: Vec::new(),
            length_bits: [0; 32],
            ignored,
        }
    }

    /// Adds a name. The first of two equal names is kept.
    pub(super) fn add(&mut self, name: &str, value: T) {
        let folded = self.folded(name);
        if folded.contains(['*']) {
            self.globs.push((folded.into(), value));
            return;
        }
        let (first, length) = length_bit(folded.as_bytes());
        self.length_bits[first] |= length;
        self.exact.entry(folded.into()).or_insert(value);
    }

    /// The value of an exact name, otherwise of the first glob that matches.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        if self.ignored.is_empty() && self.globs.is_empty() && !self.may_contain(name) {
            return None;
        }
        let mut buffer = [0; BUFFER];
        let folded = match self.fold_into(name, &mut buffer) {
            Some(size) => std::str::from_utf8(&buffer[..size]).unwrap_or_default(),
            None => return self.look_up(&self.folded(name)),
        };
        self.look_up(folded)
    }

    fn look_up(&self, folded: &str) -> Option<&T> {
        let exact = self.may_contain(folded).then(|| self.exact.get(folded));
        exact.flatten().or_else(|| {
            let fits = |(pattern, _): &&(Box<str>, T)| glob::matches(pattern, folded);
            self.globs.iter().find(fits).map(|(_, value)| value)
        })
    }

    /// True if some name has this first letter, in any case, and this length.
    fn may_contain(&self, name: &str) -> bool {
        let (first, length) = length_bit(name.as_bytes());
        self.length_bits[first] & length != 0
    }

    fn fold_into(&self, name: &str, buffer: &mut [u8; BUFFER]) -> Option<usize> {
        let mut size = 0;
        for byte in name.bytes().filter(|byte| !self.ignored.contains(byte)) {
            *buffer.get_mut(size)? = byte.to_ascii_lowercase();
            size += 1;
        }
        Some(size)
    }

    fn folded(&self, name: &str) -> String {
        let kept = name.chars().filter(|c| {
            u8::try_from(*c).is_ok_and(|byte| !self.ignored.contains(&byte)) || !c.is_ascii()
        });
        kept.map(|c| c.to_ascii_lowercase()).collect()
    }
}

/// Names up to this length are folded on the stack.
const BUFFER: usize = 64;

fn length_bit(name: &[u8]) -> (usize, u64) {
    let first = name.first().map_or(0, |byte| usize::from(byte % 32));
    (first, 1 << name.len().min(63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_ignored_characters() {
        let mut names = NameMap::new(b"-_");
        names.add("Access_Token", 1);
        names.add("accesstoken", 2);
        names.add("é", 3);
        let long = "l".repeat(100);
        names.add(&long, 4);
        for (name, expected) in [
            ("access-token", Some(1)),
            ("ACCESSTOKEN", Some(1)),
            ("é", Some(3)),
            (&long.to_uppercase(), Some(4)),
            ("access", None),
            ("", None),
            ("É", None),
        ] {
            assert_eq!(names.get(name), expected.as_ref(), "{name}");
        }
    }

    #[test]
    fn exact_names_precede_globs() {
        let mut names = NameMap::new(b"");
        names.add("X-Amz-*", 1);
        names.add("*-token", 2);
        names.add("x-amz-date", 3);
        for (name, expected) in [
            ("x-amz-date", Some(3)),
            ("X-AMZ-Key", Some(1)),
            ("my-token", Some(2)),
            ("token", None),
        ] {
            assert_eq!(names.get(name), expected.as_ref(), "{name}");
        }
    }
}
