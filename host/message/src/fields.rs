//! Header fields as a list that keeps order and repetition (RFC 9110, section 5.3).

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header or trailer fields in the order in which they were sent. A name may occur several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// An empty list with room for `capacity` fields.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
    }

    /// All fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// All values of a name in order. The name is in lower case.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HeaderValue> {
        self.0
            .iter()
            .filter(move |(field, _)| field.as_str() == name)
            .map(|(_, value)| value)
    }

    /// The first value of a name, if it is text. The name is in lower case.
    pub fn get_str<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.get_all(name)
            .next()
            .and_then(|value| value.to_str().ok())
    }

    /// Removes the fields for which `keep` is false. The order does not change.
    pub fn retain(&mut self, mut keep: impl FnMut(&HeaderName, &HeaderValue) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// All fields with mutable values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = (&HeaderName, &mut HeaderValue)> {
        self.0.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// Replaces all fields of `name` by `values`, at the position of the first one, or else at the
    /// end.
    pub fn set(&mut self, name: &HeaderName, values: Vec<HeaderValue>) {
        let first = self.0.iter().position(|(field, _)| field == name);
        self.0.retain(|(field, _)| field != name);
        let index = first.unwrap_or(self.0.len());
        let new = values.into_iter().map(|value| (name.clone(), value));
        self.0.splice(index..index, new);
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields as a map of the `http` crate.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            map.append(name.clone(), value.clone());
        }
        map
    }
}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        Self(
            map.iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for Fields {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn set_replaces_at_the_position_of_the_first() {
        let mut list = fields(&[("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")]);
        list.set(
            &HeaderName::from_static("a"),
            vec![HeaderValue::from_static("x")],
        );
        assert_eq!(list, fields(&[("a", "x"), ("b", "2"), ("c", "4")]));
    }

    #[test]
    fn repeated_fields_keep_their_order() {
        let list = fields(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]);
        let map = list.to_map();
        assert_eq!(Fields::from(&map), list);
    }
}
