//! How large the head of a request may be, beyond what hyper looks at.

use http::{Request, Version};

use super::Bounds;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its target is too long.
    #[error("the target of the request has more than {most} bytes (limits.uri_bytes)")]
    UriTooLong {
        /// The limit in bytes.
        most: usize,
    },
    /// It has too many fields.
    #[error("the request has more than {most} header fields (limits.http2_header_count)")]
    TooManyHeaders {
        /// The limit.
        most: usize,
    },
    /// Its body did not come.
    #[error("the body of the request did not come in time (limits.{0})")]
    BodyTimeout(&'static str),
    /// Its body broke off, or is none.
    #[error("the body of the request broke off")]
    IncompleteBody,
}

/// Looks at a head.
///
/// # Errors
/// Why the request is not served.
pub(super) fn check_head<B>(request: &Request<B>, bounds: &Bounds) -> Result<(), Rejection> {
    let target = request.uri().path_and_query();
    let length = target.map_or(0, |target| target.as_str().len());
    if length > bounds.uri_bytes {
        return Err(Rejection::UriTooLong {
            most: bounds.uri_bytes,
        });
    }
    let headers = request.headers();
    if request.version() == Version::HTTP_2 {
        if headers.len() > bounds.http2_header_count {
            return Err(Rejection::TooManyHeaders {
                most: bounds.http2_header_count,
            });
        }
        return Ok(());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    fn checked(version: Version, target: &str, fields: &[(&str, &str)]) -> Result<(), Rejection> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let bounds = Bounds {
            uri_bytes: 20,
            http2_header_count: 2,
            ..Bounds::from(&Limits::default())
        };
        check_head(&request.body(()).unwrap(), &bounds)
    }

    #[test]
    fn targets_and_fields_have_limits() {
        let host = [("host", "x")];
        assert_eq!(
            checked(Version::HTTP_11, "/1234567890123456789", &host),
            Ok(())
        );
        let long = checked(Version::HTTP_11, "/12345678901234567890", &host);
        assert_eq!(long, Err(Rejection::UriTooLong { most: 20 }));
        let query = checked(Version::HTTP_2, "http://a.example/?345678901234567890", &[]);
        assert_eq!(query, Ok(()));
        let fields = [("a", "1"), ("b", "2"), ("a", "3")];
        assert_eq!(checked(Version::HTTP_2, "/", &fields[..2]), Ok(()));
        assert_eq!(
            checked(Version::HTTP_2, "/", &fields),
            Err(Rejection::TooManyHeaders { most: 2 })
        );
    }
}
