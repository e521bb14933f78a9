//! The self-test of a plugin that is asked: the same messages, in another order and in another
//! copy, must give the same answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::component::Declarations;
use crate::PluginError;
use crate::run::instance::{GuestCall, Instance, Template};
use ouli_codec::MessageView;
use ouli_message::{Content, Fields, Request, Response};
use ouli_redaction::{RedactedMessage, Secrets};

/// Requests as any client may send them.
pub(crate) fn requests() -> impl Iterator<Item = Arc<Request>> {
    samples().into_iter().map(|sample| sample.raw_request)
}

/// What the self-test found, and the copies that it started.
pub(crate) struct ProbeReport {
    /// A message and role for which the answer depends on what was asked before.
    pub(crate) state_dependence: Option<String>,
    /// Copies that still work.
    pub(crate) instances: Vec<Instance>,
    /// How long the quickest call took.
    pub(crate) fastest_call: Duration,
}

/// Asks `first` and another copy. Ends early where the plugin fails: then nothing is known.
pub(crate) fn probe(
    template: &Template,
    declarations: &Declarations,
    first: Instance,
) -> Result<ProbeReport, PluginError> {
    let samples = samples();
    let questions = probe_calls(declarations, &samples);
    let mut copies = vec![first];
    copies.push(Instance::start_ready(template)?);
    let mut expected: Vec<Option<String>> = vec![None; questions.len()];
    let mut call = Duration::MAX;
    let forwards = || 0..questions.len();
    let rounds: [(usize, Vec<usize>); 3] = [
        (0, forwards().collect()),
        (1, forwards().rev().collect()),
        (0, forwards().collect()),
    ];
    for (copy, order) in rounds {
        for place in order {
            let (name, question) = &questions[place];
            let secrets = Arc::new(Secrets::default());
            let begin = Instant::now();
            let Ok(said) = copies[copy].ask_uncounted(&template.bounds, question, &secrets) else {
                copies.remove(copy);
                return Ok(ProbeReport {
                    state_dependence: None,
                    instances: copies,
                    fastest_call: Duration::ZERO,
                });
            };
            call = call.min(begin.elapsed());
            let said = format!("{said:?}");
            match &expected[place] {
                Some(known) if *known != said => {
                    let role = question.role();
                    return Ok(ProbeReport {
                        state_dependence: Some(format!(
                            "its {role} answers {name} otherwise after other messages"
                        )),
                        instances: Vec::new(),
                        fastest_call: call,
                    });
                }
                Some(_) => {}
                None => expected[place] = Some(said),
            }
        }
    }
    Ok(ProbeReport {
        state_dependence: None,
        instances: copies,
        fastest_call: call,
    })
}

fn probe_calls<'a>(
    declarations: &Declarations,
    samples: &'a [Sample],
) -> Vec<(&'static str, GuestCall<'a>)> {
    let asked: Vec<_> = declarations.roles().filter(|role| role.is_called).collect();
    let mut questions = Vec::new();
    for sample in samples {
        let (request, response) = (&sample.request, &sample.response);
        for role in &asked {
            let of_role = match role.name {
                "matcher" => vec![GuestCall::Identify(request)],
                "redactor" => vec![GuestCall::Redact(request), GuestCall::Redact(response)],
                _ => vec![GuestCall::Decide(request, Some(response))],
            };
            questions.extend(of_role.into_iter().map(|one| (sample.name, one)));
        }
    }
    questions
}

/// An exchange as any client and server may have it.
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
    (method, target, asked): (Method, &str, &'static str),
    (status, answered): (StatusCode, &'static str),
) -> Sample {
    let request = Arc::new(Request {
        method,
        authority: "api.example.com".to_owned(),
        target: target.to_owned(),
        fields: fields(asked),
        body: Content::Inline(Bytes::from_static(asked.as_bytes())),
        trailers: Fields::default(),
    });
    let response = Arc::new(Response {
        status,
        fields: fields(answered),
        body: Content::Inline(Bytes::from_static(answered.as_bytes())),
        trailers: Fields::default(),
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
