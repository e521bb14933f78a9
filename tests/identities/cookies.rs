//! Cookies tell who asks: whether there are some, and each by its name.

use std::sync::Arc;

use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Origin, Seen};

/// An origin that answers with the cookies.
fn echo() -> Origin {
    let answer = |seen: &Seen| {
        let cookies = seen.headers.get("cookie");
        origin::text(cookies.map_or("nobody", |it| it.to_str().unwrap()))
    };
    origin::new().route("/*", answer).start()
}

fn ask(client: &Client, method: &str, cookies: &str) -> Answer {
    let ask = client.ask(method, "/me");
    match cookies {
        "" => ask.send(),
        _ => ask.header("cookie", cookies).send(),
    }
}

fn recorded(origin: &Origin, all: &[&str]) -> Arc<Folder> {
    let gateway = gateway::record(origin).start();
    let client = client::http1(&gateway);
    for cookies in all {
        ask(&client, "GET", cookies);
    }
    gateway.into_folder()
}

#[test]
fn a_request_with_cookies_differs_from_one_without() {
    let origin = echo();
    for (recorded_one, live) in [("sid=a1b2c3d4e5", ""), ("", "sid=a1b2c3d4e5")] {
        let folder = recorded(&origin, &[recorded_one]);
        let replay = gateway::replay(&folder).start();
        let missed = ask(&client::http1(&replay), "GET", live);
        assert_eq!(missed.status, 404);
        let setting = "matcher.ignore_headers=[\\\"cookie\\\"]";
        assert!(
            missed.header("ouli-miss").contains(setting),
            "{}",
            missed.header("ouli-miss")
        );
        let section = "[matcher]\nignore_headers = [\"cookie\"]";
        let replay = gateway::replay(&folder).section(section).start();
        assert_eq!(ask(&client::http1(&replay), "GET", live).status, 200);
    }
}

#[test]
fn a_short_value_of_a_cookie_counts() {
    let origin = echo();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    let users = ["user=ann", "user=bob"];
    for user in users {
        assert_eq!(ask(&client, "GET", user).text(), user);
    }
    gateway.mark();
    for user in ["user=bob", "user=ann"] {
        assert_eq!(ask(&client, "GET", user).text(), user);
    }
    assert_eq!(origin.seen().len(), 2);
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    for user in ["user=cyd", "user=dan", "user=cyd"] {
        assert_eq!(ask(&client, "GET", user).status, 200);
    }
    assert_eq!(ask(&client, "GET", "user=eve").status, 404);
}

#[test]
fn a_request_for_the_head_with_another_secret_tells_why_it_misses() {
    let folder = recorded(&echo(), &["sid=a1b2c3d4e5"]);
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    assert_eq!(ask(&client, "GET", "sid=f6g7h8i9j0").status, 200);
    assert_eq!(ask(&client, "HEAD", "sid=f6g7h8i9j0").status, 200);
    let missed = ask(&client, "HEAD", "sid=k1l2m3n4o5");
    assert_eq!(missed.status, 404);
    let help = missed.header("ouli-miss");
    assert!(
        help.contains("part=\"cookies\"") && help.contains("exchange=1"),
        "{help}"
    );
    assert!(
        help.contains("stands for <cookie-1> since exchange 1"),
        "{help}"
    );
}

/// A client whose cookies have expired since they were recorded would send none.
#[test]
fn a_cookie_that_has_expired_since_is_set_for_another_day() {
    let cookie = "sid=a1b2c3d4e5; Expires=Fri, 14 Mar 2025 10:00:00 GMT; Path=/";
    let answer = move |_: &Seen| origin::text("welcome").header("set-cookie", cookie);
    let origin = origin::new().route("/*", answer).start();
    let folder = recorded(&origin, &[""]);
    let replay = gateway::replay(&folder).start();
    let answer = ask(&client::http1(&replay), "GET", "");
    let cookie = answer.header("set-cookie");
    assert!(cookie.ends_with("; Path=/"), "{cookie}");
    let (_, expires) = cookie.split_once("Expires=").expect("an expiry");
    let expires = expires.split(';').next().unwrap();
    let year: i32 = expires.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(year > 2025, "{cookie}");
}
