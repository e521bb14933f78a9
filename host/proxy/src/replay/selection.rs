//! What a server sends of a resource for a request with conditions or a range, in the order of RFC
//! 9110, section 13.2.2.

use std::ops::RangeInclusive;
use std::time::SystemTime;

use headers::{
    ETag, HeaderMapExt as _, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};
use http::header::{ACCEPT_RANGES, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, Method};
use http_range_header::RangeUnsatisfiableError;

/// What is sent of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it (200).
    Whole,
    /// These bytes (206).
    Part(RangeInclusive<u64>),
    /// The client has it (304).
    NotModified,
    /// A condition is false (412).
    PreconditionFailed,
    /// The resource has no such bytes (416).
    NotSatisfiable,
}

/// Chooses what is sent of a resource of `size` bytes. Without a size there are no parts.
pub(super) fn select(
    request: (&Method, &HeaderMap),
    resource: &HeaderMap,
    size: Option<u64>,
) -> Selection {
    let (method, request) = request;
    let etag = resource.typed_get::<ETag>();
    let modified_at = resource.typed_get::<LastModified>().map(SystemTime::from);
    if !precondition_holds(request, etag.as_ref(), modified_at) {
        return Selection::PreconditionFailed;
    }
    if is_not_modified(request, etag.as_ref(), modified_at) {
        return Selection::NotModified;
    }
    let has_part = *method == Method::GET && has_ranges(resource);
    match size {
        Some(size) if has_part && is_current(request, resource, etag.as_ref()) => {
            part(request, size)
        }
        Some(_) | None => Selection::Whole,
    }
}

/// True if the client has parts of this version, or does not say. A date is an exact one (RFC 9110,
/// section 13.1.5).
fn is_current(request: &HeaderMap, resource: &HeaderMap, etag: Option<&ETag>) -> bool {
    let Some(value) = request.get(IF_RANGE) else {
        return true;
    };
    if value.as_bytes().contains(&b'"') {
        let condition = request.typed_get::<IfRange>();
        return condition.is_some_and(|condition| !condition.is_modified(etag, None));
    }
    resource.get(LAST_MODIFIED) == Some(value)
}

/// A condition that cannot be read is ignored.
fn precondition_holds(
    request: &HeaderMap,
    etag: Option<&ETag>,
    modified: Option<SystemTime>,
) -> bool {
    if let Some(condition) = request.typed_get::<IfMatch>() {
        return condition.is_any() || etag.is_some_and(|etag| condition.precondition_passes(etag));
    }
    match (request.typed_get::<IfUnmodifiedSince>(), modified) {
        (Some(condition), Some(modified)) => condition.precondition_passes(modified),
        (_, _) => true,
    }
}

fn is_not_modified(request: &HeaderMap, etag: Option<&ETag>, modified: Option<SystemTime>) -> bool {
    if let Some(condition) = request.typed_get::<IfNoneMatch>() {
        let is_any = condition == IfNoneMatch::any();
        return is_any || etag.is_some_and(|etag| !condition.precondition_passes(etag));
    }
    match (request.typed_get::<IfModifiedSince>(), modified) {
        (Some(condition), Some(modified)) => !condition.is_modified(modified),
        (_, _) => false,
    }
}

fn has_ranges(resource: &HeaderMap) -> bool {
    let refused = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"none");
    !resource.get(ACCEPT_RANGES).is_some_and(refused)
}

/// The part for one range. Several ranges get the whole resource, as a server may send it (RFC
/// 9110, section 14.2), and so does a range that cannot be read.
fn part(request: &HeaderMap, size: u64) -> Selection {
    let range = request.get(RANGE).and_then(|value| value.to_str().ok());
    let Some(Ok(range)) = range.map(http_range_header::parse_range_header) else {
        return Selection::Whole;
    };
    match range.validate(size) {
        Ok(ranges) => match ranges.as_slice() {
            [one] => Selection::Part(one.clone()),
            [] => Selection::NotSatisfiable,
            _ => Selection::Whole,
        },
        Err(RangeUnsatisfiableError::Unsatisfiable) => Selection::NotSatisfiable,
        Err(_) => Selection::Whole,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    const OLD: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const NEW: &str = "Sun, 01 Feb 2026 00:00:00 GMT";

    fn of(request: &[(&'static str, &'static str)]) -> Selection {
        let resource = map(&[("etag", "\"a\""), ("last-modified", OLD)]);
        select((&Method::GET, &map(request)), &resource, Some(100))
    }

    #[test]
    fn conditions_are_those_of_rfc_9110() {
        use Selection::{NotModified, PreconditionFailed, Whole};
        for (request, expected) in [
            (vec![], Whole),
            (vec![("if-none-match", "\"a\"")], NotModified),
            (vec![("if-none-match", "\"b\", W/\"a\"")], NotModified),
            (vec![("if-none-match", "*")], NotModified),
            (vec![("if-none-match", "\"b\"")], Whole),
            // It decides over a date (section 13.1.3).
            (
                vec![("if-none-match", "\"b\""), ("if-modified-since", NEW)],
                Whole,
            ),
            (vec![("if-modified-since", OLD)], NotModified),
            (vec![("if-modified-since", NEW)], NotModified),
            (
                vec![("if-modified-since", "Wed, 31 Dec 2025 00:00:00 GMT")],
                Whole,
            ),
            (vec![("if-modified-since", "yesterday")], Whole),
            (vec![("if-match", "\"a\"")], Whole),
            (vec![("if-match", "*")], Whole),
            (vec![("if-match", "W/\"a\"")], PreconditionFailed),
            (vec![("if-match", "\"b\"")], PreconditionFailed),
            (vec![("if-unmodified-since", NEW)], Whole),
            (
                vec![("if-unmodified-since", "Wed, 31 Dec 2025 00:00:00 GMT")],
                PreconditionFailed,
            ),
        ] {
            assert_eq!(of(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        use Selection::{NotSatisfiable, Part, Whole};
        for (range, expected) in [
            ("bytes=0-9", Part(0..=9)),
            ("bytes=90-", Part(90..=99)),
            ("bytes=-5", Part(95..=99)),
            ("bytes=90-1000", Part(90..=99)),
            ("bytes=-1000", Part(0..=99)),
            ("bytes=100-", NotSatisfiable),
            ("bytes=0-1,5-6", Whole),
            ("lines=0-1", Whole),
            ("bytes=x", Whole),
        ] {
            assert_eq!(of(&[("range", range)]), expected, "{range}");
        }
        for (condition, expected) in [
            ("\"a\"", Part(0..=9)),
            ("\"b\"", Whole),
            ("W/\"a\"", Whole),
            (OLD, Part(0..=9)),
            (NEW, Whole),
        ] {
            let request = [("range", "bytes=0-9"), ("if-range", condition)];
            assert_eq!(of(&request), expected, "{condition}");
        }
    }

    #[test]
    fn a_resource_decides_whether_it_has_parts() {
        let request = map(&[("range", "bytes=0-9"), ("if-match", "\"a\"")]);
        let selected = |method, resource: &[(&'static str, &'static str)], size| {
            select((&method, &request), &map(resource), size)
        };
        let etag = ("etag", "\"a\"");
        let get = Method::GET;
        assert_eq!(selected(get.clone(), &[etag], None), Selection::Whole);
        let none = [etag, ("accept-ranges", "none")];
        assert_eq!(selected(get.clone(), &none, Some(100)), Selection::Whole);
        assert_eq!(selected(Method::HEAD, &[etag], Some(100)), Selection::Whole);
        assert_eq!(selected(get, &[], Some(100)), Selection::PreconditionFailed);
    }
}
