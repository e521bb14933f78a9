//! A disk that is full for some time: a small file system that only the gateway sees.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::storm::{MARK, at, load};
use crate::support::binary::{Process, program};
use crate::support::client::Client;
use crate::support::folder::Folder;
use crate::support::origin::{self, Origin};
use crate::support::until;

/// Mounts a file system over the cassettes folder and executes the program.
const MOUNT: &str = "mount -t tmpfs -o size=256k,mode=700 none cassettes && exec \"$0\" \"$@\"";

/// A gateway with its own disk.
struct Small {
    process: Process,
    folder: Folder,
    origin: Origin,
    client: Client,
    asked: usize,
}

/// Fills the disk for this time while clients send requests, then makes room again.
///
/// False if this process may not mount file systems; then nothing is tested.
pub(crate) fn full(keep: Duration) -> bool {
    let mut unshare = std::process::Command::new("unshare");
    let may = unshare.args(["-rm", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return false;
    }
    let mut small = Small::start();
    for _ in 0..5 {
        assert!(
            small.is_recorded(),
            "the disk has room: {}",
            small.process.stderr()
        );
    }
    let start = Instant::now();
    small.fill();
    // The rest of the last block has room for some exchanges.
    let refused = |small: &mut Small| (0..20).filter(|_| !small.is_recorded()).count();
    until("a disk that is full", || {
        (refused(&mut small) == 20).then_some(())
    });
    // While some exchanges still fit, each error after a recorded one is logged.
    let before = small.lines("not recorded: ").len();
    let again = small.lines("recording again; ").len();
    while start.elapsed() < keep {
        assert_eq!(refused(&mut small), 20);
    }
    let told = small.lines("not recorded: ");
    // Two errors, one of the cassette and one of the stored bodies, logged at once and then every
    // ten seconds.
    let most = before + 2 + 2 * start.elapsed().as_secs() as usize / 10;
    assert!((1..=most).contains(&told.len()), "{told:#?}");
    assert!(told[0].contains("No space left on device"), "{told:#?}");
    small.make_room();
    until("recording to go on", || small.is_recorded().then_some(()));
    until("its log line", || {
        let lines = small.lines("recording again; ");
        (lines.len() > again).then_some(())
    });
    small.finish();
    true
}

impl Small {
    fn start() -> Self {
        let origin = {
            let count = std::sync::atomic::AtomicUsize::new(0);
            let answer = move |_: &origin::Seen| {
                let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                // Every second body is stored in a separate file.
                let size = [600, 3000][number % 2];
                origin::text(&format!("{number} {}", "x".repeat(size)))
            };
            origin::new().route("/*", answer).start()
        };
        let folder = Folder::new();
        std::fs::create_dir(folder.cassettes()).unwrap();
        folder.write_config("plugins = \"plugins\"\n[limits]\ninline_body = \"1 KiB\"\n");
        let url = origin.url();
        let arguments = [
            "auto",
            "--upstream",
            &url,
            "--listen",
            "127.0.0.1:0",
            "--config",
            "ouli.toml",
            "--strict",
            "--report",
            "report.json",
        ];
        let program = program(&folder, &arguments);
        let mut process = program
            .under(&["unshare", "-rm", "sh", "-c", MOUNT])
            .start();
        let client = at(process.address());
        Self {
            process,
            folder,
            origin,
            client,
            asked: 0,
        }
    }

    /// Sends a new request twice; true if the second response equals the first.
    fn is_recorded(&mut self) -> bool {
        self.asked += 1;
        let target = format!("/{}", self.asked);
        let first = self.client.get(&target);
        self.client.ask("POST", MARK).send();
        let answers = [first, self.client.get(&target)];
        assert!(answers.iter().all(|answer| answer.status == 200));
        answers[0].body == answers[1].body
    }

    /// The cassettes as the gateway sees them.
    fn cassettes(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.process.id()));
        let path = self.folder.cassettes();
        root.join(path.strip_prefix("/").unwrap())
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.cassettes().join("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.cassettes().join("ballast")).unwrap();
    }

    fn lines(&self, mark: &str) -> Vec<String> {
        let text = self.process.stderr();
        let lines = text.lines().filter(|line| line.contains(mark));
        lines.map(str::to_owned).collect()
    }

    /// The cassette is undamaged, and the verdict counts the missing exchanges.
    fn finish(self) {
        let loaded = load(&self.cassettes(), "default").unwrap();
        assert!(loaded.damage.is_empty() && loaded.torn_tail.is_none());
        let recorded = loaded.exchanges.len();
        assert!(loaded.exchanges.iter().all(|one| !one.edited));
        let asked = self.origin.seen().len();
        let ended = self.process.stop();
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        let report = std::fs::read(self.folder.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let session = &report["sessions"][0];
        assert_eq!(session["passed"], false);
        assert_eq!(session["recorded"], recorded);
        let failed = session["defects"]["not-written"].as_object().unwrap();
        let failed: u64 = failed.values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(recorded as u64 + failed, asked as u64, "{session:#}");
    }
}
