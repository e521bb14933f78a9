//! `plugin list`: what is live, rejected and draining in the gateway that runs, or what one would
//! load.

use std::net::SocketAddr;

use super::running_gateway::{self, QueryResult};
use crate::args::Cli;
use crate::output::say;
use crate::{EXIT_OK, environment, usage_error};
use ouli_config::Tls;
use ouli_proxy::gateway::{self, Loaded};

/// Asks the gateway that runs under this configuration, or loads the plugins as one would.
pub(super) fn list(cli: &Cli, address: Option<SocketAddr>) -> u8 {
    let options = environment::options(cli);
    let config = match gateway::load_config(&options) {
        Ok(config) => config,
        Err(error) => return usage_error(&error.to_string()),
    };
    if let Some(address) = address {
        return match running_gateway::ask(address, false) {
            QueryResult::Status(status) => {
                running(&status);
                EXIT_OK
            }
            QueryResult::NotListening => usage_error(&format!("nobody listens on {address}")),
            QueryResult::Failed(reason) => usage_error(&format!("{address}: {reason}")),
        };
    }
    for endpoint in &config.endpoints {
        let secure = !matches!(endpoint.tls, Tls::Off);
        let QueryResult::Status(status) = running_gateway::ask(endpoint.listen, secure) else {
            continue;
        };
        if status.folders == config.plugin_folders.paths {
            say!("the gateway at {} runs", endpoint.listen);
            running(&status);
            return EXIT_OK;
        }
    }
    say!("no gateway of this configuration runs; these plugins would be in force:");
    print_loadable(&match Loaded::read(&options) {
        Ok(loaded) => loaded,
        Err(error) => return usage_error(&error.to_string()),
    });
    EXIT_OK
}

fn print_loadable(loaded: &Loaded) {
    for plugin in loaded.plugins() {
        let (hash, routes) = (plugin.digest(), routes_suffix(plugin.routes()));
        say!("{}  sha256:{}{routes}", plugin.name(), short(&hash));
        for line in plugin.describe() {
            say!("  {line}");
        }
    }
}

fn running(status: &gateway::Status) {
    say!("live, generation {}", status.generation);
    for plugin in &status.live {
        let (hash, routes) = (short(&plugin.sha256), routes_suffix(&plugin.routes));
        say!(
            "  {}  sha256:{hash}  since {}{routes}",
            plugin.name,
            plugin.since_generation
        );
        // Which rules they are, the list of what would be loaded shows.
        for line in plugin
            .declarations
            .iter()
            .filter(|line| !line.starts_with(' '))
        {
            say!("    {line}");
        }
        let used = plugin.usage;
        if used.calls + used.cache_hits > 0 {
            let crossings = used.host_calls as f64 / used.calls.max(1) as f64;
            say!(
                "    {} calls with {crossings:.1} crossings each, {} answers remembered, {} \
                 failures; {} copies of {} KiB at most",
                used.calls,
                used.cache_hits,
                used.failures,
                used.instances,
                used.peak_memory >> 10
            );
        }
        if let Some(sha256) = &plugin.fallback_sha256 {
            say!("    falls back to sha256:{}", short(sha256));
        }
        for (what, text) in [
            ("paused", &plugin.paused),
            ("keeps state", &plugin.retained_state),
            ("compared", &plugin.shadow_comparison),
        ] {
            if let Some(text) = text {
                say!("    {what}: {text}");
            }
        }
    }
    if !status.rejected.is_empty() {
        say!("rejected");
    }
    for plugin in &status.rejected {
        say!("  {} ({}): {}", plugin.name, plugin.stage, plugin.reason);
    }
    if !status.draining.is_empty() || !status.draining_generations.is_empty() {
        say!("draining, generations {:?}", status.draining_generations);
    }
    for plugin in &status.draining {
        let hash = short(&plugin.sha256);
        say!(
            "  {}  sha256:{hash}  until {}",
            plugin.name,
            plugin.until_generation
        );
    }
}

/// The paths that a plugin is asked for, where these are not all.
fn routes_suffix(routes: &[String]) -> String {
    match routes {
        [] => String::new(),
        routes => format!("  routes {}", routes.join(" ")),
    }
}

fn short(sha256: &str) -> &str {
    sha256.get(..16).unwrap_or(sha256)
}
