//! The command with which the gateway was started, as text for a shell. A report suggests it with
//! another mode.

use std::path::Path;

use crate::choice::Mode;
use crate::endpoint::Endpoint;
use crate::overrides::Override;

/// The configuration file that is read if no other is named.
pub const CONFIG_FILE: &str = "ouli.toml";

/// The configuration file and the flags of a command that runs the gateway.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    config_file: Option<String>,
    overrides: Vec<Override>,
}

impl CommandLine {
    /// The command with this configuration file and these flags.
    pub fn new(config_file: Option<&Path>, overrides: &[Override]) -> Self {
        Self {
            config_file: config_file.map(|path| path.display().to_string()),
            overrides: overrides.to_vec(),
        }
    }

    /// The configuration file that the command reads.
    pub fn config_file(&self) -> &str {
        self.config_file.as_deref().unwrap_or(CONFIG_FILE)
    }

    /// True if a flag sets a key of this section, so that the file does not decide.
    pub fn sets(&self, section: &str) -> bool {
        self.overrides.iter().any(|one| {
            let rest = one.key().strip_prefix(section);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// The command that runs one of `count` endpoints in this mode, with the other flags as they
    /// are.
    pub fn in_mode(
        &self,
        mode: Mode,
        endpoint: &Endpoint,
        session: Option<&str>,
        count: usize,
    ) -> String {
        let is_only = count == 1;
        let mut words = vec!["ouli-gateway".to_owned()];
        if is_only {
            words.push(mode.to_string());
        } else {
            words.extend(self.mode().map(str::to_owned));
        }
        words.extend(self.config_flag());
        words.extend(self.overrides.iter().flat_map(|one| flag(one, is_only)));
        let set = |key: &str, value: &str| {
            let name = &endpoint.name;
            ["--set".to_owned(), format!("endpoint.{name}.{key}={value}")]
        };
        if !is_only {
            words.extend(set("mode", &mode.to_string()));
        }
        if endpoint.upstream.is_none() {
            words.extend(match is_only {
                true => ["--upstream".to_owned(), "URL".to_owned()],
                false => set("upstream", "URL"),
            });
        }
        if let Some(session) = session.filter(|_| is_only) {
            words.extend(["--session".to_owned(), session.to_owned()]);
        }
        shell_line(&words)
    }

    /// The command that accepts the edits of the cassette of a session.
    pub fn accept_edits(&self, session: &str) -> String {
        let words = ["ouli-gateway", "cassette", "accept", session];
        let mut words = words.map(str::to_owned).to_vec();
        words.extend(self.config_flag());
        let is_file = |one: &&Override| one.assignment().is_some() || one.key() == "cassettes";
        let files = self.overrides.iter().filter(is_file);
        words.extend(files.flat_map(|one| flag(one, true)));
        shell_line(&words)
    }

    /// `--config FILE`, unless the file is the default one.
    fn config_flag(&self) -> Vec<String> {
        let file = self.config_file.clone().filter(|file| file != CONFIG_FILE);
        file.map_or_else(Vec::new, |file| vec!["--config".to_owned(), file])
    }

    /// The mode that the command names.
    fn mode(&self) -> Option<&str> {
        let mode = self.overrides.iter().find(|one| one.key() == "mode")?;
        mode.texts().first().copied()
    }
}

/// The words of a flag. Flags that do not change what is recorded are left out, and those that the
/// suggested command sets itself.
fn flag(one: &Override, is_only: bool) -> Vec<String> {
    let is_replaced = one.key() == "mode" || (is_only && one.key() == "session");
    if is_replaced {
        return Vec::new();
    }
    if let Some(assignment) = one.assignment() {
        return vec!["--set".to_owned(), assignment.to_owned()];
    }
    let name = match one.key() {
        "endpoint.upstream" => "--upstream",
        "endpoint.listen" => "--listen",
        "endpoint.tls" => "--tls",
        "session" => "--session",
        "cassettes" => "--cassettes",
        "plugins" => "--plugins",
        _ => return Vec::new(),
    };
    let values = one.texts().into_iter();
    values
        .flat_map(|value| [name.to_owned(), value.to_owned()])
        .collect()
}

/// A command line of a POSIX shell.
fn shell_line(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}

/// A word of a POSIX shell, quoted if it needs to be.
fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    let text: String = word.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn overrides() -> Vec<Override> {
        vec![
            Override::text("mode", "replay"),
            Override::text("endpoint.upstream", "https://api.example.com/v1"),
            Override::text("endpoint.listen", "127.0.0.1:0"),
            Override::text("session", "old"),
            Override::flag("strict", true),
            Override::text("cassettes", "tests/my cassettes"),
            Override::list("plugins", &["a".to_owned(), "b".to_owned()]),
            Override::parse("matcher.ignore_query=[\"it's\"]").unwrap(),
        ]
    }

    #[test]
    fn the_flags_of_the_command_are_kept() {
        let line = CommandLine::new(Some(Path::new("ci/ouli.toml")), &overrides());
        let config = Config::from_sources(None, &overrides(), Path::new("/here")).unwrap();
        let suggested = line.in_mode(Mode::Auto, &config.endpoints[0], Some("login"), 1);
        assert_eq!(
            suggested,
            concat!(
                "ouli-gateway auto --config ci/ouli.toml --upstream https://api.example.com/v1 ",
                "--listen 127.0.0.1:0 --cassettes 'tests/my cassettes' --plugins a --plugins b ",
                r#"--set 'matcher.ignore_query=["it'\''s"]' --session login"#
            )
        );
        assert_eq!(
            line.accept_edits("log in"),
            concat!(
                "ouli-gateway cassette accept 'log in' --config ci/ouli.toml ",
                "--cassettes 'tests/my cassettes' ",
                r#"--set 'matcher.ignore_query=["it'\''s"]'"#
            )
        );
        assert!(line.sets("matcher"));
        assert!(!line.sets("match"));
        assert_eq!(line.config_file(), "ci/ouli.toml");
    }

    #[test]
    fn a_missing_upstream_is_asked_for() {
        let endpoint = |upstream: Option<&str>| {
            let config = Config::from_sources(None, &[], Path::new("/here")).unwrap();
            Endpoint {
                upstream: upstream.map(|url| url.parse().unwrap()),
                ..config.endpoints[0].clone()
            }
        };
        let line = CommandLine::new(Some(Path::new(CONFIG_FILE)), &[]);
        assert_eq!(
            line.in_mode(Mode::Record, &endpoint(None), Some("s"), 1),
            "ouli-gateway record --upstream URL --session s"
        );
        assert_eq!(
            line.in_mode(Mode::Record, &endpoint(Some("h2c://a")), Some("s"), 1),
            "ouli-gateway record --session s"
        );
        let line = CommandLine::new(None, &overrides()[..1]);
        assert_eq!(
            line.in_mode(Mode::Auto, &endpoint(None), Some("s"), 2),
            concat!(
                "ouli-gateway replay --set endpoint.default.mode=auto ",
                "--set endpoint.default.upstream=URL"
            )
        );
    }
}
