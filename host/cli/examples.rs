//! What the help shows of each command.

pub(super) const EXAMPLES: &str = "\
Examples:
  ouli-gateway record --upstream https://api.example.com --session checkout
      Point your client at http://127.0.0.1:8080; the exchanges go to cassettes/checkout.jsons.
  ouli-gateway replay --session checkout
      Answers the same requests without the network.
  ouli-gateway --plugins ./plugins
      Runs what ouli.toml says; without one it replays ./cassettes.
  ouli-gateway auto --upstream h2c://127.0.0.1:50051 --listen 127.0.0.1:0
      Replays what is recorded, records what is not, on a free port.

Exit status: 0 all went well; 1 a session's verdict failed; 2 bad usage or configuration.";

pub(super) const RECORD_EXAMPLES: &str = "\
Examples:
  ouli-gateway record --upstream http://127.0.0.1:9000/base --session login --listen 127.0.0.1:0
  ouli-gateway record --upstream https://api.example.com --tls self-signed
      Clients connect by https; `ouli-gateway ca` tells which certificate they must trust.

A cassette of the session that exists is first renamed to SESSION.jsons.previous.";

pub(super) const REPLAY_EXAMPLES: &str = "\
Examples:
  ouli-gateway replay
  ouli-gateway replay --session login --strict --report verdict.json
      Ends with status 1 where a request was not recorded.
  ouli-gateway replay --set exhausted=miss --set limits.connections=100";

pub(super) const AUTO_EXAMPLES: &str = "\
Examples:
  ouli-gateway auto --upstream https://api.example.com --cassettes tests/cassettes";

pub(super) const PASSTHROUGH_EXAMPLES: &str =
    "Examples:\n  ouli-gateway passthrough --upstream https://api.example.com";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  ouli-gateway check --config ci/ouli.toml --cassettes tests/cassettes

Every fault of the configuration, the plugins and the cassettes is told at once.";

pub(super) const CA_EXAMPLES: &str = "\
Examples:
  ouli-gateway ca
  curl --cacert \"$(ouli-gateway ca)\" https://127.0.0.1:8443/
  SSL_CERT_FILE=\"$(ouli-gateway ca)\" python client.py
  NODE_EXTRA_CA_CERTS=\"$(ouli-gateway ca)\" node client.js";

pub(super) const PLUGIN_EXAMPLES: &str =
    "Examples:\n  ouli-gateway plugin list --plugins ./plugins";

pub(super) const CASSETTE_EXAMPLES: &str = "\
Examples:
  ouli-gateway cassette list
  ouli-gateway cassette show checkout
  ouli-gateway cassette show checkout --body --cassettes tests/cassettes";
