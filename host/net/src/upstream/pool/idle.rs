//! Idle connections: how many are kept, and for how long.

use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::connection::Http1Connection;
use super::state::{Idle, Pool, State};
use crate::upstream::tasks;

impl Pool {
    /// Takes an HTTP/1.1 connection back once its response has been read.
    pub(in crate::upstream) fn give_back(self: &Arc<Self>, mut connection: Http1Connection) {
        connection.is_reused = true;
        if connection.sender.is_ready() {
            self.put(connection);
            return;
        }
        let pool = Arc::clone(self);
        tasks::spawn(async move {
            if connection.sender.ready().await.is_ok() {
                pool.put(connection);
            }
        });
    }

    /// Adds a connection that a request can use.
    pub(super) fn put(self: &Arc<Self>, connection: Http1Connection) {
        let mut state = self.state.lock();
        if state.waiting == 0 && state.idle() >= self.bounds.idle_connections {
            return;
        }
        let since = Instant::now();
        state.http1.push(Idle { connection, since });
        self.start_idle_task(&mut state);
        if state.waiting > 0 {
            self.changed.notify_one();
        }
    }

    /// The last stream of this connection has ended.
    pub(super) fn on_idle_http2(self: &Arc<Self>, state: &mut State, number: u64) {
        if state.waiting == 0 && state.idle() > self.bounds.idle_connections {
            state.http2.retain(|entry| entry.number != number);
        }
        self.start_idle_task(state);
    }

    pub(super) fn start_idle_task(self: &Arc<Self>, state: &mut State) {
        if !state.has_idle_task {
            state.has_idle_task = true;
            tasks::spawn(close_idle(Arc::downgrade(self)));
        }
    }

    /// Closes connections that are idle for too long. Returns when the next one is.
    fn close_expired(&self) -> Option<Instant> {
        let (now, limit) = (Instant::now(), self.bounds.idle_timeout);
        let mut state = self.state.lock();
        state.http1.retain(|idle| idle.since + limit > now);
        state
            .http2
            .retain(|entry| entry.open > 0 || entry.idle_since + limit > now);
        let http1 = state.http1.iter().map(|idle| idle.since);
        let http2 = state.http2.iter().filter(|entry| entry.open == 0);
        let oldest = http1.chain(http2.map(|entry| entry.idle_since)).min();
        state.has_idle_task = oldest.is_some();
        oldest.map(|since| since + limit)
    }
}

impl State {
    fn idle(&self) -> usize {
        let http2 = self.http2.iter().filter(|entry| entry.open == 0);
        self.http1.len() + http2.count()
    }
}

async fn close_idle(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_expired()) {
        tokio::time::sleep_until(next).await;
    }
}
