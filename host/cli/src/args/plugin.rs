//! The subcommands of `plugin`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::examples::{
    PLUGIN_BENCH_EXAMPLES, PLUGIN_CHECK_EXAMPLES, PLUGIN_LIST_EXAMPLES, PLUGIN_NEW_EXAMPLES,
    PLUGIN_TEST_EXAMPLES,
};
use super::flags::FileFlags;
use super::gateway_address::GatewayAddress;

/// The subcommands of `plugin`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Create a project: a small matcher with build files and test cases
    #[command(after_help = PLUGIN_NEW_EXAMPLES)]
    New {
        /// Folder of the project; its last part is the name of the plugin
        #[arg(value_name = "DIR")]
        name: String,
        /// Language
        #[arg(long, value_enum)]
        lang: Lang,
    },
    /// Print roles, imports, size, compile time and needed limits of a component
    #[command(after_help = PLUGIN_CHECK_EXAMPLES)]
    Check {
        /// Component (.wasm)
        file: PathBuf,
    },
    /// Run test cases with the engine and the limits of production
    #[command(after_help = PLUGIN_TEST_EXAMPLES)]
    Test {
        /// Component (.wasm)
        file: PathBuf,
        /// Folder of the cases (*.json) [default: cases, here or beside the component]
        #[arg(long, value_name = "DIR")]
        cases: Option<PathBuf>,
        /// Write the actual results to the cases as the expected ones
        #[arg(long)]
        bless: bool,
    },
    /// Measure the calls of a plugin on recorded traffic
    #[command(after_help = PLUGIN_BENCH_EXAMPLES)]
    Bench {
        /// Component (.wasm)
        file: PathBuf,
        /// Recorded traffic (.jsons)
        #[arg(long, value_name = "FILE")]
        cassette: PathBuf,
        /// Use a new instance for each call, as with `instances = "fresh"`
        #[arg(long)]
        fresh: bool,
    },
    /// List live, rejected and draining plugins of the running gateway, or those that would be
    /// loaded
    #[command(after_help = PLUGIN_LIST_EXAMPLES)]
    List {
        /// Address of the gateway: HOST:PORT, or https://HOST:PORT if it speaks TLS [default: the
        /// listeners of the configuration]
        #[arg(long, value_name = "ADDR")]
        address: Option<GatewayAddress>,
        /// CA of the gateway's certificate, in PEM [default: the local CA and those of the system]
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        /// The files.
        #[command(flatten)]
        files: FileFlags,
    },
}

/// A language that has a project template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// Rust, with an SDK and unit tests that need no gateway
    Rust,
    /// C, with clang and wit-bindgen
    C,
    /// JavaScript, with componentize-js
    Js,
    /// Python, with componentize-py
    Python,
}
