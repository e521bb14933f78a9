//! Requests that differ in nothing but the `nonce` of their JSON body are the same.

use guest::{Answer, Key, Matcher};

struct IgnoreNonce;

impl Matcher for IgnoreNonce {
    fn prepare(parts: &Key) -> Answer {
        parts.method();
        parts.path();
        parts.query(&[]);
        parts.body(&["/nonce"]);
        Ok(())
    }
}

guest::matcher!(IgnoreNonce);
