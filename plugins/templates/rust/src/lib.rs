//! Requests of one tenant that differ in nothing but the `nonce` of their JSON body are the same.

use ouli_plugin::{Answer, Key, Matcher, Message};

struct Plugin;

impl Matcher for Plugin {
    fn prepare(parts: &Key) -> Answer {
        parts.method();
        parts.path();
        parts.query(&[]);
        parts.body(&["/nonce"]);
        parts.ask();
        Ok(())
    }

    fn identify(request: &Message, parts: &Key) -> Answer {
        if let Some(tenant) = request.header("x-tenant").first() {
            parts.part("tenant", tenant);
        }
        Ok(())
    }
}

ouli_plugin::matcher!(Plugin);

#[cfg(test)]
mod tests {
    use ouli_plugin::testing::{identify, request};

    use super::Plugin;

    #[test]
    fn the_tenant_counts() {
        let request = request("POST", "/orders").header("x-tenant", "acme");
        let key = identify::<Plugin>(&request).unwrap();
        assert_eq!(
            key.to_string(),
            "method, path, query, body but /nonce; tenant = acme"
        );
    }
}
