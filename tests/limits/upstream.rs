//! Time and size limits of upstreams.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use ouli_config::Defect;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate};
use crate::support::{at_least, until};

/// Asserts that a request to this upstream gets a 504 that names the limit. Returns the gateway.
fn assert_late(url: &str, limit: &str) -> Running {
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(url)
        .section(&format!("[limits]\n{limit}"))
        .start();
    let answer = client::http1(&gateway).get("/hello");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (504, "upstream")
    );
    let key = limit.split(" = ").next().unwrap();
    let named = format!("limits.{key}");
    assert!(answer.text().contains(&named), "{}", answer.text());
    gateway
}

/// Answers all requests to a listener from now on, those before too.
fn answer(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let (mut read, mut byte) = (Vec::new(), [0]);
                while !read.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    read.push(byte[0]);
                }
                // The gateway may have closed the connection.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            });
        }
    });
}

#[test]
fn an_upstream_that_does_not_answer_is_a_504() {
    // It accepts connections and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let gateway = assert_late(&url, "response_header_timeout = \"200ms\"");
    answer(silent);
    gateway.serves_again("/hello");
}

#[test]
fn an_upstream_that_accepts_no_connection_is_a_504() {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Its backlog is full, so the kernel does not complete further connections.
    let time = Duration::from_millis(300);
    let connect = || std::net::TcpStream::connect_timeout(&address, time).ok();
    let queued: Vec<_> = std::iter::from_fn(connect).take(16).collect();
    assert!(
        queued.len() < 16,
        "the backlog of the listener is never full here"
    );
    let gateway = assert_late(&format!("http://{address}"), "connect_timeout = \"200ms\"");
    answer(socket.into());
    gateway.serves_again("/hello");
}

#[test]
fn an_upstream_that_does_not_finish_the_tls_handshake_is_a_504() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    assert_late(&url, "tls_handshake_timeout = \"200ms\"");
}

#[test]
fn response_header_timeout_does_not_limit_the_body() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new()
        .route("/slow", handler)
        .route("/never", |_| origin::status(200))
        .start();
    let limits = "[limits]\nresponse_header_timeout = \"2s\"\nidle_timeout = \"3s\"";
    let gateway = gateway::record(&origin).section(limits).start();
    let mut opened = client::http1(&gateway).ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    // Waits for the idle timeout of another connection, which is longer than the header timeout.
    client::raw(gateway.address, "").rest();
    gate.open();
    assert_eq!(opened.count().unwrap(), 4);
}

#[test]
fn idle_upstream_connections_are_limited_in_number_and_time() {
    let connections = |limits: &str| {
        let origin = origin::simple();
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, "passthrough").upstream(&origin.url());
        let gateway = gateway.section(limits).start_with(1);
        for _ in 0..5 {
            assert_eq!(client::http1(&gateway).get("/hello").status, 200);
            std::thread::sleep(Duration::from_millis(20));
        }
        origin.connections()
    };
    assert_eq!(connections("[limits]\nupstream_idle_connections = 0"), 5);
    assert_eq!(connections("[limits]\nupstream_idle_timeout = \"1ms\""), 5);
    assert!(connections("[limits]\nupstream_idle_timeout = \"1h\"") < 5);
}

#[test]
fn a_request_above_upstream_max_concurrent_requests_is_a_503() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let stream = |_: &origin::Seen| {
        let events = origin::parts().header("content-type", "text/event-stream");
        events.part("data: 1\n\n").wait(&Gate::new())
    };
    let origin = origin::new()
        .route("/slow", handler)
        .route("/events", stream)
        .route("/hello", |_| origin::text("hello"))
        .start();
    let gateway = gateway::passthrough(&origin)
        .section(
            "[limits]\nupstream_max_concurrent_requests = 1\npending_request_timeout = \"100ms\"",
        )
        .start();
    let client = client::http1(&gateway);
    // A stream does not count against the limit of requests.
    let mut events = client.ask("GET", "/events").open();
    assert_eq!(events.next().unwrap().unwrap(), "data: 1\n\n");
    let mut opened = client.ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    let refused = client.get("/hello");
    assert_eq!(
        (refused.status, refused.header("ouli-error")),
        (503, "limit")
    );
    assert_eq!(refused.header("retry-after"), "1");
    let text = refused.text();
    assert!(
        text.contains("limits.upstream_max_concurrent_requests"),
        "{text}"
    );
    gate.open();
    assert_eq!(opened.count().unwrap(), 4);
    until("a free permit", || {
        (client.get("/hello").status == 200).then_some(())
    });
}

/// An upstream whose response has this head.
fn answering(head: String) -> origin::RawOrigin {
    origin::raw(Box::leak(head.into_boxed_str()).as_bytes())
}

fn assert_head_is_too_large(url: &str, limits: &str) -> Running {
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(url)
        .section(&format!("[limits]\n{limits}"))
        .start();
    let answer = client::http1(&gateway).get("/large");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (502, "upstream"),
        "{url} {limits}"
    );
    gateway
}

#[test]
fn a_large_response_head_is_a_502() {
    let endless = "x-more: 0123456789\r\n".repeat(20_000);
    let endless = answering(format!("HTTP/1.1 200 OK\r\n{endless}"));
    assert_head_is_too_large(&endless.url(), "upstream_header_count = 10000");
    let long = answering(format!(
        "HTTP/1.1 200 OK\r\nx: {}\r\n\r\n",
        "x".repeat(20_000)
    ));
    assert_head_is_too_large(&long.url(), "upstream_header_bytes = \"8 KiB\"");
    let many = answering(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: 1\r\n".repeat(21)));
    assert_head_is_too_large(&many.url(), "upstream_header_count = 20");
    let handler = |_: &origin::Seen| {
        let fields = 0..21;
        fields.fold(origin::text("many"), |reply, _| {
            reply.header("x-more", &"x".repeat(600))
        })
    };
    let origin = origin::new()
        .route("/large", handler)
        .route("/hello", |_| origin::text("good morning\n"))
        .start();
    for url in [origin.url(), origin.h2c()] {
        for limit in [
            "upstream_header_count = 20",
            "upstream_header_bytes = \"8 KiB\"",
        ] {
            assert_head_is_too_large(&url, limit).serves_again("/hello");
        }
    }
}

#[test]
fn a_response_body_that_pauses_is_aborted_unless_it_is_a_stream() {
    for mode in ["record", "passthrough"] {
        let gate = Gate::new();
        let held = gate.clone();
        let handler = move |seen: &origin::Seen| {
            let parts = origin::parts().header("content-type", &seen.target[1..]);
            parts.part("data: 1\n\n").wait(&held).part("data: 2\n\n")
        };
        let origin = origin::new().route("/*", handler).start();
        let gateway = gateway::over(&Arc::new(Folder::new()), mode)
            .upstream(&origin.url())
            .section("[limits]\nupstream_body_idle_timeout = \"200ms\"")
            .start();
        let client = client::http1(&gateway);
        let mut stream = client.ask("GET", "/text/event-stream").open();
        assert_eq!(stream.next().unwrap().unwrap(), "data: 1\n\n");
        let pause = Duration::from_millis(200);
        let broken = at_least(pause, || client.ask("GET", "/text/plain").try_send());
        assert!(broken.is_err(), "{broken:?}");
        // The stream has been silent for the same time.
        gate.open();
        assert_eq!(stream.count().unwrap(), 9);
        gateway.serves_again("/text/plain");
        if mode == "record" {
            let report = gateway.finish();
            assert_eq!(report.recorded, 2, "{report:#?}");
            let reason = report.counted(Defect::Partial).into_keys().next().unwrap();
            assert!(
                reason.contains("limits.upstream_body_idle_timeout"),
                "{reason}"
            );
        }
    }
}

#[test]
fn a_slow_upload_does_not_count_against_response_header_timeout() {
    let origin = origin::simple();
    let limits = "[limits]\nresponse_header_timeout = \"3s\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n";
    let mut raw = client::raw(gateway.address, head);
    at_least(Duration::from_secs(3), || {
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(310));
            raw.write("x");
        }
    });
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

/// The SETTINGS payload and the connection window that the gateway sends to an HTTP/2 upstream.
fn told(limits: &str) -> (Vec<u8>, u32) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("h2c://{}", listener.local_addr().unwrap());
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&url)
        .section(limits)
        .start();
    let _client = client::raw(gateway.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let (mut stream, _) = listener.accept().unwrap();
    let mut exactly = |size: usize| {
        let mut bytes = vec![0; size];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    };
    exactly(24);
    let head = exactly(9);
    let settings = exactly(usize::from(head[2]));
    let head = exactly(9);
    // WINDOW_UPDATE (RFC 9113, section 6.9).
    assert_eq!((head[3], &head[5..]), (8, &[0; 4][..]));
    let update = exactly(4);
    (settings, u32::from_be_bytes(update.try_into().unwrap()))
}

#[test]
fn windows_are_announced_to_upstreams() {
    let limits = "[limits]\nupstream_stream_window = \"8 KiB\"\n\
                  upstream_connection_window = \"128 KiB\"\nupstream_header_bytes = \"9 KiB\"";
    let (settings, update) = told(limits);
    let setting = |number: u8| {
        let found = settings.chunks(6).find(|setting| setting[1] == number);
        u32::from_be_bytes(found.unwrap()[2..].try_into().unwrap())
    };
    // RFC 9113, section 6.5.2.
    assert_eq!((setting(4), setting(6)), (8 << 10, 9 << 10));
    assert_eq!(update, (128 << 10) - 65_535);
}

#[test]
fn large_bodies_pass_through_small_windows_of_an_upstream() {
    let origin = origin::new()
        .route("/echo", |seen| origin::bytes(seen.body.clone()))
        .start();
    let limits = "[limits]\nupstream_stream_window = \"1 KiB\"\n\
                  upstream_send_buffer = \"1 KiB\"\nupstream_connection_window = \"64 KiB\"";
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.h2c());
    let gateway = gateway.section(limits).start();
    let body: Vec<u8> = (0..1 << 20)
        .map(|number: u32| number.to_le_bytes()[1])
        .collect();
    let answer = client::http1(&gateway)
        .ask("POST", "/echo")
        .body(&body)
        .send();
    assert_eq!(answer.body, body);
    assert_eq!(gateway.finish().recorded, 1);
}

#[test]
fn clients_that_do_not_read_do_not_stop_other_streams() {
    let big = vec![0; 8 << 20];
    let origin = origin::new()
        .route("/big", move |_| origin::bytes(big.clone()))
        .route("/hello", |_| origin::text("hello"))
        .start();
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&origin.h2c())
        .start_with(1);
    let request = "GET /big HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut stalled: Vec<_> = (0..8)
        .map(|_| client::raw(gateway.address, request))
        .collect();
    for stalled in &mut stalled {
        let head = stalled.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    let client = client::http1(&gateway);
    for _ in 0..50 {
        assert_eq!(client.get("/hello").text(), "hello");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn streams_above_the_connection_window_use_another_connection() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new().route("/slow", handler).start();
    let limits = "[limits]\nupstream_stream_window = \"64 KiB\"\n\
                  upstream_connection_window = \"128 KiB\"";
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&origin.h2c())
        .section(limits)
        .start_with(1);
    let client = client::http1(&gateway);
    let open = |_| {
        let mut opened = client.ask("GET", "/slow").open();
        assert_eq!(opened.next().unwrap().unwrap(), "first");
        opened
    };
    let opened: Vec<_> = (0..5).map(open).collect();
    assert_eq!(origin.connections(), 3);
    gate.open();
    for opened in opened {
        assert_eq!(opened.count().unwrap(), 4);
    }
}
