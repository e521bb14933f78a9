//! Whole configurations: what they mean, and all that can be wrong with them.

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
preserve_host = true

[[endpoint]]
name = "files"
listen = "localhost:8081"
mode = "replay"
session = "other"
tls = { cert = "c.pem", key = "k.pem" }

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
unused = "fail"
"#;

fn read(text: &str, settings: &[&str]) -> Result<Config, ConfigErrors> {
    let overrides: Vec<_> = settings
        .iter()
        .map(|text| Override::parse(text).unwrap())
        .collect();
    let file = Some((Path::new("conf/ouli.toml"), text));
    Config::from_sources(file, &overrides, Path::new("/work"))
}

fn faults(text: &str, settings: &[&str]) -> Vec<String> {
    let error = read(text, settings).unwrap_err().to_string();
    error.lines().map(str::to_owned).collect()
}

#[test]
fn a_full_file_is_read() {
    let config = read(FULL, &[]).unwrap();
    assert_eq!(config.cassettes, Path::new("/work/conf/tapes"));
    assert!(config.plugin_folders.explicit);
    assert_eq!(config.plugin_folders.paths[1], Path::new("/opt/plugins"));
    assert_eq!(config.on_exhausted, OnExhausted::Miss);
    assert_eq!(config.on_recorder_full, OnRecorderFull::Drop);
    assert_eq!(
        config.report.unwrap(),
        Path::new("/work/conf/out/verdict.json")
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
    assert_eq!(config.unused, Unused::Fail);
    assert_eq!(config.builtin.matcher["ignore_query"][0], "nonce");
    let plugin = &config.plugins[0];
    assert_eq!(plugin.settings["deep"]["on"], true);
    assert_eq!(plugin.settings["depth"], 3);
    assert_eq!(plugin.on_error, OnError::Fail);
}

#[test]
fn endpoints_take_what_they_do_not_say_from_the_file() {
    let config = read(FULL, &[]).unwrap();
    let [api, files] = &config.endpoints[..] else {
        panic!("two endpoints: {:?}", config.endpoints);
    };
    assert_eq!((api.mode, api.session.as_str()), (Mode::Auto, "suite"));
    assert_eq!(
        (files.mode, files.session.as_str()),
        (Mode::Replay, "other")
    );
    assert_eq!(api.tls, Tls::SelfSigned);
    let (cert, key) = ("/work/conf/c.pem".into(), "/work/conf/k.pem".into());
    assert_eq!(files.tls, Tls::Files { cert, key });
    assert_eq!(api.upstream.as_ref().unwrap().base_path, "/v1");
}

#[test]
fn nothing_written_replays() {
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
fn an_upstream_alone_is_auto() {
    let config = read("", &["endpoint.upstream=http://127.0.0.1:9000"]).unwrap();
    assert_eq!(config.endpoints[0].mode, Mode::Auto);
    assert_eq!(config.endpoints[0].name, "default");
}

#[test]
fn the_command_line_beats_the_file() {
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
    assert_eq!(config.cassettes, Path::new("/work/here"));
    assert_eq!(config.limits.connections, 7);
    assert_eq!(config.endpoints[0].tls, Tls::Off);
    assert_eq!(config.plugins[0].settings["depth"], 9);
    assert_eq!(config.plugins[0].routes, ["/v1/*"]);
    assert!(!config.strict);
}

#[test]
fn every_fault_is_told_at_once_with_its_line() {
    let text = r#"
mode = "recrod"
cassetes = "x"
strict = "yes"
plugins = ["a", 1]
fsync = 1
[limits]
conections = 1
header_count = -1
idle_timeout = 10
header_bytes = "1KiB"
backlog = 1.5
[[endpoint]]
name = "a b"
tls = { cert = "x" }
upstream = "ftp://x"
[[plugin]]
routes = ["v1"]
[verdict]
unused = "maybe"
extra = 1
"#;
    let told = faults(text, &["limits.nothing=1"]);
    let expected = [
        "ouli.toml:2: mode: `recrod` is not known here; did you mean `record`?",
        "ouli.toml:3: cassetes: unknown key; did you mean `cassettes`?",
        "ouli.toml:4: strict: expected true or false, found a string",
        "ouli.toml:5: plugins[1]: expected a string, found a whole number",
        "ouli.toml:6: fsync: expected a string, found a whole number; write \"always\"",
        "ouli.toml:8: limits.conections: unknown key; did you mean `connections`?",
        "ouli.toml:9: limits.header_count: a limit cannot be negative",
        "ouli.toml:10: limits.idle_timeout: 10 has no unit; write `10s` or `10ms`",
        "ouli.toml:11: limits.header_bytes: 1KiB is out of range; write a value from 8KiB to 1MiB",
        "ouli.toml:12: limits.backlog: expected a whole number, found a fraction",
        "ouli.toml:14: endpoint.\"a b\".name: `a b` is not a name",
        "ouli.toml:15: endpoint.\"a b\".tls.key: missing",
        "ouli.toml:16: endpoint.\"a b\".upstream: the scheme `ftp` is not known",
        "ouli.toml:17: plugin[0].file: missing",
        "ouli.toml:18: plugin[0].routes[0]: `v1` fits no path",
        "ouli.toml:20: verdict.unused: `maybe` is not known here; write one of report, fail",
        "ouli.toml:21: verdict.extra: unknown key",
        "configuration: limits.nothing: unknown key",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told}\nis not\n{expected}");
    }
}

#[test]
fn what_cannot_stand_together_is_refused() {
    let two = "[[endpoint]]\nname = 'a'\nlisten = '127.0.0.1:80'\n[[endpoint]]\n";
    let cases = [
        (
            "mode = 'record'",
            "endpoint: mode record needs an upstream; give `--upstream URL`",
        ),
        (
            "mode = 'auto'\n[[endpoint]]",
            ":2: endpoint[0].upstream: mode auto needs an upstream",
        ),
        (
            "[[endpoint]]\nlisten = '127.0.0.1:9'\nupstream = 'http://localhost:9'",
            ":1: endpoint[0]: the upstream is the endpoint `default`",
        ),
        (
            "[[plugin]]\nfile = 'a.wasm'\n[[plugin]]\nfile = 'a.wasm'",
            ":3: plugin.\"a.wasm\"",
        ),
        ("[[plugin]]\nfile = 'x/a.wasm'", "is a path"),
        ("[[plugin]]\nfile = 'a.wasm'\nroutes = []", "never asked"),
        (
            "[matcher]\nx = nan",
            "matcher.x: a number that JSON cannot hold",
        ),
        ("[endpoint]\nname = 'a'", "begin each with `[[endpoint]]`"),
        (
            &format!("{two}name = 'a'\nlisten = '127.0.0.1:81'"),
            "two endpoints are named `a`",
        ),
        (
            &format!("{two}name = 'b'\nlisten = '127.0.0.1:80'"),
            "`a` already listens on",
        ),
        (
            &format!("{two}name = 'b'\nlisten = '0.0.0.0:80'"),
            "`a` already listens on",
        ),
        (
            &format!("{two}listen = '127.0.0.1:81'"),
            "endpoint[1].name: missing",
        ),
        (
            &format!("{two}name = 'b'"),
            ":4: endpoint.b.listen: missing",
        ),
    ];
    for (text, expected) in cases {
        let told = faults(text, &[]);
        assert_eq!(told.len(), 1, "{text}\n{told:#?}");
        assert!(told[0].contains(expected), "{told:?} is not {expected}");
    }
}

#[test]
fn free_ports_do_not_clash() {
    let text = "[[endpoint]]\nname = 'a'\nlisten = '127.0.0.1:0'\n\
                [[endpoint]]\nname = 'b'\nlisten = '127.0.0.1:0'";
    assert_eq!(read(text, &[]).unwrap().endpoints.len(), 2);
}

#[test]
fn torn_text_is_told_with_what_can_still_be_read() {
    let told = faults("mode = 'record'\nstrict = \nmdoe = 1\n[limits\n", &[]);
    assert!(
        told.iter().any(|line| line.contains(":2: not valid TOML")),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|line| line.contains(":4: not valid TOML")),
        "{told:#?}"
    );
    assert!(
        told.iter()
            .any(|line| line.contains(":3: mdoe: unknown key")),
        "{told:#?}"
    );
    assert!(
        told.iter().all(|line| !line.contains("upstream")),
        "{told:#?}"
    );
}

#[test]
fn every_key_of_an_endpoint_can_be_set_from_the_command_line() {
    for key in endpoint::KEYS {
        let told = faults("", &[&format!("endpoint.{key}=[]")]);
        assert!(told[0].contains(&format!(".{key}")), "{told:?}");
        assert!(!told[0].contains("unknown key"), "{told:?}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let key = ["a"; 50_000].join(".");
    let lists = format!("a = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    for text in [format!("[matcher]\n{key} = 1"), lists] {
        assert!(read(&text, &[]).is_err());
    }
    assert!(read("", &[&format!("matcher.{key}=1")]).is_err());
}
