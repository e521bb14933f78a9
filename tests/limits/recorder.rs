//! A recorder that cannot keep up with the traffic.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ouli_config::Defect;

use crate::support::client::{self, Client};
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin};
use crate::support::plugins::fixture;
use crate::support::until;
use crate::support::websocket::{BINARY, Peer, Way, close, frame, socket_origin};

/// The CPU time that the redactor takes for one exchange.
const BUSY: Duration = Duration::from_millis(400);

/// A gateway with a short queue whose recorder is busy after each `/slow`.
struct Busy {
    gateway: Running,
    client: Client,
    asked: Cell<u64>,
}

impl Busy {
    fn start(origin: &Origin, setting: &str, wait: &str) -> Self {
        let time = BUSY.as_millis();
        let gateway = gateway::record(origin)
            .set(&format!("on_recorder_full = \"{setting}\""))
            .plugin("own.wasm", &fixture("looping-redactor"))
            .section("[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"/slow\"]")
            .section(&format!(
                "[limits]\nrecorder_queue = 1\nredactor_cpu_time = \"{time}ms\"\n\
                 plugin_failure_threshold = 1000\nrecorder_queue_timeout = \"{wait}\""
            ))
            .start();
        Self {
            client: client::http1(&gateway),
            gateway,
            asked: Cell::default(),
        }
    }

    /// Sends a request and returns its duration.
    fn ask(&self, target: &str) -> Duration {
        let start = Instant::now();
        assert_eq!(self.client.get(target).text(), "hello");
        self.asked.set(self.asked.get() + 1);
        start.elapsed()
    }

    /// Makes the recorder busy and sends more requests than its queue holds; returns the longest
    /// duration.
    fn crowd(&self) -> Duration {
        self.ask("/slow");
        (0..3).map(|_| self.ask("/hello")).max().unwrap()
    }

    fn dropped(&self) -> BTreeMap<String, u64> {
        self.gateway.session("default").counted(Defect::Dropped)
    }

    /// Waits until the recorder has caught up; then the next exchange is recorded.
    fn records_again(&self) {
        let report = || self.gateway.session("default");
        let of = |counts: BTreeMap<String, u64>| counts.values().sum::<u64>();
        let recorded = until("an empty queue", || {
            let report = report();
            let lost = [Defect::PluginError, Defect::Dropped].map(|it| of(report.counted(it)));
            (report.recorded + lost[0] + lost[1] == self.asked.get()).then_some(report.recorded)
        });
        self.ask("/hello");
        until("the next exchange", || {
            (report().recorded == recorded + 1).then_some(())
        });
    }

    /// Stops the gateway. Each exchange must be recorded, failed by a timeout, or dropped; returns
    /// the number of dropped ones.
    fn finish(self) -> u64 {
        let report = self.gateway.finish();
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        let dropped = sum(&report.counted(Defect::Dropped));
        let failed = sum(&report.counted(Defect::PluginError));
        let all = report.recorded + failed + dropped;
        assert_eq!(all, self.asked.get(), "{report:#?}");
        let dropping = report.failures.iter().filter(|it| it.kind == "dropped");
        let told: u64 = dropping.map(|failure| failure.count).sum();
        assert_eq!(told, dropped, "{report:#?}");
        dropped
    }
}

fn origin() -> Origin {
    origin::new().route("/*", |_| origin::text("hello")).start()
}

#[test]
fn with_wait_a_response_waits_for_the_recorder() {
    let origin = origin();
    let busy = Busy::start(&origin, "wait", "60s");
    until("a response that waits", || {
        (busy.crowd() > BUSY / 2).then_some(())
    });
    assert_eq!(busy.finish(), 0);
}

#[test]
fn with_wait_an_exchange_is_dropped_after_recorder_queue_timeout() {
    let origin = origin();
    let busy = Busy::start(&origin, "wait", "50ms");
    until("an exchange to be dropped", || {
        busy.crowd();
        (!busy.dropped().is_empty()).then_some(())
    });
    let reason = busy.dropped().into_keys().next().unwrap();
    assert!(reason.contains("limits.recorder_queue"), "{reason}");
    busy.records_again();
    assert!(busy.finish() > 0);
}

#[test]
fn with_drop_exchanges_are_dropped_at_once() {
    let origin = origin();
    let busy = Busy::start(&origin, "drop", "60s");
    until("an exchange to be dropped", || {
        busy.crowd();
        (!busy.dropped().is_empty()).then_some(())
    });
    busy.records_again();
    assert!(busy.finish() > 0);
}

#[test]
fn deliveries_of_disconnected_clients_are_limited() {
    let gate = Gate::new();
    let events = move |_: &origin::Seen| {
        let events = origin::parts().header("content-type", "text/event-stream");
        events.part("data: 1\n\n").wait(&gate)
    };
    let origin = origin::new()
        .route("/events", events)
        .route("/*", |_| origin::text("hello"))
        .start();
    let busy = Busy::start(&origin, "wait", "60s");
    let client = busy.client.clone();
    // One exchange is in the queue and one waits for a slot; the others are dropped.
    until("an exchange to be dropped", || {
        busy.ask("/slow");
        for _ in 0..6 {
            let mut opened = client.ask("GET", "/events").open();
            assert_eq!(opened.next().unwrap().unwrap(), "data: 1\n\n");
        }
        busy.asked.set(busy.asked.get() + 6);
        (!busy.dropped().is_empty()).then_some(())
    });
    assert!(busy.finish() > 0);
}

/// Runs `ask` while another exchange holds most of the recording memory. `ask` gets the gateway and
/// a function that ends the other exchange.
fn beside(more: &str, ask: impl FnOnce(&Running, &dyn Fn())) {
    let gate = Gate::new();
    let held = gate.clone();
    let half = move |_: &origin::Seen| {
        let parts = origin::parts().repeat(vec![b'x'; 64 << 10], 10);
        parts.wait(&held).part("end")
    };
    let origin = origin::new()
        .route("/half", half)
        .route("/echo", |seen| origin::bytes(seen.body.clone()))
        .start();
    let gateway = gateway::record(&origin)
        .section(more)
        .section("[limits]\nrecording_memory = \"1 MiB\"\nrecorder_queue_timeout = \"60s\"")
        .start();
    let mut half = client::http1(&gateway).ask("GET", "/half").open();
    let mut read = 0;
    while read < 640 << 10 {
        read += half.next().unwrap().unwrap().len();
    }
    ask(&gateway, &|| gate.open());
    assert_eq!(half.count().unwrap(), 3);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (2, true), "{report:#?}");
}

#[test]
fn a_tunnel_waits_for_recording_memory() {
    let sockets = socket_origin();
    let url = sockets.url();
    let more =
        format!("[[endpoint]]\nname = \"sockets\"\nlisten = \"127.0.0.1:0\"\nupstream = \"{url}\"");
    beside(&more, |gateway, open| {
        let listening = gateway.listening();
        let sockets = listening.iter().find(|it| it.endpoint == "sockets");
        let mut peer = Peer::open(sockets.unwrap().address, &Way::Upgrade, "/echo");
        // More than the free memory, whatever the buffer growth of the other exchange; twice this
        // size is below the limit.
        peer.send(frame(BINARY, vec![7; 400_000]));
        assert!(peer.is_silent_for(Duration::from_millis(300)));
        open();
        assert_eq!(peer.next().unwrap().payload.len(), 400_000);
        peer.asks(close(1000, ""));
    });
}

#[test]
fn an_upload_waits_for_recording_memory() {
    beside("", |gateway, open| {
        let body = "x".repeat(300_000);
        let client = client::http1(gateway);
        let answer = std::thread::spawn(move || client.post("/echo", "text/plain", &body));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!answer.is_finished());
        open();
        assert_eq!(answer.join().unwrap().body.len(), 300_000);
    });
}
