//! The response to each target. Everything follows from the target, so a client can verify it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};

/// How a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// At once, with `content-length`.
    Plain,
    /// A response that depends on the body of the request.
    Echo,
    /// In chunks.
    Chunks,
    /// As an event stream.
    Events,
    /// Delayed, but within the timeouts.
    Late,
    /// Delayed beyond the timeouts of the gateway.
    TooLate,
    /// Truncated: the connection breaks in the body.
    Cut,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Plain,
        Self::Echo,
        Self::Chunks,
        Self::Events,
        Self::Late,
        Self::TooLate,
        Self::Cut,
    ];

    /// The kinds with a complete response within the timeouts.
    pub(super) const GOOD: [Self; 5] = [
        Self::Plain,
        Self::Echo,
        Self::Chunks,
        Self::Events,
        Self::Late,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Echo => "echo",
            Self::Chunks => "chunks",
            Self::Events => "events",
            Self::Late => "late",
            Self::TooLate => "too-late",
            Self::Cut => "cut",
        }
    }
}

/// A request target; no two requests of a run have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) number: u64,
    /// Approximate size in bytes.
    pub(super) size: usize,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}/{}", self.kind.name(), self.number, self.size)
    }
}

impl FromStr for Target {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.strip_prefix('/').ok_or(())?.split('/');
        let mut next = || parts.next().ok_or(());
        let name = next()?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        Ok(Self {
            kind: kind.ok_or(())?,
            number: next()?.parse().map_err(|_| ())?,
            size: next()?.parse().map_err(|_| ())?,
        })
    }
}

/// A chunk of a body, and the pause before it.
pub(super) type Chunk = (Duration, Bytes);

/// A response.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    /// The response has `content-length`.
    pub(super) sized: bool,
    /// Delay of the head.
    pub(super) delay: Duration,
    pub(super) chunks: Vec<Chunk>,
    /// The connection breaks after the chunks.
    pub(super) cut: bool,
}

impl Reply {
    /// The whole body.
    pub(super) fn body(&self) -> Vec<u8> {
        self.chunks
            .iter()
            .flat_map(|(_, bytes)| bytes.to_vec())
            .collect()
    }
}

impl Target {
    pub(super) fn method(&self) -> Method {
        match self.kind {
            Kind::Echo => Method::POST,
            _ => Method::GET,
        }
    }

    /// The body of the request.
    pub(super) fn asked(&self) -> Bytes {
        match self.kind {
            Kind::Echo => words(&format!("question {}", self.number), self.size),
            _ => Bytes::new(),
        }
    }

    /// The response of the origin.
    pub(super) fn reply(&self) -> Reply {
        let at_once = |bytes| vec![(Duration::ZERO, bytes)];
        let body = words(
            &format!("answer {} {}", self.kind.name(), self.number),
            self.size,
        );
        let mut reply = Reply {
            status: [StatusCode::OK, StatusCode::CREATED, StatusCode::IM_A_TEAPOT]
                [self.number as usize % 3],
            content_type: "text/plain",
            sized: true,
            delay: Duration::ZERO,
            chunks: Vec::new(),
            cut: false,
        };
        match self.kind {
            Kind::Plain => reply.chunks = at_once(body),
            Kind::Echo => reply.chunks = at_once([body, self.asked()].concat().into()),
            Kind::Chunks => {
                reply.sized = false;
                reply.chunks = in_chunks(&body, 5, Duration::from_millis(30));
            }
            Kind::Events => {
                reply.sized = false;
                reply.content_type = "text/event-stream";
                let event = |at| format!("id: {at}\ndata: event {at} of {}\n\n", self.number);
                let pause = Duration::from_millis(40);
                reply.chunks = (0..6).map(|at| (pause, event(at).into())).collect();
            }
            Kind::Late => {
                reply.delay = Duration::from_millis(300);
                reply.chunks = at_once(body);
            }
            Kind::TooLate => {
                reply.delay = Duration::from_secs(3);
                reply.chunks = at_once(body);
            }
            Kind::Cut => {
                reply.sized = self.number.is_multiple_of(2);
                reply.chunks = in_chunks(&body, 3, Duration::from_millis(20));
                reply.cut = true;
            }
        }
        reply
    }
}

fn in_chunks(body: &Bytes, count: usize, pause: Duration) -> Vec<Chunk> {
    let size = body.len().div_ceil(count).max(1);
    let chunks = body.chunks(size).map(Bytes::copy_from_slice);
    chunks.map(|chunk| (pause, chunk)).collect()
}

/// A text of about this size; no part of it occurs in another one.
fn words(name: &str, size: usize) -> Bytes {
    let mut text = format!("{name};");
    let mut line = 0;
    while text.len() < size {
        line += 1;
        text += &format!(" line {line} of {name};");
    }
    text.into()
}
