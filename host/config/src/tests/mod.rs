//! Valid configurations, and the helpers to read them.

mod errors;
mod wrong_types;

use std::path::Path;
use std::time::Duration;

use crate::*;

const FULL: &str = r#"
mode = "auto"
cassettes = "tapes"
session = "suite"
plugins = ["plugins", "/opt/plugins"]
on_exhausted = "miss"
on_recorder_full = "drop"
strict = true
report = "out/verdict.json"
fsync = "250ms"
log_format = "json"
access_log = true

[limits]
connections = 12
header_bytes = "16KiB"
shutdown_timeout = "5s"

[[endpoint]]
name = "api"
listen = "127.0.0.1:8443"
upstream = "https://api.example.com/v1"
tls = "self-signed"
upstream_ca = "ca.pem"
upstream_client_certificate = { cert = "me.pem", key = "me.key" }
preserve_host = true

[[endpoint]]
name = "files"
listen = "localhost:8081"
mode = "replay"
session = "other"
tls = { cert = "c.pem", key = "k.pem" }
client_ca = "clients.pem"
client_auth = "optional"

[[plugin]]
file = "ids.wasm"
routes = ["/v1/*"]
settings = { ignore = ["/trace_id"], depth = 3, deep = { on = true } }
on_error = "fail"

[matcher]
ignore_query = ["nonce"]

[redaction]
disabled_rules = ["header.x-token"]
env = ["API_KEY"]

[verdict]
fail_on = ["unused", "-partial"]
"#;

fn read(text: &str, settings: &[&str]) -> Result<Config, ConfigErrors> {
    let overrides: Vec<_> = settings
        .iter()
        .map(|text| Override::parse(text).unwrap())
        .collect();
    let file = Some((Path::new("conf/ouli.toml"), text));
    Config::from_sources(file, &overrides, Path::new("/base"))
}

fn errors(text: &str, settings: &[&str]) -> Vec<String> {
    let errors = read(text, settings).unwrap_err().to_string();
    errors.lines().map(str::to_owned).collect()
}

#[test]
fn reads_every_kind_of_key() {
    let config = read(FULL, &[]).unwrap();
    assert_eq!(config.cassettes, Path::new("/base/conf/tapes"));
    assert!(config.plugin_folders.explicit);
    assert_eq!(config.plugin_folders.paths[1], Path::new("/opt/plugins"));
    assert_eq!(config.endpoints[0].on_exhausted, Some(OnExhausted::Miss));
    assert_eq!(config.on_recorder_full, OnRecorderFull::Drop);
    assert_eq!(
        config.report.unwrap(),
        Path::new("/base/conf/out/verdict.json")
    );
    assert_eq!(config.fsync, Fsync::Interval(Duration::from_millis(250)));
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(config.access_log);
    assert_eq!(config.limits.connections, 12);
    assert_eq!(config.limits.header_bytes, 16 << 10);
    assert_eq!(config.limits.shutdown_timeout, Duration::from_secs(5));
    assert_eq!(
        config.limits.max_concurrent_requests,
        Limits::default().max_concurrent_requests
    );
    assert_eq!(config.redaction.disabled_rules, ["header.x-token"]);
    assert_eq!(config.redaction.env, ["API_KEY"]);
    assert!(config.fail_on.explicit && config.fail_on.contains(Defect::Unused));
    assert!(!config.fail_on.contains(Defect::Partial));
    assert_eq!(config.builtin.matcher["ignore_query"][0], "nonce");
    let plugin = &config.plugins[0];
    assert_eq!(plugin.settings["deep"]["on"], true);
    assert_eq!(plugin.settings["depth"], 3);
    assert_eq!(plugin.on_error, OnError::Fail);
}

#[test]
fn endpoints_inherit_top_level_values() {
    let config = read(FULL, &[]).unwrap();
    let [api, files] = &config.endpoints[..] else {
        panic!("expected two endpoints: {:?}", config.endpoints);
    };
    assert_eq!((api.mode, api.session.as_str()), (Mode::Auto, "suite"));
    assert_eq!(
        (files.mode, files.session.as_str()),
        (Mode::Replay, "other")
    );
    assert_eq!(api.tls, Tls::SelfSigned);
    let clients = files.client_auth.as_ref().unwrap();
    assert_eq!(clients.ca, Path::new("/base/conf/clients.pem"));
    assert_eq!(clients.mode, ClientAuthMode::Optional);
    let own = api.upstream_client_certificate.as_ref().unwrap();
    assert_eq!(own.key, Path::new("/base/conf/me.key"));
    let (cert, key) = ("/base/conf/c.pem".into(), "/base/conf/k.pem".into());
    assert_eq!(files.tls, Tls::Files(CertificateFiles { cert, key }));
    assert_eq!(api.upstream.as_ref().unwrap().base_path, "/v1");
}

#[test]
fn defaults_replay() {
    let config = Config::from_sources(None, &[], Path::new("/here")).unwrap();
    assert_eq!(config.cassettes, Path::new("/here/cassettes"));
    assert_eq!(config.plugin_folders.paths, [Path::new("/here/plugins")]);
    assert!(!config.plugin_folders.explicit);
    assert_eq!(config.limits, Limits::default());
    let endpoint = &config.endpoints[0];
    assert_eq!(endpoint.mode, Mode::Replay);
    assert_eq!(endpoint.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(endpoint.session, "default");
    assert_eq!(read("", &[]).unwrap().endpoints, config.endpoints);
}

#[test]
fn an_upstream_without_a_mode_is_auto() {
    let config = read("", &["endpoint.upstream=http://127.0.0.1:9000"]).unwrap();
    assert_eq!(config.endpoints[0].mode, Mode::Auto);
    assert_eq!(config.endpoints[0].name, "default");
}

#[test]
fn the_command_line_overrides_the_file() {
    let settings = [
        "mode=passthrough",
        "cassettes=here",
        "session=42",
        "limits.connections=7",
        "endpoint.files.upstream=http://b",
        "endpoint.api.tls=off",
        "plugin.\"ids.wasm\".settings.depth=9",
        "strict=false",
    ];
    let config = read(FULL, &settings).unwrap();
    assert!(
        config
            .endpoints
            .iter()
            .all(|one| one.mode == Mode::Passthrough)
    );
    assert!(config.endpoints.iter().all(|one| one.session == "42"));
    assert_eq!(config.cassettes, Path::new("/base/here"));
    assert_eq!(config.limits.connections, 7);
    assert_eq!(config.endpoints[0].tls, Tls::Off);
    assert_eq!(config.plugins[0].settings["depth"], 9);
    assert_eq!(config.plugins[0].routes, ["/v1/*"]);
    assert!(!config.strict);
}

#[test]
fn endpoints_may_share_port_0() {
    let text = "[[endpoint]]\nname = 'a'\nlisten = '127.0.0.1:0'\n\
                [[endpoint]]\nname = 'b'\nlisten = '127.0.0.1:0'";
    assert_eq!(read(text, &[]).unwrap().endpoints.len(), 2);
}

#[test]
fn every_key_of_an_endpoint_can_be_set_from_the_command_line() {
    for key in endpoint::KEYS {
        let errors = errors("", &[&format!("endpoint.{key}=[]")]);
        assert!(errors[0].contains(&format!(".{key}")), "{errors:?}");
        assert!(!errors[0].contains("unknown key"), "{errors:?}");
    }
}

#[test]
fn rejects_deep_nesting() {
    let key = ["a"; 50_000].join(".");
    let lists = format!("a = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    for text in [format!("[matcher]\n{key} = 1"), lists] {
        assert!(read(&text, &[]).is_err());
    }
    assert!(read("", &[&format!("matcher.{key}=1")]).is_err());
}
