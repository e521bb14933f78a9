//! Cookies whose time has passed since they were recorded: a client would drop them, and its next
//! request would be another one than the recorded one. A replay sets them for another day.

use std::time::{Duration, SystemTime};

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

/// How long a cookie lasts that had expired.
const RENEWED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A cookie that expires before this time, 2000-01-02, is deleted: servers use the epoch or a date
/// of the last century for that.
const FIRST_EXPIRY: Duration = Duration::from_secs(946_771_200);

/// Renews the cookies that a recorded response sets and that have expired.
pub(super) fn renew_cookies(headers: &mut HeaderMap, now: SystemTime) {
    if let http::header::Entry::Occupied(mut cookies) = headers.entry(SET_COOKIE) {
        for cookie in cookies.iter_mut() {
            let renewed = cookie.to_str().ok().and_then(|text| renewed(text, now));
            if let Some(renewed) = renewed.and_then(|text| HeaderValue::try_from(text).ok()) {
                *cookie = renewed;
            }
        }
    }
}

/// A cookie with a later `Expires` (RFC 6265, section 5.2.1), if it needs one. `Max-Age` counts
/// from the response and takes precedence; a cookie without a value is deleted.
fn renewed(cookie: &str, now: SystemTime) -> Option<String> {
    let (pair, _) = cookie.split_once(';')?;
    let has_value = pair
        .split_once('=')
        .is_some_and(|(_, value)| !value.trim().is_empty());
    let attributes = || cookie.split(';').skip(1);
    let named = |part: &str, wanted: &str| {
        let (name, value) = part.split_once('=')?;
        let is_wanted = name.trim().eq_ignore_ascii_case(wanted);
        is_wanted.then(|| value.trim().to_owned())
    };
    if !has_value || attributes().any(|part| named(part, "max-age").is_some()) {
        return None;
    }
    let expires = attributes().find_map(|part| named(part, "expires"))?;
    // The form of Netscape has hyphens in the date.
    let time = httpdate::parse_http_date(&expires.replace('-', " ")).ok()?;
    let is_lost = time <= now && time >= SystemTime::UNIX_EPOCH + FIRST_EXPIRY;
    is_lost.then(|| {
        let later = httpdate::fmt_http_date(now + RENEWED_FOR);
        cookie.replacen(&expires, &later, 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01 00:00:00.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
    }

    fn after(cookies: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        renew_cookies(&mut headers, now());
        let all = headers.get_all(SET_COOKIE).iter();
        all.map(|cookie| cookie.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_cookie_that_has_expired_since_lasts_another_day() {
        let recorded = [
            "sid=<cookie-1>; Path=/; Expires=Wed, 31 Dec 2025 23:59:59 GMT; HttpOnly",
            "sid=a; expires=Fri, 14-Mar-2025 10:00:00 GMT; path=/",
        ];
        assert_eq!(
            after(&recorded),
            [
                "sid=<cookie-1>; Path=/; Expires=Fri, 02 Jan 2026 00:00:00 GMT; HttpOnly",
                "sid=a; expires=Fri, 02 Jan 2026 00:00:00 GMT; path=/",
            ]
        );
    }

    #[test]
    fn other_cookies_stay_as_they_are() {
        let recorded = [
            "sid=a; Path=/",
            "sid=a; Expires=Fri, 02 Jan 2026 00:00:00 GMT",
            "sid=a; Expires=Wed, 31 Dec 2025 23:59:59 GMT; Max-Age=60",
            "sid=; Expires=Wed, 31 Dec 2025 23:59:59 GMT",
            "sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/",
            "sid=a; Expires=soon",
            "sid=a",
        ];
        assert_eq!(after(&recorded), recorded);
    }
}
