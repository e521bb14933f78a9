//! The start of a plugin: admitted, prepared once, and where that can be kept, made an image that
//! all copies begin from.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::admission::{self, Requirements};
use super::component::{Declarations, Source};
use super::engine::Engine;
use super::prepared_image;
use crate::PluginError;
use crate::run::guest_log::Log;
use crate::run::instance::{Instance, Template};

/// Bytes of a component beyond which no image is made: it would have to be compiled twice, and
/// no guest that is known is as large.
const MAX_SNAPSHOT_INPUT: usize = 64 << 20;

/// A plugin whose `prepare` has run.
pub(crate) struct PreparedPlugin {
    pub(crate) template: Template,
    pub(crate) first_instance: Instance,
    pub(crate) declarations: Declarations,
    pub(crate) requirements: Requirements,
}

/// Lets the plugin prepare, once where that can be kept for all copies.
///
/// The copy that is prepared is compiled for speed of compiling. One that only declares is never
/// asked, so that is all there is to do.
pub(crate) fn load(engine: &Engine, source: &Source) -> Result<PreparedPlugin, PluginError> {
    let (size, most) = (source.bytes.len(), source.bounds.file);
    if size > most {
        return Err(PluginError::Size { size, most });
    }
    let readable = (size <= MAX_SNAPSHOT_INPUT).then(|| prepared_image::instrument(&source.bytes));
    let Some(readable) = readable.flatten() else {
        return prepare_each_instance(engine, source);
    };
    let mut begun = prepare(&engine.fast_compiling, source, &readable.bytes)?;
    if !begun.declarations.has_called_role() {
        return Ok(begun);
    }
    let Some(image) = begun.first_instance.snapshot(&readable) else {
        return prepare_each_instance(engine, source);
    };
    let admitted = admission::compile_and_link(&engine.optimizing, &image, &source.bounds)?;
    begun.requirements.compile += admitted.requirements.compile;
    let template = Template {
        instance_pre: admitted.instance_pre,
        roles: admitted.roles,
        is_snapshot: true,
        ..begun.template
    };
    Ok(PreparedPlugin {
        first_instance: Instance::start_ready(&template)?,
        template,
        ..begun
    })
}

/// Where no image can be made, each copy is prepared by itself.
fn prepare_each_instance(engine: &Engine, source: &Source) -> Result<PreparedPlugin, PluginError> {
    prepare(&engine.optimizing, source, &source.bytes)
}

fn prepare(
    engine: &wasmtime::Engine,
    source: &Source,
    bytes: &[u8],
) -> Result<PreparedPlugin, PluginError> {
    let bounds = source.bounds;
    let admitted = admission::compile_and_link(engine, bytes, &bounds)?;
    let log = Log::new(source.name.clone(), bounds.log_lines, bounds.log_line);
    let template = Template {
        instance_pre: admitted.instance_pre,
        roles: admitted.roles,
        settings: source.settings.as_str().into(),
        hash: Sha256::digest(&source.bytes).into(),
        bounds,
        log: Arc::new(log),
        usage: Arc::default(),
        is_snapshot: false,
    };
    let (first, declarations) = Instance::start_prepared(&template)?;
    Ok(PreparedPlugin {
        template,
        first_instance: first,
        declarations,
        requirements: admitted.requirements,
    })
}
