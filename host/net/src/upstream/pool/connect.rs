//! Opens the connections of a pool.

use std::sync::Arc;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection::Http1Connection;
use super::http2_driver::{BEFORE_SETTINGS, Driver};
use super::state::{Attempt, Http2Entry, Pool, Protocol, State};
use crate::upstream::connector::UpstreamConnection;
use crate::upstream::dial::Socket;
use crate::upstream::early_close::EarlyCloseStream;
use crate::upstream::error::BoxError;
use crate::upstream::inspected_stream::InspectedStream;
use crate::upstream::slow_start::SlowStartStream;
use crate::upstream::tasks::{self, DeferredExecutor};

/// hyper's default limit of header fields. Any other number costs an allocation for each response.
const HYPER_DEFAULT_MAX_HEADERS: usize = 100;

impl Pool {
    /// Opens a connection in the background. Whoever waits may use it.
    pub(super) fn start_attempt(self: &Arc<Self>, state: &mut State) -> Arc<Attempt> {
        let attempt = Arc::new(Attempt::default());
        state.connecting += 1;
        state.latest_attempt = Some(Arc::clone(&attempt));
        let (pool, ended) = (Arc::clone(self), Arc::clone(&attempt));
        tasks::spawn(async move {
            let result = pool.open(&ended).await;
            if let Err(error) = result {
                ended.fail(error);
            }
            ended.finish();
            pool.state.lock().connecting -= 1;
            pool.changed.notify_waiters();
        });
        attempt
    }

    async fn open(self: &Arc<Self>, attempt: &Arc<Attempt>) -> Result<(), BoxError> {
        let UpstreamConnection { io, is_http2 } = self.connector.clone().connect().await?;
        let io = Box::new(EarlyCloseStream::new(io));
        self.state.lock().protocol = match is_http2 {
            true => Protocol::Http2,
            false => Protocol::Http1,
        };
        if is_http2 {
            self.open_http2(io, attempt).await
        } else {
            self.open_http1(io).await
        }
    }

    async fn open_http1(self: &Arc<Self>, io: Box<dyn Socket>) -> Result<(), BoxError> {
        let io = SlowStartStream::new(io);
        let received = io.received();
        let mut builder = http1::Builder::new();
        builder
            .max_buf_size(self.bounds.header_bytes)
            // A proxy repairs these in responses (RFC 9112, sections 5.1 and 5.2).
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true);
        if self.bounds.header_count != HYPER_DEFAULT_MAX_HEADERS {
            builder.max_headers(self.bounds.header_count);
        }
        let (mut sender, connection) = builder.handshake(TokioIo::new(io)).await?;
        let (ended, end) = oneshot::channel();
        tasks::spawn(async move {
            // An error of the connection is also an error of its request, if it has one.
            if let Err(error) = connection.with_upgrades().await {
                let _ = ended.send(error);
            }
        });
        if let Err(error) = sender.ready().await {
            // The connection tells more: the upstream may have sent something else than HTTP/1.1.
            return Err(end.await.unwrap_or(error).into());
        }
        self.put(Http1Connection {
            sender,
            received,
            is_reused: false,
        });
        Ok(())
    }

    async fn open_http2(
        self: &Arc<Self>,
        io: Box<dyn Socket>,
        attempt: &Arc<Attempt>,
    ) -> Result<(), BoxError> {
        let executor = DeferredExecutor::default();
        let header_bytes = u32::try_from(self.bounds.header_bytes).unwrap_or(u32::MAX);
        let (sender, connection) = http2::Builder::new(executor.clone())
            .timer(TokioTimer::new())
            .initial_max_send_streams(BEFORE_SETTINGS)
            .max_header_list_size(header_bytes)
            .max_send_buf_size(self.bounds.send_buffer)
            .initial_stream_window_size(self.bounds.stream_window)
            .initial_connection_window_size(self.bounds.connection_window)
            .handshake(TokioIo::new(
                Box::new(InspectedStream::new(io)) as Box<dyn Socket>
            ))
            .await?;
        let number = {
            let mut state = self.state.lock();
            state.last_number += 1;
            let number = state.last_number;
            state.http2.push(Http2Entry {
                number,
                sender,
                open: 0,
                allowed: None,
                refused_above: usize::MAX,
                was_used: false,
                has_answered: false,
                idle_since: Instant::now(),
            });
            self.start_idle_task(&mut state);
            number
        };
        let driver = Driver::new(self, number, attempt, connection, executor.take());
        tasks::spawn(driver.run());
        Ok(())
    }
}
