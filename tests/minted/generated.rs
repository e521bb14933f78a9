//! Generated conversations with fresh ids: each is a hit, and none of those that break the rules.

use super::declared::{DECLARED, jobs, start};
use super::{finish, id};
use crate::support::client::{self, Client};
use crate::support::gateway::{self, Running};
use crate::support::seeded::Random;

/// The steps after the start of two jobs.
const STEPS: [(&str, usize); 3] = [("log", 0), ("state", 1), ("log", 1)];

const CONVERSATIONS: usize = 1_000;

fn step(client: &Client, (name, _): (&str, usize), id: &str) -> (u16, String) {
    let answer = client.get(&format!("/jobs/{id}/{name}"));
    (answer.status, answer.text().to_owned())
}

/// A recording of two jobs, and a gateway that replays it.
fn recorded() -> Running {
    let origin = jobs();
    let gateway = gateway::record(&origin).start();
    let (client, ids) = (client::http1(&gateway), [id(), id()]);
    ids.iter().for_each(|id| drop(start(&client, id)));
    for one in STEPS {
        step(&client, one, &ids[one.1]);
    }
    gateway::replay(&finish(gateway)).section(DECLARED).start()
}

#[test]
fn conversations_with_fresh_ids_are_hits_and_those_that_break_the_renaming_are_none() {
    let replay = recorded();
    let (client, mut seeded) = (client::http1(&replay), Random::new(11));
    for _ in 0..CONVERSATIONS {
        let ids = [id(), id()];
        for id in &ids {
            assert!(start(&client, id).text().contains(id));
        }
        let broken = STEPS[usize::try_from(seeded.below(2)).unwrap()];
        // The other id of this conversation has no such step, or one that nobody made up.
        let (status, report) = match seeded.one_in(2) {
            true => step(&client, ("state", 0), &ids[0]),
            false => step(&client, broken, &id()),
        };
        assert_eq!(status, 404);
        assert!(report.contains("since exchange"), "{report}");
        for one in STEPS {
            let own = &ids[one.1];
            let (status, text) = step(&client, one, own);
            assert_eq!(
                (status, text),
                (200, format!("GET /jobs/{own}/{} is done", one.0))
            );
        }
        replay.mark();
    }
}
