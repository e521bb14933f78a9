//! Standard error and standard output that nobody reads, or that somebody reads late.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use http::Version;

use crate::support::binary::{Process, program};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::origin::{self, Origin};
use crate::support::without_hanging;

const DROPPED: &str = " log lines were dropped: standard error was not read";

/// Enough to fill the pipe and the buffer several times.
const REQUESTS: usize = 1000;

/// A gateway whose stderr is a pipe in its folder.
struct Gateway {
    folder: Folder,
    process: Process,
    _origin: Origin,
}

impl Gateway {
    fn start(log_format: &str) -> Self {
        Self::start_with(log_format, "1s")
    }

    fn start_with(log_format: &str, shutdown_timeout: &str) -> Self {
        let (folder, origin) = (Folder::new(), origin::simple());
        folder.write_config(&format!(
            "mode = \"record\"\nfsync = \"close\"\naccess_log = true\n\
             log_format = \"{log_format}\"\n\
             [limits]\nlog_buffer = \"64 KiB\"\nshutdown_timeout = \"{shutdown_timeout}\"\n\
             [[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\n",
            origin.url()
        ));
        // The descriptor 9 keeps the pipe open for readers to come.
        let script = "mkfifo log; exec 9<>log; exec \"$0\" \"$@\" 2>log";
        let program = program(&folder, &[]).under(&["sh", "-c", script]);
        let process = program.env("RUST_LOG", "debug").start();
        Self {
            folder,
            process,
            _origin: origin,
        }
    }

    /// Each request that is held up fails by itself.
    fn send_requests(&mut self) {
        let client = client::at(self.process.address(), Version::HTTP_11);
        for _ in 0..REQUESTS {
            assert_eq!(client.get("/hello").status, 200);
        }
    }

    fn open_log(&self) -> BufReader<File> {
        BufReader::new(File::open(self.folder.path().join("log")).unwrap())
    }
}

/// Reads the log until a line that contains `end`, which it returns.
fn read_until(log: &mut BufReader<File>, end: &str) -> String {
    let mut line = String::new();
    while !line.contains(end) {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "no {end}");
    }
    line
}

fn rest_of(mut log: BufReader<File>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        rest
    })
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_request_and_is_continued() {
    let mut gateway = Gateway::start("text");
    gateway.send_requests();
    let mut log = gateway.open_log();
    let told = without_hanging("the log", || read_until(&mut log, DROPPED));
    let words: Vec<_> = told.split_whitespace().collect();
    assert_eq!(words[1], "WARN", "{told}");
    assert!(words[2].parse::<u64>().unwrap() > 100, "{told}");
    // What comes now is written again.
    let client = client::at(gateway.process.address(), Version::HTTP_11);
    client.get("/later");
    without_hanging("the log", || read_until(&mut log, "/later"));
    let rest = rest_of(log);
    assert_eq!(gateway.process.stop().status, Some(0));
    assert!(rest.join().unwrap().contains("verdict:"));
}

#[test]
fn the_line_about_dropped_lines_is_json_in_a_log_of_json() {
    let mut gateway = Gateway::start("json");
    gateway.send_requests();
    let mut log = gateway.open_log();
    let told = without_hanging("the log", || read_until(&mut log, DROPPED));
    let record: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(record["level"], "WARN");
    assert!(record["fields"]["count"].as_u64().unwrap() > 100);
    assert!(record["timestamp"].is_string());
}

#[test]
fn a_stop_while_nobody_reads_the_log_ends_with_the_status_of_the_verdict() {
    let mut gateway = Gateway::start("text");
    gateway.send_requests();
    let ended = without_hanging("the stop", || gateway.process.stop());
    assert_eq!(ended.status, Some(0));
}

#[test]
fn a_reader_that_comes_before_the_stop_gets_the_lines_in_order_to_the_last() {
    let mut gateway = Gateway::start("text");
    gateway.send_requests();
    let rest = rest_of(gateway.open_log());
    assert_eq!(gateway.process.stop().status, Some(0));
    let rest = rest.join().unwrap();
    let places = [DROPPED, "stopping; ", "verdict:"].map(|text| rest.find(text));
    assert!(places.iter().all(Option::is_some), "{places:?}");
    assert!(places.is_sorted(), "{places:?}");
}

/// A reader that takes a few pages in a second is read to the last line, as long as the stop may
/// take.
#[test]
fn a_slow_reader_gets_the_verdict() {
    let mut gateway = Gateway::start_with("text", "1h");
    gateway.send_requests();
    let mut log = gateway.open_log().into_inner();
    let reader = std::thread::spawn(move || {
        let (mut all, mut page, mut pages) = (Vec::new(), [0; 4096], 0);
        // The buffer and the pipe hold more than these.
        while let Ok(count) = log.read(&mut page)
            && count > 0
        {
            all.extend_from_slice(&page[..count]);
            pages += 1;
            if pages <= 20 {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    assert_eq!(gateway.process.stop().status, Some(0));
    assert!(reader.join().unwrap().contains("verdict:"));
}

#[test]
fn a_reload_while_nobody_reads_the_log_takes_effect() {
    let mut gateway = Gateway::start("text");
    gateway.send_requests();
    let config = std::fs::read_to_string(gateway.folder.config()).unwrap();
    gateway.folder.write_config(&format!(
        "{config}[[endpoint]]\nname = \"second\"\nlisten = \"127.0.0.1:0\"\nmode = \"replay\"\n"
    ));
    gateway.process.signal("HUP");
    crate::support::until("the second listener", || {
        let stdout = gateway.process.stdout();
        stdout.contains("endpoint=second").then_some(())
    });
}

#[test]
fn standard_output_that_nobody_reads_holds_up_no_start() {
    let folder = Folder::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = "mkfifo out; exec 9<>out; head -c 65536 /dev/zero >&9; exec \"$0\" \"$@\" >out";
    let program = program(&folder, &["replay"]).under(&["sh", "-c", script]);
    let process = program.passing(&socket, "default").start();
    let client = client::at(socket.local_addr().unwrap(), Version::HTTP_11);
    let status = without_hanging("a response", || client.get("/unknown").status);
    assert_eq!(status, 404);
    let mut out = BufReader::new(File::open(folder.path().join("out")).unwrap());
    let told = without_hanging("the line", || read_until(&mut out, "listening on "));
    assert!(told.contains("endpoint=default"), "{told}");
    let ended = process.stop();
    assert!(ended.stderr.contains("verdict:"), "{}", ended.stderr);
}
