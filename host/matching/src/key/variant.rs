//! What selected a recorded response among several for one resource (RFC 9110, section 12.1; RFC
//! 9111, section 4.1): the header fields that its `vary` names, and `accept`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::accept::{ACCEPT, accepts};
use super::name_list::ExcludedNames;
use super::part::KeyPart;
use super::selecting_fields::{SelectingFields, length};
use ouli_message::Fields;

/// What selected a recorded response, as far as the parts of its key say that it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    criteria: Arc<Criteria>,
    /// The values of the recorded request for these criteria.
    values: Box<[u8]>,
}

/// By what a server selects a response. Most variants of a resource have the same criteria and
/// other values.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// The fields that `vary` names, sorted.
    names: Box<[Box<str>]>,
    /// The type of the response, if the recorded request accepts it and `vary` does not name
    /// `accept`. One that it did not ask for says nothing about `accept`, for example that of an
    /// error page.
    content_type: Option<Box<str>>,
}

impl Criteria {
    /// The values of a request by which the server selects. None if it does not accept the type.
    pub fn values(&self, live: &SelectingFields<'_>) -> Option<Vec<u8>> {
        self.has_accepted_type(live).then(|| self.encoded(live))
    }

    /// The values of the fields that a request has. Those that it lacks are left out, so there may
    /// be many names.
    fn encoded(&self, request: &SelectingFields<'_>) -> Vec<u8> {
        let mut values = Vec::new();
        for (place, value) in request.among(&self.names) {
            values.extend_from_slice(&length(place));
            values.extend_from_slice(&length(value.len()));
            values.extend_from_slice(value);
        }
        values
    }

    fn has_accepted_type(&self, live: &SelectingFields<'_>) -> bool {
        let content_type = self.content_type.as_deref();
        content_type.is_none_or(|it| accepts(live.request, it))
    }
}

impl Variant {
    /// What selected the response to a recorded request with a key of these parts.
    pub fn of<'a>(
        parts: impl IntoIterator<Item = &'a KeyPart>,
        request: &Fields,
        response: &Fields,
    ) -> Self {
        let rules = parts.into_iter().filter_map(|part| match part {
            KeyPart::Vary { except } => Some(except),
            _ => None,
        });
        let rules: Vec<&ExcludedNames> = rules.collect();
        if rules.is_empty() {
            return Self::default();
        }
        let counts = |name: &str| rules.iter().any(|except| !except.contains(name));
        let mut names: Vec<_> = varying(response).filter(|name| counts(name)).collect();
        names.sort_unstable();
        names.dedup();
        let names: Box<[Box<str>]> = names.into_iter().map(String::into_boxed_str).collect();
        let is_listed = names.binary_search_by(|name| (**name).cmp(ACCEPT)).is_ok();
        let content_type = response.get_str("content-type");
        let content_type = content_type.filter(|_| !is_listed && counts(ACCEPT));
        let criteria = Criteria {
            names,
            content_type: content_type
                .filter(|content_type| accepts(request, content_type))
                .map(Box::from),
        };
        let values = match criteria.names.is_empty() {
            true => Vec::new(),
            false => criteria.encoded(&SelectingFields::of(request)),
        };
        Self {
            criteria: Arc::new(criteria),
            values: values.into_boxed_slice(),
        }
    }

    /// True if it suits every request.
    pub fn is_any(&self) -> bool {
        self.criteria.names.is_empty() && self.criteria.content_type.is_none()
    }

    /// By what the server selected.
    pub fn criteria(&self) -> &Arc<Criteria> {
        &self.criteria
    }

    /// The values of the recorded request, as [`Criteria::values`] has those of a live one.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// The same with criteria that are equal, so that many variants share them.
    #[must_use]
    pub fn with_shared(self, criteria: &Arc<Criteria>) -> Self {
        debug_assert_eq!(self.criteria, *criteria);
        Self {
            criteria: Arc::clone(criteria),
            values: self.values,
        }
    }

    /// True if the server would select the response for a live request with these fields too.
    pub fn suits(&self, live: &SelectingFields<'_>) -> bool {
        let mut recorded = self.recorded();
        let mut live_values = live.among(&self.criteria.names);
        recorded.by_ref().eq(live_values.by_ref()) && self.criteria.has_accepted_type(live)
    }

    /// The names of the fields for which the server may have selected another response, each once.
    pub fn mismatches(&self, live: &Fields) -> Vec<&str> {
        let live = SelectingFields::of(live);
        let names = &self.criteria.names;
        let recorded: BTreeMap<usize, &[u8]> = self.recorded().collect();
        let mut differing: BTreeMap<usize, &[u8]> = live.among(names).collect();
        for (place, value) in recorded {
            match differing.get(&place) {
                Some(live) if *live == value => differing.remove(&place),
                _ => differing.insert(place, value),
            };
        }
        let accept = (!self.criteria.has_accepted_type(&live)).then_some(ACCEPT);
        let differing = differing.into_keys().map(|place| &*names[place]);
        differing.chain(accept).collect()
    }

    /// The places of the names that the recorded request has, and the encoded values.
    fn recorded(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut rest = &*self.values;
        std::iter::from_fn(move || {
            let place = take_length(&mut rest)?;
            let length = take_length(&mut rest)?;
            Some((place, rest.split_off(..length)?))
        })
    }
}

/// The length or the place with which bytes begin.
fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let bytes = rest.split_off(..8)?;
    usize::try_from(u64::from_be_bytes(bytes.try_into().ok()?)).ok()
}

/// The names in `vary`, in lower case. `*` says that something else than the request selected, and
/// a coding is negotiated with each client anew.
fn varying(response: &Fields) -> impl Iterator<Item = String> {
    let values = response.get_all("vary");
    let texts = values.filter_map(|value| value.to_str().ok());
    let names = texts.flat_map(|text| text.split(',').map(str::trim));
    let names = names.map(str::to_ascii_lowercase);
    names.filter(|name| !["", "*", "accept-encoding"].contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    type Pairs<'a> = &'a [(&'static str, &'static str)];

    fn fields(pairs: Pairs<'_>) -> Fields {
        let pairs = pairs.iter().map(|&(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    fn rule(except: &[&str]) -> KeyPart {
        KeyPart::Vary {
            except: ExcludedNames::case_insensitive(except),
        }
    }

    fn mismatches(recorded: Pairs<'_>, response: Pairs<'_>, live: Pairs<'_>) -> Vec<String> {
        let parts = [rule(&["user-agent", "sec-*"])];
        let variant = Variant::of(&parts, &fields(recorded), &fields(response));
        let live = fields(live);
        let found: Vec<_> = variant
            .mismatches(&live)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let live = SelectingFields::of(&live);
        assert_eq!(variant.suits(&live), found.is_empty());
        let values = variant.criteria().values(&live);
        assert_eq!(
            values.as_deref() == Some(variant.values()),
            found.is_empty()
        );
        let none = Variant::of(&[KeyPart::Path], &fields(recorded), &fields(response));
        assert!(none.is_any() && none.suits(&live));
        found
    }

    const GERMAN: (&str, &str) = ("accept-language", "de");
    const FRENCH: (&str, &str) = ("accept-language", "fr");

    #[test]
    fn what_vary_names_counts() {
        let by = |names: &'static str, recorded: Pairs<'_>, live: Pairs<'_>| {
            mismatches(recorded, &[("vary", names)], live)
        };
        let language = ["accept-language"];
        assert!(by("Accept-Language", &[GERMAN], &[GERMAN]).is_empty());
        assert_eq!(by("Accept-Language", &[GERMAN], &[FRENCH]), language);
        assert_eq!(by("x-a, Accept-Language", &[GERMAN], &[]), language);
        assert_eq!(
            by("accept-language", &[], &[("accept-language", "")]),
            language
        );
        assert_eq!(
            by("accept-language, Accept-Language", &[], &[FRENCH]),
            language
        );
        assert!(by("x-a", &[GERMAN], &[FRENCH]).is_empty());
        for (ignored, name) in [
            ("*", "x-a"),
            ("Accept-Encoding", "accept-encoding"),
            ("User-Agent", "user-agent"),
            ("sec-fetch-mode", "sec-fetch-mode"),
        ] {
            assert!(by(ignored, &[(name, "1")], &[(name, "2")]).is_empty());
        }
        let two = mismatches(
            &[GERMAN, ("x-a", "1")],
            &[("vary", "x-a"), ("vary", "accept-language")],
            &[FRENCH],
        );
        assert_eq!(two, ["accept-language", "x-a"]);
    }

    #[test]
    fn lines_and_white_space_of_a_list_do_not_count() {
        let by = |recorded: Pairs<'_>, live: Pairs<'_>| {
            mismatches(recorded, &[("vary", "x-a")], live).is_empty()
        };
        let lines = [("x-a", "a"), ("x-a", "b")];
        for equal in [&[("x-a", "a,b")][..], &[("x-a", "a ,\tb")], &lines] {
            assert!(by(&lines, equal), "{equal:?}");
            assert!(by(equal, &lines), "{equal:?}");
        }
        assert!(!by(&lines, &[("x-a", "b,a")]));
        assert!(!by(&[("x-a", "\"a, b\"")], &[("x-a", "\"a,b\"")]));
    }

    #[test]
    fn several_rules_count_together() {
        let parts = [
            rule(&["x-a"]),
            KeyPart::Path,
            rule(&["accept-language", "x-a"]),
        ];
        let response = fields(&[("vary", "x-a, accept-language")]);
        let variant = Variant::of(&parts, &fields(&[GERMAN, ("x-a", "1")]), &response);
        let live = fields(&[FRENCH, ("x-a", "2")]);
        assert_eq!(variant.mismatches(&live), ["accept-language"]);
    }

    #[test]
    fn a_type_that_the_client_does_not_accept_is_another_response() {
        const XML: (&str, &str) = ("content-type", "application/xml; charset=utf-8");
        for (recorded, live, differs) in [
            (Some("application/xml"), Some("application/json"), true),
            (Some("*/*"), Some("application/json"), true),
            (None, Some("application/json"), true),
            (Some("application/xml"), Some("application/*"), false),
            (Some("application/xml"), Some("text/html, */*;q=0.1"), false),
            (Some("application/xml"), None, false),
            (Some("application/xml"), Some("*/*;q=0"), true),
            // The server did not look at it.
            (Some("application/json"), Some("text/html"), false),
        ] {
            let accept = |value: Option<&'static str>| -> Vec<_> {
                value.map(|value| (ACCEPT, value)).into_iter().collect()
            };
            for vary in [None, Some(("vary", "accept"))] {
                let response: Vec<_> = [XML].into_iter().chain(vary).collect();
                let found = mismatches(&accept(recorded), &response, &accept(live));
                let differs = differs || vary.is_some() && recorded != live;
                let expected = if differs { &[ACCEPT][..] } else { &[] };
                assert_eq!(found, expected, "{recorded:?} {live:?}");
            }
        }
        assert!(mismatches(&[], &[], &[(ACCEPT, "text/html")]).is_empty());
        let ignored = Variant::of(&[rule(&[ACCEPT])], &fields(&[]), &fields(&[XML]));
        assert!(ignored.is_any());
    }
}
