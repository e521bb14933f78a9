//! Helpers: an origin, a gateway in process, clients, plugins and the program. Tests are
//! synchronous functions; asynchronous code runs on one shared runtime behind these modules.

pub(crate) mod binary;
pub(crate) mod client;
pub(crate) mod folder;
pub(crate) mod gateway;
pub(crate) mod origin;
pub(crate) mod plugins;
pub(crate) mod seeded;
pub(crate) mod snapshot;
pub(crate) mod source;
pub(crate) mod tls;
pub(crate) mod websocket;

use std::future::Future;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

/// The timeout of every wait in the tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let builder = &mut Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
});

/// Runs a future on the shared runtime; panics after [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async {
        let result = tokio::time::timeout(PATIENCE, work).await;
        result.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
    })
}

/// Starts a task on the shared runtime.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.spawn(task);
}

/// Polls `look` until it returns a value; panics after [`PATIENCE`].
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Polls `look` until it returns a value; panics after `limit`.
pub(crate) fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `work` and panics if it takes less than `least`. Only lower bounds are checked: a busy
/// machine makes everything slower.
pub(crate) fn at_least<T>(least: Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let time = start.elapsed();
    assert!(time >= least, "took {time:?}, less than {least:?}");
    result
}

/// Runs `work` and panics if it takes [`PATIENCE`] or longer, which means that it hung.
pub(crate) fn without_hanging<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < PATIENCE, "{what} hung");
    result
}

/// A folder that is kept between test runs, for files that are expensive to make.
pub(crate) fn kept(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The folder of compiled plugins, shared by the tests in process and the program.
pub(crate) fn cache() -> PathBuf {
    kept("cache/ouli-gateway/compiled")
}

/// A unique text.
pub(crate) fn random() -> String {
    use std::io::Read as _;
    let mut bytes = [0; 12];
    let mut source = std::fs::File::open("/dev/urandom").unwrap();
    source.read_exact(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
