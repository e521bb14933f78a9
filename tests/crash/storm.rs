//! Clients that record through a gateway that is killed repeatedly, all into one
//! folder, and the expected content of the cassette.
//!
//! In `auto` a request that is repeated after a mark waits until the first one is written, and is
//! then answered from the cassette. A client that receives the same response twice, from an origin
//! that never sends one twice, knows that its exchange is recorded: it is *acknowledged*.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ouli_cassette::{CassetteDir as Cassettes, ChangePolicy, HEADER, LoadedCassette};

use crate::support::binary::{Process, program};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::origin::{self, Origin};
use crate::support::until;

const ANY: &str = "127.0.0.1:0";
const CLIENTS: usize = 4;

/// The page that begins the next run.
pub(crate) const MARK: &str = "/__ouli/sessions/default/mark";

/// Pseudo-random numbers that repeat for the same seed (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// An origin that never sends the same response twice, and the folder of the recordings.
pub(crate) struct Storm {
    origin: Origin,
    /// Responses of the origin, by target.
    sent: Arc<Mutex<HashMap<String, Vec<Vec<u8>>>>>,
    pub(crate) folder: Folder,
    next: AtomicUsize,
    /// Acknowledged responses, by target.
    acknowledged: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// The result of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) rounds: u64,
    pub(crate) acknowledged: usize,
    /// Torn tails that were moved away, and those of them that a kill left.
    pub(crate) torn: usize,
    pub(crate) torn_by_kill: usize,
}

/// Kills a gateway in `auto` this many times and checks the cassette each time.
pub(crate) fn auto(seed: u64, rounds: u64) -> Sum {
    let mut dice = Dice::new(seed);
    let storm = Storm::new();
    let (mut sum, mut torn) = (Sum::default(), Vec::new());
    for round in 0..rounds {
        let fsync = ["always", "20ms", "close"][(round % 3) as usize];
        let before = storm.count();
        storm.round(fsync, &mut dice);
        let what = format!("seed {seed}, round {round}, fsync {fsync}");
        let loaded = storm.check(&what);
        assert!(storm.count() > before, "nothing was acknowledged");
        if round + 1 < rounds {
            // A kill can truncate a write at the end of a memory page.
            let mut end = storm.end_from(loaded.valid_length);
            sum.torn_by_kill += usize::from(!end.is_empty());
            if dice.below(2) == 0 {
                end.extend(storm.tear(&mut dice));
                assert!(storm.check(&what).torn_tail.is_some(), "{what}");
            }
            // The next round moves it away before it records.
            sum.torn += usize::from(!end.is_empty());
            torn.extend(end);
        }
        sum.rounds += 1;
    }
    sum.acknowledged = storm.count();
    let aside = storm.folder.cassettes().join("default.jsons.torn");
    assert_eq!(std::fs::read(aside).unwrap_or_default(), torn);
    storm.replay();
    sum
}

/// Kills a gateway in `record` this many times, soon after it begins to rotate the cassette. The
/// last complete one is kept through all of it.
pub(crate) fn record(seed: u64, rounds: u64) -> Sum {
    let mut dice = Dice::new(seed);
    let storm = Storm::new();
    let mut sum = Sum::default();
    let mut complete = storm.complete();
    for round in 0..rounds {
        let mut process = storm.start("record", "always", &[]);
        let client = at(process.address());
        let count = dice.below(4);
        std::thread::scope(|scope| {
            for _ in 0..=count {
                // An interrupted request has no response.
                scope.spawn(|| client.ask("GET", &storm.target()).try_send().is_ok());
            }
            std::thread::sleep(Duration::from_micros(dice.below(30_000)));
            process.signal("KILL");
        });
        assert_eq!(process.ended().status, None);
        let what = format!("seed {seed}, round {round}");
        complete = storm.check_complete(complete, &what);
        sum.rounds += 1;
    }
    sum
}

impl Storm {
    pub(crate) fn new() -> Self {
        let sent = Arc::<Mutex<HashMap<String, Vec<Vec<u8>>>>>::default();
        let (count, kept) = (AtomicU64::new(0), Arc::clone(&sent));
        let answer = move |seen: &origin::Seen| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let body = body(&seen.target, number);
            let mut sent = kept.lock().unwrap();
            sent.entry(seen.target.clone())
                .or_default()
                .push(body.clone());
            origin::bytes(body)
        };
        let folder = Folder::new();
        folder.write_config("plugins = \"plugins\"\n[limits]\ninline_body = \"1 KiB\"\n");
        Self {
            origin: origin::new().route("/*", answer).start(),
            sent,
            folder,
            next: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    pub(crate) fn target(&self) -> String {
        format!("/item/{}", self.next.fetch_add(1, Ordering::SeqCst))
    }

    /// Starts a gateway, through another program if one is named.
    pub(crate) fn start(&self, mode: &str, fsync: &str, starter: &[&str]) -> Process {
        let url = self.origin.url();
        let fsync = format!("fsync={fsync}");
        let arguments = [
            mode,
            "--upstream",
            &url,
            "--listen",
            ANY,
            "--config",
            "ouli.toml",
            "--set",
            &fsync,
        ];
        let program = program(&self.folder, &arguments);
        match starter {
            [] => program.start(),
            starter => program.under(starter).start(),
        }
    }

    /// Clients send requests until the gateway is killed, some time after the first
    /// acknowledgements.
    fn round(&self, fsync: &str, dice: &mut Dice) {
        let mut process = self.start("auto", fsync, &[]);
        let client = at(process.address());
        self.replays(&client, 20);
        let enough = self.count() + 4 + dice.below(40) as usize;
        let then = Duration::from_micros(dice.below(4_000));
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while let Ok(recorded) = self.ask_twice(&client) {
                        assert!(recorded, "a disk without faults records everything");
                    }
                });
            }
            until("acknowledged exchanges", || {
                (self.count() >= enough).then_some(())
            });
            std::thread::sleep(then);
            process.signal("KILL");
        });
        assert_eq!(process.ended().status, None, "a signal ends the process");
    }

    /// Appends a part of an exchange, as a power failure may leave it; returns the part.
    pub(crate) fn tear(&self, dice: &mut Dice) -> Vec<u8> {
        let path = self.folder.cassette("default");
        let whole = std::fs::read(&path).unwrap();
        let exchange = &whole[HEADER.len()..];
        // Shorter than a complete exchange, which would not be a torn tail.
        let size = exchange.windows(3).position(|end| end == b"\n}\n").unwrap();
        let end = 1 + dice.below(size as u64 - 1) as usize;
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(&exchange[..end]).unwrap();
        exchange[..end].to_vec()
    }

    /// The content of the cassette from this offset.
    fn end_from(&self, start: u64) -> Vec<u8> {
        let whole = std::fs::read(self.folder.cassette("default")).unwrap();
        whole[usize::try_from(start).unwrap()..].to_vec()
    }

    /// Sends a new request twice; true if it was acknowledged.
    pub(crate) fn ask_twice(&self, client: &Client) -> Result<bool, client::Broken> {
        let target = self.target();
        let first = client.ask("GET", &target).try_send()?;
        client.ask("POST", MARK).try_send()?;
        let again = client.ask("GET", &target).try_send()?;
        if again.status == 500 {
            // It was recorded, but the stored body could not be read back.
            let told = again.text();
            assert!(told.contains("a recorded body cannot be read"), "{told}");
            return Ok(false);
        }
        assert_eq!((first.status, again.status), (200, 200), "{target}");
        let is_acknowledged = first.body == again.body;
        if is_acknowledged {
            let mut acknowledged = self.acknowledged.lock().unwrap();
            acknowledged.insert(target, first.body.to_vec());
        }
        Ok(is_acknowledged)
    }

    /// The last acknowledged exchanges are replayed without the origin.
    pub(crate) fn replays(&self, client: &Client, most: usize) {
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        let seen = self.origin.seen().len();
        for (target, body) in acknowledged.iter().rev().take(most) {
            assert_eq!(client.get(target).body, body[..], "{target}");
        }
        assert_eq!(self.origin.seen().len(), seen, "the origin got a request");
    }

    /// Every acknowledged exchange is complete in the cassette, and the cassette contains only
    /// responses of the origin.
    pub(crate) fn check(&self, what: &str) -> LoadedCassette {
        let loaded = load(&self.folder.cassettes(), "default").expect("a cassette");
        assert!(loaded.damage.is_empty(), "{what}: {:?}", loaded.damage);
        let sent = self.sent.lock().unwrap();
        let mut found = HashMap::new();
        for recorded in &loaded.exchanges {
            let target = recorded.exchange.request.target.as_str();
            let body = recorded.exchange.response.body.inline().to_vec();
            assert!(!recorded.edited, "{what}: {target}");
            assert!(sent[target].contains(&body), "{what}: {target} is torn");
            found.insert(target, body);
        }
        for (target, body) in self.acknowledged.lock().unwrap().iter() {
            assert_eq!(found.get(&**target), Some(body), "{what}: {target} is lost");
        }
        loaded
    }

    /// Replays everything without the origin.
    fn replay(self) {
        let acknowledged = std::mem::take(&mut *self.acknowledged.lock().unwrap());
        self.origin.stop();
        let mut process = program(&self.folder, &["replay", "--listen", ANY]).start();
        let client = at(process.address());
        for (target, body) in acknowledged {
            assert_eq!(client.get(&target).body, body, "{target}");
        }
        let ended = process.stop();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }

    /// Records a complete cassette and returns it.
    pub(crate) fn complete(&self) -> Vec<u8> {
        let mut process = self.start("record", "always", &[]);
        let client = at(process.address());
        for _ in 0..3 {
            assert_eq!(client.get(&self.target()).status, 200);
        }
        assert_eq!(process.stop().status, Some(0));
        std::fs::read(self.folder.cassette("default")).unwrap()
    }

    /// Asserts that the last complete cassette exists under its own name or that of the rotated
    /// file, and that later exchanges are complete. Returns the cassette that counts as complete
    /// from now on.
    pub(crate) fn check_complete(&self, complete: Vec<u8>, what: &str) -> Vec<u8> {
        let path = self.folder.cassette("default");
        let read = |path: &Path| std::fs::read(path).unwrap_or_default();
        let (now, previous) = (read(&path), read(&path.with_extension("jsons.previous")));
        if now == complete {
            return complete;
        }
        assert!(
            previous == complete,
            "{what}: the complete cassette is lost"
        );
        if now.len() <= HEADER.len() {
            assert!(HEADER.as_bytes().starts_with(&now), "{what}: {now:?}");
            return complete;
        }
        self.check(what);
        match path.with_extension("jsons.recording").exists() {
            true => complete,
            false => now,
        }
    }
}

/// Reads a cassette with its stored bodies; `None` if there is none.
pub(crate) fn load(cassettes: &Path, session: &str) -> Option<LoadedCassette> {
    let folder = Cassettes::open(cassettes, 1 << 30).unwrap();
    let mut loaded = folder.load(session, ChangePolicy::Mark).unwrap()?;
    for recorded in &mut loaded.exchanges {
        let read = folder.read_bodies(session, &mut recorded.exchange);
        read.unwrap_or_else(|error| panic!("{}: {error}", recorded.exchange.request.target));
    }
    Some(loaded)
}

pub(crate) fn at(address: SocketAddr) -> Client {
    client::at(address, http::Version::HTTP_11)
}

/// Text, binary, and every third body too large for the cassette file.
fn body(target: &str, number: u64) -> Vec<u8> {
    let text = format!("{target} answered as number {number}\n");
    match number % 3 {
        0 => text.repeat(100).into_bytes(),
        1 => [text.as_bytes(), b"\xff\x00"].concat(),
        _ => text.into_bytes(),
    }
}
