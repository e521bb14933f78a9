//! `check --limits`: prints the limits in force as a `[limits]` section.

use crate::args::Cli;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::out_lines;
use crate::{environment, telemetry};
use ouli_config::{LIMITS, Limit, Limits, LogFormat};
use ouli_proxy::gateway;

/// Prints the section. It can be used as a configuration.
pub(in super::super) fn print_limits(cli: &Cli) -> u8 {
    telemetry::init(LogFormat::Text);
    match gateway::load_config(&environment::options(cli)) {
        Ok(config) => {
            out_lines(&section(&config.limits));
            EXIT_OK
        }
        Err(error) => usage_error(&error.to_string()),
    }
}

fn section(limits: &Limits) -> String {
    let mut text = "[limits]".to_owned();
    for group in LIMITS {
        text.push_str(&format!("\n\n# --- {}", group.title));
        for limit in group.rows {
            text.push_str(&format!("\n\n{}", row(limit, limits)));
        }
    }
    text
}

fn row(limit: &Limit, limits: &Limits) -> String {
    let (min, max) = limit.range_text();
    let (description, rationale) = (limit.description, limit.rationale);
    let default = limit.format_value(&Limits::default());
    let line = limit.toml_line(limits);
    format!("# {description}\n# default {default}: {rationale}\n# range {min} to {max}\n{line}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use ouli_config::Config;

    #[test]
    fn printed_limits_parse_to_the_same_limits() {
        let limits = Limits {
            connections: 17,
            request_header_timeout: std::time::Duration::from_millis(1500),
            ..Limits::default()
        };
        let text = section(&limits);
        let here = Path::new(".");
        let config = Config::from_sources(Some((Path::new("x.toml"), &text)), &[], here);
        assert_eq!(config.unwrap().limits, limits);
        assert!(text.contains("# default 4096: "), "{text}");
    }
}
