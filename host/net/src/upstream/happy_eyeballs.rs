//! Connects to the first of several addresses that answers (Happy Eyeballs, RFC 8305): attempts
//! begin one after the other without waiting for those before them to fail.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// The time until the next attempt begins, unless one fails before (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Attempts in progress. For one more, the oldest is given up.
const MAX_ATTEMPTS: usize = 32;

/// The result of the first attempt that succeeds; the others are dropped. If all fail, the last
/// error; none if there is no address.
pub(super) async fn connect<T, E, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = interleave(addresses);
    let mut attempts = Vec::new();
    let mut failure = None;
    loop {
        if let Some(address) = waiting.pop_front() {
            if attempts.len() == MAX_ATTEMPTS {
                drop(attempts.remove(0));
            }
            attempts.push(Box::pin(attempt(address)));
        }
        if attempts.is_empty() {
            return Err(failure);
        }
        let ended = first_to_end(&mut attempts);
        let ended = if waiting.is_empty() {
            Some(ended.await)
        } else {
            tokio::time::timeout(ATTEMPT_DELAY, ended).await.ok()
        };
        match ended {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(error)) => failure = Some(error),
            None => {}
        }
    }
}

/// The result of the first attempt that ends, which is removed.
async fn first_to_end<F: Future>(attempts: &mut Vec<Pin<Box<F>>>) -> F::Output {
    poll_fn(|cx| {
        for index in 0..attempts.len() {
            if let Poll::Ready(result) = attempts[index].as_mut().poll(cx) {
                drop(attempts.remove(index));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    })
    .await
}

/// The addresses with their families by turns, beginning with that of the first one (RFC 8305,
/// section 4). The resolver has sorted each family by preference (RFC 6724).
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let is_ipv6_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == is_ipv6_first);
    let mut second = second.into_iter();
    let mut ordered = VecDeque::new();
    for address in first {
        ordered.push_back(address);
        ordered.extend(second.next());
    }
    ordered.extend(second);
    ordered
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::time::Instant;

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[derive(Default)]
    struct Attempts {
        active: usize,
        most_active: usize,
        /// The port of each attempt, and when it began.
        begun: Vec<(u16, Duration)>,
    }

    #[derive(Clone, Default)]
    struct Log(Rc<RefCell<Attempts>>);

    /// An attempt in progress.
    struct Active(Log);

    impl Log {
        fn begin(&self, port: u16, start: Instant) -> Active {
            let mut log = self.0.borrow_mut();
            log.active += 1;
            log.most_active = log.most_active.max(log.active);
            log.begun.push((port, start.elapsed()));
            Active(self.clone())
        }
    }

    impl Drop for Active {
        fn drop(&mut self) {
            self.0.0.borrow_mut().active -= 1;
        }
    }

    /// Connects to addresses whose port tells what they do: 1 is a black hole, 2 refuses, 3 accepts
    /// after 100 ms.
    async fn run(list: &[&str]) -> (Result<SocketAddr, Option<&'static str>>, Log) {
        let (log, start) = (Log::default(), Instant::now());
        let connected = connect(addresses(list), |address| {
            let log = log.clone();
            async move {
                let _active = log.begin(address.port(), start);
                match address.port() {
                    1 => std::future::pending().await,
                    2 => Err("refused"),
                    _ => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        Ok(address)
                    }
                }
            }
        });
        let connected = tokio::time::timeout(Duration::from_secs(3600), connected).await;
        (connected.unwrap_or(Err(Some("timeout"))), log)
    }

    fn starts(log: &Log) -> Vec<(u16, u128)> {
        let log = log.0.borrow();
        let starts = log.begun.iter();
        starts.map(|(port, at)| (*port, at.as_millis())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_delays_the_next_address_by_250_ms() {
        let (connected, log) = run(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:3"]).await;
        assert_eq!(connected, Ok("10.0.0.3:3".parse().unwrap()));
        assert_eq!(starts(&log), [(1, 0), (1, 250), (3, 500)]);
        assert_eq!(log.0.borrow().active, 0, "the other attempts are cancelled");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_starts_the_next_attempt_at_once() {
        let (connected, log) = run(&["10.0.0.1:2", "10.0.0.2:2", "10.0.0.3:3"]).await;
        assert!(connected.is_ok());
        assert_eq!(starts(&log), [(2, 0), (2, 0), (3, 0)]);
        assert_eq!(run(&["10.0.0.1:2"]).await.0, Err(Some("refused")));
        assert_eq!(run(&[]).await.0, Err(None));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_answers_in_time_is_the_only_one() {
        let (_, log) = run(&["10.0.0.1:3", "10.0.0.2:3"]).await;
        assert_eq!(starts(&log), [(3, 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_limited() {
        let mut list = vec!["10.0.0.1:1"; 2 * MAX_ATTEMPTS];
        let (connected, log) = run(&list).await;
        assert_eq!(connected, Err(Some("timeout")));
        assert_eq!(log.0.borrow().most_active, MAX_ATTEMPTS);
        list.push("10.0.0.2:3");
        let (connected, log) = run(&list).await;
        assert_eq!(connected, Ok("10.0.0.2:3".parse().unwrap()));
        assert_eq!(log.0.borrow().begun.len(), 2 * MAX_ATTEMPTS + 1);
    }

    #[test]
    fn families_take_turns() {
        let list = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"];
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"];
        assert_eq!(interleave(addresses(&list)), addresses(&expected));
        let list = ["1.1.1.1:1", "[::1]:1", "[::2]:1"];
        assert_eq!(interleave(addresses(&list)), addresses(&list));
    }
}
