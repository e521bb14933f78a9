//! What a client accepts: the ranges and weights of `accept` (RFC 9110, sections 12.4.2, 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// The media ranges of a request.
#[derive(Debug, Default)]
pub(super) struct Accept {
    ranges: Vec<Range>,
}

/// A media range: `type/subtype`, `type/*` or `*/*`.
#[derive(Debug)]
struct Range {
    /// In lower case, without parameters.
    media: String,
    has_parameters: bool,
    /// From 0, not acceptable, to 1.
    weight: f32,
}

impl Accept {
    /// The ranges of all fields of the name. One that is malformed does not count.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(ACCEPT).iter();
        let fields = fields.filter_map(|field| field.to_str().ok());
        let ranges = fields.flat_map(|field| field.split(','));
        Self {
            ranges: ranges.filter_map(Range::parse).collect(),
        }
    }

    /// True if there is no range: everything is acceptable.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The weight of a media type without parameters: that of the most specific range.
    pub(super) fn weight(&self, media: &str) -> f32 {
        let matching = self.ranges.iter();
        let matching = matching.filter_map(|range| Some((range.specificity(media)?, range.weight)));
        let best =
            matching.max_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        best.map_or(0.0, |(_, weight)| weight)
    }

    /// The largest weight of the types that are named without a wildcard and that `is_wanted`
    /// selects; `None` if none is named.
    pub(super) fn named(&self, is_wanted: impl Fn(&str) -> bool) -> Option<f32> {
        let named = self
            .ranges
            .iter()
            .filter(|range| !range.media.ends_with("/*") && is_wanted(&range.media));
        named.map(|range| range.weight).max_by(f32::total_cmp)
    }

    /// True if a type is named without a wildcard, and acceptable.
    pub(super) fn names(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        self.named(is_wanted).is_some_and(|weight| weight > 0.0)
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let (kind, subtype) = media.split_once('/')?;
        if kind.is_empty() || subtype.is_empty() || (kind == "*" && subtype != "*") {
            return None;
        }
        let (mut weight, mut has_parameters) = (1.0, false);
        for part in parts {
            match part.split_once('=') {
                Some((name, value)) if name.trim().eq_ignore_ascii_case("q") => {
                    weight = parse_weight(value.trim())?;
                }
                Some(_) => has_parameters = true,
                None => {}
            }
        }
        Some(Self {
            media,
            has_parameters,
            weight,
        })
    }

    /// How specific the range is for this type; `None` if it does not match.
    fn specificity(&self, media: &str) -> Option<u8> {
        if self.media == media {
            return Some(if self.has_parameters { 3 } else { 4 });
        }
        if self.media == "*/*" {
            return Some(1);
        }
        let kind = self.media.strip_suffix('*')?;
        media.starts_with(kind).then_some(2)
    }
}

/// A weight from 0 to 1. Some clients leave out the digit before the point.
fn parse_weight(text: &str) -> Option<f32> {
    let weight: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn accept(fields: &[&'static str]) -> Accept {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(ACCEPT, HeaderValue::from_static(field));
        }
        Accept::of(&headers)
    }

    #[test]
    fn the_most_specific_range_has_the_weight() {
        let fields = [
            "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed",
            "TEXT/html;Q=0, */*;q=0.5, application/*; q = 0.25",
        ];
        let accept = accept(&fields);
        for (media, weight) in [
            ("text/plain", 0.7),
            ("text/xml", 0.3),
            ("text/html", 0.0),
            ("application/json", 0.25),
            ("image/png", 0.5),
        ] {
            assert!(
                (accept.weight(media) - weight).abs() < f32::EPSILON,
                "{media}"
            );
        }
        assert!(!accept.names(|media| media == "text/html"));
        assert!(accept.names(|media| media == "text/plain"));
        assert_eq!(accept.named(|media| media == "image/png"), None);
    }

    #[test]
    fn what_is_malformed_does_not_count() {
        for field in [
            "",
            "*",
            "json",
            "*/json",
            "/",
            "a/",
            "a/b;q=2",
            "a/b;q=-1",
            "a/b;q=x",
            "a/b;q=NaN",
        ] {
            assert!(accept(&[field]).is_empty(), "{field}");
        }
        assert!(accept(&["a/b;q=.2"]).weight("a/b") > 0.0);
    }
}
