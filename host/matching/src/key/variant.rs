//! What selected a recorded response among several for one resource (RFC 9110, section 12.1; RFC
//! 9111, section 4.1): the header fields that its `vary` names, and `accept`.

use http::HeaderValue;

use super::accept::{ACCEPT, accepts};
use super::name_list::ExcludedNames;
use super::part::KeyPart;
use ouli_message::Fields;

/// What selected a recorded response, as far as the parts of its key say that it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The fields that `vary` names, sorted, with the elements of their values in the recorded
    /// request.
    fields: Box<[(Box<str>, Elements)]>,
    /// The type of the response, if the recorded request accepts it. One that it did not ask for
    /// says nothing about `accept`, for example that of an error page.
    content_type: Option<Box<str>>,
}

type Elements = Box<[Box<[u8]>]>;

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
        let counts = |name: &str| rules.iter().any(|except| !except.contains(name));
        let mut names: Vec<_> = if rules.is_empty() {
            Vec::new()
        } else {
            varying(response).filter(|name| counts(name)).collect()
        };
        names.sort_unstable();
        names.dedup();
        let fields = names.into_iter().map(|name| {
            let values: Elements = elements(request.get_all(&name)).map(Box::from).collect();
            (name.into_boxed_str(), values)
        });
        let content_type = response.get_str("content-type").filter(|_| counts(ACCEPT));
        Self {
            fields: fields.collect(),
            content_type: content_type
                .filter(|content_type| accepts(request, content_type))
                .map(Box::from),
        }
    }

    /// True if it suits every request.
    pub fn is_any(&self) -> bool {
        self.fields.is_empty() && self.content_type.is_none()
    }

    /// True if the server would select the response for a live request with these fields too.
    pub fn suits(&self, live: &Fields) -> bool {
        self.mismatches(live).next().is_none()
    }

    /// The names of the fields for which the server may have selected another response, each once.
    pub fn mismatches<'a>(&'a self, live: &'a Fields) -> impl Iterator<Item = &'a str> {
        let differing = self.fields.iter().filter(|(name, recorded)| {
            let recorded = recorded.iter().map(AsRef::as_ref);
            !elements(live.get_all(name)).eq(recorded)
        });
        let accept = [ACCEPT].into_iter().filter(|_| {
            let is_listed = self.fields.iter().any(|(name, _)| **name == *ACCEPT);
            let content_type = self.content_type.as_deref();
            !is_listed && content_type.is_some_and(|it| !accepts(live, it))
        });
        differing.map(|(name, _)| &**name).chain(accept)
    }
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

/// The values of a field as one list: neither the number of lines nor the white space at its commas
/// counts (RFC 9111, section 4.1). A value with a quoted string is compared as it is.
fn elements<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a [u8]> {
    values.flat_map(|value| {
        let bytes = value.as_bytes();
        let is_quoted = bytes.contains(&b'"');
        let elements = bytes.split(move |byte| *byte == b',' && !is_quoted);
        elements.map(<[u8]>::trim_ascii)
    })
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
        let found: Vec<_> = variant.mismatches(&live).map(str::to_owned).collect();
        assert_eq!(variant.suits(&live), found.is_empty());
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
        assert_eq!(
            variant.mismatches(&live).collect::<Vec<_>>(),
            ["accept-language"]
        );
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
