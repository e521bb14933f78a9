//! The program and its service manager: signals, passed sockets, notifications.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use super::load_generator::LoadGenerator;
use super::started;
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::plugins::fixture;
use crate::support::until;
use crate::support::websocket::{SocketOrigin, socket_origin};

#[test]
fn a_second_signal_exits_at_once_and_keeps_written_exchanges() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let builder = gateway::over(&folder, "record").upstream(&origin.url());
    let config = builder
        .section("[limits]\nkeepalive_drain_timeout = \"1h\"\nshutdown_timeout = \"1h\"")
        .config();
    folder.write_config(&config.replace("fsync = \"close\"", "fsync = \"always\""));
    let mut process = program(&folder, &[]).start();
    let address = process.address();
    // The tunnel stays open, so that the first signal alone does not end the program.
    let _quiet = crate::support::client::raw(address, "");
    let load = LoadGenerator::requests(address);
    load.wait_for_responses(200);
    let written = || folder.text("default").matches("\"exchange\":").count();
    until("the first exchange to be written", || {
        (folder.cassette("default").exists() && written() > 0).then_some(())
    });
    process.signal("TERM");
    until("the stop to begin", || {
        process.stderr().contains("a second signal").then_some(())
    });
    assert!(process.is_running());
    let before = written();
    process.stop_again("INT");
    let ended = process.ended();
    assert_eq!(ended.status, Some(1));
    let totals = load.end();
    // Answered requests are in the cassette, except those still in the recorder's queue.
    let checked = program(&folder, &["cassette", "show", "default"]).run();
    assert_eq!(checked.status, Some(0), "{}", checked.stderr);
    let exchanges = written();
    assert!(exchanges >= before, "{exchanges} of {before}");
    assert!(
        exchanges > 0 && exchanges <= totals.answered + 16,
        "{exchanges} of {totals:?}"
    );
}

/// `timeout` of coreutils sends SIGTERM to the program and at once to its process group.
#[test]
fn two_signals_at_once_are_one() {
    let (folder, origin) = (Arc::new(Folder::new()), socket_origin());
    let limits = "[limits]\nkeepalive_drain_timeout = \"1s\"";
    let builder = gateway::over(&folder, "record").upstream(&origin.url());
    folder.write_config(&builder.section(limits).config());
    let mut process = program(&folder, &[]).start();
    // The connection stays open, so that the first signal alone does not end the program at once.
    let _quiet = crate::support::client::raw(process.address(), "");
    // Both wait when the program goes on, however busy the machine is.
    process.signals(&["STOP", "TERM", "INT", "CONT"]);
    let ended = process.ended();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("verdict:"), "{}", ended.stderr);
}

#[test]
fn sighup_says_whether_something_has_changed() {
    let (folder, origin) = (Arc::new(Folder::new()), socket_origin());
    let mut process = started(&folder, "passthrough", &origin, "");
    process.address();
    let told = |text: &str| {
        until(text, || process.stderr().contains(text).then_some(()));
    };
    process.signal("HUP");
    told("INFO the files were read again: nothing has changed");
    std::fs::write(folder.config(), "mode = \"reply\"").unwrap();
    // The watcher tells the error once; the signal tells it again.
    told("the last good configuration stays in force");
    process.signal("HUP");
    told("ERROR the files were read again: ");
    assert_eq!(process.stop().status, Some(0));
}

/// A file that becomes too large for `ulimit -f` is like a full disk, and SIGXFSZ does not end the
/// program.
#[test]
fn a_write_beyond_the_file_size_limit_is_not_written() {
    let (folder, origin) = (Arc::new(Folder::new()), crate::support::origin::simple());
    let builder = gateway::over(&folder, "record").upstream(&origin.url());
    folder.write_config(&builder.config());
    // 8 MiB, in units of 512 bytes. The memory of a plugin is a file too, of less than that.
    let limited = ["sh", "-c", "ulimit -f 16384; exec \"$0\" \"$@\""];
    let mut process = program(&folder, &["--strict"]).under(&limited).start();
    let client = crate::support::client::at(process.address(), http::Version::HTTP_11);
    for body in ["small".to_owned(), "x".repeat(9 << 20), "small".to_owned()] {
        assert_eq!(client.post("/echo", "text/plain", &body).status, 200);
    }
    let ended = process.stop();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("File too large"), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("(RLIMIT_FSIZE): raise it with `ulimit -f`"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("verdict: FAILED (not-written)"),
        "{}",
        ended.stderr
    );
    assert_eq!(folder.exchanges("default").len(), 2);
}

/// The memory of a plugin is a file.
#[test]
fn a_start_names_a_file_size_limit_that_no_plugin_fits_in() {
    let folder = Folder::new();
    let limited = ["sh", "-c", "ulimit -f 5; exec \"$0\" \"$@\""];
    let ended = program(&folder, &["replay"]).under(&limited).run();
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    let remedy = "(RLIMIT_FSIZE): raise it with `ulimit -f`";
    assert!(ended.stderr.contains(remedy), "{}", ended.stderr);
}

#[test]
fn a_log_whose_reader_has_left_holds_up_nothing() {
    let (folder, origin) = (Arc::new(Folder::new()), crate::support::origin::simple());
    let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
    folder.write_config(&builder.set("access_log = true").config());
    let script = "mkfifo log; exec 9<>log; exec 2>log 9<&-; exec \"$0\" \"$@\"";
    let mut process = program(&folder, &[]).under(&["sh", "-c", script]).start();
    let client = crate::support::client::at(process.address(), http::Version::HTTP_11);
    for _ in 0..3 {
        assert_eq!(client.get("/hello").status, 200);
    }
    assert_eq!(process.stop().status, Some(0));
}

#[test]
fn sighup_reloads() {
    let (folder, origin) = (Arc::new(Folder::new()), socket_origin());
    let mut process = started(&folder, "passthrough", &origin, "");
    process.address();
    process.signal("HUP");
    let config = std::fs::read_to_string(folder.config()).unwrap();
    let more = "[[endpoint]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"\nmode = \"replay\"\n";
    folder.write_config(&format!("{config}{more}"));
    process.signal("HUP");
    until("the new endpoint", || {
        process.stdout().contains("endpoint=more").then_some(())
    });
    assert_eq!(process.stop().status, Some(0));
}

#[test]
fn the_service_manager_is_notified() {
    let (folder, origin) = (Arc::new(Folder::new()), socket_origin());
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(crate::support::PATIENCE))
        .unwrap();
    let next = || {
        let mut bytes = [0; 500];
        let size = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..size]).into_owned()
    };
    let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
    folder.write_config(&builder.config());
    let process = program(&folder, &[]).env("NOTIFY_SOCKET", &path).start();
    assert_eq!(next(), "READY=1\nSTATUS=1 endpoints, generation 1");
    process.signal("HUP");
    assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(next(), "READY=1\nSTATUS=1 endpoints, generation 1");
    process.signal("TERM");
    assert!(next().starts_with("STOPPING=1\n"));
    assert_eq!(process.ended().status, Some(0));
}

/// A folder with a configuration that forwards everything to an origin.
fn passing(origin: &SocketOrigin) -> Arc<Folder> {
    let folder = Arc::new(Folder::new());
    let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
    folder.write_config(&builder.config());
    folder
}

#[test]
fn a_restart_on_a_passed_socket_loses_no_request() {
    let origin = socket_origin();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let folder = passing(&origin);
    let start = || program(&folder, &[]).passing(&socket, "api").start();
    let mut first = start();
    assert_eq!(first.address(), address);
    let load = LoadGenerator::requests(address);
    load.wait_for_responses(100);
    for _ in 0..3 {
        let mut second = start();
        second.listening();
        load.wait_for_responses(50);
        let ended = first.stop();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        load.wait_for_responses(100);
        first = second;
    }
    let totals = load.end();
    assert_eq!(
        (&totals.lost[..], totals.refused),
        (&[][..], 0),
        "{totals:?}"
    );
    assert_eq!(first.stop().status, Some(0));
}

#[test]
fn an_unused_passed_socket_is_reported() {
    let origin = socket_origin();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let ended = program(&passing(&origin), &[])
        .passing(&socket, "web")
        .run();
    assert_eq!(ended.status, Some(2));
    let expected = "no endpoint uses the socket `web` at 127.0.0.1:";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("give it the name of an endpoint (api;"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_passed_socket_is_found_by_its_address() {
    let origin = socket_origin();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let folder = Arc::new(Folder::new());
    let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
    let config = builder
        .config()
        .replace("127.0.0.1:0", &address.to_string());
    folder.write_config(&config);
    let mut process = program(&folder, &[])
        .passing(&socket, "gateway.socket")
        .start();
    assert_eq!(process.address(), address);
    let load = LoadGenerator::requests(address);
    load.wait_for_responses(20);
    assert_eq!(load.end().lost, [""; 0]);
    assert_eq!(process.stop().status, Some(0));
}

#[test]
fn a_stop_leaves_a_full_recorder_queue_and_says_so() {
    const EXCHANGES: usize = 60;
    let origin = crate::support::origin::simple();
    let folder = Arc::new(Folder::new());
    folder.put_plugin("loop.wasm", &fixture("looping-redactor"));
    // Each exchange takes half a second, and the redactor is never paused.
    let builder = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .section("[limits]\nshutdown_timeout = \"1s\"\nredactor_cpu_time = \"500ms\"")
        .section("plugin_failure_threshold = 1_000_000");
    folder.write_config(&builder.config());
    let mut process = program(&folder, &["--strict"]).start();
    let client = crate::support::client::at(process.address(), http::Version::HTTP_11);
    for _ in 0..EXCHANGES {
        assert_eq!(client.get("/hello").status, 200);
    }
    let ended = process.stop();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    let reason = "not written when the gateway stopped";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
}
