//! Generated conversations with fresh ids: each is a hit, and none of those that break the rules.

use super::declared::{DECLARED, jobs, start};
use super::id;
use crate::support::client::{self, Answer, Ask, Client, Connection};
use crate::support::gateway::{self, Running};
use crate::support::seeded::Random;
use crate::support::wait_for;

/// The steps after the start of two jobs, each with the number of its job.
const STEPS: [(&str, usize); 3] = [("log", 0), ("state", 1), ("log", 1)];

const CONVERSATIONS: usize = 1_000;

/// A client with one connection for all of its requests.
struct Talker {
    client: Client,
    connection: Connection,
}

impl Talker {
    fn new(gateway: &Running) -> Self {
        let client = client::http1(gateway);
        let connection = wait_for("a connection", client.connect()).unwrap();
        Self { client, connection }
    }

    fn send(&mut self, ask: Ask) -> Answer {
        let sent = self.connection.send(ask.into_request());
        wait_for("an answer", sent).unwrap()
    }

    fn start(&mut self, id: &str) -> Answer {
        let ask = self.client.ask("POST", "/jobs");
        let ask = ask.header("content-type", "application/json");
        self.send(ask.body(format!("{{\"id\": \"{id}\"}}")))
    }

    fn step(&mut self, name: &str, id: &str) -> Answer {
        self.send(self.client.ask("GET", &format!("/jobs/{id}/{name}")))
    }

    fn mark(&mut self) {
        let mark = self.client.ask("POST", "/__ouli/sessions/default/mark");
        assert_eq!(self.send(mark).status, 200);
    }
}

/// A gateway that replays a recording of two jobs.
fn recorded() -> Running {
    let origin = jobs();
    let gateway = gateway::record(&origin).start();
    let (client, ids) = (client::http1(&gateway), [id(), id()]);
    for id in &ids {
        start(&client, id);
    }
    for (name, job) in STEPS {
        client.get(&format!("/jobs/{}/{name}", ids[job]));
    }
    gateway::replay(&gateway.into_folder())
        .section(DECLARED)
        .start()
}

#[test]
fn conversations_with_fresh_ids_are_hits_and_those_that_break_the_renaming_are_none() {
    let replay = recorded();
    let (mut talker, mut seeded) = (Talker::new(&replay), Random::new(11));
    for _ in 0..CONVERSATIONS {
        let ids = [id(), id()];
        for id in &ids {
            assert!(talker.start(id).text().contains(id));
        }
        // The first job has no such step, and nobody made the other id up.
        let broken = match seeded.one_in(2) {
            true => talker.step("state", &ids[0]),
            false => talker.step(seeded.one_of(&["log", "state"]), &id()),
        };
        assert_eq!(broken.status, 404);
        assert!(
            broken.text().contains("since exchange"),
            "{}",
            broken.text()
        );
        for (name, job) in STEPS {
            let own = &ids[job];
            let answer = talker.step(name, own);
            assert_eq!(answer.text(), format!("GET /jobs/{own}/{name} is done"));
        }
        talker.mark();
    }
}
