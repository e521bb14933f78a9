//! Watches what the user edits, and reloads when it has settled.
//!
//! Folders are watched, not files: editors and deployments replace files by renaming, or switch a
//! link. The system's word only wakes the watch up; how the files look decides, and a look every
//! now and then covers what it does not say.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Core;
use super::source_files::{self, FileStamp};

/// How often the files are looked at without a word from the system.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Files have settled when two looks this far apart are alike.
const SETTLE_INTERVAL: Duration = Duration::from_millis(25);

/// Looks after which files that never settle are read all the same.
const MAX_SETTLE_ROUNDS: usize = 10;

/// The thread that watches. Dropped, it ends.
pub(super) struct FileWatcher {
    wake: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatcher {
    pub(super) fn start(core: &Arc<Core>) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let watcher = new_watcher(wake.clone());
        let core = Arc::downgrade(core);
        let thread = std::thread::Builder::new()
            .name("ouli-watch".to_owned())
            .spawn(move || watch(&core, &woken, watcher))?;
        Ok(Self {
            wake,
            thread: Some(thread),
        })
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        // A full queue wakes the thread as well.
        let _ = self.wake.try_send(());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the watch on files broke");
        }
    }
}

fn new_watcher(wake: SyncSender<()>) -> Option<RecommendedWatcher> {
    let told = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // One word is enough, however many changes there are.
            let _ = wake.try_send(());
        }
    };
    notify::recommended_watcher(told)
        .inspect_err(|error| tracing::warn!("files are looked at every {POLL_INTERVAL:?}: {error}"))
        .ok()
}

fn watch(core: &Weak<Core>, woken: &Receiver<()>, mut watcher: Option<RecommendedWatcher>) {
    let mut watched: Vec<PathBuf> = Vec::new();
    let mut seen: Option<Vec<FileStamp>> = None;
    loop {
        let Some(core) = core.upgrade() else {
            return;
        };
        if core.stopped.load(Ordering::Acquire) {
            return;
        }
        let (files, folders) = core.watched_paths();
        if let Some(watcher) = &mut watcher {
            update_watches(watcher, &mut watched, &files, &folders);
        }
        let now = source_files::stamp_files(&files, &folders);
        if seen.as_ref() != Some(&now) {
            seen = Some(wait_until_settled(now, &files, &folders));
            core.reload();
        } else if core.needs_rollback() {
            core.reload();
        }
        drop(core);
        match woken.recv_timeout(POLL_INTERVAL) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

/// The look at which the files came to rest.
fn wait_until_settled(
    mut look: Vec<FileStamp>,
    files: &[PathBuf],
    folders: &[PathBuf],
) -> Vec<FileStamp> {
    for _ in 0..MAX_SETTLE_ROUNDS {
        std::thread::sleep(SETTLE_INTERVAL);
        let next = source_files::stamp_files(files, folders);
        if next == look {
            break;
        }
        look = next;
    }
    look
}

/// Watches the folders that hold the files now, and no others.
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
    let wanted: Vec<_> = parents.chain(folders.iter().cloned()).collect();
    watched.retain(|path| {
        let keep = wanted.contains(path) && path.is_dir();
        if !keep {
            // A folder that is gone is no longer watched anyway.
            let _ = watcher.unwatch(path);
        }
        keep
    });
    for path in wanted {
        if !watched.contains(&path)
            && path.is_dir()
            && watcher.watch(&path, RecursiveMode::NonRecursive).is_ok()
        {
            watched.push(path);
        }
    }
}

impl Core {
    /// The files and folders that matter now.
    fn watched_paths(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let config = Arc::clone(&self.lock_loaded().config);
        let file = self.options.config_file.as_ref();
        let file = file.map(|path| self.options.base_dir.join(path));
        let files = file
            .into_iter()
            .chain(config.proto_descriptors.iter().cloned());
        (files.collect(), config.plugin_folders.paths.clone())
    }
}
