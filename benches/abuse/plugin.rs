//! A plugin that abuses the gateway on one route while a well-behaved client uses another.

use std::time::{Duration, Instant};

use super::harness::Harness;
use super::{Outcome, honest};
use crate::fixtures::fixture;
use crate::platform;

/// The kinds of abuse; the fixture `abuser` selects one by the path.
const WAYS: [&str; 10] = [
    "loop",
    "recursion",
    "memory",
    "handles",
    "giant-part",
    "giant-log",
    "log-flood",
    "panic",
    "reenter",
    "name-address",
];

/// The duration of each kind.
const TURN: Duration = Duration::from_millis(700);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) fn hostile() -> Outcome {
    let folder = platform::folder("[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"/abuse/*\"]\n");
    platform::put(folder.path(), "own.wasm", &fixture("abuser"));
    let harness = Harness::start("replay", None, folder);
    let (measured, asked) = harness.under(|| {
        let mut asked = 0;
        for way in WAYS {
            let begin = Instant::now();
            let request =
                format!("GET /abuse/{way} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            while begin.elapsed() < TURN {
                // The response depends on the plugin.
                let _ = honest::ask(harness.address, request.as_bytes());
                asked += 1;
                std::thread::sleep(PAUSE);
            }
        }
        asked
    });
    (
        measured,
        Ok(format!("{asked} abuses in {} ways", WAYS.len())),
    )
}
