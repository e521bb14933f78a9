//! What the matcher declares and adds.

use ouli_plugin::testing::{Part, identify, request};

use super::IgnoreNonce;

#[test]
fn the_nonce_of_the_body_does_not_count() {
    let key = identify::<IgnoreNonce>(&request("POST", "/orders")).unwrap();
    let declared = [
        Part::Method,
        Part::Path,
        Part::query(&[]),
        Part::vary(&["user-agent"]),
        Part::body(&["/nonce"]),
    ];
    assert_eq!(key.declared(), declared);
    assert_eq!(key.added(), []);
}

#[test]
fn of_the_request_id_the_tenant_counts() {
    for (id, tenant) in [
        ("acme.8f3a", "acme"),
        ("acme.8f3a.x", "acme"),
        ("acme", "acme"),
        (".8f3a", ""),
        ("", ""),
    ] {
        let request = request("POST", "/orders")
            .header("X-Request-Id", id)
            .header("X-Request-Id", "other.1");
        let key = identify::<IgnoreNonce>(&request).unwrap();
        assert_eq!(key.added(), [Part::custom("tenant", tenant)], "{id}");
    }
}
