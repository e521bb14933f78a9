//! Notifies the service manager of the state of the program (sd_notify(3) of systemd).

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The socket of the service manager; none if there is none to notify.
pub(super) struct ServiceNotifier(Option<(UnixDatagram, SocketAddr)>);

impl ServiceNotifier {
    /// Takes the value of `NOTIFY_SOCKET`.
    pub(super) fn new(socket: Option<&OsStr>) -> Self {
        let Some(name) = socket.filter(|name| !name.is_empty()) else {
            return Self(None);
        };
        let socket = address(name).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
        Self(
            socket
                .inspect_err(|error| tracing::warn!("NOTIFY_SOCKET {}: {error}", name.display()))
                .ok(),
        )
    }

    /// All listeners accept connections.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// A reload begins; [`Self::ready`] ends it.
    pub(super) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.send(&format!(
            "RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=reloading"
        ));
    }

    /// The shutdown has begun.
    pub(super) fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={status}"));
    }

    fn send(&self, state: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!("cannot notify the service manager of `{state}`: {error}");
        }
    }
}

/// A path, or the name of an abstract socket after `@`.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    use std::os::unix::ffi::OsStrExt as _;
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 200];
        let size = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..size]).into_owned()
    }

    #[test]
    fn the_service_manager_is_notified() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let notify = ServiceNotifier::new(Some(path.as_os_str()));
        notify.ready("running");
        assert_eq!(receive(&socket), "READY=1\nSTATUS=running");
        notify.reloading();
        let reloading = receive(&socket);
        let time = reloading.split("MONOTONIC_USEC=").nth(1).unwrap();
        let time: u64 = time.split('\n').next().unwrap().parse().unwrap();
        assert!(
            reloading.starts_with("RELOADING=1\n") && time > 0,
            "{reloading}"
        );
        notify.stopping("bye");
        assert_eq!(receive(&socket), "STOPPING=1\nSTATUS=bye");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn abstract_socket_names_work() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("ouli-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let at = format!("@{name}");
        ServiceNotifier::new(Some(OsStr::new(&at))).ready("running");
        assert_eq!(receive(&socket), "READY=1\nSTATUS=running");
    }

    #[test]
    fn a_missing_socket_is_not_an_error() {
        ServiceNotifier::new(None).ready("running");
        ServiceNotifier::new(Some(OsStr::new("/nowhere/at/all"))).ready("running");
    }
}
