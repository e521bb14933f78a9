//! The start of a plugin: admitted, prepared once, and where that can be kept, made an image that
//! all copies begin from.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use super::admission::{self, Needs};
use super::component::{Declarations, Source};
use super::instance::{Instance, Template};
use super::log::Log;
use super::{PluginError, image};

/// Bytes of a component beyond which no image is made: it would have to be compiled twice, and
/// no guest that is known is as large.
const LARGEST_IMAGE: usize = 64 << 20;

/// A plugin whose `prepare` has run.
pub(super) struct Begun {
    pub(super) template: Template,
    pub(super) first: Instance,
    pub(super) declarations: Declarations,
    pub(super) needs: Needs,
}

/// Lets the plugin prepare, once where that can be kept for all copies.
pub(super) fn begin(engine: &Engine, source: &Source) -> Result<Begun, PluginError> {
    let bounds = source.bounds;
    let readable = (source.bytes.len() <= LARGEST_IMAGE.min(bounds.file))
        .then(|| image::readable(&source.bytes))
        .flatten();
    let bytes = readable.as_ref().map_or(&*source.bytes, |one| &one.bytes);
    let admitted = admission::admit(engine, bytes, &bounds)?;
    let mut needs = admitted.needs;
    let log = Log::new(source.name.clone(), bounds.log_lines, bounds.log_line);
    let mut template = Template {
        linked: admitted.linked,
        roles: admitted.roles,
        settings: source.settings.as_str().into(),
        hash: Sha256::digest(&source.bytes).into(),
        bounds,
        log: Arc::new(log),
        usage: Arc::default(),
        is_image: false,
    };
    let (mut first, declarations) = Instance::prepared(&template)?;
    let readable = readable.filter(|_| declarations.asks());
    if let Some(image) = readable.and_then(|readable| first.image(&readable)) {
        let admitted = admission::admit(engine, &image, &bounds)?;
        needs.compile += admitted.needs.compile;
        template = Template {
            linked: admitted.linked,
            roles: admitted.roles,
            is_image: true,
            ..template
        };
        first = Instance::ready(&template)?;
    }
    Ok(Begun {
        template,
        first,
        declarations,
        needs,
    })
}
