//! Input from the environment of the process: user folders, CI, inherited sockets.
#![expect(
    clippy::disallowed_methods,
    reason = "the environment is read here only"
)]

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::args::Cli;
use ouli_config::CONFIG_FILE;
use ouli_plugin::CompileOptions;
use ouli_proxy::gateway::{ConfigSource, InheritedSocket, Options};

/// True in continuous integration: the variable has a value that does not deny it.
pub(super) fn is_ci() -> bool {
    let value = env::var_os("CI").unwrap_or_default();
    let value = value.to_string_lossy().to_lowercase();
    !matches!(value.trim(), "" | "false" | "0" | "no")
}

/// The value of an environment variable.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The folder of the local CA, in the data folder of the XDG base directory specification; none
/// without a home folder.
pub(super) fn ca_folder() -> Option<PathBuf> {
    Some(folder("XDG_DATA_HOME", ".local/share")?.join("ca"))
}

/// Where the compiled code of plugins comes from: the cache, or a process of this program.
pub(super) fn compile_options() -> CompileOptions {
    CompileOptions {
        cache: cache_folder(),
        compiler: own_program(),
    }
}

/// This program. On Linux the path stays valid if the file is replaced.
fn own_program() -> Option<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Some(PathBuf::from("/proc/self/exe")),
        false => env::current_exe().ok(),
    }
}

/// The cache of compiled plugins; none without a home folder.
fn cache_folder() -> Option<PathBuf> {
    Some(folder("XDG_CACHE_HOME", ".cache")?.join("compiled"))
}

/// The folder of this program in a base directory; none if neither is set. A relative path is
/// ignored, as the specification says: it would lead to the working folder.
fn folder(variable: &str, home_default: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let value = env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let base = absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(home_default)));
    base.map(|base| base.join("ouli-gateway"))
}

/// The notification socket of the service manager (sd_notify(3) of systemd).
pub(super) fn notify_socket() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET")
}

/// The listening sockets opened by the service manager (sd_listen_fds(3) of systemd).
///
/// # Errors
/// Names a socket that is not a TCP socket.
pub(super) fn inherited_sockets() -> Result<Vec<InheritedSocket>, String> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut sockets = listenfd::ListenFd::from_env();
    let mut inherited = Vec::new();
    for number in 0..sockets.len() {
        let name = names.next().filter(|name| !name.is_empty());
        let socket = sockets.take_tcp_listener(number);
        let socket = socket.map_err(|error| {
            let name = name.unwrap_or("unnamed");
            format!(
                "LISTEN_FDS: socket {number} ({name}): {error}; only TCP sockets are \
                 supported (in systemd: ListenStream= with an address and a port)"
            )
        })?;
        inherited.extend(socket.map(|socket| InheritedSocket {
            name: name.map(str::to_owned),
            socket: Arc::new(socket),
        }));
    }
    Ok(inherited)
}

/// The options of a gateway with these arguments.
pub(super) fn options(cli: &Cli) -> Options {
    let base_dir = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let default = PathBuf::from(CONFIG_FILE);
    let config = match cli.config() {
        Some(file) => ConfigSource::File(file.to_owned()),
        None if base_dir.join(&default).is_file() => ConfigSource::File(default),
        None => ConfigSource::OptionalFile(default),
    };
    Options {
        overrides: cli.overrides(),
        compile: compile_options(),
        ca_folder: ca_folder(),
        environment: variable,
        max_descriptors: crate::descriptors::raise_limit(),
        watch: true,
        ..Options::new(config, base_dir)
    }
}
