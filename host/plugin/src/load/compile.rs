//! Validates, compiles and links a component. None of its code runs here.

use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::import_policy::check_imports;
use super::requirements::Requirements;
use crate::contract::bindings::ouli::gateway::{host, keys, secrets, traffic, verdicts};
use crate::contract::roles::ExportedRoles;
use crate::sandbox::state::State;
use crate::sandbox::wasi;
use crate::{Bounds, PluginError};

/// A component that is compiled and linked.
pub(super) struct CompiledComponent {
    pub(super) instance_pre: InstancePre<State>,
    pub(super) roles: ExportedRoles,
    pub(super) requirements: Requirements,
}

/// Validates, compiles and links a component.
pub(super) fn compile_and_link(
    engine: &Engine,
    bytes: &[u8],
    bounds: &Bounds,
) -> Result<CompiledComponent, PluginError> {
    let start = Instant::now();
    let component = compile(engine, bytes)?;
    let requirements = Requirements::new(engine, &component, start.elapsed());
    check_imports(&requirements.imports)?;
    requirements.check(bounds)?;
    let instance_pre = link(engine, &component).map_err(PluginError::Link)?;
    let roles = ExportedRoles::find(&component, &instance_pre).map_err(PluginError::Link)?;
    if roles.is_empty() {
        let found = list_exports(engine, &component);
        return Err(PluginError::NoRole { found });
    }
    Ok(CompiledComponent {
        instance_pre,
        roles,
        requirements,
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
    Err(PluginError::NotComponent { found, hint })
}

fn link(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::<State>::new(engine);
    traffic::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    host::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    keys::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    secrets::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    verdicts::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    wasi::link(&mut linker)?;
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
