//! Reads all endpoints, and checks them against each other.

use std::net::{IpAddr, SocketAddr};

use crate::choice::{ErrorFormat, Mode};
use crate::config_error::ValueError;
use crate::endpoint::{self, Defaults, Endpoint};
use crate::table_reader::{Location, Section};
use crate::upstream::listener_accepts;
use crate::value_parsers::{choice, flag};

/// The session of requests that name none, unless one is configured.
pub const DEFAULT_SESSION: &str = "default";

/// Reads `[[endpoint]]` and the top-level keys that are defaults of endpoints.
pub(super) fn read(root: &mut Section<'_>, max_endpoints: usize) -> Vec<Endpoint> {
    let mode = root.read("mode", choice);
    let session = root
        .read("session", endpoint::session_name)
        .unwrap_or_else(|| DEFAULT_SESSION.to_owned());
    let record_failures = root.read("record_failures", flag).unwrap_or(false);
    let error_format = root.read("error_format", choice);
    let on_exhausted = root.read("on_exhausted", choice);
    let sections = root.sections("endpoint", "name");
    let defaults = Defaults {
        mode,
        session: &session,
        record_failures,
        error_format: error_format.unwrap_or(ErrorFormat::Auto),
        on_exhausted,
        is_only: sections.len() == 1,
    };
    if sections.is_empty() {
        let mode = mode.unwrap_or(Mode::Replay);
        if mode.needs_upstream() {
            let problem = ValueError::new(format!("mode {mode} needs an upstream"));
            let hint = "pass `--upstream URL`, or add an `[[endpoint]]` with `upstream = \"URL\"`";
            root.add_missing("endpoint", problem.with_hint(hint));
        }
        return vec![Endpoint::default_endpoint(mode, &defaults)];
    }
    if let Some(section) = sections.get(max_endpoints) {
        let count = sections.len();
        let problem = ValueError::new(format!(
            "{count} endpoints, at most {max_endpoints} allowed"
        ));
        let hint = "raise `limits.endpoints`, or start a second gateway";
        root.add_error_at(&section.location(), problem.with_hint(hint));
    }
    let mut endpoints: Vec<(Location, Endpoint)> = Vec::with_capacity(sections.len());
    for section in sections {
        let location = section.location();
        if let Some(endpoint) = Endpoint::read(section, &defaults) {
            endpoints.push((location, endpoint));
        }
    }
    check_pairs(root, &endpoints);
    endpoints
        .into_iter()
        .map(|(_, endpoint)| endpoint)
        .collect()
}

/// Adds an error for each endpoint that conflicts with an earlier one or sends requests to one.
fn check_pairs(root: &Section<'_>, endpoints: &[(Location, Endpoint)]) {
    for (index, (location, endpoint)) in endpoints.iter().enumerate() {
        let earlier = endpoints[..index].iter();
        for problem in earlier.filter_map(|(_, other)| conflict(other, endpoint)) {
            root.add_error_at(location, problem);
        }
        let mut all = endpoints.iter();
        if let Some(problem) = all.find_map(|(_, other)| upstream_loop(endpoint, other)) {
            root.add_error_at(location, problem);
        }
    }
}

/// A name or an address that two endpoints share.
fn conflict(earlier: &Endpoint, endpoint: &Endpoint) -> Option<ValueError> {
    let (name, listen) = (&earlier.name, earlier.listen);
    if *name == endpoint.name {
        let problem = ValueError::new(format!("two endpoints are named `{name}`"));
        return Some(problem.with_hint("write a different `name`"));
    }
    if addresses_overlap(listen, endpoint.listen) {
        let problem = ValueError::new(format!("endpoint `{name}` already listens on {listen}"));
        return Some(problem.with_hint("write a different port in `listen`"));
    }
    None
}

fn addresses_overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_wildcard = one.ip().is_unspecified() || other.ip().is_unspecified();
    let same_family = one.is_ipv4() == other.is_ipv4();
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || (is_wildcard && same_family))
}

/// An upstream that is an endpoint of this gateway: requests would loop. Host names and addresses
/// of other interfaces are checked when the gateway connects.
fn upstream_loop(endpoint: &Endpoint, other: &Endpoint) -> Option<ValueError> {
    let upstream = endpoint.upstream.as_ref()?;
    let address = upstream.literal_addr()?;
    let is_local = |ip: IpAddr| ip.is_loopback();
    if !endpoint.mode.needs_upstream() || !listener_accepts(other.listen, address, is_local) {
        return None;
    }
    let name = &other.name;
    let problem = ValueError::new(format!(
        "the upstream is the endpoint `{name}` of this gateway"
    ));
    Some(problem.with_hint("write the address of the server to record"))
}
