//! What Go's own tools leave to do around a build of a plugin.
//!
//!     componentize bindings  WIT_FOLDER WORLD FOLDER         writes the Go bindings
//!     componentize component WIT_FOLDER WORLD MODULE OUTPUT  turns what Go built into a component

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as WASI, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bindings", wit, world, folder] => bindings(wit, world, Path::new(folder)),
        ["component", wit, world, module, output] => component(wit, world, module, output),
        _ => bail!("componentize bindings|component WIT_FOLDER WORLD ..."),
    }
}

fn contract(wit: &str, world: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    Ok((resolve, world))
}

fn bindings(wit: &str, world: &str, folder: &Path) -> Result<()> {
    let (mut resolve, world) = contract(wit, world)?;
    let mut files = Files::default();
    wit_bindgen_go::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        fs::write(file, content)?;
    }
    Ok(())
}

fn component(wit: &str, world: &str, module: &str, output: &str) -> Result<()> {
    let (resolve, world) = contract(wit, world)?;
    let mut module = fs::read(module)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    let component = ComponentEncoder::default()
        .module(&module)?
        .adapter(WASI, ADAPTER)?
        .encode()?;
    Ok(fs::write(output, component)?)
}
