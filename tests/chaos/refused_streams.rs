//! HTTP/2 upstreams that do not process a request (RFC 9113, sections 6.8 and 8.7): it is sent
//! again on another connection, whatever its method is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ouli_config::Defect;

use super::http2_origin::{Peer, Scripted, scripted};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};

const NO_ERROR: u8 = 0;
const PROTOCOL_ERROR: u8 = 1;

/// More than the settings of the origins here need to say.
const MANY: u32 = 100;

fn passthrough(origin: &Scripted, limits: &str) -> Running {
    gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&format!("h2c://{}", origin.address))
        .section(&format!("[limits]\n{limits}"))
        .start_with(1)
}

/// Answers every request, with the length of its body if it has one.
fn answer_all(peer: &Peer, has_body: bool) -> Option<()> {
    peer.settings(MANY)?;
    loop {
        let stream_id = peer.request()?;
        let length = if has_body { peer.body()? } else { 0 };
        peer.respond(stream_id, &length.to_string())?;
    }
}

/// A body of `length` bytes, sent in one request; the status and the text of the response.
fn post(gateway: &Running, length: usize) -> (u16, String) {
    let answer = client::http1(gateway).post("/", "text/plain", &"x".repeat(length));
    (answer.status, answer.text().to_owned())
}

#[test]
fn a_request_above_the_last_stream_of_a_goaway_is_sent_again() {
    let origin = scripted(|number, peer| {
        if number > 0 {
            return answer_all(peer, true);
        }
        peer.settings(MANY)?;
        let first = peer.request()?;
        peer.body()?;
        peer.respond(first, "first")?;
        // Its body has been read in part or whole.
        peer.request()?;
        peer.body()?;
        peer.go_away(first, NO_ERROR)
    });
    let gateway = passthrough(&origin, "");
    assert_eq!(post(&gateway, 5), (200, "first".to_owned()));
    let length = 50_000;
    assert_eq!(post(&gateway, length), (200, length.to_string()));
    assert_eq!(origin.seen(), (3, 2));
}

#[test]
fn a_body_that_was_not_kept_whole_is_not_sent_again() {
    let origin = scripted(|number, peer| {
        if number > 0 {
            return answer_all(peer, true);
        }
        peer.settings(MANY)?;
        peer.request()?;
        peer.body()?;
        peer.go_away(0, NO_ERROR)
    });
    let gateway = passthrough(&origin, "upstream_retry_buffer = \"1 KiB\"");
    assert_eq!(post(&gateway, 1025).0, 502);
    assert_eq!(origin.seen(), (1, 1));
    assert_eq!(post(&gateway, 1025), (200, "1025".to_owned()));
}

#[test]
fn a_refused_stream_is_sent_again() {
    let origin = scripted(|number, peer| {
        if number > 0 {
            return answer_all(peer, true);
        }
        peer.settings(MANY)?;
        let stream_id = peer.request()?;
        peer.refuse(stream_id)?;
        peer.wait()
    });
    let gateway = passthrough(&origin, "");
    assert_eq!(post(&gateway, 7), (200, "7".to_owned()));
    assert_eq!(origin.seen(), (2, 2));
}

#[test]
fn an_overloaded_connection_takes_no_more_requests() {
    for (method, status, requests) in [("GET", 200, 4), ("POST", 502, 3)] {
        let origin = scripted(|number, peer| {
            if number > 0 {
                return answer_all(peer, false);
            }
            peer.settings(MANY)?;
            let first = peer.request()?;
            peer.respond(first, "")?;
            loop {
                let stream_id = peer.request()?;
                peer.calm(stream_id)?;
            }
        });
        let gateway = passthrough(&origin, "");
        assert_eq!(client::http1(&gateway).get("/").status, 200);
        let answer = client::http1(&gateway).ask(method, "/").send();
        assert_eq!(answer.status, status, "{method} {}", answer.text());
        assert_eq!(client::http1(&gateway).get("/").status, 200);
        assert_eq!(origin.seen(), (requests, 2), "{method}");
    }
}

#[test]
fn an_upstream_that_bears_few_streams_gets_few_on_each_connection() {
    const BEARABLE: usize = 2;
    const CLIENTS: usize = 32;
    let origin = scripted(|_, peer| {
        peer.settings(MANY)?;
        let mut open = Vec::new();
        loop {
            let stream_id = peer.request()?;
            match open.len() {
                BEARABLE => peer.calm(stream_id)?,
                _ => open.push(stream_id),
            }
            if !peer.has_more() {
                for stream_id in open.drain(..) {
                    peer.respond(stream_id, "")?;
                }
            }
        }
    });
    let gateway = passthrough(&origin, "");
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let get = || client::http1(&gateway).get("/").status;
        let sent: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(get)).collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; CLIENTS]);
}

#[test]
fn an_upstream_that_processes_nothing_is_a_502() {
    let calming = scripted(|_, peer| {
        peer.settings(MANY)?;
        loop {
            let stream_id = peer.request()?;
            peer.calm(stream_id)?;
        }
    });
    let refusing = scripted(|_, peer| {
        peer.settings(MANY)?;
        loop {
            let stream_id = peer.request()?;
            peer.refuse(stream_id)?;
        }
    });
    let leaving = |code: u8| {
        scripted(move |_, peer| {
            peer.settings(MANY)?;
            peer.request()?;
            peer.go_away(0, code)
        })
    };
    for (origin, requests) in [
        (refusing, 6),
        (calming, 6),
        (leaving(NO_ERROR), 11),
        // The request may be the reason.
        (leaving(PROTOCOL_ERROR), 2),
    ] {
        let gateway = passthrough(&origin, "");
        let answer = client::http1(&gateway).get("/");
        let seen = (answer.status, answer.header("ouli-error"));
        assert_eq!(seen, (502, "upstream"), "{}", answer.text());
        assert_eq!(origin.seen().0, requests);
    }
}

#[test]
fn a_request_whose_connection_is_closed_is_sent_again_once_if_that_is_safe() {
    let origin = || {
        scripted(|number, peer| {
            if number > 1 {
                return answer_all(peer, false);
            }
            peer.settings(MANY)?;
            let stream_id = peer.request()?;
            peer.respond(stream_id, "")?;
            // The next one is not answered.
            peer.request().map(drop)
        })
    };
    for (method, status, requests) in [("GET", 200, 3), ("POST", 502, 2)] {
        let origin = origin();
        let gateway = passthrough(&origin, "");
        assert_eq!(client::http1(&gateway).get("/").status, 200);
        let answer = client::http1(&gateway).ask(method, "/").send();
        assert_eq!(answer.status, status, "{method} {}", answer.text());
        assert_eq!(origin.seen().0, requests, "{method}");
    }
}

#[test]
fn streams_wait_for_the_settings_and_their_limit() {
    const ALLOWED: u32 = 2;
    let most = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let highest = Arc::clone(&most);
    let origin = scripted(move |_, peer| {
        let mut open = vec![peer.request()?];
        let mut before_settings = true;
        loop {
            while peer.has_more() {
                open.push(peer.request()?);
            }
            let highest = &highest[usize::from(before_settings)];
            highest.fetch_max(open.len(), Ordering::SeqCst);
            if std::mem::take(&mut before_settings) {
                peer.settings(ALLOWED)?;
            }
            for stream_id in open.drain(..) {
                peer.respond(stream_id, "")?;
            }
            open.push(peer.request()?);
        }
    });
    let gateway = passthrough(&origin, "");
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let post = || client::http1(&gateway).ask("POST", "/").send().status;
        let sent: Vec<_> = (0..40).map(|_| scope.spawn(post)).collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 40]);
    assert_eq!(origin.seen().0, 40, "no stream was refused or sent again");
    let [after, before] = [0, 1].map(|index| most[index].load(Ordering::SeqCst));
    assert!(before == 1 && after <= ALLOWED as usize, "{before} {after}");
}

/// Connections that the upstream ends before it has a request.
#[test]
fn an_upstream_that_goes_away_before_any_request_gets_another_connection() {
    for (gone, status) in [(1, 200), (5, 200), (usize::MAX, 502)] {
        let origin = scripted(move |number, peer| {
            if number >= gone {
                return answer_all(peer, true);
            }
            peer.settings(MANY)?;
            peer.go_away(0, NO_ERROR)
        });
        let gateway = passthrough(&origin, "");
        assert_eq!(post(&gateway, 7).0, status, "{gone}");
        let connections = origin.seen().1;
        assert!(connections <= 1 + gone.min(11), "{gone}: {connections}");
    }
}

#[test]
fn a_large_body_of_a_refused_stream_is_sent_again_if_it_is_in_memory() {
    const LENGTH: usize = 1 << 20;

    let refusing = || {
        scripted(|number, peer| {
            peer.wide_settings(MANY)?;
            let stream_id = peer.request()?;
            if number > 0 {
                let length = peer.body()?;
                return peer.respond(stream_id, &length.to_string());
            }
            peer.part_of_body(LENGTH / 2)?;
            peer.refuse(stream_id)?;
            peer.wait()
        })
    };
    for (mode, status) in [("auto", 200), ("record", 502)] {
        let origin = refusing();
        let gateway = gateway::over(&Arc::new(Folder::new()), mode);
        let gateway = gateway
            .upstream(&format!("h2c://{}", origin.address))
            .start_with(1);
        let (answered, text) = post(&gateway, LENGTH);
        assert_eq!(answered, status, "{mode}: {text}");
        let report = gateway.finish();
        let failed = report.counted(Defect::UpstreamError);
        assert_eq!(report.passed, status == 200, "{mode}: {report:?}");
        assert_eq!(failed.is_empty(), status == 200, "{mode}: {report:?}");
    }
}
