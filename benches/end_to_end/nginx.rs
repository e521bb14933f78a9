//! nginx as a reverse proxy of the bare server, if it is installed.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cpu;

/// A running nginx. Dropping it stops it.
pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    folder: tempfile::TempDir,
    main: Child,
}

impl Nginx {
    /// None if nginx is not installed.
    pub(super) fn start(origin: SocketAddr) -> Option<Self> {
        // Nothing else on the machine binds a port in the meantime.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("nginx.conf"), config(address, origin)).unwrap();
        let main = command(&folder).spawn().ok()?;
        let nginx = Self {
            address,
            folder,
            main,
        };
        nginx.wait();
        Some(nginx)
    }

    /// The worker processes.
    pub(super) fn workers(&self) -> Vec<u32> {
        cpu::children(self.main.id())
    }

    fn wait(&self) {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "nginx does not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A killed master process would leave its workers behind.
        let told = command(&self.folder).args(["-s", "stop"]).status();
        if told.is_ok_and(|status| status.success()) {
            let _ = self.main.wait();
        }
    }
}

fn command(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new("nginx");
    let path = folder.path();
    command
        .arg("-p")
        .arg(path)
        .arg("-c")
        .arg(path.join("nginx.conf"));
    command.arg("-e").arg(path.join("error.log"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A fast configuration with the same structure as the gateway: a worker and a socket for each
/// core, the same number of idle upstream connections, and no age limit for them.
fn config(address: SocketAddr, origin: SocketAddr) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {name};\n"))
        .concat();
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
{temporary}
    upstream origin {{
        server {origin};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address} reuseport;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    )
}
