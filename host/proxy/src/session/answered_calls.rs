//! Calls of JSON-RPC that a stream of events answers, and not their own responses, as in the older
//! HTTP transport of MCP.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The calls of one run whose answers are still to come.
#[derive(Debug, Default)]
pub(crate) struct AnsweredCalls {
    /// The ids that clients gave their calls, by the recorded target and id.
    calls: Mutex<HashMap<(String, Vec<u8>), String>>,
    added: Notify,
}

/// The most calls that are kept. A stream waits in vain for others, up to its timeout.
const MAX_CALLS: usize = 4096;

impl AnsweredCalls {
    /// A client sent the recorded call with an id of its own.
    pub(crate) fn add(&self, target: &str, recorded: Vec<u8>, own: String) {
        let mut calls = self.calls.lock();
        if calls.len() < MAX_CALLS {
            calls.insert((target.to_owned(), recorded), own);
        }
        drop(calls);
        self.added.notify_waiters();
    }

    /// Waits for a call, and returns the id that its client gave it.
    pub(crate) async fn take(&self, target: &str, recorded: &[u8]) -> String {
        let call = (target.to_owned(), recorded.to_owned());
        loop {
            let added = self.added.notified();
            tokio::pin!(added);
            added.as_mut().enable();
            let own = self.calls.lock().remove(&call);
            if let Some(own) = own {
                return own;
            }
            added.await;
        }
    }
}
