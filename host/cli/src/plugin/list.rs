//! `plugin list`: the plugins of the running gateway, or those that would be loaded.

use std::path::Path;

use super::running_gateway::{self, QueryResult};
use crate::args::{Cli, GatewayAddress};
use crate::environment;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::outln;
use ouli_config::{ClientAuthMode, Endpoint, Tls};
use ouli_proxy::gateway::{self, Loaded};
use ouli_proxy::handler::PLUGIN_STATUS_PATH;

/// Queries the gateway that runs with this configuration; without one, loads its plugins.
pub(super) fn list(cli: &Cli, address: Option<&GatewayAddress>, ca: Option<&Path>) -> u8 {
    let options = environment::options(cli);
    let config = match gateway::load_config(&options) {
        Ok(config) => config,
        Err(error) => return usage_error(&error.to_string()),
    };
    if let Some(address) = address {
        let speaks_tls = |listen| {
            let mut endpoints = config.endpoints.iter();
            endpoints.any(|it| it.listen == listen && !matches!(it.tls, Tls::Off))
        };
        let address = address.clone().resolved(speaks_tls);
        return match running_gateway::query(&address, ca) {
            QueryResult::Status(status) => {
                print_status(&status);
                EXIT_OK
            }
            QueryResult::NotListening => usage_error(&format!("nothing listens on {address}")),
            QueryResult::Failed(reason) => usage_error(&format!("{address}: {reason}")),
        };
    }
    let mut not_queried = None;
    for endpoint in &config.endpoints {
        let secure = !matches!(endpoint.tls, Tls::Off);
        let address = GatewayAddress::of_listener(endpoint.listen, secure);
        let status = match running_gateway::query(&address, ca) {
            QueryResult::Status(status) => status,
            QueryResult::Failed(_) if requires_certificate(endpoint) => {
                not_queried = Some(endpoint.listen);
                continue;
            }
            QueryResult::Failed(_) | QueryResult::NotListening => continue,
        };
        if status.folders == config.plugin_folders.paths {
            outln!("gateway at {}", endpoint.listen);
            print_status(&status);
            return EXIT_OK;
        }
    }
    match not_queried {
        Some(listen) => outln!(
            "cannot query {listen}: it requires a client certificate (client_auth), and this \
             command has none; query it with `curl --cert FILE --key FILE --cacert FILE \
             https://{listen}{PLUGIN_STATUS_PATH}`; this configuration would load:"
        ),
        None => outln!("no gateway runs with this configuration; it would load:"),
    }
    print_loadable(&match Loaded::read(&options) {
        Ok(loaded) => loaded,
        Err(error) => return usage_error(&error.to_string()),
    });
    EXIT_OK
}

/// True if only clients with a certificate may connect.
fn requires_certificate(endpoint: &Endpoint) -> bool {
    let auth = endpoint.client_auth.as_ref();
    auth.is_some_and(|auth| auth.mode == ClientAuthMode::Required)
}

fn print_loadable(loaded: &Loaded) {
    for plugin in loaded.plugins() {
        let (hash, routes) = (plugin.digest(), routes_suffix(plugin.routes()));
        outln!("{}  sha256:{}{routes}", plugin.name(), short(&hash));
        for line in plugin.describe() {
            outln!("  {line}");
        }
    }
}

fn print_status(status: &gateway::Status) {
    outln!("live, generation {}", status.generation);
    for plugin in &status.live {
        let (hash, routes) = (short(&plugin.sha256), routes_suffix(&plugin.routes));
        outln!(
            "  {}  sha256:{hash}  since {}{routes}",
            plugin.name,
            plugin.since_generation
        );
        // Indented lines are single rules; they are listed only for plugins that would be loaded.
        for line in plugin
            .declarations
            .iter()
            .filter(|line| !line.starts_with(' '))
        {
            outln!("    {line}");
        }
        let usage = plugin.usage;
        if usage.calls + usage.cache_hits > 0 {
            let host_calls = usage.host_calls as f64 / usage.calls.max(1) as f64;
            outln!(
                "    {} calls with {host_calls:.1} host calls each, {} cache hits, {} failures; \
                 {} instances, up to {} KiB each",
                usage.calls,
                usage.cache_hits,
                usage.failures,
                usage.instances,
                usage.peak_memory >> 10
            );
        }
        if let Some(sha256) = &plugin.fallback_sha256 {
            outln!("    falls back to sha256:{}", short(sha256));
        }
        for (label, text) in [
            ("paused", &plugin.paused),
            ("keeps state", &plugin.retained_state),
            ("shadow comparison", &plugin.shadow_comparison),
        ] {
            if let Some(text) = text {
                outln!("    {label}: {text}");
            }
        }
    }
    if !status.rejected.is_empty() {
        outln!("rejected");
    }
    for plugin in &status.rejected {
        outln!("  {} ({}): {}", plugin.name, plugin.stage, plugin.reason);
    }
    if !status.draining.is_empty() || !status.draining_generations.is_empty() {
        outln!("draining, generations {:?}", status.draining_generations);
    }
    for plugin in &status.draining {
        let hash = short(&plugin.sha256);
        outln!(
            "  {}  sha256:{hash}  until {}",
            plugin.name,
            plugin.until_generation
        );
    }
}

/// The paths that a plugin is called for, if these are not all.
fn routes_suffix(routes: &[String]) -> String {
    match routes {
        [] => String::new(),
        routes => format!("  routes {}", routes.join(" ")),
    }
}

fn short(sha256: &str) -> &str {
    sha256.get(..16).unwrap_or(sha256)
}
