//! `check --limits`: every limit in force, as a section that a configuration can take as it is.

use crate::args::Cli;
use crate::output::say;
use crate::{OK, environment, fail, telemetry};
use ouli_config::{LIMITS, Limit, Limits, LogFormat};
use ouli_proxy::gateway;

pub(super) fn print(cli: &Cli) -> u8 {
    telemetry::start(LogFormat::Text);
    match gateway::config(&environment::options(cli)) {
        Ok(config) => {
            say!("{}", section(&config.limits));
            OK
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn section(limits: &Limits) -> String {
    let mut text = "[limits]".to_owned();
    for group in LIMITS {
        text.push_str(&format!("\n\n# --- {}", group.about));
        for limit in group.rows {
            text.push_str(&format!("\n\n{}", row(limit, limits)));
        }
    }
    text
}

fn row(limit: &Limit, limits: &Limits) -> String {
    let (least, most) = limit.bounds();
    let (about, source) = (limit.about, limit.source);
    let default = limit.shown(&Limits::default());
    let line = limit.line(limits);
    format!("# {about}\n# default {default}: {source}\n# from {least} to {most}\n{line}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use ouli_config::Config;

    #[test]
    fn what_is_printed_is_read_as_the_same_limits() {
        let limits = Limits {
            connections: 17,
            header_timeout: std::time::Duration::from_millis(1500),
            ..Limits::default()
        };
        let text = section(&limits);
        let here = Path::new(".");
        let config = Config::from_sources(Some((Path::new("x.toml"), &text)), &[], here);
        assert_eq!(config.unwrap().limits, limits);
        assert!(text.contains("# default 4096: "), "{text}");
    }
}
