//! The form in which a client gets an error of the gateway.
//!
//! Client libraries show a message only where the errors of their API have it. So the form follows
//! the client, which its headers tell.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, Request};

use super::accept::Accept;
use ouli_codec::grpc;
use ouli_config::ErrorFormat as HttpFormat;

/// The form in which a client gets an error of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// An HTTP status and a body of this form.
    Http(HttpFormat),
    /// A gRPC status.
    Grpc,
}

impl ErrorFormat {
    /// The form that the headers of a request ask for.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        if grpc::has_grpc_body(headers) {
            return Self::Grpc;
        }
        Self::Http(by_client(headers).unwrap_or_else(|| by_content(request)))
    }

    /// The form that the configuration sets, if it sets one. gRPC clients understand gRPC only.
    pub(super) fn configured(self, configured: HttpFormat) -> Self {
        match (self, configured) {
            (Self::Grpc, _) | (_, HttpFormat::Auto) => self,
            (Self::Http(_), configured) => Self::Http(configured),
        }
    }
}

/// Sent by the client libraries of Google.
const GOOGLE_CLIENT: HeaderName = HeaderName::from_static("x-goog-api-client");

/// The form for a client library that names itself.
fn by_client(headers: &HeaderMap) -> Option<HttpFormat> {
    let agent = text(headers, &USER_AGENT);
    let product = agent.split(['/', ' ']).next().unwrap_or_default();
    let is_one_of = |names: &[&str]| names.contains(&product);
    // Variants have a prefix: `AsyncOpenAI`, `AzureOpenAI`.
    if product.ends_with("OpenAI") {
        return Some(HttpFormat::OpenAi);
    }
    if product.ends_with("Anthropic") {
        return Some(HttpFormat::Anthropic);
    }
    if is_one_of(&["Stripe"]) {
        return Some(HttpFormat::Stripe);
    }
    let aws = ["Boto3", "Botocore", "aws-cli", "MinIO"];
    if is_one_of(&aws) || product.starts_with("aws-sdk") {
        return Some(aws_format(headers));
    }
    if is_one_of(&["PyGithub", "go-github"]) || product.starts_with("octokit") {
        return Some(HttpFormat::GitHub);
    }
    if product.starts_with("google-") || headers.contains_key(GOOGLE_CLIENT) {
        return Some(HttpFormat::Google);
    }
    None
}

/// The form by what the request holds and accepts.
fn by_content<B>(request: &Request<B>) -> HttpFormat {
    let headers = request.headers();
    let (accept, content_type) = (Accept::of(headers), text(headers, &CONTENT_TYPE));
    if accept.names(|media| media == "application/graphql-response+json")
        || content_type.starts_with("application/graphql")
        || request.uri().path().ends_with("/graphql")
    {
        return HttpFormat::GraphQl;
    }
    if accept.names(|media| media.starts_with("application/vnd.github")) {
        return HttpFormat::GitHub;
    }
    if accept.is_empty() {
        return HttpFormat::Problem;
    }
    let json = accept.named(|media| media.contains("json"));
    let xml = accept.named(|media| media.ends_with("/xml") || media.ends_with("+xml"));
    // A page of HTML is what a browser wants first; it shows JSON as well.
    if accept.names(|media| media == "text/html") && json != Some(0.0) {
        return HttpFormat::Problem;
    }
    let json = json.unwrap_or_else(|| accept.weight("application/json"));
    let xml = xml.unwrap_or_else(|| accept.weight("application/xml"));
    let plain = accept.weight("text/plain");
    // Of equal weights the first counts, and JSON where nothing is acceptable.
    if json >= xml && json >= plain {
        HttpFormat::Problem
    } else if xml >= plain {
        HttpFormat::Xml
    } else {
        HttpFormat::Text
    }
}

/// The protocol of a service of AWS: by the type of the request, and by the service for which it is
/// signed.
fn aws_format(headers: &HeaderMap) -> HttpFormat {
    let content_type = text(headers, &CONTENT_TYPE);
    if content_type.starts_with("application/x-amz-json") {
        return HttpFormat::AwsJson;
    }
    if content_type.starts_with("application/x-www-form-urlencoded") {
        return HttpFormat::AwsQuery;
    }
    // `Credential=KEY/DATE/REGION/SERVICE/aws4_request` (Signature Version 4).
    let authorization = text(headers, &AUTHORIZATION);
    let service = authorization
        .split_once("Credential=")
        .and_then(|(_, scope)| scope.split('/').nth(3));
    match service {
        Some("s3" | "s3express" | "route53" | "cloudfront") | None => HttpFormat::AwsXml,
        Some(_) => HttpFormat::AwsJson,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(target: &str, fields: &[(&str, &str)]) -> ErrorFormat {
        let mut request = Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        ErrorFormat::of(&request.body(()).unwrap())
    }

    #[test]
    fn client_libraries_are_known_by_their_headers() {
        let scope = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/";
        let lambda = format!("{scope}lambda/aws4_request, SignedHeaders=host");
        let s3 = format!("{scope}s3/aws4_request, SignedHeaders=host");
        let boto = ("user-agent", "Boto3/1.40 md/Botocore#1.40");
        for (fields, expected) in [
            (
                &[("user-agent", "OpenAI/Python 3.54")][..],
                HttpFormat::OpenAi,
            ),
            (
                &[("user-agent", "AsyncOpenAI/Python 3")],
                HttpFormat::OpenAi,
            ),
            (&[("user-agent", "Anthropic/JS 1.0")], HttpFormat::Anthropic),
            (
                &[("user-agent", "Stripe/v1 PythonBindings/15")],
                HttpFormat::Stripe,
            ),
            (&[("user-agent", "PyGithub/Python")], HttpFormat::GitHub),
            (&[("user-agent", "octokit.js/5.0")], HttpFormat::GitHub),
            (
                &[("accept", "application/vnd.github+json")],
                HttpFormat::GitHub,
            ),
            (
                &[("user-agent", "google-genai-sdk/1.0")],
                HttpFormat::Google,
            ),
            (&[("x-goog-api-client", "gl-node/22")], HttpFormat::Google),
            (
                &[boto, ("content-type", "application/x-amz-json-1.0")],
                HttpFormat::AwsJson,
            ),
            (
                &[boto, ("content-type", "application/x-www-form-urlencoded")],
                HttpFormat::AwsQuery,
            ),
            (&[boto, ("authorization", &s3)], HttpFormat::AwsXml),
            (&[boto, ("authorization", &lambda)], HttpFormat::AwsJson),
            (&[("user-agent", "aws-sdk-js/3.9")], HttpFormat::AwsXml),
            (
                &[("user-agent", "curl/8"), ("accept", "*/*")],
                HttpFormat::Problem,
            ),
        ] {
            assert_eq!(
                format("/v1", fields),
                ErrorFormat::Http(expected),
                "{fields:?}"
            );
        }
    }

    #[test]
    fn weights_decide_and_zero_is_not_acceptable() {
        for (accept, expected) in [
            ("application/json;q=0, text/plain", HttpFormat::Text),
            (
                "application/xml;q=0, application/json;q=0.1",
                HttpFormat::Problem,
            ),
            ("application/json; Q=0.0, */*", HttpFormat::Xml),
            (
                "text/plain;q=0.4, application/xml;q=0.5, */*;q=0.1",
                HttpFormat::Xml,
            ),
            ("*/*;q=0, text/plain;q=0.1", HttpFormat::Text),
            (
                "application/graphql-response+json;q=0, application/json",
                HttpFormat::Problem,
            ),
            (
                "application/vnd.github+json;q=0, application/xml",
                HttpFormat::Xml,
            ),
            (
                "text/html, application/json;q=0, application/xml;q=0.9",
                HttpFormat::Xml,
            ),
            ("*/*;q=0", HttpFormat::Problem),
            ("application/json, text/plain, */*", HttpFormat::Problem),
        ] {
            let found = format("/", &[("accept", accept)]);
            assert_eq!(found, ErrorFormat::Http(expected), "{accept}");
        }
    }

    #[test]
    fn other_clients_get_what_they_accept() {
        for (target, name, value, expected) in [
            ("/", "accept", "application/xml", HttpFormat::Xml),
            (
                "/",
                "accept",
                "application/xml, application/json",
                HttpFormat::Problem,
            ),
            (
                "/",
                "accept",
                "text/html,application/xml;q=0.9",
                HttpFormat::Problem,
            ),
            ("/", "accept", "text/plain", HttpFormat::Text),
            ("/", "accept", "text/event-stream", HttpFormat::Problem),
            (
                "/",
                "accept",
                "application/graphql-response+json",
                HttpFormat::GraphQl,
            ),
            ("/api/graphql", "accept", "*/*", HttpFormat::GraphQl),
            ("/graphql/x", "accept", "*/*", HttpFormat::Problem),
        ] {
            let found = format(target, &[(name, value)]);
            assert_eq!(found, ErrorFormat::Http(expected), "{target} {value}");
        }
        let grpc = format("/", &[("content-type", "application/grpc+proto")]);
        assert_eq!(grpc.configured(HttpFormat::Text), ErrorFormat::Grpc);
        let other = format("/", &[]);
        assert_eq!(other.configured(HttpFormat::Auto), other);
        let configured = other.configured(HttpFormat::Stripe);
        assert_eq!(configured, ErrorFormat::Http(HttpFormat::Stripe));
    }
}
