//! The commands, and the settings that a command line overrides.

use std::path::Path;

use clap::{Parser, Subcommand};

use super::cassette::CassetteCommand;
use super::examples::{
    AUTO_EXAMPLES, CA_EXAMPLES, CASSETTE_EXAMPLES, CHECK_EXAMPLES, DEMO_EXAMPLES, EXAMPLES,
    PASSTHROUGH_EXAMPLES, PLUGIN_EXAMPLES, RECORD_EXAMPLES, REPLAY_EXAMPLES,
};
use super::flags::{CheckFlags, FileFlags, RunFlags};
use super::plugin::PluginCommand;
use ouli_config::{Mode, Override};

/// Record HTTP traffic with the secrets removed, and replay it without the network
#[derive(Debug, Parser)]
#[command(
    name = "ouli-gateway",
    version,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// The command; without one, the gateway uses the modes of the configuration.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The flags without a command.
    #[command(flatten)]
    run: RunFlags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Forward requests to the upstream and record every exchange
    #[command(after_help = RECORD_EXAMPLES)]
    Record(RunFlags),
    /// Answer from cassettes; never contact an upstream
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(RunFlags),
    /// Replay recorded requests, record new ones
    #[command(after_help = AUTO_EXAMPLES)]
    Auto(RunFlags),
    /// Forward requests to the upstream and record nothing
    #[command(after_help = PASSTHROUGH_EXAMPLES)]
    Passthrough(RunFlags),
    /// Validate configuration, plugins and cassettes
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckFlags),
    /// Record and replay a built-in server; needs no network
    #[command(after_help = DEMO_EXAMPLES)]
    Demo,
    /// Create the local CA if needed and print the path of its certificate
    #[command(after_help = CA_EXAMPLES)]
    Ca,
    /// Create, check, test, measure and list plugins
    #[command(subcommand, after_help = PLUGIN_EXAMPLES)]
    Plugin(PluginCommand),
    /// List and print cassettes
    #[command(subcommand, after_help = CASSETTE_EXAMPLES)]
    Cassette(CassetteCommand),
}

/// The flags of a command line, whatever its command.
#[derive(Default)]
struct CommandFlags<'a> {
    mode: Option<Mode>,
    run: Option<&'a RunFlags>,
    files: Option<&'a FileFlags>,
}

impl Cli {
    /// The configuration file of `--config`.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.flags().files.and_then(|files| files.config.as_deref())
    }

    /// The mode that the command selects.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.flags().mode
    }

    /// The settings that the flags override. `--set` comes last and takes precedence.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        let flags = self.flags();
        let mode = flags
            .mode
            .map(|mode| Override::text("mode", mode.to_string()));
        let run = flags.run.into_iter().flat_map(RunFlags::overrides);
        let files = flags.files.into_iter().flat_map(FileFlags::overrides);
        mode.into_iter().chain(run).chain(files).collect()
    }

    fn flags(&self) -> CommandFlags<'_> {
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
            Some(Command::Cassette(
                CassetteCommand::Show { files, .. } | CassetteCommand::Accept { files, .. },
            )) => CommandFlags::of_files(files),
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
    fn every_flag_overrides_its_setting() {
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
    fn without_a_command_the_upstream_selects_the_mode() {
        assert_eq!(config("").endpoints[0].mode, Mode::Replay);
        assert_eq!(config("--plugins p").endpoints[0].mode, Mode::Replay);
        assert_eq!(config("--upstream http://a").endpoints[0].mode, Mode::Auto);
    }

    #[test]
    fn set_takes_precedence_over_a_flag() {
        let config = config("replay --session a --set session=b");
        assert_eq!(config.endpoints[0].session, "b");
    }

    #[test]
    fn commands_that_read_the_configuration_take_its_path() {
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
    fn usage_errors_have_status_2() {
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

    /// The command lines in the examples of all commands, without quotes, pipes and variables.
    fn example_lines() -> Vec<String> {
        let mut root = Cli::command();
        root.build();
        let mut commands = vec![root];
        let mut lines = Vec::new();
        while let Some(command) = commands.pop() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let examples = help.lines().map(str::trim);
            let own = examples.filter(|line| line.starts_with("ouli-gateway "));
            lines.extend(own.map(|line| line.replace(['\'', '"'], "")));
            commands.extend(command.get_subcommands().cloned());
        }
        lines
    }

    #[test]
    fn every_example_is_a_valid_command_with_valid_settings() {
        let lines = example_lines();
        assert!(lines.len() > 10);
        for line in lines {
            let cli = Cli::try_parse_from(line.split_whitespace());
            let cli = cli.unwrap_or_else(|error| panic!("{line}: {error}"));
            let file = cli.config().map(|path| (path, ""));
            let config = Config::from_sources(file, &cli.overrides(), Path::new("/here"));
            assert!(
                config.is_ok() || line.contains("endpoint."),
                "{line}: {config:?}"
            );
        }
    }

    #[test]
    fn every_command_has_examples() {
        let mut root = Cli::command();
        root.clone().debug_assert();
        root.build();
        let mut commands = vec![root];
        while let Some(command) = commands.pop() {
            let help = command.get_after_help().map(ToString::to_string);
            let is_help = command.get_name() == "help";
            let has_examples = help.is_some_and(|text| text.contains("Examples:"));
            assert!(
                is_help || has_examples,
                "{} has no examples",
                command.get_name()
            );
            if !is_help {
                commands.extend(command.get_subcommands().cloned());
            }
        }
    }
}
