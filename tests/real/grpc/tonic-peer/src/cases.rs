//! The cases, with the same names and contents as in `client.py`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::client::{Call, Client};
use crate::messages::{Asked, Credentials, Part, Payload, Request, Status};
use crate::secrets::Secrets;

const SPECIAL: &str =
    "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";

/// Makes the calls of the selected cases.
pub(crate) async fn run(told: &crate::Cases) -> Value {
    let client = Client::connect(&told.target, told.session.clone()).await;
    let secrets = Secrets::of(&told.secret);
    let mut all = Map::new();
    for name in &told.cases {
        let mut seen = Vec::new();
        for call in calls(name, told, &secrets) {
            let call = client.call(call).await;
            let late = name.starts_with("deadline");
            seen.push(if late {
                call.shown_late()
            } else {
                call.shown()
            });
        }
        if name == "two_bodies" && told.swapped {
            seen.reverse();
        }
        all.insert(name.clone(), seen.into());
    }
    all.into()
}

fn calls(name: &str, told: &crate::Cases, secrets: &Secrets) -> Vec<Call> {
    match name {
        "empty_unary" => vec![Call::new("EmptyCall", vec![Request::default()])],
        "large_unary" => vec![unary(Request {
            payload: Some(Payload::pattern(271_828)),
            response_size: 314_159,
            ..Request::default()
        })],
        "client_streaming" => {
            let sizes = [27182, 8, 1828, 45904];
            let requests = sizes.map(|size| Request {
                payload: Some(Payload::pattern(size)),
                ..Request::default()
            });
            vec![Call::new("StreamingInputCall", requests.into())]
        }
        "server_streaming" => {
            let parts = [31415, 9, 2653, 58979].map(|size| part(size, 0));
            vec![parted("parts", parts.into())]
        }
        "ping_pong" => vec![ping_pong(told.wrong)],
        "empty_stream" => vec![Call::new("FullDuplexCall", Vec::new())],
        "custom_metadata" => custom_metadata().into(),
        "status_code_and_message" => {
            let request = ending(2, "test status message");
            let stream = Call::new("FullDuplexCall", vec![request.clone()]);
            vec![unary(request), stream]
        }
        "special_status_message" => vec![unary(ending(2, SPECIAL))],
        "unimplemented_method" => vec![Call::new("UnimplementedCall", vec![Request::default()])],
        "unimplemented_service" => {
            let mut call = Call::new("UnimplementedCall", vec![Request::default()]);
            call.service = "ouli.test.UnknownService";
            vec![call]
        }
        "twice" => (0..2)
            .map(|_| {
                unary(Request {
                    count_calls: true,
                    ..saying("count")
                })
            })
            .collect(),
        "two_bodies" => {
            let mut texts = ["first", "second"];
            if told.swapped {
                texts.reverse();
            }
            let call = |text| {
                unary(Request {
                    response_size: 7,
                    ..saying(text)
                })
            };
            texts.map(call).into()
        }
        "unary_miss" => vec![unary(saying("never recorded"))],
        other => further(other, secrets),
    }
}

/// The cases beyond the usual interoperability tests.
fn further(name: &str, secrets: &Secrets) -> Vec<Call> {
    match name {
        "all_fields" => {
            let with = |choice| {
                unary(Request {
                    tags: ["one", "", "drei \u{263a}"].map(str::to_owned).into(),
                    counts: BTreeMap::from([("b", 2), ("a", -1), ("", 3)].map(owned)),
                    choice: Some(choice),
                    ..Request::default()
                })
            };
            let text = Asked::Text("of the oneof".to_owned());
            vec![with(text), with(Asked::Number(-(1 << 60)))]
        }
        "gzip" => vec![gzip()],
        "deadline" | "deadline_without_head" => {
            let mut call = unary(Request {
                sleep_ms: 2000,
                ..Request::default()
            });
            call.timeout = Duration::from_millis(300);
            // A request for initial metadata makes the server send the head before it sleeps.
            if name == "deadline" {
                call.metadata = initial_metadata();
            }
            vec![call]
        }
        "cancel" => {
            let mut call = parted("ten", vec![part(100, 20); 10]);
            call.most = Some(2);
            vec![call]
        }
        "rich_status" => vec![unary(Request {
            rich_status: true,
            ..ending(9, "not now")
        })],
        "secret_metadata" => {
            let mut call = unary(saying("who am I"));
            let value = secrets.authorization.parse().unwrap();
            call.metadata.insert("authorization", value);
            let value = secrets.api_key.parse().unwrap();
            call.metadata.insert("x-api-key", value);
            vec![call]
        }
        "secret_message" => vec![unary(Request {
            credentials: credentials("alice", &secrets.password, ""),
            ..saying("look")
        })],
        // A token with a known pattern, in a request and in its response.
        "secret_token" => vec![unary(Request {
            credentials: credentials("", "", &secrets.access_token),
            ..saying(&secrets.access_token)
        })],
        "secret_trailers" => vec![unary(Request {
            credentials: credentials("alice", "", ""),
            log_in: true,
            ..saying("log in")
        })],
        other => panic!("no case {other}"),
    }
}

fn ping_pong(wrong: bool) -> Call {
    let sizes = [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)];
    let turns = (0..).zip(sizes).map(|(turn, (there, back))| Request {
        parts: vec![part(back, 0)],
        payload: Some(Payload::pattern(there)),
        choice: Some(Asked::Number(turn)),
        ..Request::default()
    });
    let mut requests: Vec<_> = turns.collect();
    if wrong {
        requests[1].choice = Some(Asked::Text("something else".to_owned()));
    }
    Call::new("FullDuplexCall", requests)
}

fn gzip() -> Call {
    let mut call = unary(Request {
        payload: Some(Payload::pattern(5000)),
        response_size: 5000,
        tags: vec!["compress me ".repeat(200)],
        compress_response: true,
        ..Request::default()
    });
    call.gzip = true;
    call
}

fn custom_metadata() -> [Call; 2] {
    let mut metadata = initial_metadata();
    let value = MetadataValue::from_bytes(b"\xab\xab\xab\x00\xff");
    metadata.insert_bin("x-grpc-test-echo-trailing-bin", value);
    let request = Request {
        response_size: 10,
        payload: Some(Payload::pattern(10)),
        parts: vec![part(10, 0)],
        ..Request::default()
    };
    let mut calls = [
        unary(request.clone()),
        Call::new("FullDuplexCall", vec![request]),
    ];
    for call in &mut calls {
        call.metadata = metadata.clone();
    }
    calls
}

fn initial_metadata() -> MetadataMap {
    let mut metadata = MetadataMap::new();
    let value = "test_initial_metadata_value".parse().unwrap();
    metadata.insert("x-grpc-test-echo-initial", value);
    metadata
}

fn unary(request: Request) -> Call {
    Call::new("UnaryCall", vec![request])
}

fn saying(text: &str) -> Request {
    Request {
        choice: Some(Asked::Text(text.to_owned())),
        ..Request::default()
    }
}

fn ending(code: i32, message: &str) -> Request {
    let message = message.to_owned();
    Request {
        response_status: Some(Status { code, message }),
        ..Request::default()
    }
}

fn parted(text: &str, parts: Vec<Part>) -> Call {
    let request = Request {
        parts,
        ..saying(text)
    };
    Call::new("StreamingOutputCall", vec![request])
}

fn part(size: i32, pause_ms: i32) -> Part {
    Part { size, pause_ms }
}

fn credentials(user: &str, password: &str, access_token: &str) -> Option<Credentials> {
    Some(Credentials {
        user: user.to_owned(),
        password: password.to_owned(),
        access_token: access_token.to_owned(),
    })
}

fn owned((name, count): (&str, i32)) -> (String, i32) {
    (name.to_owned(), count)
}
