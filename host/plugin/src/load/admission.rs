//! Whether a component may be a plugin at all: what it is, what it needs, what it imports, which
//! roles it has. Nothing of it runs here.

use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::component::Roles;
use crate::contract::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use crate::contract::bindings::ouli::gateway::{host, keys, secrets, traffic, verdicts};
use crate::contract::call_state::State;
use crate::contract::wasi;
use crate::{Bounds, PluginError};

/// A component that may be a plugin, compiled and linked.
pub(crate) struct CompiledComponent {
    pub(crate) instance_pre: InstancePre<State>,
    pub(crate) roles: Roles,
    pub(crate) requirements: Requirements,
}

/// What a component needs, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// Linear memories.
    pub memories: usize,
    /// The largest initial memory in bytes.
    pub initial_memory: u64,
    /// Tables.
    pub tables: usize,
    /// The largest initial table in elements.
    pub initial_table: u64,
    /// How long it took to compile, or to take the compiled code from the cache.
    pub compile: Duration,
}

/// Checks, compiles and links. Takes the time of a compilation.
pub(crate) fn compile_and_link(
    engine: &Engine,
    bytes: &[u8],
    bounds: &Bounds,
) -> Result<CompiledComponent, PluginError> {
    let start = Instant::now();
    let component = compile(engine, bytes)?;
    let needs = requirements_of(engine, &component, start.elapsed());
    check_imports(&needs.imports)?;
    check_requirements(&needs, bounds)?;
    let linked = link(engine, &component)?;
    let roles = find_roles(engine, &component, &linked)?;
    Ok(CompiledComponent {
        instance_pre: linked,
        roles,
        requirements: needs,
    })
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, PluginError> {
    let (found, hint) = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => {
            return Component::from_binary(engine, bytes).map_err(PluginError::Compile);
        }
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => (
            "a core module",
            "build for the target wasm32-wasip2, or run `wasm-tools component new`",
        ),
        Some([0, b'a', b's', b'm', ..]) => (
            "of another binary version",
            "build it with a toolchain for components of WASI 0.2",
        ),
        Some([0x7f, b'E', b'L', b'F', ..]) => (
            "native code",
            "only WebAssembly is run; give the .wasm file that the compiler wrote",
        ),
        Some(_) | None => (
            "something else",
            "give the .wasm file that the compiler wrote; an upload may have been cut short",
        ),
    };
    Err(PluginError::NotComponent { found, hint })
}

fn requirements_of(engine: &Engine, component: &Component, compile: Duration) -> Requirements {
    let kind = component.component_type();
    let imports = kind.imports(engine).map(|(name, _)| name.to_owned());
    let required = component.resources_required();
    let required = required.as_ref();
    Requirements {
        imports: imports.collect(),
        memories: required.map_or(0, |needs| needs.num_memories as usize),
        initial_memory: required
            .map_or(0, |needs| needs.max_initial_memory_size.unwrap_or(0) * PAGE),
        tables: required.map_or(0, |needs| needs.num_tables as usize),
        initial_table: required.map_or(0, |needs| needs.max_initial_table_size.unwrap_or(0)),
        compile,
    }
}

/// Bytes of a page of linear memory.
const PAGE: u64 = 64 << 10;

/// Refuses what would not start, before the engine says it in its own words.
fn check_requirements(needs: &Requirements, bounds: &Bounds) -> Result<(), PluginError> {
    let wanted = [
        (
            "memories",
            needs.memories as u64,
            bounds.memories,
            "plugin_memories",
        ),
        (
            "tables",
            needs.tables as u64,
            bounds.tables,
            "plugin_tables",
        ),
        (
            "bytes of memory",
            needs.initial_memory,
            bounds.memory,
            "plugin_memory",
        ),
        (
            "elements in a table",
            needs.initial_table,
            bounds.table_elements,
            "plugin_table_elements",
        ),
    ];
    for (what, needed, most, key) in wanted {
        if needed > most as u64 {
            return Err(PluginError::LimitExceeded {
                what,
                needed,
                most,
                key,
            });
        }
    }
    Ok(())
}

/// The package of the contract.
const CONTRACT: &str = "ouli:gateway/";

/// The interfaces of version 0.1 that a guest may import.
const INTERFACES: [&str; 5] = ["traffic", "host", "keys", "secrets", "verdicts"];

/// What it is to import something: part of the contract, a stub, or not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The contract of the gateway.
    Contract,
    /// WASI without the world behind it.
    Stub,
    /// Not given to plugins.
    Refused,
}

impl Grant {
    /// What the import of an interface comes to.
    pub fn of(interface: &str) -> Self {
        let contract = interface.strip_prefix(CONTRACT);
        if let Some((name, version)) = contract.and_then(|rest| rest.split_once('@')) {
            let known = version.starts_with("0.1.") && INTERFACES.contains(&name);
            return if known { Self::Contract } else { Self::Refused };
        }
        if wasi::GRANTED.iter().any(|own| interface.starts_with(own)) {
            Self::Stub
        } else {
            Self::Refused
        }
    }
}

/// Refuses by name what is not granted, before the linker says it in its own words.
fn check_imports(imports: &[String]) -> Result<(), PluginError> {
    for name in imports {
        if Grant::of(name) != Grant::Refused {
            continue;
        }
        let hint = if name.starts_with(CONTRACT) {
            "this gateway has version 0.1 of the contract: build the plugin against that, or \
             update the gateway"
        } else if name.starts_with("wasi:") {
            "build without it: componentize-py has --stub-wasi, componentize-js has \
             --disable http, and in other languages leave out network code"
        } else {
            "a plugin may import ouli:gateway/* and, as stubs, the WASI 0.2 interfaces \
             cli, clocks, filesystem, io and random"
        };
        let interface = name.clone();
        return Err(PluginError::Import { interface, hint });
    }
    Ok(())
}

fn link(engine: &Engine, component: &Component) -> Result<InstancePre<State>, PluginError> {
    let mut linker = Linker::<State>::new(engine);
    add_imports(&mut linker).map_err(PluginError::Link)?;
    linker.instantiate_pre(component).map_err(PluginError::Link)
}

fn add_imports(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    traffic::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    host::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    keys::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    secrets::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    verdicts::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    wasi::link(linker)
}

/// Roles are found by what the component exports; one that is exported must fit.
fn find_roles(
    engine: &Engine,
    component: &Component,
    linked: &InstancePre<State>,
) -> Result<Roles, PluginError> {
    let has = |role: &str| {
        let name = format!("ouli:gateway/{role}@0.1.0");
        component.get_export_index(None, name.as_str()).is_some()
    };
    let roles = Roles {
        matcher: has("matcher")
            .then(|| matcher::GuestIndices::new(linked))
            .transpose()
            .map_err(PluginError::Link)?,
        redactor: has("redactor")
            .then(|| redactor::GuestIndices::new(linked))
            .transpose()
            .map_err(PluginError::Link)?,
        policy: has("recording-policy")
            .then(|| recording_policy::GuestIndices::new(linked))
            .transpose()
            .map_err(PluginError::Link)?,
    };
    if roles.matcher.is_none() && roles.redactor.is_none() && roles.policy.is_none() {
        let kind = component.component_type();
        let found: Vec<_> = kind.exports(engine).map(|(name, _)| name).collect();
        let found = match found.as_slice() {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        };
        return Err(PluginError::NoRole { found });
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    #[test]
    fn what_is_granted_is_named() {
        for (interface, grant) in [
            ("ouli:gateway/keys@0.1.0", Grant::Contract),
            ("ouli:gateway/keys@0.1.7", Grant::Contract),
            ("ouli:gateway/keys@0.2.0", Grant::Refused),
            ("ouli:gateway/futures@0.1.0", Grant::Refused),
            ("ouli:gateway/keys", Grant::Refused),
            ("wasi:clocks/wall-clock@0.2.6", Grant::Stub),
            ("wasi:http/types@0.2.6", Grant::Refused),
            ("env", Grant::Refused),
        ] {
            assert_eq!(Grant::of(interface), grant, "{interface}");
        }
        let error = check_imports(&["ouli:gateway/keys@0.2.0".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("update the gateway"), "{error}");
    }

    #[test]
    fn what_a_component_needs_is_held_against_its_limits() {
        let limits = Limits {
            plugin_memories: 2,
            plugin_tables: 3,
            plugin_memory: 1 << 20,
            plugin_table_elements: 100,
            ..Limits::default()
        };
        let bounds = Bounds::from(&limits);
        let needs = |memories, initial_memory, tables, initial_table| Requirements {
            imports: Vec::new(),
            memories,
            initial_memory,
            tables,
            initial_table,
            compile: Duration::ZERO,
        };
        assert!(check_requirements(&needs(2, 1 << 20, 3, 100), &bounds).is_ok());
        for (needs, key) in [
            (needs(3, 0, 0, 0), "limits.plugin_memories"),
            (needs(0, (1 << 20) + 1, 0, 0), "limits.plugin_memory"),
            (needs(0, 0, 4, 0), "limits.plugin_tables"),
            (needs(0, 0, 0, 101), "limits.plugin_table_elements"),
        ] {
            let error = check_requirements(&needs, &bounds).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
