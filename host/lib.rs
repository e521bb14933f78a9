//! A record/replay gateway for HTTP, as a library: run it inside another program, such as a test.
//!
//! The command line is [`run`]; everything that it does with a gateway, a [`Gateway`] does.
//!
//! Start a gateway that replays the cassettes of a folder, send it a request, and read the verdict:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! use ouli_gateway::{ConfigSource, Gateway, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = r#"
//!     mode = "replay"
//!     [[endpoint]]
//!     name = "api"
//!     listen = "127.0.0.1:0"
//! "#;
//! let folder = tempfile::tempdir()?;
//! let options = Options::new(ConfigSource::Text(config.to_owned()), folder.path());
//! let gateway = Gateway::start(options)?;
//!
//! let listener = gateway.listeners().remove(0);
//! let mut client = TcpStream::connect(listener.address)?;
//! client.write_all(b"GET /hello HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n")?;
//! let mut response = String::new();
//! client.read_to_string(&mut response)?;
//! // The folder has no cassette yet.
//! assert!(response.starts_with("HTTP/1.1 404 "));
//! assert!(response.contains("ouli-error: miss"));
//!
//! let verdict = gateway.stop();
//! assert!(!verdict.passed);
//! assert_eq!(verdict.sessions[0].misses, 1);
//! # Ok(())
//! # }
//! ```
//!
//! With `mode = "record"` and `upstream = "https://api.example.com"` in the endpoint, the same code
//! records to `cassettes/default.jsons` in the folder.

#![forbid(unsafe_code)]

pub use ouli_cli::run;
pub use ouli_config::{Mode, Override};
pub use ouli_proxy::gateway::{
    ConfigSource, Gateway, InheritedSocket, ListenerInfo, Options, StartError,
};
pub use ouli_proxy::session::{SessionReport, Verdict};
