//! An HTTP/1.1 or HTTP/2 client that verifies every byte.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use turmoil::net::TcpStream;

use super::gateway;
use super::plan::{Batch, Client, GATEWAY, PlannedRequest, SETTLED};
use super::reply::Target;
use super::run_log::{Got, RunLog};

/// The longest wait for a response.
const PATIENCE: Duration = Duration::from_secs(4);

/// Sends all requests, and the second part after the network faults are over.
pub(super) async fn run(client: Client, run_log: Arc<RunLog>) -> turmoil::Result {
    for batch in &client.batches {
        tokio::time::sleep(batch.pause).await;
        ask_all(client.http2, batch, &run_log).await;
    }
    tokio::time::sleep(SETTLED.saturating_sub(turmoil::elapsed())).await;
    ask_all(client.http2, &client.last, &run_log).await;
    Ok(())
}

/// Sends all requests of a plan once.
pub(super) async fn ask_again(http2: bool, batch: Batch, run_log: Arc<RunLog>) -> turmoil::Result {
    ask_all(http2, &batch, &run_log).await;
    Ok(())
}

async fn ask_all(http2: bool, batch: &Batch, run_log: &Arc<RunLog>) {
    if http2 {
        together(batch, run_log).await;
    } else {
        one_by_one(batch, run_log).await;
    }
}

async fn one_by_one(batch: &Batch, run_log: &RunLog) {
    let mut connection: Option<http1::SendRequest<Full<Bytes>>> = None;
    for asked in &batch.requests {
        let opened = match connection.take().filter(|one| !one.is_closed()) {
            Some(connection) => Some(connection),
            None => within(open_http1()).await.flatten(),
        };
        let Some(mut opened) = opened else {
            run_log.got(asked.target, Got::Broken);
            continue;
        };
        let exchange = async {
            opened.ready().await.map_err(drop)?;
            let request = request(asked.target.to_string(), asked.target);
            opened.send_request(request).await.map_err(drop)
        };
        let got = read(*asked, exchange, run_log).await;
        if matches!(got, Got::Whole | Got::GatewayError(..)) {
            connection = Some(opened);
        }
        run_log.got(asked.target, got);
    }
}

async fn open_http1() -> Option<http1::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((GATEWAY, gateway::PORT)).await.ok()?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(async {
        // The exchange on the connection shows how it ended.
        let _ = connection.await;
    });
    Some(sender)
}

/// Sends all requests concurrently on one connection.
async fn together(batch: &Batch, run_log: &Arc<RunLog>) {
    let sender = within(open_http2()).await.flatten();
    let mut tasks = Vec::new();
    for asked in batch.requests.iter().copied() {
        let Some(mut sender) = sender.clone() else {
            run_log.got(asked.target, Got::Broken);
            continue;
        };
        let run_log = Arc::clone(run_log);
        tasks.push(tokio::spawn(async move {
            let exchange = async {
                let uri = format!("http://{GATEWAY}{}", asked.target);
                let request = request(uri, asked.target);
                sender.send_request(request).await.map_err(drop)
            };
            let got = read(asked, exchange, &run_log).await;
            run_log.got(asked.target, got);
        }));
    }
    for task in tasks {
        if task.await.is_err() {
            run_log.wrong("a client broke".to_owned());
        }
    }
}

async fn open_http2() -> Option<http2::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((GATEWAY, gateway::PORT)).await.ok()?;
    let mut client = http2::Builder::new(TokioExecutor::new());
    client.timer(TokioTimer::new());
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(async {
        // The exchanges on the connection show how it ended.
        let _ = connection.await;
    });
    Some(sender)
}

async fn within<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, work).await.ok()
}

/// A request. On HTTP/1.1 the URI is a path, because the gateway is a server and not a proxy
/// (RFC 9112, section 3.2).
fn request(uri: String, target: Target) -> Request<Full<Bytes>> {
    let request = Request::builder()
        .method(target.method())
        .uri(uri)
        .header("host", GATEWAY)
        .body(Full::new(target.asked()));
    request.expect("targets are valid")
}

/// Reads a response to its end, or to its first chunk if the client leaves early.
async fn read(
    asked: PlannedRequest,
    exchange: impl Future<Output = Result<Response<Incoming>, ()>>,
    run_log: &RunLog,
) -> Got {
    let mut body = Vec::new();
    let work = async {
        let response = exchange.await?;
        let (parts, mut incoming) = response.into_parts();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(drop)?;
            body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if asked.abandoned {
                return Ok(None);
            }
        }
        Ok(Some(parts))
    };
    let done: Result<Option<http::response::Parts>, ()> = match within(work).await {
        None => return check(asked.target, None, &body, run_log).unwrap_or(Got::Nothing),
        Some(done) => done,
    };
    match done {
        Err(()) => check(asked.target, None, &body, run_log).unwrap_or(Got::Broken),
        Ok(None) => Got::Left,
        Ok(Some(parts)) => check(asked.target, Some(parts), &body, run_log).unwrap_or(Got::Whole),
    }
}

/// Compares the response with what the origin sends. Without a head, the body was not complete.
fn check(
    target: Target,
    whole: Option<http::response::Parts>,
    body: &[u8],
    run_log: &RunLog,
) -> Option<Got> {
    let expected = target.reply();
    let Some(parts) = whole else {
        let own = body.starts_with(b"{");
        if !own && !expected.body().starts_with(body) {
            run_log.wrong(format!(
                "{target}: the bytes before the abort are not of this response"
            ));
        }
        return None;
    };
    if let Some(kind) = parts.headers.get("ouli-error") {
        let kind = String::from_utf8_lossy(kind.as_bytes()).into_owned();
        if body.is_empty() {
            run_log.wrong(format!("{target}: the gateway's `{kind}` has no text"));
        }
        return Some(Got::GatewayError(parts.status.as_u16(), kind));
    }
    let same = body == expected.body() && parts.status == expected.status && !expected.cut;
    if !same {
        let size = body.len();
        run_log.wrong(format!(
            "{target}: {size} bytes with {} count as complete",
            parts.status
        ));
    }
    None
}
