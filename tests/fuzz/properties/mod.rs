//! Properties that hold for any bytes, one function for each parser. The fuzzer looks for bytes
//! that break one; the test suite checks the stored inputs.

mod cassette_read;
mod cassette_write;
mod choices;
mod coding;
mod config;
mod cost;
mod edits;
mod events;
mod grpc;
mod handshake;
mod json;
mod miss;
mod multipart;
mod protobuf;
mod redaction;
mod redaction_joined;
mod websocket;

/// A parser and its property.
pub(crate) struct Target {
    /// The name, which is also the folder of its inputs.
    pub(crate) name: &'static str,
    /// Panics if an input breaks the property.
    check: fn(&[u8]),
}

impl Target {
    /// Panics if an input breaks the property, or costs too much.
    pub(crate) fn run(&self, input: &[u8]) {
        (self.check)(input);
        cost::check(self.name, input);
    }
}

/// All targets.
pub(crate) const TARGETS: &[Target] = &[
    Target {
        name: "cassette_read",
        check: cassette_read::check,
    },
    Target {
        name: "cassette_write",
        check: cassette_write::check,
    },
    Target {
        name: "coding",
        check: coding::check,
    },
    Target {
        name: "config",
        check: config::check,
    },
    Target {
        name: "edits",
        check: edits::check,
    },
    Target {
        name: "events",
        check: events::check,
    },
    Target {
        name: "grpc",
        check: grpc::check,
    },
    Target {
        name: "handshake",
        check: handshake::check,
    },
    Target {
        name: "json",
        check: json::check,
    },
    Target {
        name: "miss",
        check: miss::check,
    },
    Target {
        name: "multipart",
        check: multipart::check,
    },
    Target {
        name: "protobuf",
        check: protobuf::check,
    },
    Target {
        name: "redaction",
        check: redaction::check,
    },
    Target {
        name: "redaction_joined",
        check: redaction_joined::check,
    },
    Target {
        name: "websocket",
        check: websocket::check,
    },
];
