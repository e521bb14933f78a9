//! The running gateway: start, reload and stop.

mod bounds;
mod cassettes;
mod check;
mod concurrency_limits;
mod desired_plugins;
mod error;
mod file_watcher;
mod lifecycle;
mod listener_info;
mod listeners;
mod listening_sockets;
mod load;
mod loaded;
mod options;
mod plugin_status;
mod plugin_swap;
mod proto_descriptors;
mod resizable_semaphore;
mod shutdown;
mod snapshot_builder;
mod socket_activation;
mod source_files;
mod state;
mod worker;

pub use bounds::{connection_limits, server_bounds, upstream_bounds};
pub use cassettes::cassette_folder;
pub use check::check;
pub use error::StartError;
pub use lifecycle::Gateway;
pub use listener_info::ListenerInfo;
pub use load::load_config;
pub use loaded::Loaded;
pub use options::{ConfigSource, Options};
pub use plugin_status::Status;
pub use proto_descriptors::load_schema;
pub use socket_activation::InheritedSocket;
