//! The network interfaces of WASI, for guests whose language runtime imports them. Each function
//! ends the call, so a runtime that never calls them works, such as that of Python.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

use wasmtime_wasi::p2::bindings::sync::io::error as io_error;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};

use super::state::State;

/// Prefix of the interfaces.
pub(crate) const NETWORK: &str = "wasi:sockets/";

/// A resource that no guest ever gets.
struct Nothing;

/// Links the network interfaces that a component imports.
pub(crate) fn link(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    let types = component.component_type();
    for (interface, import) in types.imports(&engine) {
        if !interface.starts_with(NETWORK) {
            continue;
        }
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            continue;
        };
        let mut linked = linker.instance(interface)?;
        for (name, export) in instance.exports(&engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => link_function(&mut linked, interface, name)?,
                ComponentItem::Resource(_) => {
                    linked.resource(name, resource_type(name), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The type of a resource. Those of other interfaces are the same there.
fn resource_type(name: &str) -> ResourceType {
    match name {
        "pollable" => ResourceType::host::<DynPollable>(),
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "error" => ResourceType::host::<io_error::Error>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

fn link_function(
    linked: &mut LinkerInstance<'_, State>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    let called = format!("it called `{interface}#{name}`, and plugins have no network");
    linked.func_new(name, move |_, _, _, _| {
        Err(wasmtime::Error::msg(called.clone()))
    })
}
