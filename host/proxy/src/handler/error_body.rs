//! The body of an error response, in the form in which the client shows its message.

use http::StatusCode;
use serde_json::{Value, json};

use super::error::{ExchangeError, MESSAGE_PREFIX};
use ouli_config::ErrorFormat as HttpFormat;
use ouli_message::printable::{escape_json, is_printable, printable};

/// A body and its type.
pub(super) struct ErrorBody {
    pub(super) content_type: &'static str,
    pub(super) text: String,
}

const JSON: &str = "application/json";

/// The body for an error.
pub(super) fn error_body(error: &ExchangeError, format: HttpFormat) -> ErrorBody {
    let (content_type, value) = match format {
        HttpFormat::Xml => return xml("application/problem+xml", &problem_xml(error)),
        HttpFormat::AwsXml => return xml("application/xml", &aws_error(error)),
        HttpFormat::AwsQuery => {
            let element = format!("<ErrorResponse>{}</ErrorResponse>", aws_error(error));
            return xml("text/xml", &element);
        }
        HttpFormat::Text => {
            let text = match error {
                ExchangeError::Miss(miss) => miss.to_text(),
                other => printable(&other.to_string()).into_owned() + "\n",
            };
            let content_type = "text/plain; charset=utf-8";
            return ErrorBody { content_type, text };
        }
        HttpFormat::Auto | HttpFormat::Problem => ("application/problem+json", problem(error)),
        HttpFormat::OpenAi => (JSON, openai(error)),
        HttpFormat::Anthropic => (JSON, anthropic(error)),
        HttpFormat::Google => (JSON, google(error)),
        HttpFormat::Stripe => (JSON, stripe(error)),
        HttpFormat::GitHub => (JSON, github(error)),
        HttpFormat::GraphQl => (JSON, graphql(error)),
        HttpFormat::AwsJson => ("application/x-amz-json-1.0", aws_json(error)),
    };
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    ErrorBody {
        content_type,
        text: escape_json(&text) + "\n",
    }
}

/// The problem document. Further members (RFC 9457, section 3.2) have the first sentence where many
/// client libraries look for it.
fn problem(error: &ExchangeError) -> Value {
    let problem_type = error.problem_type();
    let kind = problem_type.kind.as_str();
    let mut problem = match error {
        ExchangeError::Miss(miss) => miss.to_problem(),
        other => json!({
            "type": format!("urn:ouli:problem:{kind}"),
            "title": problem_type.title,
            "status": problem_type.status.as_u16(),
            "detail": other.to_string(),
        }),
    };
    let sentence = format!("{MESSAGE_PREFIX}{}", error.summary());
    problem["error"] = json!({ "message": sentence, "type": code(error) });
    problem["message"] = Value::from(sentence);
    problem
}

fn openai(error: &ExchangeError) -> Value {
    let (message, code) = (error.message(), code(error));
    json!({ "error": { "message": message, "type": code, "param": null, "code": code } })
}

fn anthropic(error: &ExchangeError) -> Value {
    json!({ "type": "error", "error": { "type": code(error), "message": error.message() } })
}

fn google(error: &ExchangeError) -> Value {
    let status = error.problem_type().status;
    json!({
        "error": {
            "code": status.as_u16(),
            "message": error.message(),
            "status": google_status(status),
        },
    })
}

fn stripe(error: &ExchangeError) -> Value {
    json!({
        "error": {
            "type": "invalid_request_error",
            "code": code(error),
            "message": error.message(),
        },
    })
}

fn github(error: &ExchangeError) -> Value {
    let status = error.problem_type().status;
    json!({ "message": error.message(), "status": status.as_str() })
}

fn graphql(error: &ExchangeError) -> Value {
    let extensions = json!({ "code": code(error) });
    json!({ "errors": [{ "message": error.message(), "extensions": extensions }] })
}

fn aws_json(error: &ExchangeError) -> Value {
    json!({ "__type": code(error), "message": error.message() })
}

/// The name of a status in the error model of Google (`google.rpc.Code`).
fn google_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        400..=499 => "INVALID_ARGUMENT",
        502 | 503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

/// The element `Error` of S3 and of the query APIs.
fn aws_error(error: &ExchangeError) -> String {
    let (code, message) = (code(error), escaped(&error.message()));
    format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
}

/// The problem document as XML (RFC 9457, appendix B).
fn problem_xml(error: &ExchangeError) -> String {
    let problem_type = error.problem_type();
    let kind = problem_type.kind.as_str();
    let (title, status) = (escaped(problem_type.title), problem_type.status.as_u16());
    let detail = escaped(&error.detail());
    format!(
        "<problem xmlns=\"urn:ietf:rfc:7807\"><type>urn:ouli:problem:{kind}</type>\
         <title>{title}</title><detail>{detail}</detail><status>{status}</status></problem>"
    )
}

fn xml(content_type: &'static str, element: &str) -> ErrorBody {
    ErrorBody {
        content_type,
        text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{element}\n"),
    }
}

/// Text as XML 1.0 allows it: control characters are not. Others that a terminal hides are escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            other if other.is_control() => escaped.push(' '),
            other if is_printable(other) => escaped.push(other),
            other => escaped.extend(other.escape_unicode()),
        }
    }
    escaped
}

/// The kind of the error as the code of an API.
fn code(error: &ExchangeError) -> String {
    format!("ouli-{}", error.kind().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_well_formed_for_any_message() {
        let error = ExchangeError::Session("a <b> & \u{0}\u{ffff}".to_owned());
        let expected = "a &lt;b&gt; &amp;  \u{fffd}";
        for format in [HttpFormat::Xml, HttpFormat::AwsXml, HttpFormat::AwsQuery] {
            let body = error_body(&error, format);
            assert!(body.text.contains(expected), "{}", body.text);
        }
    }

    #[test]
    fn every_form_has_the_message_where_its_clients_look() {
        let error = ExchangeError::Session("too bad".to_owned());
        for (format, pointer) in [
            (HttpFormat::Problem, "/detail"),
            (HttpFormat::Problem, "/message"),
            (HttpFormat::Problem, "/error/message"),
            (HttpFormat::OpenAi, "/error/message"),
            (HttpFormat::Anthropic, "/error/message"),
            (HttpFormat::Google, "/error/message"),
            (HttpFormat::Stripe, "/error/message"),
            (HttpFormat::GitHub, "/message"),
            (HttpFormat::AwsJson, "/message"),
            (HttpFormat::GraphQl, "/errors/0/message"),
        ] {
            let body: Value = serde_json::from_str(&error_body(&error, format).text).unwrap();
            let message = body.pointer(pointer).and_then(Value::as_str);
            let message = message.unwrap_or_default();
            assert!(message.ends_with("too bad"), "{format:?} {pointer}: {body}");
        }
    }
}
