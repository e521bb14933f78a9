//! The limit of cached certificates.

use std::net::TcpStream;
use std::sync::Arc;

use ouli_net::tls::CertificateAuthority;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection};

use crate::support::{PATIENCE, gateway, origin, tls};

/// The certificate that the gateway sends to a client with this server name.
fn certificate(
    gateway: &gateway::Running,
    config: &Arc<ClientConfig>,
    name: &'static str,
) -> CertificateDer<'static> {
    let name = ServerName::try_from(name).unwrap();
    let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    connection.peer_certificates().unwrap()[0].clone()
}

#[test]
fn cached_certificates_are_limited() {
    let origin = origin::simple();
    for (limit, is_kept) in [(1, false), (2, true)] {
        let gateway = gateway::passthrough(&origin)
            .endpoint("tls = \"self-signed\"")
            .section(&format!("[limits]\ncertificate_cache_size = {limit}"))
            .start();
        let folder = gateway.folder.path().join("ca");
        let authority = CertificateAuthority::open_or_create(&folder).unwrap();
        let config = tls::trusting(&authority.certificate_path(), &[]);
        let certificate = |name| certificate(&gateway, &config, name);
        let first = certificate("one.test");
        assert_eq!(certificate("one.test"), first, "{limit}");
        certificate("two.test");
        assert_eq!(certificate("one.test") == first, is_kept, "{limit}");
    }
}
