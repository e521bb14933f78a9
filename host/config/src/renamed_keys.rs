//! Keys of earlier versions: each is an error that names the new key.

/// The path of the old key and of the new one, without indexes of arrays.
const RENAMED: &[(&str, &str)] = &[
    ("limits.in_flight", "limits.max_concurrent_requests"),
    ("limits.in_flight_wait", "limits.pending_request_timeout"),
    ("limits.in_flight_queue", "limits.max_pending_requests"),
    (
        "limits.upstream_in_flight",
        "limits.upstream_max_concurrent_requests",
    ),
    ("limits.connection_wait", "limits.accept_queue_timeout"),
    ("limits.refused_connections", "limits.rejected_connections"),
    (
        "limits.connection_requests",
        "limits.max_requests_per_connection",
    ),
    ("limits.connection_age", "limits.max_connection_age"),
    ("limits.headers", "limits.header_count"),
    ("limits.http2_headers", "limits.http2_header_count"),
    ("limits.upstream_headers", "limits.upstream_header_count"),
    ("limits.header_timeout", "limits.request_header_timeout"),
    (
        "limits.request_idle_timeout",
        "limits.request_body_idle_timeout",
    ),
    (
        "limits.response_idle_timeout",
        "limits.response_send_timeout",
    ),
    ("limits.unsent_bytes", "limits.tcp_notsent_lowat"),
    (
        "limits.http2_streams",
        "limits.http2_max_concurrent_streams",
    ),
    (
        "limits.http2_header_list",
        "limits.http2_max_header_list_size",
    ),
    (
        "limits.http2_header_table",
        "limits.http2_header_table_size",
    ),
    ("limits.http2_frame", "limits.http2_max_frame_size"),
    ("limits.http2_resets", "limits.http2_max_pending_resets"),
    ("limits.http2_own_resets", "limits.http2_max_local_resets"),
    ("limits.http2_cancelled", "limits.http2_max_client_resets"),
    (
        "limits.http2_idle_frames",
        "limits.http2_max_control_frames",
    ),
    ("limits.certificates", "limits.certificate_cache_size"),
    ("limits.tls_timeout", "limits.tls_handshake_timeout"),
    ("limits.grace", "limits.shutdown_timeout"),
    ("limits.stop_linger", "limits.keepalive_drain_timeout"),
    ("limits.close_lead", "limits.stream_drain_lead"),
    ("limits.memory_wait", "limits.memory_wait_timeout"),
    ("limits.decoded_body", "limits.decompressed_body"),
    ("limits.decoded_ratio", "limits.decompression_ratio"),
    ("limits.decoded_stream", "limits.decompressed_stream"),
    ("limits.cassette", "limits.cassette_size"),
    ("limits.recorder_wait", "limits.recorder_queue_timeout"),
    ("limits.cassette_group", "limits.write_batch_exchanges"),
    ("limits.cassette_group_bytes", "limits.write_batch_bytes"),
    ("limits.secrets", "limits.secrets_per_session"),
    ("limits.secret_bytes", "limits.secret_bytes_per_session"),
    ("limits.descriptor_file", "limits.proto_descriptor_file"),
    (
        "limits.first_byte_timeout",
        "limits.response_header_timeout",
    ),
    ("limits.plugin_instances", "limits.plugin_core_instances"),
    (
        "limits.plugin_calls",
        "limits.plugin_max_calls_per_instance",
    ),
    ("limits.plugin_age", "limits.plugin_max_instance_age"),
    ("limits.plugin_idle_copies", "limits.plugin_idle_instances"),
    (
        "limits.plugin_in_flight",
        "limits.plugin_max_concurrent_calls",
    ),
    ("limits.plugin_failures", "limits.plugin_failure_threshold"),
    ("limits.plugin_pause", "limits.plugin_backoff"),
    ("limits.plugin_remembered", "limits.plugin_answer_cache"),
    ("limits.matcher_time", "limits.matcher_cpu_time"),
    ("limits.redactor_time", "limits.redactor_cpu_time"),
    ("limits.policy_time", "limits.policy_cpu_time"),
    ("limits.prepare_time", "limits.prepare_cpu_time"),
    (
        "limits.plugin_log_lines",
        "limits.plugin_log_lines_per_second",
    ),
    ("limits.plugin_text", "limits.plugin_text_bytes"),
    ("limits.shadow_time", "limits.shadow_timeout"),
    ("exhausted", "on_exhausted"),
    ("descriptors", "proto_descriptors"),
    ("verdict.unused", "verdict.fail_on"),
    ("redaction.off", "redaction.disabled_rules"),
    ("redactor.volatile", "redactor.volatile_headers"),
    ("redactor.pointers", "redactor.json_pointers"),
];

/// The new path of a renamed key of a section; in the `limits` of a plugin, the new key.
pub(super) fn new_key(section: &str, key: &str) -> Option<&'static str> {
    if section.starts_with("plugin") && section.ends_with(".limits") {
        return new_path(&format!("limits.{key}"))?.strip_prefix("limits.");
    }
    match section {
        "" => new_path(key),
        section => new_path(&format!("{section}.{key}")),
    }
}

fn new_path(path: &str) -> Option<&'static str> {
    RENAMED
        .iter()
        .find(|(old, _)| *old == path)
        .map(|(_, new)| *new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LIMITS;

    #[test]
    fn new_keys_exist_and_old_keys_do_not() {
        let rows = || LIMITS.iter().flat_map(|group| group.rows);
        for (old, new) in RENAMED {
            assert_ne!(old, new);
            if let Some(key) = new.strip_prefix("limits.") {
                assert!(rows().any(|limit| limit.key == key), "{new}");
            }
            if let Some(key) = old.strip_prefix("limits.") {
                assert!(rows().all(|limit| limit.key != key), "{old} is in use");
            }
        }
    }
}
