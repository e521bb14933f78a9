//! Settings that are one word of a fixed set.

use std::fmt;

/// A setting that is one word of a fixed set.
pub(super) trait Choice: Copy + 'static {
    /// All values.
    const ALL: &'static [Self];
    /// The word in the configuration.
    fn as_str(&self) -> &'static str;
}

/// Defines an enum whose variants are words of the configuration.
macro_rules! choices {
    ($($(#[doc = $doc:literal])+ $name:ident {
        $($(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal,)+
    })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $variant_doc])+ $variant,)+
        }

        impl Choice for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    )+};
}

choices! {
    /// What an endpoint does with requests.
    Mode {
        /// Forwards to the upstream and records.
        Record = "record",
        /// Answers from the cassette; never connects to an upstream.
        Replay = "replay",
        /// Answers from the cassette; on a miss, forwards to the upstream and records.
        Auto = "auto",
        /// Forwards to the upstream and records nothing.
        Passthrough = "passthrough",
    }

    /// Whether clients must have a certificate.
    ClientAuthMode {
        /// A client without one is rejected.
        Required = "required",
        /// A client may have none; one that has one is verified.
        Optional = "optional",
    }

    /// The form of the gateway's own error responses.
    ErrorFormat {
        /// Chosen by the headers of each request.
        Auto = "auto",
        /// A problem document (RFC 9457).
        Problem = "problem",
        /// A problem document as XML (RFC 9457, appendix B).
        Xml = "xml",
        /// Plain text.
        Text = "text",
        /// As the API of OpenAI.
        OpenAi = "openai",
        /// As the API of Anthropic.
        Anthropic = "anthropic",
        /// As the APIs of Google.
        Google = "google",
        /// As the API of Stripe.
        Stripe = "stripe",
        /// As the API of GitHub.
        GitHub = "github",
        /// As the JSON APIs of AWS, such as DynamoDB.
        AwsJson = "aws-json",
        /// As the REST APIs of AWS with XML, such as S3.
        AwsXml = "aws-xml",
        /// As the query APIs of AWS, such as STS.
        AwsQuery = "aws-query",
        /// As a GraphQL response.
        GraphQl = "graphql",
    }

    /// The response to a repeated request when its recorded responses are used up.
    OnExhausted {
        /// The request is forwarded to the upstream and recorded.
        Ask = "ask",
        /// The last response again.
        Repeat = "repeat",
        /// A miss: 404.
        Miss = "miss",
    }

    /// What happens when the recorder's queue is full.
    OnRecorderFull {
        /// Responses are delayed, at most by `limits.recorder_queue_timeout`.
        Wait = "wait",
        /// The exchange is not recorded.
        Drop = "drop",
    }

    /// The format of log lines.
    LogFormat {
        /// Plain text.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }

    /// A kind of defect that a verdict counts.
    Defect {
        /// A request was not found in the cassette, or its exchange cannot be replayed.
        Miss = "miss",
        /// The gateway answered a request with an error of its own: a limit, an invalid request.
        RefusedRequest = "refused-request",
        /// The upstream sent no valid response, and the failure was not recorded.
        UpstreamError = "upstream-error",
        /// A plugin failed: the next matcher decided, or the exchange was not recorded.
        PluginError = "plugin-error",
        /// An exchange ended early or is too large, and was not recorded.
        Partial = "partial",
        /// The gateway cannot read the bytes of an exchange, and did not record it.
        Undecodable = "undecodable",
        /// The guard found a secret in an exchange, which was not recorded.
        Secret = "secret",
        /// The recorder was full, and an exchange was not recorded.
        Dropped = "dropped",
        /// An exchange could not be written, or the disk did not confirm it.
        NotWritten = "not-written",
        /// A part of a cassette cannot be read.
        Damage = "damage",
        /// A recording broke off, so its cassette is not complete.
        Incomplete = "incomplete",
        /// A cassette was edited.
        Edited = "edited",
        /// A recorded exchange was not replayed.
        Unused = "unused",
        /// The last recorded response to a request was replayed again.
        Repeat = "repeat",
        /// A client left a recorded stream or conversation before its end.
        Unfinished = "unfinished",
        /// Secrets of several recorded requests fitted one, and the first of them was taken.
        Assumed = "assumed",
        /// There was no request.
        NoRequests = "no-requests",
    }

    /// What happens when a matcher fails.
    OnError {
        /// The next matcher is called.
        Next = "next",
        /// The request fails.
        Fail = "fail",
    }

    /// What happens when a new version of a plugin answers differently from the current one.
    OnDifference {
        /// The new version is used, and the differences are reported.
        Accept = "accept",
        /// The current version stays in use.
        Reject = "reject",
    }

    /// Whether an instance of a plugin serves more than one call.
    Instances {
        /// Instances are reused.
        Reused = "reused",
        /// Each call gets a new instance.
        Fresh = "fresh",
    }
}

impl Mode {
    /// True if the mode forwards requests, so the endpoint must have an upstream.
    pub fn needs_upstream(self) -> bool {
        match self {
            Self::Record | Self::Auto | Self::Passthrough => true,
            Self::Replay => false,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
