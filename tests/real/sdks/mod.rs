//! Client libraries: what they return, and the error that they print for a request that is not
//! recorded: the first sentence of the report.

mod returned;

use serde_json::Value;

use crate::process::Gateway;
use crate::support::folder::Folder;
use crate::tools;

/// Runs a script that prints the message of each library as JSON.
fn printed(script: &str, url: &str) -> Vec<Value> {
    let output = tools::script(script).arg(url).output();
    let output = output.expect("the program was found before");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {stderr}");
    let all = serde_json::from_slice(&output.stdout);
    all.unwrap_or_else(|error| panic!("{script}: {error}: {stderr}"))
}

#[test]
#[ignore = "needs packages of Python and Node: see .ci/run"]
fn print_the_first_sentence_of_a_miss() {
    let folder = Folder::new();
    let cassettes = folder.path().join("cassettes");
    std::fs::create_dir(&cassettes).unwrap();
    let gateway = Gateway::start(&["replay"], &cassettes, folder.path().join("gateway.log"));
    for (script, count) in [("sdks/errors.py", 10), ("sdks/errors.mjs", 2)] {
        let all = printed(script, &gateway.url);
        assert_eq!(all.len(), count, "{all:?}");
        for one in &all {
            println!("{}: {}", one["sdk"], one["printed"]);
            let (request, printed) = (one["request"].as_str(), one["printed"].as_str());
            let request = request.expect("the script prints it");
            let sentence = format!("{request} is not recorded: session default has no cassette");
            let printed = printed.expect("the script prints it");
            assert!(printed.contains(&sentence), "{one:#}");
        }
    }
    gateway.stop();
}
