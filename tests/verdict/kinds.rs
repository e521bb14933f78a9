//! Every kind of defect, in each mode.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use super::{Trial, at, get, nowhere};
use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::origin;
use crate::support::plugins::fixture;
use crate::support::{random, until};

/// A cassette with one exchange, `GET /hello`.
static CASSETTE: LazyLock<String> = LazyLock::new(|| {
    let origin = origin::simple();
    let folder = Folder::new();
    let url = origin.url();
    let arguments = ["record", "--upstream", &url, "--listen", "127.0.0.1:0"];
    let mut process = program(&folder, &arguments).start();
    get(process.address());
    process.stop();
    folder.text("default")
});

fn put_cassette(folder: &Folder, text: &str) {
    std::fs::create_dir_all(folder.cassettes()).unwrap();
    std::fs::write(folder.cassette("default"), text).unwrap();
}

pub(super) fn with_cassette(folder: &Folder) {
    put_cassette(folder, &CASSETTE);
}

#[test]
fn what_is_complete_passes() {
    let origin = origin::simple();
    for mode in ["record", "auto", "passthrough"] {
        Trial::new(mode, &origin.url(), &get).passes();
    }
    Trial::new("replay", "", &get)
        .prepare(&with_cassette)
        .passes();
}

#[test]
fn a_miss() {
    let unknown = |address| {
        at(address).get("/unknown");
    };
    let trial = Trial::new("replay", "", &unknown);
    trial.fails_with("miss", "not found in the cassette");
    let trial = trial.prepare(&with_cassette);
    trial.fails_with("miss", "not found in the cassette");
}

#[test]
fn an_upstream_that_does_not_respond() {
    let broken = origin::raw(b"nonsense\r\n\r\n");
    for mode in ["record", "auto"] {
        Trial::new(mode, &nowhere(), &get).fails_with("upstream-error", "refused");
        Trial::new(mode, &broken.url(), &get).fails_with("upstream-error", "HTTP");
        // Recorded, it is replayed.
        let recorded = Trial::new(mode, &nowhere(), &get).config("record_failures = true");
        recorded.passes();
    }
    Trial::new("passthrough", &nowhere(), &get).passes();
}

#[test]
fn a_request_that_a_limit_refuses() {
    let origin = origin::simple();
    let long = |address| {
        get(address);
        for _ in 0..2 {
            let answer = at(address).get(&format!("/{}", "x".repeat(100)));
            assert_eq!(answer.status, 414);
        }
    };
    let config = "[limits]\nuri_bytes = 64";
    for mode in ["record", "auto", "replay"] {
        let trial = Trial::new(mode, &origin.url(), &long).config(config);
        let trial = trial.prepare(&with_cassette);
        trial.fails_with("refused-request", "limits.uri_bytes");
        let given = trial.run(&[]);
        assert_eq!(given.of_kind("refused-request")["count"], 2, "{given:#?}");
        // Its session is not known.
        assert_eq!(given.report["failures"][0]["kind"], "refused-request");
    }
}

#[test]
fn a_request_that_is_not_valid() {
    let origin = origin::simple();
    let send = |address, bytes: &[u8], status: &str| {
        get(address);
        let head = client::raw(address, bytes).head();
        assert!(head.contains(status), "{head}");
    };
    let no_name = |address| {
        let request = b"GET /hello HTTP/1.1\r\nhost: x\r\nouli-session: \xff\r\n\r\n";
        send(address, request, " 400 ");
    };
    let bad_line = |address| send(address, b"GET  /hello HTTP/1.1\r\n\r\n", " 400 ");
    let large = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let large = |address| send(address, large.as_bytes(), " 431 ");
    let connect = |address| {
        send(
            address,
            b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
            " 405 ",
        )
    };
    let star = |address| send(address, b"GET * HTTP/1.1\r\nhost: x\r\n\r\n", " 400 ");
    let name = |address| send(address, b"GET a HTTP/1.1\r\nhost: x\r\n\r\n", " 400 ");
    for mode in ["record", "auto", "replay"] {
        let fails = |act: &dyn Fn(std::net::SocketAddr), reason: &str| {
            let trial = Trial::new(mode, &origin.url(), act).prepare(&with_cassette);
            trial.fails_with("refused-request", reason);
        };
        fails(&no_name, "session");
        fails(&bad_line, "first line");
        fails(&large, "limits.header_bytes");
        fails(&connect, "CONNECT");
        fails(&star, "only OPTIONS may have");
        fails(&name, "neither a path that begins with `/` nor a URL");
    }
    Trial::new("passthrough", &origin.url(), &bad_line).passes();
}

#[test]
fn a_matcher_that_fails() {
    let origin = origin::simple();
    let prepare = |folder: &Folder| {
        with_cassette(folder);
        folder.put_plugin("own.wasm", &fixture("trapper"));
    };
    let config = "[[plugin]]\nfile = \"own.wasm\"\nsettings = { panic = [\"identify\"] }";
    for mode in ["auto", "replay"] {
        let trial = Trial::new(mode, &origin.url(), &get).config(config);
        let trial = trial.prepare(&prepare);
        trial.fails_with("plugin-error", "the next matcher decided");
    }
    let fail_closed = format!("{config}\non_error = \"fail\"");
    let trial = Trial::new("replay", "", &get).config(&fail_closed);
    let given = trial.prepare(&prepare).run(&["--strict"]);
    assert_eq!(
        (given.status, given.kinds()),
        (Some(1), vec!["plugin-error"])
    );
}

#[test]
fn a_redactor_or_policy_that_fails() {
    let origin = origin::simple();
    let prepare = |folder: &Folder| folder.put_plugin("own.wasm", &fixture("trapper"));
    for function in ["redact", "decide"] {
        let config =
            format!("[[plugin]]\nfile = \"own.wasm\"\nsettings = {{ panic = [\"{function}\"] }}");
        for mode in ["record", "auto"] {
            let trial = Trial::new(mode, &origin.url(), &get).config(&config);
            trial
                .prepare(&prepare)
                .fails_with("plugin-error", "own.wasm");
        }
    }
}

#[test]
fn an_exchange_that_ends_early() {
    let broken = origin::peer(|peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    });
    let breaks = |address| assert!(at(address).ask("GET", "/hello").try_send().is_err());
    let arrived = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&arrived);
    let silent = origin::peer(move |peer| {
        peer.head();
        counted.fetch_add(1, Ordering::SeqCst);
        peer.bytes(1);
    });
    let leaves = |address| {
        let before = arrived.load(Ordering::SeqCst);
        let client = client::raw(address, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n");
        until("the request", || {
            (arrived.load(Ordering::SeqCst) > before).then_some(())
        });
        drop(client);
    };
    let config = "[limits]\nhalf_close_timeout = \"1ms\"\nbackground_read_timeout = \"1ms\"";
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &format!("http://{broken}"), &breaks);
        trial.fails_with("partial", "aborted");
        let trial = Trial::new(mode, &format!("http://{silent}"), &leaves).config(config);
        trial.fails_with("partial", "the client left before the response began");
        let trial = Trial::new(mode, &format!("http://{silent}"), &leaves).config(config);
        trial.fails_with("partial", "limits.background_read_timeout");
    }
}

#[test]
fn an_exchange_that_is_too_large() {
    let origin = origin::simple();
    let config = "[limits]\nrecorded_body = 4";
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &get).config(config);
        trial.fails_with("partial", "limits.recorded_body");
    }
}

#[test]
fn an_exchange_that_cannot_be_read() {
    let origin = origin::new()
        .route("/hello", |_| {
            origin::bytes(vec![0_u8, 159, 146, 150, 1]).header("content-encoding", "secret-sauce")
        })
        .start();
    let tunnel = origin::raw(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: tcp\r\n\r\nhello",
    );
    let upgrade = |address| {
        let request =
            "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: tcp\r\n\r\n";
        let mut raw = client::raw(address, request);
        assert!(raw.head().contains(" 101 "));
    };
    for mode in ["record", "auto"] {
        Trial::new(mode, &origin.url(), &get).fails_with("undecodable", "cannot be decoded");
        let trial = Trial::new(mode, &tunnel.url(), &upgrade);
        trial.fails_with("undecodable", "an upgrade to tcp cannot be recorded");
    }
}

#[test]
fn an_exchange_with_a_secret() {
    let origin = origin::simple();
    let token = format!("glpat-{}", random());
    let act = |address| {
        at(address).post("/echo", "text/plain", &format!("see {token} there"));
    };
    let disabled = "[redaction]\ndisabled_rules = [\"pattern.gitlab-token\"]";
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &act).config(disabled);
        trial.fails_with("secret", "guard.gitlab-token");
    }
}

#[test]
fn an_exchange_that_is_dropped() {
    let origin = origin::new()
        .route("/*", |_| origin::bytes(vec![b'x'; 3 << 20]))
        .start();
    let config = "on_recorder_full = \"drop\"\n[limits]\nrecording_memory = \"1 MiB\"";
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &get).config(config);
        trial.fails_with("dropped", "limits.recording_memory");
    }
}

#[test]
fn an_exchange_that_is_not_written() {
    let origin = origin::simple();
    let link = |folder: &Folder| {
        let elsewhere = folder.path().join("elsewhere");
        std::fs::File::create(&elsewhere)
            .unwrap()
            .write_all(CASSETTE.as_bytes())
            .unwrap();
        std::fs::create_dir(folder.cassettes()).unwrap();
        std::os::unix::fs::symlink(elsewhere, folder.cassette("default")).unwrap();
    };
    let other = |address| {
        at(address).get("/other");
    };
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &other).prepare(&link);
        trial.fails_with("not-written", "a symbolic link");
    }
}

#[test]
fn a_cassette_that_is_damaged() {
    let torn = |folder: &Folder| put_cassette(folder, &CASSETTE.replace("\"status\"", "\"state\""));
    let idle = |_| {};
    let given = Trial::new("replay", "", &idle)
        .prepare(&torn)
        .run(&["--fail-on", "none,damage"]);
    assert_eq!((given.status, given.kinds()), (Some(1), vec!["damage"]));
}

#[test]
fn a_cassette_that_is_edited() {
    let edited = |folder: &Folder| {
        // Two exchanges, so that the edited one is not missed.
        put_cassette(folder, &CASSETTE.replace("good morning", "good evening"));
    };
    let trial = Trial::new("replay", "", &get).prepare(&edited);
    let given = trial.run(&[]);
    assert_eq!(
        (given.status, given.kinds()),
        (Some(0), vec![]),
        "{given:#?}"
    );
    let given = trial.run(&["--fail-on", "edited"]);
    assert_eq!((given.status, given.kinds()), (Some(1), vec!["edited"]));
    assert!(given.reason("edited").contains("exchanges 1 "));
    let given = trial.run(&["--strict"]);
    assert!(given.kinds().contains(&"edited"), "{given:#?}");
}

#[test]
fn exchanges_that_are_not_used() {
    let unknown = |_| {};
    let trial = Trial::new("replay", "", &unknown).prepare(&with_cassette);
    let given = trial.run(&["--fail-on", "unused"]);
    assert_eq!((given.status, given.kinds()), (Some(1), vec!["unused"]));
    let trial = Trial::new("replay", "", &get).prepare(&with_cassette);
    assert_eq!(trial.run(&["--fail-on", "unused"]).status, Some(0));
    // A recording of other requests leaves the old ones unused.
    let origin = origin::simple();
    let other = |address| {
        at(address).get("/text");
    };
    let trial = Trial::new("auto", &origin.url(), &other).prepare(&with_cassette);
    let given = trial.run(&["--fail-on", "unused"]);
    assert_eq!((given.status, given.kinds()), (Some(1), vec!["unused"]));
    assert_eq!(trial.run(&["--strict"]).status, Some(0));
}

#[test]
fn a_run_without_requests() {
    let origin = origin::simple();
    let idle = |address| {
        // Pages of the gateway are no traffic.
        assert_eq!(at(address).get("/__ouli/healthz").status, 200);
        assert_eq!(at(address).get("/__ouli/plugins").status, 200);
    };
    for mode in ["record", "auto", "replay"] {
        let trial = Trial::new(mode, &origin.url(), &idle).prepare(&with_cassette);
        let given = trial.run(&["--strict"]);
        assert_eq!(
            (given.status, given.kinds()),
            (Some(1), vec!["no-requests"])
        );
        assert!(
            given.stderr.contains("REQUESTS: 0 (none was "),
            "{given:#?}"
        );
        assert_eq!(trial.run(&["--fail-on", "no-requests"]).status, Some(1));
        assert_eq!(
            trial.run(&["--strict", "--fail-on=-no-requests"]).status,
            Some(0)
        );
        let given = trial.run(&[]);
        assert_eq!(given.status, Some(0));
        assert_eq!(given.first_line(), "verdict: passed; there was no request");
    }
    let given = Trial::new("passthrough", &origin.url(), &idle).run(&["--strict"]);
    assert_eq!((given.status, given.kinds()), (Some(0), vec![]));
    assert!(!given.stderr.contains("verdict: "), "{given:#?}");
}

#[test]
fn a_skip_of_a_policy_is_no_defect() {
    let origin = origin::simple();
    let config = "[policy]\nskip_paths = [\"/hello\"]";
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &get).config(config);
        trial.passes();
        let given = trial.run(&[]);
        assert!(
            given
                .stderr
                .contains("  not recorded: 1 (path /hello) [skipped]"),
            "{given:#?}"
        );
    }
}
