//! What stands in `ouli.toml`, key by key, and what must hold between its parts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::choice::{LogFormat, OnExhausted, OnRecorderFull, Unused};
use crate::config_error::ValueError;
use crate::endpoint::{self, Defaults, Endpoint};
use crate::limit::{self, read_duration};
use crate::plugin::Plugin;
use crate::table_reader::{Location, Section, choice, flag, text};
use crate::timing::timing;
use crate::upstream::listener_accepts;
use crate::value_tree::Node;
use crate::{BuiltinSettings, Config, Fsync, Limits, Mode, PluginFolders, Redaction};

/// Reads the whole file. Where a fault is collected the value is a default that nobody will use.
pub(super) fn read(mut root: Section<'_>) -> Config {
    let limits = root
        .section("limits")
        .map_or_else(Limits::default, limit::read);
    let endpoints = endpoints(&mut root, limits.endpoints);
    let plugins = plugins(&mut root, &limits);
    let config = Config {
        cassettes: root.path_or("cassettes", "cassettes"),
        plugin_folders: plugin_folders(&mut root),
        on_exhausted: root
            .read("on_exhausted", choice)
            .unwrap_or(OnExhausted::Repeat),
        on_recorder_full: root
            .read("on_recorder_full", choice)
            .unwrap_or(OnRecorderFull::Wait),
        timing: root.read("timing", timing).unwrap_or_default(),
        proto_descriptors: root.paths("proto_descriptors").unwrap_or_default(),
        strict: root.read("strict", flag).unwrap_or(false),
        report: root.path("report"),
        fsync: root
            .read("fsync", fsync)
            .unwrap_or(Fsync::Interval(Duration::from_secs(1))),
        log_format: root.read("log_format", choice).unwrap_or(LogFormat::Text),
        access_log: root.read("access_log", flag).unwrap_or(false),
        endpoints,
        plugins,
        builtin: BuiltinSettings {
            matcher: root.json_table("matcher"),
            redactor: root.json_table("redactor"),
            policy: root.json_table("policy"),
        },
        redaction: redaction(&mut root),
        unused: unused(&mut root),
        limits,
    };
    root.reject_unknown_keys();
    config
}

fn endpoints(root: &mut Section<'_>, most: usize) -> Vec<Endpoint> {
    let mode = root.read("mode", choice);
    let session = root
        .read("session", endpoint::session)
        .unwrap_or_else(|| "default".to_owned());
    let record_failures = root.read("record_failures", flag).unwrap_or(false);
    let sections = root.sections("endpoint", "name");
    if sections.is_empty() {
        let mode = mode.unwrap_or(Mode::Replay);
        if mode.needs_upstream() {
            let problem = ValueError::new(format!("mode {mode} needs an upstream"));
            let hint = "give `--upstream URL`, or add an `[[endpoint]]` with `upstream = \"URL\"`";
            root.add_missing("endpoint", problem.with_hint(hint));
        }
        return vec![Endpoint::default_endpoint(mode, &session, record_failures)];
    }
    if let Some(section) = sections.get(most) {
        let problem = ValueError::new(format!("there are more than {most} endpoints"));
        let problem = problem.with_hint("raise `limits.endpoints`, or start a second gateway");
        root.add_error_at(&section.location(), problem);
    }
    let defaults = Defaults {
        mode,
        session: &session,
        record_failures,
        is_only: sections.len() == 1,
    };
    let mut read: Vec<(Location, Endpoint)> = Vec::with_capacity(sections.len());
    for section in sections {
        let place = section.location();
        let Some(endpoint) = Endpoint::read(section, &defaults) else {
            continue;
        };
        for problem in read
            .iter()
            .filter_map(|(_, other)| conflict(other, &endpoint))
        {
            root.add_error_at(&place, problem);
        }
        read.push((place, endpoint));
    }
    for (place, endpoint) in &read {
        if let Some(problem) = read
            .iter()
            .find_map(|(_, own)| upstream_loop(endpoint, own))
        {
            root.add_error_at(place, problem);
        }
    }
    read.into_iter().map(|(_, endpoint)| endpoint).collect()
}

/// What two endpoints cannot share.
fn conflict(one: &Endpoint, other: &Endpoint) -> Option<ValueError> {
    if one.name == other.name {
        let problem = ValueError::new(format!("two endpoints are named `{}`", one.name));
        return Some(problem.with_hint("give each a name of its own"));
    }
    if addresses_overlap(one.listen, other.listen) {
        let problem = ValueError::new(format!("`{}` already listens on {}", one.name, one.listen));
        return Some(problem.with_hint("give each endpoint a port of its own"));
    }
    None
}

fn addresses_overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let every = one.ip().is_unspecified() || other.ip().is_unspecified();
    let same_family = one.is_ipv4() == other.is_ipv4();
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || (every && same_family))
}

/// An endpoint whose upstream is an endpoint again: such a request would go round without end.
/// Names and addresses of this machine's interfaces are looked at when they are dialled.
fn upstream_loop(endpoint: &Endpoint, own: &Endpoint) -> Option<ValueError> {
    let upstream = endpoint.upstream.as_ref()?;
    let address = upstream.literal_addr()?;
    let loopback = |ip: IpAddr| ip.is_loopback();
    if !endpoint.mode.needs_upstream() || !listener_accepts(own.listen, address, loopback) {
        return None;
    }
    let problem = ValueError::new(format!("the upstream is the endpoint `{}`", own.name));
    Some(problem.with_hint("write the address of the server to record"))
}

fn plugins(root: &mut Section<'_>, limits: &Limits) -> Vec<Plugin> {
    let mut plugins: Vec<Plugin> = Vec::new();
    for section in root.sections("plugin", "file") {
        let place = section.location();
        let Some(plugin) = Plugin::read(section, limits) else {
            continue;
        };
        if plugins.iter().any(|other| other.file == plugin.file) {
            let problem = ValueError::new(format!("`{}` has two sections", plugin.file));
            let problem = problem.with_hint("write one, or copy the file under another name");
            root.add_error_at(&place, problem);
        }
        plugins.push(plugin);
    }
    plugins
}

fn plugin_folders(root: &mut Section<'_>) -> PluginFolders {
    let written = root.has("plugins");
    let paths = root.paths("plugins");
    PluginFolders {
        paths: paths.unwrap_or_else(|| vec![root.default_path("plugins")]),
        explicit: written,
    }
}

fn redaction(root: &mut Section<'_>) -> Redaction {
    let Some(mut section) = root.section("redaction") else {
        return Redaction::default();
    };
    let redaction = Redaction {
        disabled_rules: section.list("disabled_rules", text).unwrap_or_default(),
        env: section.list("env", env_var_name).unwrap_or_default(),
    };
    section.reject_unknown_keys();
    redaction
}

/// The name of an environment variable.
fn env_var_name(node: &Node) -> Result<String, ValueError> {
    let name = text(node)?;
    if name.is_empty() || name.contains(['=', '\0']) {
        // What stands here by mistake may be a secret itself, so it is not shown.
        let problem = ValueError::new("not the name of an environment variable");
        return Err(problem.with_hint("write the name alone, as `API_KEY`"));
    }
    Ok(name)
}

fn unused(root: &mut Section<'_>) -> Unused {
    let Some(mut section) = root.section("verdict") else {
        return Unused::Report;
    };
    let unused = section.read("unused", choice).unwrap_or(Unused::Report);
    section.reject_unknown_keys();
    unused
}

fn fsync(node: &Node) -> Result<Fsync, ValueError> {
    const HINT: &str = "write \"always\", \"close\" or how long to wait, as \"1s\"";
    match text(node)
        .map_err(|problem| problem.with_hint(HINT))?
        .as_str()
    {
        "always" => Ok(Fsync::Always),
        "close" => Ok(Fsync::OnClose),
        _ => {
            let wait = read_duration(node).map_err(|problem| problem.with_hint(HINT))?;
            if wait.is_zero() {
                return Err(ValueError::new("no time at all").with_hint("write \"always\""));
            }
            Ok(Fsync::Interval(wait))
        }
    }
}
