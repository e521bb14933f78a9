//! What the process's environment says: folders of the user, CI, and the values that are secret.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::args::{CONFIG_FILE, Cli};
use ouli_proxy::gateway::{InheritedSocket, Options};

/// True on a machine of continuous integration.
pub(super) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// The value of a variable.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Where the local CA is kept: the data folder of the XDG base directory specification.
pub(super) fn ca_folder() -> PathBuf {
    folder("XDG_DATA_HOME", ".local/share").join("ca")
}

/// Where compiled plugins are kept; none where there is no home.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let folder = folder("XDG_CACHE_HOME", ".cache").join("compiled");
    folder.is_absolute().then_some(folder)
}

fn folder(variable: &str, below_home: &str) -> PathBuf {
    let set = env::var_os(variable).map(PathBuf::from);
    let base = set.filter(|path| path.is_absolute()).or_else(|| {
        let home = env::var_os("HOME").map(PathBuf::from)?;
        Some(home.join(below_home))
    });
    base.unwrap_or_else(|| PathBuf::from("."))
        .join("ouli-gateway")
}

/// Where the service manager wants to be told how far the program is.
pub(super) fn notify_socket() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET")
}

/// The listening sockets that the service manager has opened (sd_listen_fds(3) of systemd).
///
/// # Errors
/// Names the one that is no socket for TCP.
pub(super) fn inherited_sockets() -> Result<Vec<InheritedSocket>, String> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut sockets = listenfd::ListenFd::from_env();
    let mut passed = Vec::new();
    for number in 0..sockets.len() {
        let name = names.next().filter(|name| !name.is_empty());
        let socket = sockets.take_tcp_listener(number);
        let socket = socket.map_err(|error| {
            let name = name.unwrap_or("without a name");
            format!(
                "LISTEN_FDS: socket {number} ({name}): {error}; pass sockets of TCP only (in \
                 systemd: ListenStream= with an address and a port)"
            )
        })?;
        passed.extend(socket.map(|socket| InheritedSocket {
            name: name.map(str::to_owned),
            socket: Arc::new(socket),
        }));
    }
    Ok(passed)
}

/// What a gateway is started with for these arguments.
pub(super) fn options(cli: &Cli) -> Options {
    let base = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let default = PathBuf::from(CONFIG_FILE);
    let found = base.join(&default).is_file().then_some(default);
    Options {
        config_file: cli.config().map(std::path::Path::to_owned).or(found),
        overrides: cli.overrides(),
        base_dir: base,
        compile_cache: cache_folder(),
        ca_folder: ca_folder(),
        environment: variable,
        inherited_sockets: Vec::new(),
        workers: 0,
        watch: true,
        on_listening: Arc::new(|_| {}),
    }
}
