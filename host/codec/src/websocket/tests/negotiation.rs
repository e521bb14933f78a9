//! Negotiation of `permessage-deflate`: offers, responses and parameters.

use super::*;
use crate::websocket::extension::Extension;
use crate::websocket::negotiation;

fn terms(client: (bool, u8), server: (bool, u8)) -> DeflateParams {
    DeflateParams {
        client_no_context_takeover: client.0,
        server_no_context_takeover: server.0,
        client_max_window_bits: client.1,
        server_max_window_bits: server.1,
    }
}

#[test]
fn parses_the_grammar_of_the_rfc() {
    let good = [
        ("foo", "foo"),
        ("foo, bar; baz=2", "foo|bar;baz=2"),
        ("deflate-stream", "deflate-stream"),
        ("mux; max-channels=4; flow-control, deflate-stream", {
            "mux;max-channels=4;flow-control|deflate-stream"
        }),
        ("private-extension; a=\"b\"", "private-extension;a=b"),
        ("a ; b = \"c\\d\" ; e", "a;b=cd;e"),
        (" , a,,b,", "a|b"),
        ("", ""),
    ];
    for (value, expected) in good {
        let all = Extension::all(&extensions(value)).unwrap();
        let shown = all.iter().map(|extension| {
            let parameters = extension.parameters.iter().map(|one| match &one.value {
                Some(value) => format!(";{}={value}", one.name),
                None => format!(";{}", one.name),
            });
            extension.name.clone() + &parameters.collect::<String>()
        });
        assert_eq!(shown.collect::<Vec<_>>().join("|"), expected, "{value}");
    }
    let bad = [
        ";",
        "a;",
        "a;;b",
        "a; b=",
        "a; b=\"",
        "a; b=\"c",
        "a; b=\"\"",
        "a; b=\"c d\"",
        "a b",
        "a; b=\"c\"d",
        "a=1",
        "a; =1",
        "\"a\"",
        "a; b=\"c\\",
        "(a)",
        "ä",
    ];
    for value in bad {
        assert!(Extension::all(&extensions(value)).is_err(), "{value}");
    }
}

#[test]
fn reads_the_parameters_of_a_response() {
    let agreed = |value: &str| DeflateParams::from_response(&extensions(value));
    let good = [
        ("permessage-deflate", DeflateParams::default()),
        (
            "Permessage-Deflate; Client_No_Context_Takeover",
            terms((true, 15), (false, 15)),
        ),
        (
            "permessage-deflate; server_no_context_takeover",
            terms((false, 15), (true, 15)),
        ),
        (
            "permessage-deflate; server_max_window_bits=\"10\"",
            terms((false, 15), (false, 10)),
        ),
        (
            "permessage-deflate; client_max_window_bits=8; server_max_window_bits=15",
            { terms((false, 8), (false, 15)) },
        ),
    ];
    for (value, expected) in good {
        assert_eq!(agreed(value), Ok(Some(expected)), "{value}");
    }
    assert_eq!(DeflateParams::from_response(&HeaderMap::new()), Ok(None));
    let bad = [
        "permessage-deflate, permessage-deflate",
        "permessage-bzip2",
        "permessage-deflate, x",
        "permessage-deflate; x",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate;",
    ];
    for value in bad {
        assert!(agreed(value).is_err(), "{value}");
    }
}

#[test]
fn offers_allow_what_the_rfc_says() {
    let cases = [
        ("", "; client_no_context_takeover", true),
        (
            "",
            "; server_no_context_takeover; server_max_window_bits=9",
            true,
        ),
        ("", "; client_max_window_bits=15", false),
        ("; client_max_window_bits", "", true),
        (
            "; client_max_window_bits",
            "; client_max_window_bits=15",
            true,
        ),
        (
            "; client_max_window_bits=10",
            "; client_max_window_bits=10",
            true,
        ),
        (
            "; client_max_window_bits=10",
            "; client_max_window_bits=11",
            false,
        ),
        ("; client_max_window_bits=10", "", true),
        ("; server_no_context_takeover", "", false),
        (
            "; server_no_context_takeover",
            "; server_no_context_takeover",
            true,
        ),
        ("; server_max_window_bits=10", "", false),
        (
            "; server_max_window_bits=10",
            "; server_max_window_bits=9",
            true,
        ),
        (
            "; server_max_window_bits=10",
            "; server_max_window_bits=11",
            false,
        ),
        // The second offer allows the response.
        ("; server_max_window_bits=10, permessage-deflate", "", true),
        // A malformed offer allows nothing.
        ("; unknown", "", false),
    ];
    for (offer, answer, allowed) in cases {
        let request = extensions(&format!("permessage-deflate{offer}"));
        let response = extensions(&format!("permessage-deflate{answer}"));
        let checked = negotiation::check(&request, &response);
        assert_eq!(checked.is_ok(), allowed, "{offer} -> {answer}");
    }
}

#[test]
fn responses_are_nearest_to_the_recorded_parameters() {
    let plain = DeflateParams::default();
    let small = terms((true, 10), (true, 11));
    let cases = [
        ("permessage-deflate", plain, Some("permessage-deflate")),
        (
            "permessage-deflate; client_max_window_bits",
            plain,
            Some("permessage-deflate"),
        ),
        (
            "permessage-deflate",
            small,
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=11",
            ),
        ),
        (
            "permessage-deflate; client_max_window_bits",
            small,
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=11; client_max_window_bits=10",
            ),
        ),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
            small,
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=9; client_max_window_bits=9",
            ),
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=15",
            plain,
            Some("permessage-deflate; server_no_context_takeover; server_max_window_bits=15"),
        ),
        // The nearest of several offers, and the first of equal ones.
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            plain,
            Some("permessage-deflate"),
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; \
          server_max_window_bits=9",
            plain,
            Some("permessage-deflate; server_max_window_bits=8"),
        ),
        (
            "x, permessage-deflate; y, permessage-deflate",
            plain,
            Some("permessage-deflate"),
        ),
        ("permessage-deflate; y", plain, None),
        ("x", plain, None),
        ("", plain, None),
        ("a;;b", plain, None),
    ];
    for (offers, recorded, expected) in cases {
        let answer = DeflateParams::negotiate(&extensions(offers), &recorded);
        let value = answer.as_ref().map(|(value, _)| value.to_str().unwrap());
        assert_eq!(value, expected, "{offers}");
    }
}

#[test]
fn every_response_is_allowed_by_its_offer() {
    let takeover = ["", "; server_no_context_takeover"];
    let client = [
        "",
        "; client_max_window_bits",
        "; client_max_window_bits=11",
    ];
    let server = [
        "",
        "; server_max_window_bits=15",
        "; server_max_window_bits=8",
    ];
    let hint = ["", "; client_no_context_takeover"];
    let mut answered = 0;
    for (index, part) in takeover.iter().enumerate() {
        for rest in client
            .iter()
            .flat_map(|a| server.map(|b| format!("{a}{b}{}", hint[index])))
        {
            let offer = extensions(&format!("permessage-deflate{part}{rest}"));
            for bits in 8..=15 {
                for flags in 0..4 {
                    let (a, b) = (flags & 1 == 1, flags & 2 == 2);
                    let recorded = terms((a, bits), (b, 23 - bits));
                    let (value, deflate) = DeflateParams::negotiate(&offer, &recorded).unwrap();
                    let response = extensions(value.to_str().unwrap());
                    assert_eq!(negotiation::check(&offer, &response), Ok(()));
                    assert_eq!(DeflateParams::from_response(&response), Ok(Some(deflate)));
                    answered += 1;
                }
            }
        }
    }
    assert_eq!(answered, 2 * 9 * 8 * 4);
}
