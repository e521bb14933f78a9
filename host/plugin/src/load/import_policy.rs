//! Which interfaces a plugin may import.

use crate::PluginError;
use crate::sandbox::no_network::NETWORK;
use crate::sandbox::wasi;

/// The package of the contract.
pub(super) const CONTRACT: &str = "ouli:gateway/";

/// The interfaces of version 0.1 that a guest may import.
const INTERFACES: [&str; 5] = ["traffic", "host", "keys", "secrets", "verdicts"];

/// What an import of a plugin is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The contract of the gateway.
    Contract,
    /// A stub of WASI, without access to the outside world.
    Stub,
    /// Functions that end the call: plugins have no network.
    NoNetwork,
    /// Nothing: plugins do not get the interface.
    Refused,
}

impl Grant {
    /// What the import of an interface is linked to.
    pub fn of(interface: &str) -> Self {
        let contract = interface.strip_prefix(CONTRACT);
        if let Some((name, version)) = contract.and_then(|rest| rest.split_once('@')) {
            let is_known = version.starts_with("0.1.") && INTERFACES.contains(&name);
            return if is_known {
                Self::Contract
            } else {
                Self::Refused
            };
        }
        let is_stub = wasi::PROVIDED
            .iter()
            .any(|prefix| interface.starts_with(prefix));
        if is_stub {
            Self::Stub
        } else if interface.starts_with(NETWORK) {
            Self::NoNetwork
        } else {
            Self::Refused
        }
    }
}

/// Rejects an interface that plugins do not get. The error of the linker would not say what to do.
pub(super) fn check_imports(imports: &[String]) -> Result<(), PluginError> {
    let refused = imports
        .iter()
        .find(|interface| Grant::of(interface) == Grant::Refused);
    let Some(interface) = refused else {
        return Ok(());
    };
    let hint = if interface.starts_with(CONTRACT) {
        "this gateway has version 0.1 of the contract: build the plugin against it, or update \
         the gateway"
    } else if interface.starts_with("wasi:") {
        "build without it: componentize-js has --disable http; in other languages remove the code \
         that uses it"
    } else {
        "a plugin may import ouli:gateway/* and, as stubs, the WASI 0.2 interfaces cli, clocks, \
         filesystem, io and random"
    };
    Err(PluginError::Import {
        interface: interface.clone(),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_linked_to_the_contract_a_stub_or_nothing() {
        for (interface, grant) in [
            ("ouli:gateway/keys@0.1.0", Grant::Contract),
            ("ouli:gateway/keys@0.1.7", Grant::Contract),
            ("ouli:gateway/keys@0.2.0", Grant::Refused),
            ("ouli:gateway/futures@0.1.0", Grant::Refused),
            ("ouli:gateway/keys", Grant::Refused),
            ("wasi:clocks/wall-clock@0.2.6", Grant::Stub),
            ("wasi:sockets/tcp@0.2.6", Grant::NoNetwork),
            ("wasi:http/types@0.2.6", Grant::Refused),
            ("env", Grant::Refused),
        ] {
            assert_eq!(Grant::of(interface), grant, "{interface}");
        }
        let error = check_imports(&["ouli:gateway/keys@0.2.0".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("update the gateway"), "{error}");
    }
}
