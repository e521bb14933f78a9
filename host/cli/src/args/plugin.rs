//! The commands about plugins and their flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::FileFlags;
use crate::examples::{
    PLUGIN_BENCH_EXAMPLES, PLUGIN_CHECK_EXAMPLES, PLUGIN_LIST_EXAMPLES, PLUGIN_NEW_EXAMPLES,
    PLUGIN_TEST_EXAMPLES,
};

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Write a new project: a small matcher with its build and its cases.
    #[command(after_help = PLUGIN_NEW_EXAMPLES)]
    New {
        /// Folder of the project; its last name is the plugin's.
        name: String,
        /// The language.
        #[arg(long, value_enum)]
        lang: Lang,
    },
    /// Say what a component is: roles, imports, size, compile time, the limits that it needs.
    #[command(after_help = PLUGIN_CHECK_EXAMPLES)]
    Check {
        /// The component, a .wasm file.
        file: PathBuf,
    },
    /// Run golden cases on the engine and the limits of production.
    #[command(after_help = PLUGIN_TEST_EXAMPLES)]
    Test {
        /// The component, a .wasm file.
        file: PathBuf,
        /// Folder of the cases, *.json [default: cases, here or beside the component].
        #[arg(long, value_name = "DIR")]
        cases: Option<PathBuf>,
        /// Write down what the plugin answers as what is expected, instead of comparing.
        #[arg(long)]
        bless: bool,
    },
    /// Measure the calls of a plugin on recorded traffic.
    #[command(after_help = PLUGIN_BENCH_EXAMPLES)]
    Bench {
        /// The component, a .wasm file.
        file: PathBuf,
        /// The recorded traffic, a .jsons file.
        #[arg(long, value_name = "FILE")]
        cassette: PathBuf,
        /// Give each call a copy of its own, as `instances = "fresh"` does.
        #[arg(long)]
        fresh: bool,
    },
    /// Show what is live, rejected and draining in the gateway that runs, or what one would load.
    #[command(after_help = PLUGIN_LIST_EXAMPLES)]
    List {
        /// Ask the gateway at this address, whatever its configuration.
        #[arg(long, value_name = "ADDR")]
        address: Option<SocketAddr>,
        /// Where things are.
        #[command(flatten)]
        files: FileFlags,
    },
}

/// A language that there is a template for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Rust, with an SDK and unit tests that need no gateway.
    Rust,
    /// C, by clang and wit-bindgen.
    C,
    /// JavaScript, by componentize-js.
    Js,
    /// Python, by componentize-py.
    Python,
}
