//! Failures are not worth replaying: neither those of the server, nor those of a GraphQL query,
//! which come with status 200.

use ouli_plugin::{Answer, Conditions, Message, RecordingPolicy, Verdict};

struct SkipErrors;

impl RecordingPolicy for SkipErrors {
    fn prepare(declare: &Conditions) -> Answer {
        declare.skip_status(500, 599, "the server failed");
        declare.ask();
        Ok(())
    }

    fn decide(_: &Message, response: Option<&Message>, give: &Verdict) -> Answer {
        if response.is_some_and(|response| response.json("/errors/0").is_some()) {
            give.skip("the query failed");
        }
        Ok(())
    }
}

ouli_plugin::recording_policy!(SkipErrors);

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;
