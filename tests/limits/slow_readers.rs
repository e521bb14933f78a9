//! Clients that read nothing, and the permits that their responses hold.

use super::http2::{HEADERS, PREFACE, SETTINGS, frame};
use crate::support::client::{self, Raw};
use crate::support::gateway::{self, Running};
use crate::support::origin;
use crate::support::until;

/// Two permits, and a wait for one that is longer than a test.
const LIMITS: &str = "[limits]\nupstream_max_concurrent_requests = 2\n\
                      pending_request_timeout = \"1h\"\nresponse_send_timeout = \"1h\"";

/// `GET /` of authority `x`, from the static table (RFC 7541, appendix A).
const GET: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 1, b'x'];

fn http1_readers(gateway: &Running) -> Vec<Raw> {
    let get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    (0..3).map(|_| client::raw(gateway.address, get)).collect()
}

/// Streams of one connection whose window has room for 100 bytes
/// (SETTINGS_INITIAL_WINDOW_SIZE; RFC 9113, section 6.5.2).
fn http2_readers(gateway: &Running) -> Vec<Raw> {
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 100]);
    let requests = (0..3).flat_map(|place| frame(HEADERS, 0b101, 2 * place + 1, &GET));
    let requests: Vec<_> = requests.collect();
    let all = [PREFACE, &settings, &requests].concat();
    vec![client::raw(gateway.address, all)]
}

#[test]
fn a_request_waits_for_no_client_that_reads_nothing() {
    for open in [http1_readers, http2_readers] {
        let origin = origin::new()
            .route("/", |_| origin::bytes(vec![b'x'; 64 << 20]))
            .route("/hello", |_| origin::text("good morning\n"))
            .start();
        for builder in [gateway::passthrough(&origin), gateway::record(&origin)] {
            let before = origin.seen().len();
            let gateway = builder.section(LIMITS).start();
            let readers = open(&gateway);
            // The third of them gets its permit like any other request.
            until("the requests", || {
                (origin.seen().len() == before + 3).then_some(())
            });
            let answer = client::http1(&gateway).get("/hello");
            assert_eq!(answer.text(), "good morning\n");
            drop(readers);
        }
    }
}
