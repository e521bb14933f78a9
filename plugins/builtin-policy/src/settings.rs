//! The settings of the policy.

use serde::Deserialize;

use crate::status::StatusRange;

/// Every setting is optional. By default everything is recorded.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    skip_paths: Vec<String>,
    /// True: requests for [`HEALTH_CHECKS`] are not recorded.
    pub(crate) skip_health_checks: bool,
    skip_methods: Vec<String>,
    /// Status codes of responses.
    pub(crate) skip_status: Vec<StatusRange>,
}

/// Paths of health checks by orchestrators and load balancers.
pub(crate) const HEALTH_CHECKS: &[&str] = &[
    "/_health",
    "/actuator/health",
    "/actuator/health/*",
    "/grpc.health.v1.Health/*",
    "/health",
    "/health/live",
    "/health/ready",
    "/healthcheck",
    "/healthz",
    "/live",
    "/livez",
    "/ping",
    "/ready",
    "/readyz",
    "/status",
    "/up",
];

impl Settings {
    /// Patterns of paths that are skipped.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.skip_paths.iter().map(String::as_str)
    }

    /// Methods that are skipped. Methods are case-sensitive (RFC 9110, section 9.1), and all in use
    /// are in upper case.
    pub(crate) fn methods(&self) -> impl Iterator<Item = String> {
        self.skip_methods.iter().map(|method| method.to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use ouli_plugin::parse_settings as parse;

    use super::Settings;

    #[test]
    fn nothing_is_skipped_by_default() {
        let settings: Settings = parse("{}").unwrap();
        assert!(settings.paths().next().is_none() && settings.methods().next().is_none());
        assert!(settings.skip_status.is_empty() && !settings.skip_health_checks);
    }

    #[test]
    fn methods_are_converted_to_upper_case() {
        let settings: Settings = parse(r#"{"skip_methods": ["options", "HEAD"]}"#).unwrap();
        assert_eq!(settings.methods().collect::<Vec<_>>(), ["OPTIONS", "HEAD"]);
    }

    #[test]
    fn errors_name_the_setting() {
        let error = parse::<Settings>(r#"{"skip_status": ["5xx"]}"#).unwrap_err();
        assert!(
            error.starts_with("setting `skip_status`: `5xx` is not a status"),
            "{error}"
        );
        let error = parse::<Settings>(r#"{"skip": []}"#).unwrap_err();
        assert!(
            error.starts_with("unknown setting `skip`, expected one of `skip_paths`"),
            "{error}"
        );
    }
}
