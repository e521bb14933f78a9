//! Validates, compiles and links a component. None of its code runs here.

use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::compiled_code;
use super::engine::CodeEngine;
use super::import_policy::{CONTRACT, check_imports};
use super::requirements::Requirements;
use crate::contract::bindings::ouli::gateway::{host, keys, secrets, traffic, verdicts};
use crate::contract::roles::ExportedRoles;
use crate::sandbox::state::State;
use crate::sandbox::{no_network, wasi};
use crate::{Bounds, PluginError};

/// What a file is that a compiler for another target wrote.
const CORE_MODULE: &str = "a core module";

/// A component that is compiled and linked.
pub(super) struct CompiledComponent {
    pub(super) instance_pre: InstancePre<State>,
    pub(super) roles: ExportedRoles,
    pub(super) requirements: Requirements,
}

/// Validates, compiles and links a component.
pub(super) fn compile_and_link(
    code_engine: &CodeEngine,
    bytes: &[u8],
    bounds: &Bounds,
) -> Result<CompiledComponent, PluginError> {
    let start = Instant::now();
    let component = compile(code_engine, bytes, bounds)?;
    let engine = &code_engine.engine;
    let requirements = Requirements::new(engine, &component, start.elapsed());
    let checked = check_imports(&requirements.imports)
        .and_then(|()| requirements.check(bounds))
        .and_then(|()| link_roles(engine, &component));
    match checked {
        Ok((instance_pre, roles)) => Ok(CompiledComponent {
            instance_pre,
            roles,
            requirements,
        }),
        Err(error) if is_unrelated(engine, &component) => {
            Err(PluginError::Unrelated(Box::new(error)))
        }
        Err(error) => Err(error),
    }
}

fn link_roles(
    engine: &Engine,
    component: &Component,
) -> Result<(InstancePre<State>, ExportedRoles), PluginError> {
    let instance_pre = link(engine, component).map_err(PluginError::Link)?;
    let roles = ExportedRoles::find(component, &instance_pre).map_err(PluginError::Link)?;
    match roles.is_empty() {
        true => Err(PluginError::NoRole {
            found: list_exports(engine, component),
        }),
        false => Ok((instance_pre, roles)),
    }
}

/// True if a component has nothing of the contract, in any version.
fn is_unrelated(engine: &Engine, component: &Component) -> bool {
    let types = component.component_type();
    let imports = types.imports(engine).map(|(name, _)| name);
    let mut names = imports.chain(types.exports(engine).map(|(name, _)| name));
    !names.any(|name| name.starts_with(CONTRACT))
}

fn compile(engine: &CodeEngine, bytes: &[u8], bounds: &Bounds) -> Result<Component, PluginError> {
    let (found, hint) = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => {
            return compiled_code::component(engine, bytes, bounds);
        }
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => (
            CORE_MODULE,
            "build for the target wasm32-wasip2, or run `wasm-tools component new`",
        ),
        Some([0, b'a', b's', b'm', ..]) => (
            "WebAssembly of another binary version",
            "build it with a toolchain for components of WASI 0.2",
        ),
        Some([0x7f, b'E', b'L', b'F', ..]) => (
            "native code",
            "use the .wasm file that the compiler wrote; only WebAssembly runs as a plugin",
        ),
        Some(_) | None => (
            "another file format",
            "use the .wasm file that the compiler wrote; an upload may have been cut short",
        ),
    };
    let error = PluginError::NotComponent { found, hint };
    Err(match found {
        CORE_MODULE => PluginError::Unrelated(Box::new(error)),
        _ => error,
    })
}

fn link(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::<State>::new(engine);
    traffic::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    host::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    keys::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    secrets::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    verdicts::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    wasi::link(&mut linker)?;
    no_network::link(&mut linker, component)?;
    linker.instantiate_pre(component)
}

fn list_exports(engine: &Engine, component: &Component) -> String {
    let component_type = component.component_type();
    let names: Vec<_> = component_type
        .exports(engine)
        .map(|(name, _)| name)
        .collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}
