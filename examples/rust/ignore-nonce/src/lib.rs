//! Requests of one tenant that differ in nothing but the `nonce` of their JSON body are the same.

use ouli_plugin::{Answer, Key, Matcher, Message};

struct IgnoreNonce;

impl Matcher for IgnoreNonce {
    fn prepare(parts: &Key) -> Answer {
        parts.method();
        parts.path();
        parts.query(&[]);
        parts.vary(&["user-agent"]);
        parts.body(&["/nonce"]);
        parts.ask();
        Ok(())
    }

    /// The header `x-request-id` is `TENANT.NONCE`, as `acme.8f3a`: only the tenant counts.
    fn identify(request: &Message, parts: &Key) -> Answer {
        if let Some(id) = request.header("x-request-id").first() {
            let tenant = id.split(|byte| *byte == b'.').next().unwrap_or(id);
            parts.part("tenant", tenant);
        }
        Ok(())
    }
}

ouli_plugin::matcher!(IgnoreNonce);

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;
