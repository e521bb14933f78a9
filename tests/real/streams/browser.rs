//! A page in Chromium that opens WebSockets and event streams of its origin.

use super::trial::{Trial, scenarios};

#[test]
#[ignore = "needs Chromium and packages of Python: see .ci/run"]
fn sees_the_same_without_the_origin() {
    let (all, table) = Trial::new("browser.py", &["browser.py"]).run();
    println!("\n{table}");
    for told in all {
        assert!(scenarios(&told).len() >= 15, "{told:#}");
    }
}
