//! The names that several members of a JSON object have. Few objects have any.

/// Finds the names that are repeated. It keeps the memory that this takes.
#[derive(Debug, Default)]
pub(super) struct RepeatedNames {
    sorted: Vec<u64>,
}

/// The repeated names of one object, and how many members of each were counted.
#[derive(Debug, Default)]
pub(super) struct Repeated(Vec<(u64, u64)>);

impl RepeatedNames {
    /// The names that occur more than once, by their digests.
    pub(super) fn find(&mut self, names: impl Iterator<Item = u128>) -> Repeated {
        self.sorted.clear();
        self.sorted.extend(names.map(short));
        if self.sorted.len() < 2 {
            return Repeated::default();
        }
        self.sorted.sort_unstable();
        let groups = self.sorted.chunk_by(PartialEq::eq);
        let repeated = groups.filter(|group| group.len() > 1);
        Repeated(repeated.map(|group| (group[0], 0)).collect())
    }
}

impl Repeated {
    /// Counts a member. Returns the number of members of its name before it.
    pub(super) fn count(&mut self, name: u128) -> u128 {
        let found = self.0.binary_search_by_key(&short(name), |(name, _)| *name);
        let Some((_, count)) = found.ok().and_then(|at| self.0.get_mut(at)) else {
            return 0;
        };
        *count += 1;
        u128::from(*count - 1)
    }
}

/// Half of a digest tells names apart.
fn short(digest: u128) -> u64 {
    (digest & u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_repeated_name_are_counted() {
        let mut names = RepeatedNames::default();
        let object = [5, 1, 5, 9, 1, 5];
        let mut repeated = names.find(object.into_iter());
        let counts = object.map(|name| repeated.count(name));
        assert_eq!(counts, [0, 0, 1, 0, 1, 2]);
        assert!(names.find([1, 2].into_iter()).0.is_empty());
    }
}
