//! Large guests that were compiled with the frozen contract: JavaScript, Python and Go.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "compiles for half a minute the first time"]
fn large_guests_of_the_frozen_contract_load_and_answer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    for language in ["go", "javascript", "python"] {
        let name = format!("{language}-ignore-nonce.wasm");
        let packed = root
            .join("tests/contract/0.1.0")
            .join(format!("{name}.zst"));
        let component = folder.path().join(&name);
        let packed = File::open(&packed).unwrap();
        fs::write(&component, zstd::stream::decode_all(packed).unwrap()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_ouli-gateway"))
            .args(["plugin", "test"])
            .arg(&component)
            .arg("--cases")
            .arg(root.join("examples/conformance/ignore-nonce"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {said}");
        assert!(said.ends_with("6 passed, 0 failed\n"), "{name}: {said}");
    }
}
