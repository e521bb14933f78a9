//! The plugins that tests use: the crates in `plugins/fixtures`, built once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The component of a crate in `plugins/fixtures`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let file = built().join(format!("{}.wasm", name.replace('-', "_")));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The folder of all components.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-plugins");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(&root)
            .args(["build", "--release", "--locked", "--quiet", "--target-dir"])
            .arg(&target);
        for name in crates(&root) {
            cargo.args(["--package", &name]);
        }
        // The flags for the build of the tests do not fit the guests.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(name);
        }
        let output = cargo.output().expect("cargo runs");
        assert!(
            output.status.success(),
            "the plugins of the tests do not build; in plugins/ run: cargo build --release\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        target.join("wasm32-wasip2/release")
    })
}

fn crates(root: &Path) -> Vec<String> {
    let entries = root
        .join("fixtures")
        .read_dir()
        .unwrap()
        .map(Result::unwrap);
    let crates = entries.filter(|entry| entry.path().join("Cargo.toml").is_file());
    crates
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// A WebAssembly module that is not a component.
pub(crate) fn core_module() -> Vec<u8> {
    b"\0asm\x01\0\0\0".to_vec()
}

/// A component that takes seconds to compile, in any build.
pub(crate) fn slow_to_compile() -> Vec<u8> {
    const FUNCTIONS: u32 = 40;
    let section = |id: u8, content: &[u8]| [&[id][..], &leb128(content.len()), content].concat();
    // 500 locals of i64, and 20,000 multiplications of two of them into a third (core
    // specification, section 5.4).
    let mut code = [&[1][..], &leb128(500), &[0x7e]].concat();
    for step in 0..20_000 {
        let [a, b, c] = [step * 7, step * 13 + 5, step * 3 + 1].map(|local| leb128(local % 500));
        code.extend([&[0x20][..], &a, &[0x20], &b, &[0x7e, 0x21], &c].concat());
    }
    code.push(0x0b);
    let function = [leb128(code.len()), code].concat();
    let count = leb128(FUNCTIONS as usize);
    let types = vec![0; FUNCTIONS as usize];
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[count.clone(), types].concat()),
        section(10, &[count, function.repeat(FUNCTIONS as usize)].concat()),
    ];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
}

/// An unsigned number in LEB128 (core specification, section 5.2.2).
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A component with `count` core instances, each with one memory and one table.
pub(crate) fn with_memories(count: u8) -> Vec<u8> {
    // A table without functions and a memory of one page (core specification, section 5.5).
    let module = b"\0asm\x01\0\0\0\x04\x04\x01\x70\0\0\x05\x03\x01\0\x01";
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    component.extend([1, u8::try_from(module.len()).unwrap()]);
    component.extend(module);
    component.extend([2, 1 + 3 * count, count]);
    // Each is an instance of the first module, without imports.
    component.extend([0, 0, 0].repeat(usize::from(count)));
    component
}

/// A component that imports an interface and does nothing else.
pub(crate) fn importing(interface: &str) -> Vec<u8> {
    // One type, which is an instance without exports, and one import of this type (component model,
    // binary format).
    let mut component = b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\x00".to_vec();
    let name = u8::try_from(interface.len()).unwrap();
    component.extend([0x0a, name + 5, 1, 0, name]);
    component.extend(interface.as_bytes());
    component.extend([5, 0]);
    component
}
