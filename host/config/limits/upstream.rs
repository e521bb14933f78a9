//! Bounds of what is asked of upstreams.

use crate::config::limit::{Limit, Place, count, time};

/// In the order in which they are listed.
#[rustfmt::skip]
pub(super) const ROWS: &[Limit] = &[
    time("connect_timeout", Place::Time(|l| &mut l.connect_timeout),
        "to look an upstream's name up and connect; then 504",
        "Envoy: 5 s"),
    time("first_byte_timeout", Place::Time(|l| &mut l.first_byte_timeout),
        "from the end of a request to the head of its response; then 504",
        "nginx, proxy_read_timeout: 60 s"),
    time("upstream_idle_timeout", Place::Time(|l| &mut l.upstream_idle_timeout),
        "an upstream connection kept without a request",
        "most servers keep a connection for 60 s or longer"),
    count("upstream_idle_connections", 0..=100_000,
        Place::Size(|l| &mut l.upstream_idle_connections),
        "connections kept without a request, for each upstream",
        "for each thread that serves"),
];
