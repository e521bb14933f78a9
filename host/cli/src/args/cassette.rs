//! The subcommands of `cassette`.

use clap::Subcommand;

use super::examples::{CASSETTE_ACCEPT_EXAMPLES, CASSETTE_LIST_EXAMPLES, CASSETTE_SHOW_EXAMPLES};
use super::flags::FileFlags;

/// The subcommands of `cassette`.
#[derive(Debug, Subcommand)]
pub(crate) enum CassetteCommand {
    /// List the cassettes with the number of their exchanges
    #[command(after_help = CASSETTE_LIST_EXAMPLES)]
    List(FileFlags),
    /// Print the exchanges of a cassette
    #[command(after_help = CASSETTE_SHOW_EXAMPLES)]
    Show {
        /// Session of the cassette, or the path of its file
        #[arg(value_name = "SESSION")]
        name: String,
        /// Print bodies and full messages too
        #[arg(long)]
        body: bool,
        /// The files.
        #[command(flatten)]
        files: FileFlags,
    },
    /// Accept the edits of a cassette: edited exchanges get new digests, so that --strict replays
    /// them. The guard checks them for secrets first
    #[command(after_help = CASSETTE_ACCEPT_EXAMPLES)]
    Accept {
        /// Session of the cassette, or the path of its file
        #[arg(value_name = "SESSION")]
        name: String,
        /// The files.
        #[command(flatten)]
        files: FileFlags,
    },
}
