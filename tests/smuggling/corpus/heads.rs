//! Doubtful versions, methods, targets and hosts.

use super::{SECOND, Template, shown};

pub(super) fn templates() -> Vec<Template> {
    let mut all = versions();
    all.extend(old());
    all.extend(request_lines());
    all.extend(targets());
    all.extend(hosts());
    all
}

fn versions() -> Vec<Template> {
    let versions = [
        "HTTP/0.9",
        "HTTP/1.2",
        "HTTP/1.9",
        "HTTP/1.10",
        "HTTP/1.01",
        "HTTP/01.1",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/2",
        "HTTP/2.0",
        "HTTP/3.0",
        "HTTP/11",
        "HTTP/ 1.1",
        "HTTP /1.1",
        "http/1.1",
        "HTTPS/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 x",
        "HTTP\\1.1",
        "HTTP/1,1",
        "HTTP/+1.1",
        "HTTP/1.1\t",
        "HTTP/-1.1",
        "",
    ];
    let with_body = versions.map(|version| {
        let head = format!(
            "POST {{1}} {version}\r\nHost: origin.test\r\nContent-Length: {SECOND}\r\n\r\n\
             {{2}}{{2}}"
        );
        (
            format!("the version {}", shown(version.as_bytes())),
            head.into_bytes(),
        )
    });
    with_body.into_iter().collect()
}

/// HTTP/1.0 and HTTP/0.9.
fn old() -> Vec<Template> {
    let whole = 5 + SECOND;
    let heads = [
        "POST {1} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{2}".to_owned(),
        format!(
            "POST {{1}} HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: {whole}\r\n\r\n\
             0\r\n\r\n{{2}}"
        ),
        "POST {1} HTTP/1.0\r\nHost: origin.test\r\nConnection: keep-alive\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{2}"
            .to_owned(),
        "GET {1} HTTP/1.0\r\n\r\n{2}".to_owned(),
        "GET {1} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n{2}".to_owned(),
        "GET {1} HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n{2}".to_owned(),
        "POST {1} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n{2}".to_owned(),
        format!("POST {{1}} HTTP/1.0\r\nContent-Length: {SECOND}\r\n\r\n{{2}}{{2}}"),
        "GET {1} HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade, keep-alive\r\n\r\n{2}"
            .to_owned(),
        "GET {1}\r\n{2}".to_owned(),
        "GET {1}\r\n\r\n{2}".to_owned(),
        "GET {1}\n".to_owned(),
    ];
    heads
        .into_iter()
        .map(|head| {
            (
                format!("old: {}", shown(head.as_bytes())),
                head.into_bytes(),
            )
        })
        .collect()
}

fn request_lines() -> Vec<Template> {
    let lines: [&[u8]; 16] = [
        b"POST  {1} HTTP/1.1",
        b"POST {1}  HTTP/1.1",
        b"POST\t{1} HTTP/1.1",
        b"POST {1}\tHTTP/1.1",
        b"POST {1} HTTP/1.1 HTTP/1.1",
        b"POST {1} a HTTP/1.1",
        b" POST {1} HTTP/1.1",
        b"{1} HTTP/1.1",
        b"POST HTTP/1.1",
        b"POST",
        b"PO(ST {1} HTTP/1.1",
        b"post {1} HTTP/1.1",
        b"TRACE {1} HTTP/1.1",
        b"CONNECT origin.test:80 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"PRI * HTTP/2.0",
    ];
    let bodies = lines.map(|line| {
        let bytes = [line, b"\r\nHost: origin.test\r\n\r\n{2}"].concat();
        (format!("the line {}", shown(line)), bytes)
    });
    bodies.into_iter().collect()
}

fn targets() -> Vec<Template> {
    let targets: [&[u8]; 24] = [
        b"http://origin.test{1}",
        b"HTTP://origin.test{1}",
        b"http://other.test{1}",
        b"https://origin.test{1}",
        b"http://origin.test:80{1}",
        b"http://user@origin.test{1}",
        b"http://origin.test@other.test{1}",
        b"http:///{1}",
        b"http://{1}",
        b"ftp://origin.test{1}",
        b"file://{1}",
        b"http:/{1}",
        b"http:{1}",
        b"//other.test{1}",
        b"/{1}",
        b"\\{1}",
        b"x{1}",
        b"{1}#part",
        b"{1}?a=b#part",
        b"{1}?a=b?c=d",
        b"{1}%00",
        b"{1}%0d%0aX:%20y",
        b"{1}\xff",
        b"{1}/..;/x",
    ];
    let gets = targets.map(|target| {
        let bytes = [
            b"GET ",
            target,
            b" HTTP/1.1\r\nHost: origin.test\r\n\r\n{2}",
        ]
        .concat();
        (format!("the target {}", shown(target)), bytes)
    });
    gets.into_iter().collect()
}

fn hosts() -> Vec<Template> {
    let hosts: [&[u8]; 28] = [
        b"",
        b"Host: origin.test\r\nHost: other.test\r\n",
        b"Host: origin.test\r\nHost: origin.test\r\n",
        b"Host:\r\n",
        b"Host: \r\nHost: origin.test\r\n",
        b"Host: origin.test\r\nHost:\r\n",
        b"Host: origin.test, other.test\r\n",
        b"Host: origin.test,\r\n",
        b"Host: origin.test other.test\r\n",
        b"Host: user@origin.test\r\n",
        b"Host: origin.test/x\r\n",
        b"Host: origin.test?x\r\n",
        b"Host: origin.test#x\r\n",
        b"Host: origin.test\\x\r\n",
        b"Host: http://origin.test\r\n",
        b"Host: \"origin.test\"\r\n",
        b"Host: origin.test:80\r\n",
        b"Host: origin.test:\r\n",
        b"Host: [::1]:80\r\n",
        b"Host: 127.0.0.1\r\n",
        b"Host: origin.test\xff\r\n",
        b"Host: origin.test\0\r\n",
        b"Host: origin.test\tx\r\n",
        b"Host : origin.test\r\n",
        b" Host: origin.test\r\n",
        b"Host: origin.test\r\n Host: other.test\r\n",
        b"X: y\nHost: origin.test\r\n",
        b"Host;: origin.test\r\n",
    ];
    let gets = hosts.map(|fields| {
        let bytes = [b"GET {1} HTTP/1.1\r\n", fields, b"\r\n{2}"].concat();
        (format!("the host {}", shown(fields)), bytes)
    });
    gets.into_iter().collect()
}
