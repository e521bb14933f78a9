//! The limits of a request head that hyper does not enforce.

use http::{Request, Version};

use super::bounds::Bounds;
use super::error::Rejection;

/// Bytes that a field counts more than its name and value.
const FIELD_OVERHEAD: usize = 32;

/// Names and overhead of `:method`, `:authority`, `:path` and `:scheme`.
const PSEUDO_FIELDS: usize = 4 * FIELD_OVERHEAD + 7 + 10 + 5 + 7;

/// Checks a request head.
///
/// # Errors
/// The first limit that it exceeds.
pub(super) fn check_head<B>(request: &Request<B>, bounds: &Bounds) -> Result<(), Rejection> {
    let target = request.uri().path_and_query();
    let length = target.map_or(0, |target| target.as_str().len());
    if length > bounds.uri_bytes {
        let max = bounds.uri_bytes;
        return Err(Rejection::UriTooLong { max });
    }
    // hyper counts the fields of HTTP/1.1 while it parses them (`limits.header_count`).
    if request.version() == Version::HTTP_2 && request.headers().len() > bounds.http2_header_count {
        let max = bounds.http2_header_count;
        return Err(Rejection::TooManyHeaders { max });
    }
    if request.version() == Version::HTTP_2 {
        let max = usize::try_from(bounds.http2_max_header_list_size).unwrap_or(usize::MAX);
        if header_list_size(request) > max {
            return Err(Rejection::HeaderListTooLarge { max });
        }
    }
    Ok(())
}

/// The size of the header list as RFC 9113, section 6.5.2, counts it.
fn header_list_size<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |it| it.as_str().len());
    let path = uri.path_and_query().map_or(0, |it| it.as_str().len());
    let scheme = uri.scheme_str().map_or(0, str::len);
    let pseudo = request.method().as_str().len() + authority + path + scheme;
    let fields = request.headers().iter();
    let sizes = fields.map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD);
    pseudo + PSEUDO_FIELDS + sizes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, target: &str, fields: &[(&str, &str)]) -> Result<(), Rejection> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let bounds = Bounds {
            uri_bytes: 20,
            http2_header_count: 2,
            ..Bounds::default()
        };
        check_head(&request.body(()).unwrap(), &bounds)
    }

    #[test]
    fn rejects_long_targets_and_many_fields() {
        let host = [("host", "x")];
        assert_eq!(
            check(Version::HTTP_11, "/1234567890123456789", &host),
            Ok(())
        );
        let too_long = check(Version::HTTP_11, "/12345678901234567890", &host);
        assert_eq!(too_long, Err(Rejection::UriTooLong { max: 20 }));
        let query = check(Version::HTTP_2, "http://a.example/?345678901234567890", &[]);
        assert_eq!(query, Ok(()));
        let fields = [("a", "1"), ("b", "2"), ("a", "3")];
        assert_eq!(check(Version::HTTP_2, "/", &fields[..2]), Ok(()));
        assert_eq!(
            check(Version::HTTP_2, "/", &fields),
            Err(Rejection::TooManyHeaders { max: 2 })
        );
    }
}
