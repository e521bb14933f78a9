//! What the policy declares, and which answers it does not want.

use ouli_plugin::testing::{Condition, Value, decide, json, request, response};

use super::SkipErrors;

fn skip(answer: Value) -> Result<Option<String>, String> {
    let (request, response) = (request("POST", "/graphql"), response(200).json(answer));
    let decided = decide::<SkipErrors>(&request, Some(&response))?;
    Ok(decided.skip().map(str::to_owned))
}

#[test]
fn failures_of_a_query_are_skipped() {
    let failed = json!({"data": null, "errors": [{"message": "no such field"}]});
    assert_eq!(skip(failed), Ok(Some("the query failed".to_owned())));
    assert_eq!(skip(json!({"errors": []})), Ok(None));
    assert_eq!(skip(json!({"data": {"errors": [1]}})), Ok(None));
}

#[test]
fn failures_of_the_server_are_declared() {
    let decided = decide::<SkipErrors>(&request("GET", "/"), None).unwrap();
    let status = Condition::SkipStatus {
        lowest: 500,
        highest: 599,
        reason: "the server failed".to_owned(),
    };
    assert_eq!((decided.declared(), decided.skip()), (&[status][..], None));
}
