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
  ouli-gateway check --limits

Every fault of the configuration, the plugins and the cassettes is told at once.";

pub(super) const CA_EXAMPLES: &str = "\
Examples:
  ouli-gateway ca
  curl --cacert \"$(ouli-gateway ca)\" https://127.0.0.1:8443/
  SSL_CERT_FILE=\"$(ouli-gateway ca)\" python client.py
  NODE_EXTRA_CA_CERTS=\"$(ouli-gateway ca)\" node client.js";

pub(super) const PLUGIN_EXAMPLES: &str = "\
Examples:
  ouli-gateway plugin new my-matcher --lang rust
  ouli-gateway plugin check my-matcher.wasm
  ouli-gateway plugin test my-matcher.wasm
  ouli-gateway plugin bench my-matcher.wasm --cassette cassettes/default.jsons
  ouli-gateway plugin list --plugins ./plugins";

pub(super) const PLUGIN_NEW_EXAMPLES: &str = "\
Examples:
  ouli-gateway plugin new my-matcher --lang rust
  ouli-gateway plugin new work/my-matcher --lang js";

pub(super) const PLUGIN_CHECK_EXAMPLES: &str =
    "Examples:\n  ouli-gateway plugin check my-matcher.wasm";

pub(super) const PLUGIN_TEST_EXAMPLES: &str = "\
Examples:
  ouli-gateway plugin test my-matcher.wasm
  ouli-gateway plugin test my-matcher.wasm --cases tests/cases

A case is a JSON file. Of a matcher: which requests are the same, and which are not.

  {\"about\": \"the nonce does not count\", \"role\": \"matcher\",
   \"request\": {\"method\": \"POST\", \"json\": {\"id\": 1, \"nonce\": \"a\"}},
   \"same\": [{\"json\": {\"id\": 1, \"nonce\": \"b\"}}], \"other\": [{\"json\": {\"id\": 2}}]}

`role` may be `redactor` or `recording-policy` too, with a `response`, and with `expect`: the
redacted `request` and `response`, or `skip`, or `keep` and `tags`; `error` where it must refuse.
`settings` are the plugin's. Ends with status 1 where a case fails.";

pub(super) const PLUGIN_BENCH_EXAMPLES: &str = "\
Examples:
  ouli-gateway plugin bench my-matcher.wasm --cassette cassettes/default.jsons
  ouli-gateway plugin bench my-matcher.wasm --cassette cassettes/default.jsons --fresh";

pub(super) const PLUGIN_LIST_EXAMPLES: &str = "\
Examples:
  ouli-gateway plugin list
  ouli-gateway plugin list --plugins ./plugins

A gateway that runs tells the same as JSON at /__ouli/plugins.";

pub(super) const CASSETTE_EXAMPLES: &str = "\
Examples:
  ouli-gateway cassette list
  ouli-gateway cassette show checkout
  ouli-gateway cassette show checkout --body --cassettes tests/cassettes";
