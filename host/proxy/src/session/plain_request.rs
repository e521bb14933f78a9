//! The request for a whole resource: without what asks for its head alone, for a part of it, or
//! for it under a condition (RFC 9110, sections 9.3.2, 13 and 14).

use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderName, Method};

use ouli_message::Request;

const SELECTING: [HeaderName; 6] = [
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

/// The request for the whole resource of a GET or HEAD. None if it is one already, and for other
/// methods.
pub(crate) fn plain_request(request: &Request) -> Option<Request> {
    let is_head = request.method == Method::HEAD;
    if !(is_head || request.method == Method::GET && is_selective(request)) {
        return None;
    }
    let mut plain = request.clone();
    plain.method = Method::GET;
    plain.fields.retain(|name, _| !SELECTING.contains(name));
    Some(plain)
}

/// True if the request asks for a part, or under a condition.
pub(crate) fn is_selective(request: &Request) -> bool {
    let mut fields = request.fields.iter();
    fields.any(|(name, _)| SELECTING.contains(name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::session::test_exchange::exchange;

    fn request(method: Method, fields: &[&HeaderName]) -> Request {
        let mut request = exchange().request;
        request.method = method;
        for name in fields {
            let value = HeaderValue::from_static("x");
            request.fields.push((*name).clone(), value);
        }
        request
    }

    #[test]
    fn a_part_a_condition_and_a_head_are_asked_of_a_whole_resource() {
        let whole = request(Method::GET, &[]);
        assert_eq!(plain_request(&whole), None);
        for selective in [
            request(Method::HEAD, &[]),
            request(Method::GET, &[&RANGE, &IF_RANGE]),
            request(Method::HEAD, &[&IF_NONE_MATCH]),
        ] {
            assert_eq!(plain_request(&selective), Some(whole.clone()));
        }
        assert_eq!(plain_request(&request(Method::PUT, &[&IF_MATCH])), None);
    }
}
