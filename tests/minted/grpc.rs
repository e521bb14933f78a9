//! Values that clients make up in the metadata and the messages of gRPC calls.

use std::sync::Arc;

use hyper::body::Frame;

use super::id;
use crate::grpc::{descriptors, framed, text};
use crate::support::client::{self, Answer};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Seen};

/// Repeats ids in the metadata before and after the messages.
fn answer(seen: &Seen) -> origin::Reply {
    let value = |name: &str| seen.headers[name].to_str().unwrap();
    let reply = origin::parts()
        .header("content-type", "application/grpc")
        .header("x-request-id", value("x-request-id"))
        .header("x-of", value("x-job"));
    let reply = reply.part(framed(&text(1, "done")));
    reply.trailers(&[("grpc-status", "0"), ("x-job", value("x-job"))])
}

fn call(gateway: &Running, [request, job, user]: [&str; 3]) -> Answer {
    let ask = client::http2(gateway).ask("POST", "/test.Door/Enter");
    let ask = ask
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-request-id", request)
        .header("x-job", job);
    ask.frames(vec![Frame::data(framed(&text(1, user)))]).send()
}

#[test]
fn ids_in_metadata_come_back_and_declared_fields_match() {
    let origin = origin::new().route("/test.Door/*", answer).start();
    let folder = Arc::new(Folder::new());
    std::fs::write(folder.path().join("door.binpb"), descriptors()).unwrap();
    let described = "proto_descriptors = [\"door.binpb\"]";
    let section = "[matcher]\nminted = [\"/user\", \"header.x-job\"]\nheaders = [\"x-job\"]";
    let gateway = gateway::over(&folder, "record").upstream(&origin.h2c());
    let gateway = gateway.set(described).section(section).start();
    let [job, user] = [id(), id()];
    assert_eq!(call(&gateway, [&id(), &job, &user]).status, 200);
    gateway.stop();
    let replay = || {
        gateway::replay(&folder)
            .set(described)
            .section(section)
            .start()
    };
    let running = replay();
    let [request, job, user] = [id(), id(), id()];
    let answer = call(&running, [&request, &job, &user]);
    assert_eq!(answer.header("x-request-id"), request);
    assert_eq!(answer.header("x-of"), job);
    let trailers = answer.trailers.unwrap();
    assert_eq!(
        (&trailers["grpc-status"], &trailers["x-job"]),
        (&"0".parse().unwrap(), &job.parse().unwrap())
    );
    let report = running.finish();
    assert_eq!((report.hits, report.misses), (1, 0), "{report:?}");
    // A word is no id, in a field as little as in metadata.
    for [job, user] in [["latest", &*user], [&*job, "latest"]] {
        let running = replay();
        let answer = call(&running, [&request, job, user]);
        let trailers = answer.trailers.unwrap_or(answer.headers);
        assert_eq!(trailers["grpc-status"], "5", "{job} {user}");
    }
}
