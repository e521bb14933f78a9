//! Watches the configuration file, the plugin folders and the cassettes in use, and reloads when
//! they have changed.
//!
//! Folders are watched, not files: editors and deployments replace files by renaming or switch a
//! symbolic link. An event of the system only wakes the watcher; the file stamps decide whether
//! something changed. Polling covers events that are lost.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::shutdown::{Deadline, Joined};
use super::source_files::{self, FileStamp};
use super::state::GatewayState;

/// How often the file stamps are read without an event.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Files have settled when their stamps are equal over this interval.
const SETTLE_INTERVAL: Duration = Duration::from_millis(25);

/// The time between two events that wake the watcher. Recording changes a watched folder with each
/// write.
const MIN_INTERVAL: Duration = Duration::from_millis(25);

/// Rounds after which files that never settle are read anyway.
const MAX_SETTLE_ROUNDS: usize = 10;

/// The watcher thread.
pub(super) struct FileWatcher {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl FileWatcher {
    pub(super) fn start(state: &Arc<GatewayState>) -> io::Result<Self> {
        let (wake, events) = sync_channel(1);
        let watcher = new_watcher(wake.clone());
        let state = Arc::downgrade(state);
        let thread = std::thread::Builder::new()
            .name("ouli-watch".to_owned())
            .spawn(move || watch(&state, &events, watcher))?;
        Ok(Self { wake, thread })
    }
}

impl FileWatcher {
    /// Wakes the thread, which ends if the gateway stops. It is waited for until the deadline.
    pub(super) fn end(self, deadline: Deadline) {
        // If the queue is full, the thread wakes anyway.
        let _ = self.wake.try_send(());
        if deadline.join(self.thread) == Joined::Panicked {
            tracing::error!("the file watcher panicked");
        }
    }
}

fn new_watcher(wake: SyncSender<()>) -> Option<RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Pending wake-ups: 1, further ones are coalesced.
            let _ = wake.try_send(());
        }
    };
    notify::recommended_watcher(on_event)
        .inspect_err(|error| {
            tracing::warn!("no file events, polling every {POLL_INTERVAL:?}: {error}");
        })
        .ok()
}

fn watch(
    state: &Weak<GatewayState>,
    events: &Receiver<()>,
    mut watcher: Option<RecommendedWatcher>,
) {
    let mut watched: Vec<PathBuf> = Vec::new();
    let mut applied: Option<Vec<FileStamp>> = None;
    loop {
        let Some(state) = state.upgrade() else {
            return;
        };
        if state.stopped.load(Ordering::Acquire) {
            return;
        }
        let round = || look(&state, watcher.as_mut(), &mut watched, &mut applied);
        if catch_unwind(AssertUnwindSafe(round)).is_err() {
            // What has changed is applied, and is not read again until it changes.
            tracing::error!("the files are not applied: the gateway itself failed at it");
        }
        drop(state);
        match events.recv_timeout(POLL_INTERVAL) {
            Ok(()) => std::thread::sleep(MIN_INTERVAL),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

/// Applies what has changed since the last look.
fn look(
    state: &Arc<GatewayState>,
    watcher: Option<&mut RecommendedWatcher>,
    watched: &mut Vec<PathBuf>,
    applied: &mut Option<Vec<FileStamp>>,
) {
    let (files, folders) = state.watched_paths();
    if let Some(watcher) = watcher {
        let watched_folders = [folders.clone(), state.cassette_folders()].concat();
        update_watches(watcher, watched, &files, &watched_folders);
    }
    let now = source_files::stamp_files(&files, &folders);
    if applied.as_ref() != Some(&now) {
        *applied = Some(wait_until_settled(now, &files, &folders));
        state.reload_configuration();
    } else if state.needs_rollback() {
        state.reload_configuration();
    }
    state.load_pending_plugins_in_background();
    state.retry_listeners();
    state.reload_cassettes();
    state.close_idle_sessions();
}

/// The stamps of the files once they no longer change.
fn wait_until_settled(
    mut stamps: Vec<FileStamp>,
    files: &[PathBuf],
    folders: &[PathBuf],
) -> Vec<FileStamp> {
    for _ in 0..MAX_SETTLE_ROUNDS {
        std::thread::sleep(SETTLE_INTERVAL);
        let next = source_files::stamp_files(files, folders);
        if next == stamps {
            break;
        }
        stamps = next;
    }
    stamps
}

/// Watches the folders that contain the files, and no others.
fn update_watches(
    watcher: &mut RecommendedWatcher,
    watched: &mut Vec<PathBuf>,
    files: &[PathBuf],
    folders: &[PathBuf],
) {
    let parents = files.iter().filter_map(|file| file.parent());
    let parents = parents.map(|parent| {
        if parent.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            parent.to_owned()
        }
    });
    let desired: Vec<_> = parents.chain(folders.iter().cloned()).collect();
    watched.retain(|path| {
        let keep = desired.contains(path) && path.is_dir();
        if !keep {
            // A deleted folder is no longer watched anyway.
            let _ = watcher.unwatch(path);
        }
        keep
    });
    for path in desired {
        if !watched.contains(&path)
            && path.is_dir()
            && watcher.watch(&path, RecursiveMode::NonRecursive).is_ok()
        {
            watched.push(path);
        }
    }
}
