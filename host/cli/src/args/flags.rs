//! The flags that several commands share, and the settings that they override.

use std::path::PathBuf;

use clap::Args;

use ouli_config::Override;

/// The files, and single settings.
#[derive(Debug, Default, Args)]
pub(crate) struct FileFlags {
    /// Configuration file [default: ouli.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Folder of the cassettes [default: cassettes]
    #[arg(long, value_name = "DIR")]
    pub(super) cassettes: Option<String>,
    /// Folder of the plugins, which is watched; may be repeated [default: plugins]
    #[arg(long, value_name = "DIR")]
    pub(super) plugins: Vec<String>,
    /// Override any setting; may be repeated
    ///
    /// VALUE is parsed as TOML, otherwise as a string: `--set limits.connections=100`,
    /// `--set endpoint.api.upstream=http://127.0.0.1:9000`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(super) set: Vec<Override>,
    /// Format of the log [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub(super) log_format: Option<String>,
}

/// The flags of a command that runs a gateway.
#[derive(Debug, Default, Args)]
pub(crate) struct RunFlags {
    /// Upstream URL: http://, https:// (HTTP/2 or HTTP/1.1 by ALPN) or h2c:// (HTTP/2 without TLS)
    #[arg(long, value_name = "URL")]
    pub(super) upstream: Option<String>,
    /// Address to listen on; port 0 takes a free port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Other programs have this flag.
    #[arg(long, hide = true, value_name = "PORT", value_parser = no_port)]
    pub(super) port: Option<String>,
    /// Session of requests that name none [default: default]
    #[arg(long, value_name = "NAME")]
    pub(super) session: Option<String>,
    /// TLS for clients [default: off]
    #[arg(long, value_name = "TLS", value_parser = ["self-signed", "off"])]
    pub(super) tls: Option<String>,
    /// Speed of replayed streams: `instant`, `recorded`, or a factor such as 0.5 [default: instant]
    #[arg(long, value_name = "PACE")]
    pub(super) timing: Option<String>,
    /// Reject edited cassettes; exit with status 1 if a verdict fails, also if there was no request
    #[arg(long)]
    pub(super) strict: bool,
    /// Kinds of defects that fail the verdict; exit with status 1 if it fails
    ///
    /// KINDS are separated by commas and change the defaults in order: a kind is added, `-KIND` is
    /// removed, `all` and `none` are all and no kinds.
    /// By default: miss, refused-request, upstream-error, plugin-error, partial, undecodable,
    /// secret, dropped, not-written, damage. With --strict also: incomplete, edited, no-requests.
    /// Further: unused, unfinished, assumed.
    #[arg(long, value_name = "KINDS", allow_hyphen_values = true)]
    pub(super) fail_on: Vec<String>,
    /// Write one log line per exchange.
    #[arg(long)]
    pub(super) access_log: bool,
    /// Write the verdicts to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<String>,
    /// The files.
    #[command(flatten)]
    pub(super) files: FileFlags,
}

/// The flags of `check`.
#[derive(Debug, Default, Args)]
pub(crate) struct CheckFlags {
    /// Print the limits in force, with meaning, default and range, as a `[limits]` section
    #[arg(long)]
    pub(crate) limits: bool,
    /// The configuration to check.
    #[command(flatten)]
    pub(super) run: RunFlags,
}

impl RunFlags {
    pub(super) fn overrides(&self) -> impl Iterator<Item = Override> {
        let texts = [
            ("endpoint.upstream", &self.upstream),
            ("endpoint.listen", &self.listen),
            ("endpoint.tls", &self.tls),
            ("session", &self.session),
            ("timing", &self.timing),
            ("report", &self.report),
        ];
        let fail_on = (!self.fail_on.is_empty())
            .then(|| Override::list("verdict.fail_on", &self.fail_on).typed_as_flag());
        let flags = [("strict", self.strict), ("access_log", self.access_log)];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
        let flags = flags.map(|(key, _)| Override::flag(key, true).typed_as_flag());
        text_overrides(texts).chain(flags).chain(fail_on)
    }
}

impl FileFlags {
    pub(super) fn overrides(&self) -> impl Iterator<Item = Override> {
        let texts = [
            ("cassettes", &self.cassettes),
            ("log_format", &self.log_format),
        ];
        let plugins = (!self.plugins.is_empty())
            .then(|| Override::list("plugins", &self.plugins).typed_as_flag());
        text_overrides(texts)
            .chain(plugins)
            .chain(self.set.iter().cloned())
    }
}

fn no_port(port: &str) -> Result<String, String> {
    Err(format!("write `--listen 127.0.0.1:{port}`"))
}

fn text_overrides<'a, const N: usize>(
    flags: [(&'static str, &'a Option<String>); N],
) -> impl Iterator<Item = Override> + use<'a, N> {
    let given = |(key, value): (_, &Option<String>)| {
        Some(Override::text(key, value.clone()?).typed_as_flag())
    };
    flags.into_iter().filter_map(given)
}

fn assignment(text: &str) -> Result<Override, String> {
    Override::parse(text).ok_or_else(|| "the format is KEY=VALUE".to_owned())
}
