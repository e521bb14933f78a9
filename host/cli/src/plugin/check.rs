//! `plugin check`: what a component is, what it imports, which roles it has and what it takes.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::output::{complain, say};
use crate::{EXIT_OK, usage_error};
use ouli_config::{ByteSize, Limits};
use ouli_plugin::{Grant, Plugin};

/// Says everything about one file.
pub(super) fn check(file: &Path) -> u8 {
    let limits = Limits::default();
    let loaded = super::source(file, "{}", &limits).and_then(|source| {
        let start = Instant::now();
        let plugin = super::load(&source)?;
        Ok((source.bytes.len(), plugin, start.elapsed()))
    });
    match loaded {
        Ok((size, plugin, start)) => {
            show(&plugin, size, start, &limits);
            say!("it is a plugin that the gateway takes");
            EXIT_OK
        }
        Err(reason) => {
            let status = usage_error(&reason);
            print_sufficient_limits(file);
            status
        }
    }
}

fn show(plugin: &Plugin, size: usize, start: Duration, limits: &Limits) {
    let needs = plugin.requirements();
    let rest = start.saturating_sub(needs.compile);
    say!("{}  sha256:{}", plugin.name(), &plugin.digest()[..16]);
    say!("size      {}", bytes(size as u64));
    say!(
        "compile   {} (kept for the next start), start and self-test {}",
        time(needs.compile),
        time(rest)
    );
    say!("imports");
    for name in &needs.imports {
        let grant = match Grant::of(name) {
            Grant::Contract => "the contract",
            Grant::Stub => "a stub: nothing of the world is behind it",
            Grant::Refused => "refused",
        };
        say!("  {name:<42} {grant}");
    }
    say!("roles");
    for line in plugin.describe() {
        say!("  {line}");
    }
    say!("limits that it needs, of those in force by default");
    let memory = plugin
        .usage()
        .peak_memory
        .max(usize::try_from(needs.initial_memory).unwrap_or(0));
    row(
        "plugin_memory",
        &bytes(memory as u64),
        &bytes(limits.plugin_memory as u64),
    );
    row(
        "plugin_memories",
        &needs.memories.to_string(),
        &limits.plugin_memories.to_string(),
    );
    row(
        "plugin_tables",
        &needs.tables.to_string(),
        &limits.plugin_tables.to_string(),
    );
    row(
        "plugin_table_elements",
        &needs.initial_table.to_string(),
        &limits.plugin_table_elements.to_string(),
    );
    if memory > limits.plugin_idle_memory {
        say!(
            "  note: above limits.plugin_idle_memory ({}), so each call starts a new copy; write \
             `limits = {{ plugin_idle_memory = \"{}\" }}` in its [[plugin]] section",
            bytes(limits.plugin_idle_memory as u64),
            bytes((memory as u64).next_power_of_two())
        );
    }
    let begin = match plugin.is_snapshot() {
        true => "once; copies begin where it ended",
        false => "in each copy",
    };
    say!("prepare   {begin}");
    match plugin.state_dependence() {
        Some(state) => say!("state     {state}"),
        None => say!("state     none found: answers depend on the message alone"),
    }
}

fn row(key: &str, needed: &str, of: &str) {
    say!("  {key:<24} {needed:>10} of {of}");
}

/// Tries again under the widest limits, to say which would do.
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
    let plugin = super::source(file, "{}", &wide).and_then(|source| super::load(&source));
    if let Ok(plugin) = plugin {
        let memory = plugin.usage().peak_memory as u64;
        complain!(
            "under wider limits it loads, with {} of memory; see `limits` of a [[plugin]] section",
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
