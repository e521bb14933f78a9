//! A scripted response: a status, fields and a body in parts, with waits and errors between them.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Semaphore;

/// A response.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    parts: Parts,
}

/// The parts of a body.
#[derive(Default)]
pub(crate) struct Parts {
    waiting: VecDeque<Part>,
    /// The head has a content-length.
    sized: bool,
}

enum Part {
    Bytes(Bytes),
    Repeat(Bytes, usize),
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
    Trailers(HeaderMap),
    Break,
}

/// Closed at first; once opened it stays open. Clones share the state.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn open(&self) {
        self.0.close();
    }

    fn opened(&self) -> impl Future<Output = ()> + Send + use<> {
        let gate = Arc::clone(&self.0);
        async move {
            // `acquire` fails on a closed semaphore, which means that the gate is open.
            let _ = gate.acquire().await;
        }
    }
}

/// A body with content-length.
pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Reply {
    let mut reply = status(200);
    reply.parts.sized = true;
    reply.part(bytes)
}

pub(crate) fn text(text: &str) -> Reply {
    bytes(text.to_owned()).header("content-type", "text/plain; charset=utf-8")
}

pub(crate) fn json(text: &str) -> Reply {
    bytes(text.to_owned()).header("content-type", "application/json")
}

/// A status without a body.
pub(crate) fn status(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        parts: Parts {
            waiting: VecDeque::new(),
            sized: true,
        },
    }
}

/// A body without content-length.
pub(crate) fn parts() -> Reply {
    let mut reply = status(200);
    reply.parts.sized = false;
    reply
}

impl Reply {
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap();
        self.headers.push((name, value.try_into().unwrap()));
        self
    }

    pub(crate) fn part(mut self, bytes: impl Into<Bytes>) -> Self {
        self.parts.waiting.push_back(Part::Bytes(bytes.into()));
        self
    }

    /// Adds the same bytes several times.
    pub(crate) fn repeat(mut self, bytes: impl Into<Bytes>, times: usize) -> Self {
        let part = Part::Repeat(bytes.into(), times);
        self.parts.waiting.push_back(part);
        self
    }

    /// Delays the following parts until the gate opens.
    pub(crate) fn wait(mut self, gate: &Gate) -> Self {
        let opened = Box::pin(gate.opened());
        self.parts.waiting.push_back(Part::Wait(opened));
        self
    }

    /// Delays the following parts by this time.
    pub(crate) fn pause(mut self, time: Duration) -> Self {
        let part = Part::Wait(Box::pin(async move { tokio::time::sleep(time).await }));
        self.parts.waiting.push_back(part);
        self
    }

    /// Ends the body with a trailer.
    pub(crate) fn trailer(self, name: &str, value: &str) -> Self {
        self.trailers(&[(name, value)])
    }

    /// Ends the body with trailers.
    pub(crate) fn trailers(mut self, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| {
            let name = HeaderName::try_from(*name).unwrap();
            (name, (*value).try_into().unwrap())
        });
        self.parts
            .waiting
            .push_back(Part::Trailers(fields.collect()));
        self
    }

    /// Closes the connection before the end of the body.
    pub(crate) fn breaks(mut self) -> Self {
        self.parts.waiting.push_back(Part::Break);
        self
    }

    pub(super) fn into_response(self) -> Response<Parts> {
        let mut response = Response::new(self.parts);
        *response.status_mut() = self.status.try_into().unwrap();
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            let Some(part) = self.waiting.front_mut() else {
                return Poll::Ready(None);
            };
            match part {
                Part::Wait(opened) => {
                    ready!(opened.as_mut().poll(cx));
                    self.waiting.pop_front();
                }
                Part::Repeat(_, 0) => {
                    self.waiting.pop_front();
                }
                Part::Repeat(bytes, times) => {
                    *times -= 1;
                    return Poll::Ready(Some(Ok(Frame::data(bytes.clone()))));
                }
                Part::Bytes(_) | Part::Trailers(_) | Part::Break => {
                    let part = self.waiting.pop_front();
                    return Poll::Ready(part.map(frame));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.sized {
            return SizeHint::default();
        }
        let sizes = self.waiting.iter().map(|part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Repeat(bytes, times) => (bytes.len() * times) as u64,
            Part::Wait(_) | Part::Trailers(_) | Part::Break => 0,
        });
        SizeHint::with_exact(sizes.sum())
    }
}

fn frame(part: Part) -> io::Result<Frame<Bytes>> {
    match part {
        Part::Bytes(bytes) => Ok(Frame::data(bytes)),
        Part::Trailers(trailers) => Ok(Frame::trailers(trailers)),
        Part::Break | Part::Wait(_) | Part::Repeat(..) => {
            Err(io::Error::other("as the script says"))
        }
    }
}
