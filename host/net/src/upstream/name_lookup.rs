//! Resolves names on threads of their own: one for each name, whatever the number of requests that
//! wait for it. A resolver that does not answer holds no thread that reads files, and a name that
//! hangs delays no other name.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Names that are looked up at one time. A further one fails at once.
const MAX_LOOKUPS: usize = 64;

/// The look-ups of the process.
static LOOKUPS: LazyLock<NameLookups> = LazyLock::new(|| {
    let resolve = |host: &str, port| Ok((host, port).to_socket_addrs()?.collect());
    NameLookups::new(MAX_LOOKUPS, resolve)
});

/// The addresses of a host, given by name or address.
///
/// # Errors
/// If the system does not know the name, or looks up too many others.
pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => LOOKUPS.resolve(host, port).await,
    }
}

/// A host and a port.
type Name = (String, u16);
/// The addresses of a name, or why it has none.
type Found = Result<Vec<SocketAddr>, String>;
type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Look-ups in progress.
struct NameLookups {
    pending: Arc<Mutex<HashMap<Name, watch::Receiver<Option<Found>>>>>,
    max: usize,
    resolve: Arc<Resolve>,
}

impl NameLookups {
    fn new(
        max: usize,
        resolve: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            pending: Arc::default(),
            max,
            resolve: Arc::new(resolve),
        }
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut found = self.join_or_start((host.to_owned(), port))?;
        let found = found.wait_for(Option::is_some).await;
        // The sender is dropped if the look-up panics.
        let found = found.map_err(io::Error::other)?.clone();
        found
            .unwrap_or_else(|| Err(String::new()))
            .map_err(io::Error::other)
    }

    /// The look-up of a name that is in progress, or a new one.
    fn join_or_start(&self, name: Name) -> io::Result<watch::Receiver<Option<Found>>> {
        let mut pending = self.pending.lock();
        if let Some(found) = pending.get(&name) {
            return Ok(found.clone());
        }
        if pending.len() >= self.max {
            return Err(io::Error::other(
                "the resolver does not answer for many names",
            ));
        }
        let (sender, receiver) = watch::channel(None);
        let resolve = Arc::clone(&self.resolve);
        let ended = EndedLookup {
            pending: Arc::clone(&self.pending),
            name: name.clone(),
        };
        std::thread::Builder::new()
            .name("ouli-name-lookup".to_owned())
            .spawn(move || {
                let found = resolve(&ended.name.0, ended.name.1).map_err(|error| error.to_string());
                // Removed first, so that a later request does not get an old address.
                drop(ended);
                sender.send_replace(Some(found));
            })?;
        pending.insert(name, receiver.clone());
        Ok(receiver)
    }
}

/// Removes a look-up when it is dropped.
struct EndedLookup {
    pending: Arc<Mutex<HashMap<Name, watch::Receiver<Option<Found>>>>>,
    name: Name,
}

impl Drop for EndedLookup {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;

    /// A resolver that answers for names with `hang` when it is told to, and the number of its
    /// look-ups. `panic` panics.
    fn lookups(max: usize) -> (Arc<NameLookups>, SyncSender<()>, Arc<AtomicUsize>) {
        let (answer, answers) = sync_channel(8);
        let answers = Mutex::new(answers);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let lookups = NameLookups::new(max, move |host, port| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert_ne!(host, "panic");
            if host.starts_with("hang") {
                answers.lock().recv().map_err(io::Error::other)?;
            }
            Ok(vec![SocketAddr::new([192, 0, 2, 1].into(), port)])
        });
        (Arc::new(lookups), answer, count)
    }

    #[tokio::test]
    async fn a_name_that_hangs_has_one_thread_and_delays_no_other_name() {
        let (lookups, answer, count) = lookups(2);
        let waiting = (0..1000).map(|_| lookups.join_or_start(("hang".to_owned(), 80)).unwrap());
        let waiting: Vec<_> = waiting.collect();
        while count.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let other = lookups.resolve("other", 443).await.unwrap();
        assert_eq!(other[0].port(), 443);
        assert_eq!(count.load(Ordering::Relaxed), 2);
        answer.send(()).unwrap();
        for mut waiting in waiting {
            let found = waiting.wait_for(Option::is_some).await.unwrap().clone();
            assert_eq!(found.unwrap().unwrap()[0].port(), 80);
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
        assert!(lookups.pending.lock().is_empty());
    }

    #[tokio::test]
    async fn the_number_of_names_is_bounded() {
        let (lookups, answer, _) = lookups(1);
        let waiting = lookups.join_or_start(("hang".to_owned(), 80)).unwrap();
        let error = lookups.resolve("other", 80).await.unwrap_err();
        assert!(error.to_string().contains("resolver"), "{error}");
        answer.send(()).unwrap();
        assert!(waiting.clone().wait_for(Option::is_some).await.is_ok());
        assert!(lookups.resolve("panic", 80).await.is_err());
        assert!(lookups.resolve("other", 80).await.is_ok());
    }
}
