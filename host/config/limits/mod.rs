//! Every bound of the program: its name and its default. The files beside this one say what each
//! one bounds.

mod clients;
mod plugins;
mod recording;
mod streams;
mod upstream;

use std::time::Duration;

use super::limit::Limit;

/// The bounds in force. Sizes are bytes; all are within the range that its row in
/// [`LIMITS`] gives.
#[expect(missing_docs, reason = "its row in LIMITS says what each field bounds")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connections: usize,
    pub backlog: u32,
    pub in_flight: usize,
    pub in_flight_wait: Duration,
    pub in_flight_queue: usize,
    pub header_bytes: usize,
    pub headers: usize,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    pub http2_streams: u32,
    pub http2_stream_window: u32,
    pub http2_connection_window: u32,
    pub http2_header_list: u32,
    pub http2_send_buffer: usize,
    pub http2_resets: usize,
    pub certificates: usize,
    pub request_body: usize,
    pub memory: usize,
    pub memory_wait: Duration,
    pub recorded_body: usize,
    pub recording_memory: usize,
    pub decoded_body: usize,
    pub decoded_ratio: usize,
    pub inline_body: usize,
    pub cassette: usize,
    pub recorder_queue: usize,
    pub recorder_wait: Duration,
    pub cassette_group: usize,
    pub cassette_group_bytes: usize,
    pub open_cassettes: usize,
    pub connect_timeout: Duration,
    pub tls_timeout: Duration,
    pub first_byte_timeout: Duration,
    pub interim_responses: usize,
    pub upstream_idle_timeout: Duration,
    pub upstream_idle_connections: usize,
    pub upstream_in_flight: usize,
    pub upstream_header_bytes: usize,
    pub upstream_headers: usize,
    pub upstream_body_idle_timeout: Duration,
    pub upstream_stream_window: u32,
    pub upstream_connection_window: u32,
    pub upstream_send_buffer: usize,
    pub grace: Duration,
    pub stop_linger: Duration,
    pub close_lead: Duration,
    pub streams: usize,
    pub stream_idle_timeout: Duration,
    pub websocket_message: usize,
    pub websocket_close_timeout: Duration,
    pub grpc_message: usize,
    pub decoded_stream: usize,
    pub sessions: usize,
    pub secrets: usize,
    pub secret_bytes: usize,
    pub endpoints: usize,
    pub descriptor_file: usize,
    pub plugin_file: usize,
    pub plugin_memory: usize,
    pub plugin_table_elements: usize,
    pub plugin_memories: usize,
    pub plugin_tables: usize,
    pub plugin_instances: usize,
    pub plugin_handles: usize,
    pub plugin_calls: u32,
    pub plugin_age: Duration,
    pub plugin_idle_memory: usize,
    pub plugin_idle_copies: usize,
    pub plugin_in_flight: usize,
    pub plugin_failures: u32,
    pub plugin_failure_window: Duration,
    pub plugin_pause: Duration,
    pub plugin_remembered: usize,
    pub matcher_time: Duration,
    pub redactor_time: Duration,
    pub policy_time: Duration,
    pub prepare_time: Duration,
    pub plugin_log_lines: u32,
    pub plugin_log_line_bytes: usize,
    pub plugin_key_parts: usize,
    pub plugin_key_bytes: usize,
    pub plugin_edits: usize,
    pub plugin_edit_bytes: usize,
    pub plugin_rules: usize,
    pub plugin_text: usize,
    pub shadow_exchanges: usize,
    pub shadow_time: Duration,
}

impl Limits {
    /// What holds where nothing is set.
    const DEFAULTS: Self = Self {
        connections: 4096,
        backlog: 4096,
        in_flight: 1024,
        in_flight_wait: Duration::from_secs(1),
        in_flight_queue: 1024,
        header_bytes: 32 << 10,
        headers: 100,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        http2_streams: 100,
        http2_stream_window: 64 << 10,
        http2_connection_window: 256 << 10,
        http2_header_list: 16 << 10,
        http2_send_buffer: 64 << 10,
        http2_resets: 20,
        certificates: 1024,
        request_body: 64 << 20,
        memory: 256 << 20,
        memory_wait: Duration::from_secs(10),
        recorded_body: 64 << 20,
        recording_memory: 192 << 20,
        decoded_body: 64 << 20,
        decoded_ratio: 100,
        inline_body: 64 << 10,
        cassette: 4 << 30,
        recorder_queue: 1024,
        recorder_wait: Duration::from_secs(10),
        cassette_group: 256,
        cassette_group_bytes: 8 << 20,
        open_cassettes: 64,
        connect_timeout: Duration::from_secs(5),
        tls_timeout: Duration::from_secs(5),
        first_byte_timeout: Duration::from_secs(60),
        interim_responses: 64,
        upstream_idle_timeout: Duration::from_secs(60),
        upstream_idle_connections: 64,
        upstream_in_flight: 256,
        upstream_header_bytes: 64 << 10,
        upstream_headers: 100,
        upstream_body_idle_timeout: Duration::from_secs(60),
        upstream_stream_window: 256 << 10,
        upstream_connection_window: 1 << 20,
        upstream_send_buffer: 64 << 10,
        grace: Duration::from_secs(30),
        stop_linger: Duration::from_millis(500),
        close_lead: Duration::from_secs(2),
        streams: 8192,
        stream_idle_timeout: Duration::from_secs(300),
        websocket_message: 16 << 20,
        websocket_close_timeout: Duration::from_secs(5),
        grpc_message: 16 << 20,
        decoded_stream: 256 << 20,
        sessions: 1024,
        secrets: 65_536,
        secret_bytes: 64 << 20,
        endpoints: 256,
        descriptor_file: 64 << 20,
        plugin_file: 64 << 20,
        plugin_memory: 32 << 20,
        plugin_table_elements: 100_000,
        plugin_memories: 32,
        plugin_tables: 64,
        plugin_instances: 200,
        plugin_handles: 1024,
        plugin_calls: 10_000,
        plugin_age: Duration::from_secs(600),
        plugin_idle_memory: 24 << 20,
        plugin_idle_copies: 8,
        plugin_in_flight: 64,
        plugin_failures: 3,
        plugin_failure_window: Duration::from_secs(10),
        plugin_pause: Duration::from_secs(1),
        plugin_remembered: 4 << 20,
        matcher_time: Duration::from_millis(10),
        redactor_time: Duration::from_millis(50),
        policy_time: Duration::from_millis(10),
        prepare_time: Duration::from_secs(2),
        plugin_log_lines: 50,
        plugin_log_line_bytes: 1 << 10,
        plugin_key_parts: 64,
        plugin_key_bytes: 64 << 10,
        plugin_edits: 10_000,
        plugin_edit_bytes: 64 << 20,
        plugin_rules: 1000,
        plugin_text: 1 << 20,
        shadow_exchanges: 256,
        shadow_time: Duration::from_millis(50),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULTS
    }
}

/// Limits that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they are about, in a few words.
    pub about: &'static str,
    /// A row for each limit.
    pub rows: &'static [Limit],
}

/// Every limit with the values that it may take, in the order in which they are listed.
pub const LIMITS: &[Group] = &[
    Group {
        about: "clients",
        rows: clients::ROWS,
    },
    Group {
        about: "upstreams",
        rows: upstream::ROWS,
    },
    Group {
        about: "recording and replay",
        rows: recording::ROWS,
    },
    Group {
        about: "streams",
        rows: streams::ROWS,
    },
    Group {
        about: "plugins",
        rows: plugins::ROWS,
    },
];

/// The rows of all groups.
pub(super) fn rows() -> impl Iterator<Item = &'static Limit> {
    LIMITS.iter().flat_map(|group| group.rows)
}
