//! Clients: HTTP/1.1 and HTTP/2, with and without TLS, and raw bytes.

mod connection;
mod raw;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};

use super::gateway::Running;
pub(crate) use connection::{Connection, collect};
pub(crate) use raw::{Raw, raw};

/// A client that opens a new connection for each request.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    version: Version,
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// A request that is not sent yet.
pub(crate) struct Ask {
    client: Client,
    request: Request<Body>,
}

/// A complete response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

/// A response whose body is not read yet. Dropping it closes the connection.
pub(crate) struct Opened {
    body: Incoming,
    _connection: Connection,
}

pub(crate) type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// The error of a response that failed.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A client of each version of HTTP.
pub(crate) const VERSIONS: [fn(&Running) -> Client; 2] = [http1, http2];

pub(crate) fn http1(gateway: &Running) -> Client {
    at(gateway.address, Version::HTTP_11)
}

pub(crate) fn http2(gateway: &Running) -> Client {
    at(gateway.address, Version::HTTP_2)
}

pub(crate) fn at(address: SocketAddr, version: Version) -> Client {
    Client {
        address,
        version,
        tls: None,
    }
}

impl Client {
    /// The same through TLS; ALPN selects one of the protocols in `config`.
    pub(crate) fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target).send()
    }

    pub(crate) fn post(&self, target: &str, content_type: &str, body: &str) -> Answer {
        let ask = self.ask("POST", target);
        ask.header("content-type", content_type).body(body).send()
    }

    pub(crate) fn ask(&self, method: &str, target: &str) -> Ask {
        let builder = Request::builder().method(method);
        let builder = match (self.version, &self.tls) {
            (Version::HTTP_2, None) => builder.uri(format!("http://{}{target}", self.address)),
            (Version::HTTP_2, Some(_)) => builder.uri(format!("https://{}{target}", self.address)),
            _ => builder.uri(target).header("host", self.address.to_string()),
        };
        let request = builder.version(self.version).body(whole(Bytes::new()));
        Ask {
            client: self.clone(),
            request: request.unwrap(),
        }
    }

    /// Opens a connection for several requests.
    pub(crate) async fn connect(&self) -> Result<Connection, Broken> {
        Connection::open(self.address, self.version, self.tls.clone()).await
    }
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.request.headers_mut().append(name, value);
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        let body = Bytes::copy_from_slice(body.as_ref());
        *self.request.body_mut() = whole(body);
        self
    }

    /// A body of these frames, without content-length.
    pub(crate) fn frames(mut self, frames: Vec<Frame<Bytes>>) -> Self {
        *self.request.body_mut() = Frames(frames.into()).boxed_unsync();
        self
    }

    pub(crate) fn send(self) -> Answer {
        self.try_send().expect("an answer")
    }

    pub(crate) fn try_send(self) -> Result<Answer, Broken> {
        let asked = format!("{} {}", self.request.method(), self.request.uri());
        super::wait_for(&asked, async {
            let mut connection = self.client.connect().await?;
            connection.send(self.request).await
        })
    }

    /// Sends the request and returns when the response head has arrived.
    pub(crate) fn open(self) -> Opened {
        let asked = format!("the head of {}", self.request.uri());
        super::wait_for(&asked, async {
            let mut connection = self.client.connect().await.unwrap();
            let response = connection.start(self.request).await.unwrap();
            Opened {
                body: response.into_body(),
                _connection: connection,
            }
        })
    }

    pub(crate) fn into_request(self) -> Request<Body> {
        self.request
    }
}

impl Opened {
    /// The next bytes of the body; none at its end.
    pub(crate) fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        super::wait_for("the next part of a body", async {
            let frame = self.body.frame().await?;
            Some(
                frame
                    .map(|frame| frame.into_data().unwrap_or_default())
                    .map_err(Into::into),
            )
        })
    }

    /// Reads to the end and returns the trailers.
    pub(crate) fn trailers(self) -> Option<HeaderMap> {
        super::wait_for("the end of a body", async {
            let collected = self.body.collect().await.unwrap();
            collected.trailers().cloned()
        })
    }

    /// Reads to the end and returns the number of bytes.
    pub(crate) fn count(mut self) -> Result<usize, Broken> {
        let mut count = 0;
        while let Some(part) = self.next() {
            count += part?.len();
        }
        Ok(count)
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The value of a header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    /// The names of the headers in order, without `date`, which is not recorded.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self.headers.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name != "date").collect()
    }
}

/// Compares what a client sees of a response, without the documented volatile headers.
impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        let stable = |answer: &Self| {
            let mut headers = answer.headers.clone();
            headers.remove("date");
            let fields = headers.iter().map(|(n, v)| (n.clone(), v.clone()));
            fields.collect::<Vec<_>>()
        };
        (self.status, &self.body, &self.trailers, stable(self))
            == (other.status, &other.body, &other.trailers, stable(other))
    }
}

/// A body of these bytes that does not end.
pub(crate) fn endless(bytes: impl Into<Bytes>) -> Body {
    Endless(Some(bytes.into())).boxed_unsync()
}

/// A body that does not end.
struct Endless(Option<Bytes>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}

/// A body of unknown length.
struct Frames(std::collections::VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}
