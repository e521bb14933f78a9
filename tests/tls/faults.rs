//! Certificates that no verifier accepts, and CAs that were made again.

use super::{authority, issue, own_ca, told};

#[test]
fn a_ca_that_was_made_again_is_told_apart() {
    let issued = issue(&authority("ca"), "127.0.0.1");
    let (status, text) = told(issued.server(), Some(&authority("ca").pem()));
    assert_eq!(status, 502);
    assert!(
        text.contains("CA was made again: set `upstream_ca`"),
        "{text}"
    );
}

#[test]
fn reversed_dates_are_told_apart_from_an_expired_certificate() {
    let reversed = own_ca("127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(2030, 1, 1);
        params.not_after = rcgen::date_time_ymd(2029, 1, 1);
    });
    let (status, text) = told(reversed.server(), Some(&reversed.cert));
    assert_eq!(status, 502);
    assert!(text.contains("ends before it begins"), "{text}");
}
