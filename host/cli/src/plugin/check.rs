//! `plugin check`: roles, imports, size, compile time and needed limits of a component.

use std::path::Path;
use std::time::{Duration, Instant};

use super::load;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::{errln, outln};
use ouli_config::{ByteSize, Limits};
use ouli_plugin::{Grant, Plugin};

/// Prints the properties of a component.
pub(super) fn check(file: &Path) -> u8 {
    let limits = Limits::default();
    let loaded = load::source(file, "{}", &limits).and_then(|source| {
        let start = Instant::now();
        let plugin = load::load(&source)?;
        Ok((source.bytes.len(), plugin, start.elapsed()))
    });
    match loaded {
        Ok((size, plugin, start)) => {
            print(&plugin, size, start, &limits);
            outln!("the component is a valid plugin");
            EXIT_OK
        }
        Err(reason) => {
            let status = usage_error(&reason);
            print_sufficient_limits(file);
            status
        }
    }
}

fn print(plugin: &Plugin, size: usize, start: Duration, limits: &Limits) {
    let required = plugin.requirements();
    let self_test = start.saturating_sub(required.compile);
    outln!("{}  sha256:{}", plugin.name(), &plugin.digest()[..16]);
    outln!("size      {}", bytes(size as u64));
    outln!(
        "compile   {} (cached for the next start), start and self-test {}",
        time(required.compile),
        time(self_test)
    );
    outln!("imports");
    for name in &required.imports {
        let grant = match Grant::of(name) {
            Grant::Contract => "plugin contract",
            Grant::Stub => "stub without access to the host",
            Grant::NoNetwork => "ends the call: plugins have no network",
            Grant::Refused => "refused",
        };
        outln!("  {name:<42} {grant}");
    }
    outln!("roles");
    for line in plugin.describe() {
        outln!("  {line}");
    }
    outln!("needed limits, and their defaults");
    let memory = plugin
        .usage()
        .peak_memory
        .max(usize::try_from(required.initial_memory).unwrap_or(0));
    row(
        "plugin_memory",
        &bytes(memory as u64),
        &bytes(limits.plugin_memory as u64),
    );
    row(
        "plugin_memories",
        &required.memories.to_string(),
        &limits.plugin_memories.to_string(),
    );
    row(
        "plugin_tables",
        &required.tables.to_string(),
        &limits.plugin_tables.to_string(),
    );
    row(
        "plugin_table_elements",
        &required.initial_table.to_string(),
        &limits.plugin_table_elements.to_string(),
    );
    if memory > limits.plugin_idle_memory {
        outln!(
            "  note: more than limits.plugin_idle_memory ({}): each call starts a new instance; \
             set `limits = {{ plugin_idle_memory = \"{}\" }}` in the [[plugin]] section",
            bytes(limits.plugin_idle_memory as u64),
            bytes((memory as u64).next_power_of_two())
        );
    }
    let prepare = match plugin.is_snapshot() {
        true => "once; instances start from its memory image",
        false => "in each instance",
    };
    outln!("prepare   {prepare}");
    match plugin.state_dependence() {
        Some(state) => outln!("state     {state}"),
        None => outln!("state     none found: results depend on the message only"),
    }
}

fn row(key: &str, needed: &str, default: &str) {
    outln!("  {key:<24} {needed:>10} of {default}");
}

/// Loads the component with higher limits, to print whether they suffice.
fn print_sufficient_limits(file: &Path) {
    let wide = Limits {
        plugin_memory: 256 << 20,
        plugin_file: 1 << 30,
        plugin_table_elements: 100_000,
        plugin_rules: 100_000,
        plugin_text_bytes: 64 << 20,
        plugin_key_parts: 10_000,
        prepare_cpu_time: Duration::from_secs(60),
        matcher_cpu_time: Duration::from_secs(1),
        redactor_cpu_time: Duration::from_secs(1),
        policy_cpu_time: Duration::from_secs(1),
        ..Limits::default()
    };
    let plugin = load::source(file, "{}", &wide).and_then(|source| load::load(&source));
    if let Ok(plugin) = plugin {
        let memory = plugin.usage().peak_memory as u64;
        errln!(
            "with higher limits the component loads, and uses {} of memory; set `limits` in its \
             [[plugin]] section",
            bytes(memory)
        );
    }
}

fn bytes(count: u64) -> String {
    match count {
        small if small < 10 << 10 => ByteSize(small).to_string(),
        middle if middle < 10 << 20 => format!("{} KiB", middle >> 10),
        large => format!("{} MiB", large >> 20),
    }
}

fn time(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
