//! Large guests that were compiled with the frozen contract: JavaScript, Python and Go.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "compiles for half a minute the first time"]
fn large_guests_of_the_frozen_contract_load_and_answer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    for (version, language) in [
        ("0.1.0", "go"),
        ("0.1.0", "javascript"),
        ("0.1.0", "python"),
        ("0.1.1", "go"),
        ("0.1.1", "javascript"),
        ("0.1.1", "python"),
    ] {
        let name = format!("{language}-ignore-nonce.wasm");
        let packed = root
            .join("tests/contract")
            .join(version)
            .join(format!("{name}.zst"));
        let component = folder.path().join(&name);
        let packed = File::open(&packed).unwrap();
        fs::write(&component, zstd::stream::decode_all(packed).unwrap()).unwrap();
        let all = root.join("examples/conformance/ignore-nonce");
        let added = (all.join("since-0.1.1"), "2 passed, 0 failed\n");
        let added = (version == "0.1.1").then_some(added);
        for (cases, verdict) in [(all, "6 passed, 0 failed\n")].into_iter().chain(added) {
            let output = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"))
                .args(["plugin", "test"])
                .arg(&component)
                .arg("--cases")
                .arg(cases)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{version} {name}: {said}");
            assert!(said.ends_with(verdict), "{version} {name}: {said}");
        }
    }
}
