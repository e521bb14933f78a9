//! A matcher: requests of one tenant that differ only in the `nonce` of their JSON body are equal.

use ouli_plugin::{Answer, Key, Matcher, Message};

struct Plugin;

impl Matcher for Plugin {
    fn prepare(key: &Key) -> Answer {
        key.method();
        key.path();
        key.query(&[]);
        key.vary(&["user-agent"]);
        key.body(&["/nonce"]);
        key.ask();
        Ok(())
    }

    fn identify(request: &Message, key: &Key) -> Answer {
        if let Some(tenant) = request.header("x-tenant").first() {
            key.part("tenant", tenant);
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
    fn the_tenant_is_part_of_the_key() {
        let request = request("POST", "/orders").header("x-tenant", "acme");
        let key = identify::<Plugin>(&request).unwrap();
        assert_eq!(
            key.to_string(),
            "method, path, query, vary except user-agent, body except /nonce; tenant = acme"
        );
    }
}
