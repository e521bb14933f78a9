//! A connection with much data ready does not hold its thread: after some bytes the others of the
//! thread are served.

use std::io;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;
use tokio::task::coop;

/// The bytes that use up a unit of the budget of a task. The scheduler gives a task 128 units each
/// time that it runs, and each read or write uses one: alone, they would let a task move megabytes.
const BYTES_PER_UNIT: usize = 256;

/// Uses up the budget of the task for bytes that were read or written. Without budget the next read
/// or write is pending, and the task runs again after the others.
pub(crate) fn charge(cx: &mut Context<'_>, bytes: usize) {
    for _ in 0..bytes / BYTES_PER_UNIT {
        match coop::poll_proceed(cx) {
            Poll::Ready(unit) => unit.made_progress(),
            Poll::Pending => return,
        }
    }
}

/// The same for a write.
pub(crate) fn charge_write(cx: &mut Context<'_>, written: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(bytes)) = written {
        charge(cx, *bytes);
    }
}

/// The same for a read into a buffer that held so many bytes before.
pub(crate) fn charge_read(cx: &mut Context<'_>, buffer: &ReadBuf<'_>, before: usize) {
    charge(cx, buffer.filled().len().saturating_sub(before));
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Charges parts of this size until the budget is used up; the number of parts.
    async fn parts(size: usize) -> usize {
        tokio::task::yield_now().await;
        poll_fn(|cx| {
            let mut parts = 0;
            while coop::has_budget_remaining() && parts < 10_000 {
                charge(cx, size);
                parts += 1;
            }
            Poll::Ready(parts)
        })
        .await
    }

    #[tokio::test]
    async fn a_task_moves_some_kilobytes_before_the_others_run() {
        assert_eq!((parts(16 << 10).await, parts(1 << 20).await), (2, 1));
    }

    #[tokio::test]
    async fn small_messages_cost_nothing() {
        assert_eq!(parts(100).await, 10_000);
    }
}
