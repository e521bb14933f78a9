//! Media types that a request accepts (RFC 9110, section 12.5.1).

use ouli_message::Fields;

/// The name of the field.
pub(super) const ACCEPT: &str = "accept";

/// Ranges that are read, and parameters of each. A client names a few; the others are as good as
/// absent, in the recording and at replay alike.
const MAX_RANGES: usize = 128;
const MAX_PARAMETERS: usize = 16;

/// True if a request accepts a content type. Without `accept` it accepts all. The most specific
/// range that has the type decides.
pub(super) fn accepts(request: &Fields, content_type: &str) -> bool {
    let mut values = request.get_all(ACCEPT).peekable();
    if values.peek().is_none() {
        return true;
    }
    let texts = values.filter_map(|value| value.to_str().ok());
    let ranges = texts.flat_map(|text| text.split(',')).take(MAX_RANGES);
    let media_type = MediaType::parse(content_type);
    let covering = ranges.filter_map(|range| Some((media_type.specificity(range)?, range)));
    let best = covering.max_by_key(|(specificity, _)| *specificity);
    best.is_some_and(|(_, range)| !parameters(range).any(is_zero_weight))
}

/// A media type, or a range of them.
struct MediaType<'a> {
    kind: &'a str,
    subtype: &'a str,
    text: &'a str,
}

impl<'a> MediaType<'a> {
    fn parse(text: &'a str) -> Self {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let (kind, subtype) = essence.split_once('/').unwrap_or((essence, ""));
        Self {
            kind,
            subtype,
            text,
        }
    }

    /// How closely a range describes this type; none if it does not have it. The character set is
    /// not negotiated by ranges.
    fn specificity(&self, range: &str) -> Option<usize> {
        let range = MediaType::parse(range);
        let is_own = |own: &str, other: &str| own.eq_ignore_ascii_case(other);
        let exact = is_own(range.kind, self.kind) && is_own(range.subtype, self.subtype);
        let by_kind = is_own(range.kind, self.kind) && range.subtype == "*";
        let by_any = range.kind == "*" && range.subtype == "*";
        if !(exact || by_kind || by_any) {
            return None;
        }
        let named = parameters(range.text).filter(|(name, _)| {
            !["q", "charset"]
                .iter()
                .any(|it| name.eq_ignore_ascii_case(it))
        });
        let mut count = 0;
        for (name, value) in named {
            let has = |(own, text): (&str, &str)| is_own(own, name) && text == value;
            if !parameters(self.text).any(has) {
                return None;
            }
            count += 1;
        }
        Some(usize::from(!by_any) + usize::from(exact) + count)
    }
}

/// The parameters of a type or range, without quotation marks.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = text.split(';').skip(1).take(MAX_PARAMETERS);
    parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    })
}

/// True for a weight of zero: the range is not acceptable (RFC 9110, section 12.4.2).
fn is_zero_weight((name, value): (&str, &str)) -> bool {
    name.eq_ignore_ascii_case("q") && value.parse::<f32>() == Ok(0.0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header;

    use super::accepts;
    use ouli_message::Fields;

    #[test]
    fn the_most_specific_range_decides() {
        for (accept, content_type, expected) in [
            (&[][..], "text/html", true),
            (&["*/*"], "text/html", true),
            (&["text/*"], "text/html", true),
            (&["text/*"], "application/json", false),
            (&["text/html"], "Text/HTML; charset=utf-8", true),
            (&["text/html, application/json"], "application/json", true),
            (&["text/html", "application/json"], "application/json", true),
            (&["text/html;q=0"], "text/html", false),
            (&["*/*, text/html;q=0"], "text/html", false),
            (&["text/*;q=0, text/html;q=0.1"], "text/html", true),
            (&["*/*;q=0.000"], "text/html", false),
            (&["*/*; Q=0.1"], "text/html", true),
            (&["text/html; charset=utf-8"], "text/html", true),
            (&["application/json;version=2"], "application/json", false),
            (
                &["application/json;version=2"],
                "application/json; charset=utf-8; version=\"2\"",
                true,
            ),
            (
                &["application/json;version=2;q=0, */*"],
                "application/json; version=2",
                false,
            ),
            (
                &["application/json;version=2;q=0, */*"],
                "application/json; version=1",
                true,
            ),
            (&[""], "text/html", false),
            (&["html"], "text/html", false),
            (&["*"], "text/html", false),
        ] {
            let values = accept.iter().map(|text| HeaderValue::from_static(text));
            let fields: Fields = values.map(|value| (header::ACCEPT, value)).collect();
            assert_eq!(
                accepts(&fields, content_type),
                expected,
                "{accept:?} {content_type}"
            );
        }
    }
}
