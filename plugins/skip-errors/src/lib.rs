//! Failures are not worth replaying: neither those of the server, nor those of a GraphQL query,
//! which come with status 200.

use guest::{Answer, Conditions, Message, RecordingPolicy, Verdict};

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

guest::recording_policy!(SkipErrors);
