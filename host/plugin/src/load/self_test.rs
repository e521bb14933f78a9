//! The self-test of a plugin that is called: the same messages, in another order and in another
//! instance, must give the same results.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::PluginError;
use crate::contract::declarations::Declarations;
use crate::run::guest_call::GuestCall;
use crate::run::instance::Instance;
use crate::run::template::InstanceTemplate;
use ouli_codec::MessageView;
use ouli_message::{CodedBody, Content, Fields, Request, Response};
use ouli_redaction::{RedactedMessage, Secrets};

/// The requests of the samples.
pub(crate) fn requests() -> impl Iterator<Item = Arc<Request>> {
    samples().into_iter().map(|sample| sample.raw_request)
}

/// The result of the self-test, and the instances that it started.
pub(crate) struct SelfTestReport {
    /// The role and message whose result depends on earlier calls.
    pub(crate) state_dependence: Option<String>,
    /// Instances that still work.
    pub(crate) instances: Vec<Instance>,
    /// Duration of the fastest call; zero if a call failed.
    pub(crate) fastest_call: Duration,
}

/// Calls `first` and a second instance. The test ends at the first call that fails; then nothing is
/// known of the plugin's state.
pub(crate) fn run(
    template: &InstanceTemplate,
    declarations: &Declarations,
    first: Instance,
) -> Result<SelfTestReport, PluginError> {
    let samples = samples();
    let calls = test_calls(declarations, &samples);
    let mut instances = vec![first];
    instances.push(Instance::start_ready(template)?);
    let mut expected: Vec<Option<String>> = vec![None; calls.len()];
    let mut fastest_call = Duration::MAX;
    let forwards = || 0..calls.len();
    let rounds: [(usize, Vec<usize>); 3] = [
        (0, forwards().collect()),
        (1, forwards().rev().collect()),
        (0, forwards().collect()),
    ];
    for (instance, order) in rounds {
        for index in order {
            let (name, call) = &calls[index];
            let secrets = Arc::new(Secrets::default());
            let start = Instant::now();
            let result = instances[instance].call_uncounted(&template.bounds, call, &secrets);
            let Ok(result) = result else {
                instances.remove(instance);
                return Ok(SelfTestReport {
                    state_dependence: None,
                    instances,
                    fastest_call: Duration::ZERO,
                });
            };
            fastest_call = fastest_call.min(start.elapsed());
            let result = format!("{result:?}");
            let first_result = expected[index].get_or_insert_with(|| result.clone());
            if *first_result != result {
                let role = call.role();
                return Ok(SelfTestReport {
                    state_dependence: Some(format!(
                        "the result of its {role} for {name} depends on earlier calls"
                    )),
                    instances: Vec::new(),
                    fastest_call,
                });
            }
        }
    }
    Ok(SelfTestReport {
        state_dependence: None,
        instances,
        fastest_call,
    })
}

/// Every called role with every sample.
fn test_calls<'a>(
    declarations: &Declarations,
    samples: &'a [Sample],
) -> Vec<(&'static str, GuestCall<'a>)> {
    let called: Vec<_> = declarations.roles().filter(|role| role.is_called).collect();
    let mut calls = Vec::new();
    for sample in samples {
        let (request, response) = (&sample.request, &sample.response);
        for role in &called {
            let of_role = match role.name {
                "matcher" => vec![GuestCall::Identify(request)],
                "redactor" => vec![GuestCall::Redact(request), GuestCall::Redact(response)],
                _ => vec![GuestCall::Decide(request, Some(response))],
            };
            calls.extend(of_role.into_iter().map(|call| (sample.name, call)));
        }
    }
    calls
}

/// A typical exchange.
struct Sample {
    name: &'static str,
    raw_request: Arc<Request>,
    request: Arc<dyn MessageView>,
    response: Arc<dyn MessageView>,
}

fn samples() -> [Sample; 3] {
    [
        sample(
            "a GET",
            (Method::GET, "/items?page=2&page=3", ""),
            (StatusCode::OK, "{\"items\": [1, 2], \"next\": null}"),
        ),
        sample(
            "a POST of JSON",
            (Method::POST, "/items", "{\"id\": 7, \"name\": \"one\"}"),
            (StatusCode::CREATED, "{\"id\": 7}"),
        ),
        sample(
            "a request that fails",
            (Method::DELETE, "/items/7", ""),
            (StatusCode::SERVICE_UNAVAILABLE, "try again"),
        ),
    ]
}

fn sample(
    name: &'static str,
    (method, target, request_body): (Method, &str, &'static str),
    (status, response_body): (StatusCode, &'static str),
) -> Sample {
    let request = Arc::new(Request {
        method,
        authority: "api.example.com".to_owned(),
        target: target.to_owned(),
        fields: fields(request_body),
        body: Content::Inline(Bytes::from_static(request_body.as_bytes())),
        trailers: Fields::default(),
        truncated_at: None,
    });
    let response = Arc::new(Response {
        status,
        fields: fields(response_body),
        body: Content::Inline(Bytes::from_static(response_body.as_bytes())),
        coded: CodedBody::Derived,
        trailers: Fields::default(),
        reason: None,
        omitted: Vec::new(),
    });
    let (endpoint, session): (Arc<str>, Arc<str>) = ("api".into(), "probe".into());
    Sample {
        name,
        raw_request: Arc::clone(&request),
        request: Arc::new(RedactedMessage::request(
            Arc::clone(&endpoint),
            Arc::clone(&session),
            Arc::clone(&request),
        )),
        response: Arc::new(RedactedMessage::response(
            endpoint, session, request, response,
        )),
    }
}

fn fields(body: &str) -> Fields {
    let mut fields = Fields::default();
    let mut add = |name: &'static str, value: &'static str| {
        fields.push(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    };
    add("x-request-id", "one.two");
    if body.starts_with('{') {
        add("content-type", "application/json");
    }
    fields
}
