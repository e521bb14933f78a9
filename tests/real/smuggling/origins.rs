//! The servers: each logs the requests that it received.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::corpus::judge::Seen;
use crate::process::Upstream;
use crate::tools;

/// Starts a server with a folder for its files.
pub(super) type Start = fn(&Path) -> Upstream;

pub(super) const ORIGINS: [(&str, Start); 4] = [
    ("nginx", nginx),
    ("h11", h11),
    ("gunicorn", gunicorn),
    ("node", node),
];

/// The log of the received requests.
const SEEN: &str = "seen.jsons";

/// The requests that the origin logged, in order.
pub(super) fn seen(folder: &Path) -> Vec<Seen> {
    let text = fs::read(folder.join(SEEN)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let seen = values.map(Result::unwrap).map(|value| {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let body = value["hex"]
            .as_str()
            .map_or_else(|| text("text").into_bytes(), bytes);
        Seen {
            method: text("method"),
            target: text("target"),
            body,
        }
    });
    // A server also logs rejected requests.
    seen.filter(|seen| !seen.method.is_empty()).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

fn h11(folder: &Path) -> Upstream {
    let mut command = tools::script("smuggling/h11_origin.py");
    command.arg(folder.join(SEEN)).stdout(Stdio::null());
    Upstream::run(
        command,
        "listening at http://",
        None,
        folder.join("h11.log"),
    )
}

fn node(folder: &Path) -> Upstream {
    let mut command = tools::script("smuggling/node_origin.mjs");
    command.arg(folder.join(SEEN)).stdout(Stdio::null());
    Upstream::run(
        command,
        "listening at http://",
        None,
        folder.join("node.log"),
    )
}

fn gunicorn(folder: &Path) -> Upstream {
    let mut command = tools::python("gunicorn");
    command.args([
        "--bind",
        "127.0.0.1:0",
        "--no-control-socket",
        "--pythonpath",
    ]);
    command.arg(tools::file("smuggling"));
    command.args([
        "--worker-class",
        "gthread",
        "--threads",
        "64",
        "--keep-alive",
        "30",
    ]);
    command
        .arg("wsgi_origin:app")
        .env("SEEN", folder.join(SEEN));
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::null());
    let log = folder.join("gunicorn.log");
    Upstream::run(command, "Listening at: http://", None, log)
}

/// nginx reads a body only if it forwards it, so it forwards to itself.
fn nginx(folder: &Path) -> Upstream {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (outer, inner) = (free(), free());
    let address = |listener: TcpListener| listener.local_addr().unwrap().to_string();
    let (outer, inner) = (address(outer), address(inner));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary
        .map(|name| format!("    {name}_temp_path {name};\n"))
        .concat();
    let config = format!(
        "daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
{temporary}
    log_format seen escape=json '{{\"method\": \"$seen_method\", \"target\": \"$request_uri\", '
        '\"text\": \"$request_body\"}}';
    map $upstream_status $seen_method {{
        200 $request_method;
        default '';
    }}
    access_log off;
    server {{
        listen {outer};
        client_body_in_single_buffer on;
        location / {{
            access_log {SEEN} seen;
            proxy_ignore_client_abort on;
            proxy_http_version 1.1;
            proxy_pass http://{inner};
        }}
    }}
    server {{
        listen {inner};
        location / {{
            add_header x-origin nginx;
            return 200 '';
        }}
    }}
}}
"
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
    let mut command = tools::command("nginx", "-v");
    command
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"));
    command.stdout(Stdio::null());
    let log = folder.join("nginx.log");
    Upstream::run(command, "start worker process ", Some(outer), log)
}
