//! The text after the flags in the help of each command.

pub(super) const EXAMPLES: &str = "\
Examples:
  ouli-gateway record --upstream https://api.example.com --session checkout
      Records to cassettes/checkout.jsons. Send your requests to http://127.0.0.1:8080.
  ouli-gateway replay --session checkout
      Answers the same requests without the network.
  ouli-gateway --plugins ./plugins
      Uses ouli.toml; without that file, replays ./cassettes.
  ouli-gateway auto --upstream h2c://127.0.0.1:50051 --listen 127.0.0.1:0
      Replays recorded requests and records new ones, on a free port.

Exit status: 0 success; 1 a verdict failed (with --strict, --fail-on or CI=true); 2 wrong usage,
configuration, plugin or cassette.";

pub(super) const RECORD_EXAMPLES: &str = "\
Examples:
  ouli-gateway record --upstream http://127.0.0.1:9000/base --session login --listen 127.0.0.1:0
  ouli-gateway record --upstream https://api.example.com --tls self-signed
      Clients connect with https and trust the certificate that `ouli-gateway ca` prints.

An existing cassette of the session is renamed to SESSION.jsons.previous.";

pub(super) const REPLAY_EXAMPLES: &str = "\
Examples:
  ouli-gateway replay
  ouli-gateway replay --session login --strict --report verdict.json
      Exits with status 1 if a request was not recorded.
  ouli-gateway replay --strict --fail-on unused,-partial
      Also fails on recorded exchanges that were not requested; accepts clients that abort.
  ouli-gateway replay --set on_exhausted=miss --set limits.connections=100";

pub(super) const AUTO_EXAMPLES: &str = "\
Examples:
  ouli-gateway auto --upstream https://api.example.com --cassettes tests/cassettes";

pub(super) const PASSTHROUGH_EXAMPLES: &str =
    "Examples:\n  ouli-gateway passthrough --upstream https://api.example.com";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  ouli-gateway check --config ci/ouli.toml --cassettes tests/cassettes
  ouli-gateway check --limits

Prints all errors at once. Exit status: 0 valid; 2 errors.";

pub(super) const DEMO_EXAMPLES: &str = "Examples:\n  ouli-gateway demo";

pub(super) const CA_EXAMPLES: &str = "\
Examples:
  ouli-gateway ca
  ouli-gateway replay --tls self-signed --listen 127.0.0.1:8443
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

A case is a JSON file. For a matcher, `same` and `different` change the request:

  {\"description\": \"the nonce is ignored\", \"role\": \"matcher\",
   \"request\": {\"method\": \"POST\", \"json\": {\"id\": 1, \"nonce\": \"a\"}},
   \"same\": [{\"json\": {\"id\": 1, \"nonce\": \"b\"}}],
   \"different\": [{\"json\": {\"id\": 2, \"nonce\": \"a\"}}]}

For the roles `redactor` and `recording-policy` a case may have a `response`, and `expect` has the
redacted `request` and `response`, or `skip`, or `keep` and `tags`, or the text of an `error`.
`settings` are the settings of the plugin. Exit status: 0 all passed; 1 a case failed; 2 the plugin
cannot be loaded.";

pub(super) const PLUGIN_BENCH_EXAMPLES: &str = "\
Examples:
  ouli-gateway plugin bench my-matcher.wasm --cassette cassettes/default.jsons
  ouli-gateway plugin bench my-matcher.wasm --cassette cassettes/default.jsons --fresh";

pub(super) const PLUGIN_LIST_EXAMPLES: &str = "\
Examples:
  ouli-gateway plugin list
  ouli-gateway plugin list --plugins ./plugins
  ouli-gateway plugin list --address 127.0.0.1:8080
  ouli-gateway plugin list --address https://localhost:8443 --ca ca.pem

A running gateway returns the same as JSON at /__ouli/plugins.";

pub(super) const CASSETTE_EXAMPLES: &str = "\
Examples:
  ouli-gateway cassette list
  ouli-gateway cassette show checkout
  ouli-gateway cassette show checkout --body --cassettes tests/cassettes";

pub(super) const CASSETTE_LIST_EXAMPLES: &str = "\
Examples:
  ouli-gateway cassette list
  ouli-gateway cassette list --cassettes tests/cassettes";

pub(super) const CASSETTE_SHOW_EXAMPLES: &str = "\
Examples:
  ouli-gateway cassette show checkout
  ouli-gateway cassette show checkout --body --cassettes tests/cassettes";

pub(super) const CASSETTE_ACCEPT_EXAMPLES: &str = "\
Examples:
  ouli-gateway cassette accept checkout
  ouli-gateway cassette accept tests/cassettes/checkout.jsons --cassettes tests/cassettes";
