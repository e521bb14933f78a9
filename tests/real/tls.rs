//! Certificates that openssl makes, between curl, nginx and Node.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::process::{Gateway, Upstream};
use crate::tools;

/// Runs openssl in a folder.
fn openssl(folder: &Path, arguments: &str) {
    let mut command = tools::command("openssl", "version");
    command.args(arguments.split_whitespace());
    let output = command.current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// A certificate that signed itself: `NAME.pem` and `NAME.key`. openssl marks it as that of a CA.
fn self_signed(folder: &Path, name: &str) {
    let files = format!("-keyout {name}.key -out {name}.pem");
    let names = "-addext subjectAltName=IP:127.0.0.1,DNS:localhost";
    openssl(
        folder,
        &format!("req -x509 {NEW_KEY} {files} -days 2 -subj /CN={name} {names}"),
    );
}

/// A certificate of a client: `NAME.pem` and `NAME.key`.
fn issued(folder: &Path, ca: &str, name: &str) {
    std::fs::write(folder.join("client.ext"), "extendedKeyUsage=clientAuth\n").unwrap();
    let files = format!("-keyout {name}.key -out {name}.csr");
    openssl(folder, &format!("req {NEW_KEY} {files} -subj /CN={name}"));
    let signer = format!("-CA {ca}.pem -CAkey {ca}.key -CAcreateserial");
    let files = format!("-in {name}.csr -out {name}.pem -extfile client.ext");
    openssl(folder, &format!("x509 -req {files} {signer} -days 2"));
}

/// nginx that requires client certificates of `clients.pem`, and answers with their subject.
fn nginx(folder: &Path) -> Upstream {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr notice;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         server {{ listen {address} ssl; ssl_certificate server.pem;\n\
         ssl_certificate_key server.key; ssl_client_certificate clients.pem;\n\
         ssl_verify_client on;\n\
         location / {{ return 200 \"$ssl_client_verify $ssl_client_s_dn\\n\"; }} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = tools::command("nginx", "-v");
    command.arg("-p").arg(folder).arg("-c").arg(file);
    command.stdout(Stdio::null());
    Upstream::run(
        command,
        "using the \"epoll\"",
        Some(address),
        folder.join("nginx.log"),
    )
}

/// A gateway with these settings of its endpoint.
fn gateway(folder: &Path, settings: &str) -> Gateway {
    let config = format!("mode = \"passthrough\"\n[[endpoint]]\n{settings}\n");
    std::fs::write(folder.join("ouli.toml"), config).unwrap();
    Gateway::start(
        &["--config", "ouli.toml"],
        &folder.join("cassettes"),
        folder.join("gateway.log"),
    )
}

fn curl(folder: &Path, arguments: &[&str]) -> Output {
    let mut curl: Command = tools::system("curl");
    curl.args(["--silent", "--show-error", "--max-time", "30"]);
    curl.args(["--noproxy", "*", "--cacert", "server.pem"]);
    curl.args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "needs nginx and curl: .ci/run"]
fn client_certificates_cross_curl_the_gateway_and_nginx() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["server", "clients", "others"] {
        self_signed(folder, name);
    }
    issued(folder, "clients", "me");
    issued(folder, "clients", "gateway");
    issued(folder, "others", "stranger");
    let upstream = nginx(folder);
    let url = format!("https://{}", upstream.address);
    let settings = format!(
        "upstream = \"{url}\"\nupstream_ca = \"server.pem\"\n\
         upstream_client_certificate = {{ cert = \"gateway.pem\", key = \"gateway.key\" }}\n\
         tls = {{ cert = \"server.pem\", key = \"server.key\" }}\nclient_ca = \"clients.pem\""
    );
    let gateway = gateway(folder, &settings);
    for version in ["--http1.1", "--http2"] {
        let me = ["--cert", "me.pem", "--key", "me.key"];
        let answer = curl(folder, &[&me[..], &[version, &gateway.url]].concat());
        assert_eq!(text(&answer), "SUCCESS CN=gateway\n", "{answer:?}");
        let stranger = ["--cert", "stranger.pem", "--key", "stranger.key"];
        let refused = curl(folder, &[&stranger[..], &[version, &gateway.url]].concat());
        assert!(!refused.status.success(), "{refused:?}");
        let anonymous = curl(folder, &[version, &gateway.url]);
        assert!(!anonymous.status.success(), "{anonymous:?}");
    }
    let plain = gateway.url.replace("https://", "http://");
    let answer = curl(folder, &["--write-out", "%{http_code}", &plain]);
    let answer = text(&answer);
    assert!(
        answer.ends_with("400") && answer.contains("this is plain HTTP"),
        "{answer}"
    );
    let (said, _) = gateway.stop();
    assert!(
        said.contains("is not issued by a CA in `client_ca`"),
        "{said}"
    );
    assert!(!said.contains("PRIVATE KEY"), "{said}");
    upstream.stop();
}

#[test]
#[ignore = "needs Node and curl: .ci/run"]
fn a_certificate_of_openssl_is_trusted_once_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    self_signed(folder, "server");
    let mut node = tools::script("tls/https.mjs");
    node.current_dir(folder).stdout(Stdio::null());
    let upstream = Upstream::run(node, "listening at https://", None, folder.join("node.log"));
    let url = format!("upstream = \"https://{}\"", upstream.address);
    let ask = |settings: &str| {
        let gateway = gateway(folder, settings);
        let answer = text(&curl(folder, &[&gateway.url]));
        gateway.stop();
        answer
    };
    let trusting = ask(&format!("{url}\nupstream_ca = \"server.pem\""));
    assert_eq!(trusting, "hello over TLS\n");
    let unnamed = ask(&url);
    assert!(
        unnamed.contains("trust exactly this certificate"),
        "{unnamed}"
    );
    let plain = ask(&url.replace("https://", "http://"));
    assert!(plain.contains("write `https://`"), "{plain}");
    upstream.stop();
}

#[test]
#[ignore = "needs Chromium and Python: .ci/run"]
fn a_login_of_chromium_over_http2_reaches_an_http1_site() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    self_signed(folder, "server");
    let upstream = Upstream::script("tls/login.py", folder);
    let settings = format!(
        "upstream = \"http://{}\"\ntls = {{ cert = \"server.pem\", key = \"server.key\" }}",
        upstream.address
    );
    let gateway = gateway(folder, &settings);
    let mut chromium = tools::command("chromium", "--version");
    chromium.args(["--headless=new", "--no-sandbox", "--disable-gpu"]);
    chromium.args(["--disable-dev-shm-usage", "--no-first-run"]);
    chromium.args(["--no-proxy-server", "--ignore-certificate-errors"]);
    chromium.arg(format!("--user-data-dir={}", folder.join("user").display()));
    chromium.args(["--dump-dom", &format!("{}/login", gateway.url)]);
    let page = text(&chromium.output().unwrap());
    assert!(page.contains("welcome over h2"), "{page}");
    gateway.stop();
    upstream.stop();
}
