//! The start of a plugin: admitted, prepared once, and where that can be kept, made an image that
//! all copies begin from.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::admission::{self, Needs};
use super::component::{Declarations, Source};
use super::engine::Engine;
use super::prepared_image;
use crate::PluginError;
use crate::run::guest_log::Log;
use crate::run::instance::{Instance, Template};

/// Bytes of a component beyond which no image is made: it would have to be compiled twice, and
/// no guest that is known is as large.
const LARGEST_IMAGE: usize = 64 << 20;

/// A plugin whose `prepare` has run.
pub(crate) struct Begun {
    pub(crate) template: Template,
    pub(crate) first: Instance,
    pub(crate) declarations: Declarations,
    pub(crate) needs: Needs,
}

/// Lets the plugin prepare, once where that can be kept for all copies.
///
/// The copy that is prepared is compiled for speed of compiling. One that only declares is never
/// asked, so that is all there is to do.
pub(crate) fn begin(engine: &Engine, source: &Source) -> Result<Begun, PluginError> {
    let (size, most) = (source.bytes.len(), source.bounds.file);
    if size > most {
        return Err(PluginError::Size { size, most });
    }
    let readable = (size <= LARGEST_IMAGE).then(|| prepared_image::readable(&source.bytes));
    let Some(readable) = readable.flatten() else {
        return in_each_copy(engine, source);
    };
    let mut begun = prepared(&engine.draft, source, &readable.bytes)?;
    if !begun.declarations.asks() {
        return Ok(begun);
    }
    let Some(image) = begun.first.image(&readable) else {
        return in_each_copy(engine, source);
    };
    let admitted = admission::admit(&engine.main, &image, &source.bounds)?;
    begun.needs.compile += admitted.needs.compile;
    let template = Template {
        linked: admitted.linked,
        roles: admitted.roles,
        is_image: true,
        ..begun.template
    };
    Ok(Begun {
        first: Instance::ready(&template)?,
        template,
        ..begun
    })
}

/// Where no image can be made, each copy is prepared by itself.
fn in_each_copy(engine: &Engine, source: &Source) -> Result<Begun, PluginError> {
    prepared(&engine.main, source, &source.bytes)
}

fn prepared(
    engine: &wasmtime::Engine,
    source: &Source,
    bytes: &[u8],
) -> Result<Begun, PluginError> {
    let bounds = source.bounds;
    let admitted = admission::admit(engine, bytes, &bounds)?;
    let log = Log::new(source.name.clone(), bounds.log_lines, bounds.log_line);
    let template = Template {
        linked: admitted.linked,
        roles: admitted.roles,
        settings: source.settings.as_str().into(),
        hash: Sha256::digest(&source.bytes).into(),
        bounds,
        log: Arc::new(log),
        usage: Arc::default(),
        is_image: false,
    };
    let (first, declarations) = Instance::prepared(&template)?;
    Ok(Begun {
        template,
        first,
        declarations,
        needs: admitted.needs,
    })
}
