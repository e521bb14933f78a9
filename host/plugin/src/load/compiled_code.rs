//! Compiled code: how it comes from the cache, from a compiler process or from this process.

#![expect(
    unsafe_code,
    reason = "wasmtime offers no safe function that loads compiled code"
)]

use wasmtime::component::Component;

use super::code_cache::CodeCache;
use super::compiler_process;
use super::engine::{self, CodeEngine};
use crate::{Bounds, PluginError};

/// The compiled component of a binary.
pub(super) fn component(
    engine: &CodeEngine,
    bytes: &[u8],
    bounds: &Bounds,
) -> Result<Component, PluginError> {
    let Some(cache) = &engine.cache else {
        return match &engine.compiler {
            Some(_) => load_compiled(engine, bytes, bounds).map(|(component, _)| component),
            None => Component::from_binary(&engine.engine, bytes).map_err(PluginError::Compile),
        };
    };
    let key = CodeCache::key(&engine.engine, engine.flavor.name(), bytes);
    if let Some(component) = cached(engine, cache, &key) {
        return Ok(component);
    }
    let (component, code) = load_compiled(engine, bytes, bounds)?;
    cache.store(&key, &code);
    Ok(component)
}

/// The component from the cache. What cannot be used is removed, and the caller compiles it again.
fn cached(engine: &CodeEngine, cache: &CodeCache, key: &str) -> Option<Component> {
    let code = cache.load(key)?;
    match deserialize(&engine.engine, &code) {
        Ok(component) => Some(component),
        Err(error) => {
            cache.remove(key, &format!("{error:#}"));
            None
        }
    }
}

/// Compiles a binary, and loads the code.
fn load_compiled(
    engine: &CodeEngine,
    bytes: &[u8],
    bounds: &Bounds,
) -> Result<(Component, Vec<u8>), PluginError> {
    let code = match &engine.compiler {
        Some(program) => compiler_process::compile(program, engine.flavor, bytes, bounds)?,
        None => engine::compile(&engine.engine, bytes)?,
    };
    let component = deserialize(&engine.engine, &code).map_err(PluginError::Compile)?;
    Ok((component, code))
}

/// Loads compiled code. The engine rejects code of another version, or with other settings.
fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the code is the output of the compiler, unchanged. It comes from this program, or
    // from a file in a folder that only the user can write, whose digest was checked.
    unsafe { Component::deserialize(engine, code) }
}
