//! The TLS handshake of a client, and why it fails.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::{AlertDescription, CertificateError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::context::ListenerContext;
use super::head_error::HeadError;
use super::reject;
use super::service::HttpService;
use crate::delegate_writes::delegate_writes;
use crate::tls;

/// Does a handshake. None if it fails, which is logged. A client that speaks plain HTTP gets a
/// response.
pub(super) async fn accept<S, T>(
    acceptor: &TlsAcceptor,
    socket: T,
    listener: &ListenerContext<S>,
) -> Option<Box<TlsStream<FirstByteCheck<T>>>>
where
    S: HttpService,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let warnings = &listener.warnings;
    let accept = acceptor.accept(FirstByteCheck::new(socket));
    let (error, socket) = match accept.into_fallible().await {
        Ok(stream) => return Some(Box::new(stream)),
        Err(failed) => failed,
    };
    if socket.is_http {
        warnings.warn(
            "TLS handshake failed: the client speaks plain HTTP, but the endpoint speaks TLS: \
             write https:// instead of http://",
        );
        reject::reject_invalid_request(listener, socket.io, HeadError::PlainHttp).await;
        return None;
    }
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause.and_then(client_fault) {
        Some(fault) => {
            let shown = cause.map_or_else(|| error.to_string(), tls::shown);
            warnings.warn(&format!("TLS handshake failed: {shown}; {fault}"));
        }
        None => tracing::debug!("TLS handshake failed: {error}"),
    }
    None
}

/// What is wrong between the settings of the client and those of the listener; none if only the
/// connection failed.
fn client_fault(error: &rustls::Error) -> Option<String> {
    use AlertDescription as A;

    match error {
        rustls::Error::NoCertificatesPresented => {
            Some("the client sent no certificate, which `client_auth` requires".to_owned())
        }
        rustls::Error::InvalidCertificate(error) => Some(of_client_certificate(error)),
        rustls::Error::AlertReceived(
            A::UnknownCA | A::BadCertificate | A::CertificateUnknown | A::CertificateExpired,
        ) => Some(
            "the client does not trust the certificate of the endpoint: it must trust its CA \
             (`ouli-gateway ca` prints the path of the local one), and use a name and a time for \
             which it is valid"
                .to_owned(),
        ),
        rustls::Error::PeerIncompatible(_) => {
            Some("the client must support TLS 1.2 or 1.3".to_owned())
        }
        _ => None,
    }
}

fn of_client_certificate(error: &CertificateError) -> String {
    use CertificateError as E;

    match error {
        E::UnknownIssuer => "the certificate of the client is not issued by a CA in `client_ca`",
        E::Other(other) if tls::is_ca_as_end_entity(other) => {
            "the certificate of the client is that of a CA, which is accepted only if `client_ca` \
             contains it"
        }
        E::ExpiredContext { time, not_after } => {
            let ago = tls::rounded(*time, *not_after);
            return format!("the certificate of the client expired {ago} ago");
        }
        E::NotValidYetContext { time, not_before } => {
            let wait = tls::rounded(*not_before, *time);
            return format!("the certificate of the client becomes valid in {wait}");
        }
        E::BadSignature => {
            "`client_ca` has another CA of the same name as the one that issued the certificate of \
             the client: add the current certificate of that CA to `client_ca`"
        }
        E::InvalidPurposeContext { .. } | E::InvalidPurpose => {
            "the certificate of the client is not for clients (extended key usage)"
        }
        other => {
            return match tls::own_fault(other) {
                Some(fault) => format!("the certificate of the client cannot be used: {fault}"),
                None => "the certificate of the client is invalid: issue another one".to_owned(),
            };
        }
    }
    .to_owned()
}

/// A socket whose first byte shows whether the client speaks TLS or plain HTTP. The library would
/// answer HTTP with an alert, which no HTTP client understands.
#[derive(Debug)]
pub(super) struct FirstByteCheck<T> {
    io: T,
    is_checked: bool,
    is_http: bool,
}

impl<T> FirstByteCheck<T> {
    fn new(io: T) -> Self {
        Self {
            io,
            is_checked: false,
            is_http: false,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FirstByteCheck<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_checked {
            return Pin::new(&mut self.io).poll_read(cx, target);
        }
        let before = target.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, target))?;
        let first = target.filled().get(before);
        self.is_checked = first.is_some();
        // A method begins with a letter. No TLS record does (RFC 8446, section 5.1).
        self.is_http = first.is_some_and(u8::is_ascii_alphabetic);
        if self.is_http {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }
}

delegate_writes!(FirstByteCheck<T>);
