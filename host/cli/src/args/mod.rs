//! What the user typed: commands, flags and their help, and which settings they stand for.

mod plugin;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::examples::{
    AUTO_EXAMPLES, CA_EXAMPLES, CASSETTE_EXAMPLES, CHECK_EXAMPLES, EXAMPLES, PASSTHROUGH_EXAMPLES,
    PLUGIN_EXAMPLES, RECORD_EXAMPLES, REPLAY_EXAMPLES,
};
use ouli_config::{Mode, Override};
pub use plugin::{Lang, PluginCommand};

/// The file that is read where `--config` names none and the folder has it.
pub const CONFIG_FILE: &str = "ouli.toml";

/// Records the HTTP traffic of a program with the secrets taken out, and replays it without the
/// network.
#[derive(Debug, Parser)]
#[command(
    name = "ouli-gateway",
    version,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do; without a command the gateway runs what the configuration says.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of a run without a command.
    #[command(flatten)]
    pub run: RunFlags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask the upstream and record every exchange.
    #[command(after_help = RECORD_EXAMPLES)]
    Record(RunFlags),
    /// Answer from the cassettes alone; no upstream is asked.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(RunFlags),
    /// Replay what is recorded, record what is not.
    #[command(after_help = AUTO_EXAMPLES)]
    Auto(RunFlags),
    /// Ask the upstream and record nothing.
    #[command(after_help = PASSTHROUGH_EXAMPLES)]
    Passthrough(RunFlags),
    /// Tell every fault of the configuration, the plugins and the cassettes.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckFlags),
    /// Record and replay a small upstream of its own; needs nothing else running.
    #[command(after_help = "Examples:\n  ouli-gateway demo")]
    Demo,
    /// Make the local CA where there is none, and print the path of its certificate.
    #[command(after_help = CA_EXAMPLES)]
    Ca,
    /// Write, check, test and measure plugins, and see which are live.
    #[command(subcommand, after_help = PLUGIN_EXAMPLES)]
    Plugin(PluginCommand),
    /// Look at cassettes.
    #[command(subcommand, after_help = CASSETTE_EXAMPLES)]
    Cassette(CassetteCommand),
}

/// What can be asked about cassettes.
#[derive(Debug, Subcommand)]
pub enum CassetteCommand {
    /// Show the cassettes with the number of their exchanges.
    #[command(after_help = CASSETTE_EXAMPLES)]
    List(FileFlags),
    /// Show the exchanges of one cassette.
    #[command(after_help = CASSETTE_EXAMPLES)]
    Show {
        /// The session that the cassette belongs to.
        name: String,
        /// Show the bodies too.
        #[arg(long)]
        body: bool,
        /// Where the cassettes are.
        #[command(flatten)]
        files: FileFlags,
    },
}

/// Where things are, and any setting at all.
#[derive(Debug, Default, Args)]
pub struct FileFlags {
    /// Read this configuration [default: ouli.toml, where it exists].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the cassettes [default: cassettes].
    #[arg(long, value_name = "DIR")]
    pub cassettes: Option<String>,
    /// Folder that is searched for plugins and watched; may be repeated [default: plugins].
    #[arg(long, value_name = "DIR")]
    pub plugins: Vec<String>,
    /// Set any key of the configuration; may be repeated.
    ///
    /// VALUE is TOML, and where it is none, a text: `--set limits.connections=100`,
    /// `--set endpoint.api.upstream=http://127.0.0.1:9000`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<Override>,
    /// How log lines look [default: text].
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub log_format: Option<String>,
}

/// The flags of a gateway that runs.
#[derive(Debug, Default, Args)]
pub struct RunFlags {
    /// Whom to ask: http://, https:// (HTTP/2 or HTTP/1.1 by ALPN) or h2c://.
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Where clients connect; port 0 takes a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The session of requests that name none [default: default].
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// How clients connect [default: off].
    #[arg(long, value_name = "TLS", value_parser = ["self-signed", "off"])]
    pub tls: Option<String>,
    /// At what pace streams are replayed: `instant`, `recorded`, or a factor such as 0.5 [default:
    /// instant].
    #[arg(long, value_name = "PACE")]
    pub timing: Option<String>,
    /// Refuse edited cassettes, and end with status 1 where a verdict fails.
    #[arg(long)]
    pub strict: bool,
    /// Write one log line for each exchange.
    #[arg(long)]
    pub access_log: bool,
    /// Write the verdicts of the sessions to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<String>,
    /// Where things are.
    #[command(flatten)]
    pub files: FileFlags,
}

/// The flags of `check`.
#[derive(Debug, Default, Args)]
pub struct CheckFlags {
    /// Print every limit in force with its meaning, its range and where its default is from, as a
    /// section for a configuration.
    #[arg(long)]
    pub limits: bool,
    /// What is checked.
    #[command(flatten)]
    pub run: RunFlags,
}

/// What a command line has, whatever its command.
#[derive(Default)]
struct CommandFlags<'a> {
    mode: Option<Mode>,
    run: Option<&'a RunFlags>,
    files: Option<&'a FileFlags>,
}

impl Cli {
    /// The configuration that `--config` names.
    pub fn config(&self) -> Option<&Path> {
        self.parts().files.and_then(|files| files.config.as_deref())
    }

    /// The mode that the command stands for.
    pub fn mode(&self) -> Option<Mode> {
        self.parts().mode
    }

    /// What the flags say, to be put over the configuration. `--set` comes last, so it has the last
    /// word.
    pub fn overrides(&self) -> Vec<Override> {
        let parts = self.parts();
        let mode = parts
            .mode
            .map(|mode| Override::text("mode", mode.to_string()));
        let run = parts.run.into_iter().flat_map(RunFlags::overrides);
        let files = parts.files.into_iter().flat_map(FileFlags::overrides);
        mode.into_iter().chain(run).chain(files).collect()
    }

    fn parts(&self) -> CommandFlags<'_> {
        match &self.command {
            None => CommandFlags::of_run(None, &self.run),
            Some(Command::Record(run)) => CommandFlags::of_run(Some(Mode::Record), run),
            Some(Command::Replay(run)) => CommandFlags::of_run(Some(Mode::Replay), run),
            Some(Command::Auto(run)) => CommandFlags::of_run(Some(Mode::Auto), run),
            Some(Command::Passthrough(run)) => CommandFlags::of_run(Some(Mode::Passthrough), run),
            Some(Command::Check(check)) => CommandFlags::of_run(None, &check.run),
            Some(Command::Plugin(PluginCommand::List { files, .. })) => {
                CommandFlags::of_files(files)
            }
            Some(Command::Cassette(CassetteCommand::List(files))) => CommandFlags::of_files(files),
            Some(Command::Cassette(CassetteCommand::Show { files, .. })) => {
                CommandFlags::of_files(files)
            }
            Some(Command::Demo | Command::Ca | Command::Plugin(_)) => CommandFlags::default(),
        }
    }
}

impl<'a> CommandFlags<'a> {
    fn of_run(mode: Option<Mode>, run: &'a RunFlags) -> Self {
        Self {
            mode,
            run: Some(run),
            files: Some(&run.files),
        }
    }

    fn of_files(files: &'a FileFlags) -> Self {
        Self {
            files: Some(files),
            ..Self::default()
        }
    }
}

impl RunFlags {
    fn overrides(&self) -> impl Iterator<Item = Override> {
        let texts = [
            ("endpoint.upstream", &self.upstream),
            ("endpoint.listen", &self.listen),
            ("endpoint.tls", &self.tls),
            ("session", &self.session),
            ("timing", &self.timing),
            ("report", &self.report),
        ];
        let flags = [("strict", self.strict), ("access_log", self.access_log)];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
        text_overrides(texts).chain(flags.map(|(key, _)| Override::flag(key, true)))
    }
}

impl FileFlags {
    fn overrides(&self) -> impl Iterator<Item = Override> {
        let texts = [
            ("cassettes", &self.cassettes),
            ("log_format", &self.log_format),
        ];
        let plugins = (!self.plugins.is_empty()).then(|| Override::list("plugins", &self.plugins));
        text_overrides(texts)
            .chain(plugins)
            .chain(self.set.iter().cloned())
    }
}

fn text_overrides<'a, const N: usize>(
    flags: [(&'static str, &'a Option<String>); N],
) -> impl Iterator<Item = Override> + use<'a, N> {
    let written = |(key, value): (_, &Option<String>)| Some(Override::text(key, value.clone()?));
    flags.into_iter().filter_map(written)
}

fn assignment(text: &str) -> Result<Override, String> {
    Override::parse(text).ok_or_else(|| "write it as KEY=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;
    use ouli_config::{Config, Tls};

    fn cli(line: &str) -> Cli {
        let words = std::iter::once("ouli-gateway").chain(line.split_whitespace());
        Cli::try_parse_from(words).unwrap()
    }

    fn config(line: &str) -> Config {
        Config::from_sources(None, &cli(line).overrides(), Path::new("/here")).unwrap()
    }

    #[test]
    fn every_flag_has_its_key() {
        let config = config(
            "record --upstream http://a --listen 127.0.0.1:0 --tls self-signed --session s \
             --strict --access-log --report r.json --cassettes c --plugins p --plugins q \
             --log-format json --set limits.connections=7",
        );
        let endpoint = &config.endpoints[0];
        assert_eq!(endpoint.mode, Mode::Record);
        assert_eq!(endpoint.upstream.as_ref().unwrap().to_string(), "http://a");
        assert_eq!(
            (endpoint.listen.port(), endpoint.session.as_str()),
            (0, "s")
        );
        assert_eq!(endpoint.tls, Tls::SelfSigned);
        assert!(config.strict);
        assert!(config.access_log);
        assert_eq!(config.report.unwrap(), Path::new("/here/r.json"));
        assert_eq!(config.cassettes, Path::new("/here/c"));
        assert_eq!(
            config.plugin_folders.paths,
            [Path::new("/here/p"), Path::new("/here/q")]
        );
        assert_eq!(config.log_format, ouli_config::LogFormat::Json);
        assert_eq!(config.limits.connections, 7);
    }

    #[test]
    fn without_a_command_the_upstream_decides() {
        assert_eq!(config("").endpoints[0].mode, Mode::Replay);
        assert_eq!(config("--plugins p").endpoints[0].mode, Mode::Replay);
        assert_eq!(config("--upstream http://a").endpoints[0].mode, Mode::Auto);
    }

    #[test]
    fn a_setting_has_the_last_word() {
        let config = config("replay --session a --set session=b");
        assert_eq!(config.endpoints[0].session, "b");
    }

    #[test]
    fn the_configuration_is_named_where_it_is_read() {
        for line in [
            "--config x",
            "check --config x",
            "cassette show a --body --config x",
        ] {
            assert_eq!(cli(line).config(), Some(Path::new("x")), "{line}");
        }
        assert_eq!(cli("demo").config(), None);
    }

    #[test]
    fn bad_usage_is_told_with_status_2() {
        let cases = [
            ("record --nothing", ErrorKind::UnknownArgument),
            ("recrod", ErrorKind::InvalidSubcommand),
            ("replay --log-format xml", ErrorKind::InvalidValue),
            ("replay --set limits", ErrorKind::ValueValidation),
            ("--session a replay", ErrorKind::ArgumentConflict),
            ("cassette show", ErrorKind::MissingRequiredArgument),
        ];
        for (line, expected) in cases {
            let words = std::iter::once("ouli-gateway").chain(line.split_whitespace());
            let error = Cli::try_parse_from(words).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (expected, 2), "{line}");
        }
    }

    #[test]
    fn the_commands_fit_together_and_have_examples() {
        let mut root = Cli::command();
        root.clone().debug_assert();
        root.build();
        let mut waiting = vec![root];
        while let Some(command) = waiting.pop() {
            let help = command.get_after_help().map(ToString::to_string);
            let is_help = command.get_name() == "help";
            let shown = help.is_some_and(|text| text.contains("Examples:"));
            assert!(is_help || shown, "{} has none", command.get_name());
            if !is_help {
                waiting.extend(command.get_subcommands().cloned());
            }
        }
    }
}
