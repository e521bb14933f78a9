//! Fields that a recording leaves out because their values differ in each response, and that
//! clients read: a replay has them too.
//!
//! `date` is the time of the replay. The ids of a request have their usual form, and follow from
//! the exchange, so that every replay has the same. Other fields that were left out stay out: the
//! recorded durations, caches and servers are not those of the replay.

use std::time::SystemTime;

use http::header::DATE;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::session::Entry;

/// How an id looks: `x` stands for a hex digit, `X` for an upper-case one.
type Form = &'static str;

const UUID: Form = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";

/// The ids that are renewed. Other names are not.
const IDS: [(&str, Form); 32] = [
    ("apigw-requestid", UUID),
    ("cf-ray", "xxxxxxxxxxxxxxxx-AMS"),
    ("fly-request-id", UUID),
    ("ms-cv", "XXXXXXXXXXXXXXXXXXXXXX.0"),
    ("paypal-debug-id", "xxxxxxxxxxxxx"),
    ("request-id", UUID),
    (
        "traceparent",
        "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-01",
    ),
    (
        "traceresponse",
        "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-01",
    ),
    ("x-amz-apigw-id", "xxxxxxxxxxxxxxx="),
    (
        "x-amz-cf-id",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx==",
    ),
    (
        "x-amz-id-2",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=",
    ),
    ("x-amz-request-id", "XXXXXXXXXXXXXXXX"),
    ("x-amzn-requestid", UUID),
    (
        "x-amzn-trace-id",
        "Root=1-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    ("x-azure-ref", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("x-b3-spanid", "xxxxxxxxxxxxxxxx"),
    ("x-b3-traceid", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("x-cloud-trace-context", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("x-correlation-id", UUID),
    (
        "x-fastly-request-id",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    ("x-github-request-id", "XXXX:XXXXXX:XXXXXX:XXXXXX:XXXXXXXX"),
    ("x-kong-request-id", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("x-ms-correlation-request-id", UUID),
    ("x-ms-request-id", UUID),
    ("x-ms-routing-request-id", UUID),
    ("x-nf-request-id", "XXXXXXXXXXXXXXXXXXXXXXXXXX"),
    ("x-request-id", UUID),
    ("x-slack-req-id", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("x-slack-unique-id", "xxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("x-trace-id", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("x-vercel-id", "iad1::xxxxx-xxxxxxxxxxxxx-xxxxxxxxxxxx"),
    (
        "x-guploader-uploadid",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
];

/// Adds the fields of a recorded response that were left out and are renewed.
pub(crate) fn add_renewed_fields(headers: &mut HeaderMap, entry: &Entry) {
    for name in &entry.response.omitted {
        if headers.contains_key(name) {
            continue;
        }
        if let Some(value) = renewed_value(name, entry.ordinal) {
            headers.append(name.clone(), value);
        }
    }
}

fn renewed_value(name: &HeaderName, ordinal: u64) -> Option<HeaderValue> {
    let text = if *name == DATE {
        httpdate::fmt_http_date(SystemTime::now())
    } else {
        let (_, form) = IDS.iter().find(|(id, _)| name == id)?;
        id(name, form, ordinal)
    };
    HeaderValue::try_from(text).ok()
}

/// The id of an exchange in this form.
fn id(name: &HeaderName, form: Form, ordinal: u64) -> String {
    let seed = |part: u8| format!("{ordinal} {name} {part}");
    // Two digests have as many digits as the longest form needs.
    let digits = [0, 1].map(|part| ouli_cassette::body_digest(seed(part).as_bytes()));
    let mut digits = digits.iter().flat_map(|digits| digits.chars());
    let mut next = || digits.next().unwrap_or('0');
    let digit = |letter| match letter {
        'x' => next(),
        'X' => next().to_ascii_uppercase(),
        other => other,
    };
    form.chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_exchange::exchange;

    fn renewed(ordinal: u64, omitted: &[&'static str]) -> HeaderMap {
        let mut exchange = exchange();
        exchange.response.omitted = omitted
            .iter()
            .map(|it| HeaderName::from_static(it))
            .collect();
        let mut headers = HeaderMap::new();
        add_renewed_fields(&mut headers, &Entry::new(ordinal, exchange));
        headers
    }

    #[test]
    fn ids_have_their_form_and_follow_from_the_exchange() {
        let names = ["x-request-id", "cf-ray"];
        let first = renewed(1, &names);
        assert_eq!(first, renewed(1, &names));
        let other = renewed(2, &names);
        for name in names {
            assert_ne!(first[name], other[name], "{name}");
        }
        let uuid = first["x-request-id"].to_str().unwrap();
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert!(first["cf-ray"].to_str().unwrap().ends_with("-AMS"));
    }

    #[test]
    fn every_form_is_filled_with_different_digits() {
        for (name, form) in IDS {
            let id = id(&HeaderName::from_static(name), form, 1);
            assert_eq!(id.len(), form.len(), "{name}");
            assert!(!id.contains(['x', 'X']), "{name}: {id}");
        }
    }

    #[test]
    fn only_known_ids_and_the_date_are_renewed() {
        let headers = renewed(1, &["age", "date", "x-served-by", "x-own"]);
        assert_eq!(headers.len(), 1);
        let date = headers["date"].to_str().unwrap();
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
    }
}
