//! Cassettes that another program removes during a recording.

use std::fs;
use std::sync::Arc;

use crate::support::client;
use crate::support::gateway;
use crate::support::origin;
use crate::support::until;

#[test]
fn a_cassette_that_is_removed_during_a_recording_is_written_anew() {
    let origin = origin::new()
        .route("/*", |seen| origin::text(&seen.target))
        .start();
    for builder in [gateway::record(&origin), gateway::auto(&origin)] {
        let gateway = builder.start();
        let client = client::http1(&gateway);
        let folder = Arc::clone(&gateway.folder);
        let ask = |target: &str, count: usize| {
            client.get(target);
            until("the exchange to be written", || {
                (folder.exchanges("default").len() == count).then_some(())
            });
        };
        ask("/1", 1);
        ask("/2", 2);
        fs::remove_file(folder.cassette("default")).unwrap();
        ask("/3", 3);
        fs::remove_dir_all(folder.cassettes()).unwrap();
        ask("/4", 4);
        fs::remove_dir_all(folder.cassettes()).unwrap();
        let verdict = gateway.stop();
        assert!(verdict.passed, "{}", verdict.to_text());
        assert_eq!(folder.exchanges("default").len(), 4);
        let replay = gateway::replay(&folder).start();
        for target in ["/1", "/2", "/3", "/4"] {
            assert_eq!(client::http1(&replay).get(target).text(), target);
        }
    }
}
