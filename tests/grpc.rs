//! gRPC calls as raw messages; `tests/real` uses gRPC libraries.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use hyper::body::Frame;
use ouli_config::Defect;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
};

use crate::support::client::{self, Answer, Connection};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};
use crate::support::origin::{self, Origin, Seen};
use crate::support::{until, wait_for};

/// A message with its gRPC prefix.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

/// A string field in Protocol Buffers encoding.
pub(crate) fn text(number: u8, text: &str) -> Vec<u8> {
    [&[number << 3 | 2, text.len() as u8][..], text.as_bytes()].concat()
}

/// Responds to each call with its own messages, and with a token in the trailers.
fn echo(seen: &Seen) -> origin::Reply {
    let reply = origin::parts()
        .header("content-type", "application/grpc")
        .part(seen.body.clone());
    if seen.body.is_empty() {
        return origin::status(200)
            .header("content-type", "application/grpc")
            .header("grpc-status", "3")
            .header("grpc-message", "nothing%20there");
    }
    reply.trailers(&[
        ("grpc-status", "0"),
        ("x-auth-token", "trailer-canary-9f8e7d"),
    ])
}

fn origin() -> Origin {
    origin::new().route("/test.Door/*", echo).start()
}

fn record(folder: &Arc<Folder>, origin: &Origin) -> Builder {
    gateway::over(folder, "record").upstream(&origin.h2c())
}

fn call(gateway: &Running, method: &str, messages: &[&[u8]]) -> Answer {
    let ask = client::http2(gateway).ask("POST", &format!("/test.Door/{method}"));
    let ask = ask
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "5S")
        .header("authorization", "Bearer metadata-canary-0123456789");
    let frames = messages.iter().map(|message| Frame::data(framed(message)));
    ask.frames(frames.collect()).send()
}

fn status(answer: &Answer) -> (String, String) {
    let empty = HeaderMap::new();
    let trailers = answer.trailers.as_ref().unwrap_or(&empty);
    let get = |name: &str| {
        let value = trailers.get(name).or(answer.headers.get(name));
        value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    };
    (get("grpc-status"), get("grpc-message"))
}

#[test]
fn the_status_of_a_miss_names_the_part_and_the_setting() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let section = "[matcher]\nheaders = [\"x-tenant\"]";
    let call = |gateway: &Running, tenant: &str| {
        let ask = client::http2(gateway).ask("POST", "/test.Door/Open");
        let ask = ask
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-tenant", tenant);
        ask.frames(vec![Frame::data(framed(b"\x0a\x01a"))]).send()
    };
    let gateway = record(&folder, &origin).section(section).start();
    call(&gateway, "one");
    gateway.stop();
    let gateway = gateway::replay(&folder).section(section).start();
    let (code, message) = status(&call(&gateway, "two"));
    assert_eq!(code, "5");
    for part in [
        "header.x-tenant x-tenant differs from exchange 1",
        "To match exchange 1, add --set 'matcher.headers=[]'",
        "ouli-gateway auto",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn messages_and_status_are_replayed() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = record(&folder, &origin).start();
    let talk = |gateway: &Running| -> Vec<Answer> {
        let calls: [&[&[u8]]; 4] = [&[b"\x0a\x01a"], &[b"\x0a\x01b", b""], &[], &[b"\x0a\x01a"]];
        calls
            .iter()
            .map(|messages| call(gateway, "Say", messages))
            .collect()
    };
    let recorded = talk(&gateway);
    assert_eq!(status(&recorded[0]), ("0".to_owned(), String::new()));
    assert_eq!(
        status(&recorded[2]),
        ("3".to_owned(), "nothing%20there".to_owned())
    );
    assert!(recorded[2].trailers.is_none(), "it is trailers-only");
    gateway.stop();
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    let replayed = talk(&gateway);
    for (one, other) in recorded.iter().zip(&replayed) {
        assert_eq!((one.status, &one.body), (other.status, &other.body));
        assert_eq!(status(one), status(other));
        assert_eq!(one.trailers.is_some(), other.trailers.is_some());
    }
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (4, 0));
    assert!(report.unused.is_empty(), "{:?}", report.unused);
}

#[test]
fn calls_are_matched_by_their_messages() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = record(&folder, &origin).start();
    for message in ["one", "two", "three"] {
        call(&gateway, "Say", &[&text(1, message)]);
    }
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    for message in ["three", "one", "two"] {
        let answer = call(&gateway, "Say", &[&text(1, message)]);
        assert_eq!(answer.body, framed(&text(1, message)), "{message}");
    }
}

#[test]
fn a_miss_is_a_status_with_the_report() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = record(&folder, &origin).start();
    call(&gateway, "Say", &[&text(1, "one")]);
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    for (method, message, part) in [
        ("Say", "four", "client%20message%201"),
        ("Leave", "one", "path"),
    ] {
        let answer = call(&gateway, method, &[&text(1, message)]);
        let (code, report) = status(&answer);
        assert_eq!((answer.status, code.as_str()), (200, "5"), "{report}");
        let encoded = report.replace(' ', "%20");
        assert!(
            encoded.contains("is%20not%20recorded") && encoded.contains(part),
            "{report}"
        );
    }
    let report = gateway.finish();
    assert_eq!(report.misses, 2, "{report:?}");
}

#[test]
fn auto_records_misses_and_replays_hits() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = gateway::over(&folder, "auto")
        .upstream(&origin.h2c())
        .start();
    for (number, message) in ["one", "two", "one", "two", "three"].iter().enumerate() {
        if number == 2 {
            gateway.mark();
        }
        let answer = call(&gateway, "Say", &[&text(1, message)]);
        assert_eq!(answer.body, framed(&text(1, message)), "{message}");
    }
    let report = gateway.finish();
    assert_eq!(
        (report.recorded, report.hits, report.misses),
        (3, 2, 0),
        "{report:?}"
    );
}

#[test]
fn a_message_over_grpc_message_is_refused() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = record(&folder, &origin).start();
    let large = vec![0x7f; 3000];
    call(&gateway, "Say", &[&large]);
    call(&gateway, "Say", &[&large[..1000]]);
    gateway.stop();
    let limits = "[limits]\ngrpc_message = \"2 KiB\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let (code, message) = status(&call(&gateway, "Say", &[&large]));
    assert_eq!(code, "3", "{message}");
    assert!(
        message.contains("larger%20than") || message.contains("larger than"),
        "{message}"
    );
    assert_eq!(status(&call(&gateway, "Say", &[&large[..1000]])).0, "0");
}

/// Descriptors of `Login { user = 1; password = 2 }` and a service that takes and returns it.
pub(crate) fn descriptors() -> Vec<u8> {
    let field = |name: &str, number: i32| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(Type::String as i32),
        label: Some(Label::Optional as i32),
        ..FieldDescriptorProto::default()
    };
    let login = Some(".test.Login".to_owned());
    let file = FileDescriptorProto {
        name: Some("door.proto".to_owned()),
        package: Some("test".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Login".to_owned()),
            field: vec![field("user", 1), field("password", 2)],
            ..DescriptorProto::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("Door".to_owned()),
            method: vec![MethodDescriptorProto {
                name: Some("Enter".to_owned()),
                input_type: login.clone(),
                output_type: login,
                ..MethodDescriptorProto::default()
            }],
            ..ServiceDescriptorProto::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[test]
fn canaries_are_redacted_in_every_part_of_a_call() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    std::fs::write(folder.path().join("door.binpb"), descriptors()).unwrap();
    let gateway = record(&folder, &origin)
        .set("proto_descriptors = [\"door.binpb\"]")
        .start();
    let login = |user: &str, password: &str| [text(1, user), text(2, password)].concat();
    let secret = "field-canary-1a2b3c";
    call(&gateway, "Enter", &[&login("ann", secret)]);
    // Without a descriptor a string field is treated as text.
    call(
        &gateway,
        "Say",
        &[&text(9, "Bearer looks-canary-0123456789")],
    );
    let report = gateway.finish();
    assert!(report.passed && report.recorded == 2, "{report:?}");
    for (path, bytes) in folder.files() {
        let text = String::from_utf8_lossy(&bytes);
        for canary in [
            "field-canary",
            "looks-canary",
            "metadata-canary",
            "trailer-canary",
        ] {
            assert!(!text.contains(canary), "{canary} is in {}", path.display());
        }
    }
    let replay = gateway::replay(&folder)
        .set("proto_descriptors = [\"door.binpb\"]")
        .section("[matcher]\nignore_body = [\"/user\"]")
        .start();
    // A different password still matches, and so does a different user if the user is ignored.
    let answer = call(&replay, "Enter", &[&login("bob", "something else")]);
    assert_eq!(status(&answer).0, "0");
    assert!(answer.body.ends_with(b"<password-1>"), "{answer:?}");
}

#[test]
fn invalid_descriptors_are_reported() {
    let folder = Arc::new(Folder::new());
    std::fs::write(folder.path().join("door.binpb"), b"no descriptors").unwrap();
    let builder =
        gateway::replay(&folder).set("proto_descriptors = [\"door.binpb\", \"none.binpb\"]");
    let error = builder.try_start().err().unwrap().to_string();
    assert!(error.contains("none.binpb"), "{error}");
    let builder = gateway::replay(&folder).set("proto_descriptors = [\"door.binpb\"]");
    let error = builder.try_start().err().unwrap().to_string();
    assert!(
        error.contains("door.binpb") && error.contains("protoc"),
        "{error}"
    );
}

/// Starts a call and cancels it at the response head, or when `is_time` is true.
fn begin_and_leave(
    gateway: &Running,
    body: client::Body,
    is_time: impl Fn() -> bool,
) -> Option<u16> {
    let client = client::http2(gateway);
    let connection = wait_for("a connection", client.connect());
    let mut connection: Connection = connection.unwrap();
    let uri = format!("http://{}/test.Door/Wait", client.address);
    let request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let request = request.body(body);
    let watch = async {
        while !is_time() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait_for("the time to leave", async {
        tokio::select! {
            answer = connection.start(request.unwrap()) => Some(answer.unwrap().status().as_u16()),
            () = watch => None,
        }
    })
}

#[test]
fn a_call_cancelled_before_the_head_is_recorded_and_replayed() {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = record(&folder, &origin).start();
    // The origin responds after the whole request, which never ends.
    let endless = client::endless(framed(b"hello"));
    let head = begin_and_leave(&gateway, endless, || origin.connections() > 0);
    assert_eq!(head, None);
    until("the recording", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
    let report = gateway.finish();
    assert_eq!(
        (report.recorded, report.counted(Defect::Partial).len()),
        (1, 0),
        "{report:?}"
    );

    origin.stop();
    let gateway = gateway::replay(&folder).start();
    // The head is sent at once, because some clients wait for it; nothing follows.
    let whole = client::whole(framed(b"hello"));
    assert_eq!(begin_and_leave(&gateway, whole, || false), Some(200));
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (1, 0), "{report:?}");
}
