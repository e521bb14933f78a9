//! Runs `prepare` once and, if possible, snapshots the prepared instance. All further instances
//! start from the snapshot.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::compile;
use super::engine::{CodeEngine, Engine};
use super::requirements::Requirements;
use crate::contract::declarations::{Declarations, Declared};
use crate::run::instance::Instance;
use crate::run::snapshot::{self, InstrumentedComponent};
use crate::run::template::InstanceTemplate;
use crate::sandbox::log::PluginLog;
use crate::{PluginError, Source};
use ouli_codec::json::{Document, Kind, Pointer};
use ouli_matching::key::{KeyPart, MintedRules};

/// Bytes of a component above which no snapshot is made, because it would be compiled twice. No
/// known guest is that large.
const MAX_SNAPSHOT_INPUT: usize = 64 << 20;

/// A plugin whose `prepare` has run.
pub(crate) struct PreparedPlugin {
    pub(crate) template: InstanceTemplate,
    pub(crate) first_instance: Instance,
    pub(crate) declarations: Declarations,
    pub(crate) requirements: Requirements,
}

/// Compiles a plugin and runs its `prepare`: once if the prepared instance can be snapshotted,
/// otherwise in each instance.
pub(crate) fn prepare_plugin(
    engine: &Engine,
    source: &Source,
) -> Result<PreparedPlugin, PluginError> {
    let (size, limit) = (source.bytes.len(), source.bounds.file);
    if size > limit {
        return Err(PluginError::Size { size, limit });
    }
    let instrumented = (size <= MAX_SNAPSHOT_INPUT)
        .then(|| snapshot::instrument(&source.bytes))
        .flatten();
    if let Some(instrumented) = instrumented {
        // This instance is only prepared, so it is compiled fast and not optimised.
        let prepared = prepare(&engine.fast_compiling, source, &instrumented.bytes)?;
        if !prepared.declarations.has_called_role() {
            return Ok(prepared);
        }
        if let Some(prepared) = start_from_snapshot(engine, source, &instrumented, prepared)? {
            return Ok(prepared);
        }
    }
    prepare(&engine.optimizing, source, &source.bytes)
}

/// The same plugin, started from a snapshot of its first instance. None if that instance cannot be
/// snapshotted.
fn start_from_snapshot(
    engine: &Engine,
    source: &Source,
    instrumented: &InstrumentedComponent<'_>,
    mut prepared: PreparedPlugin,
) -> Result<Option<PreparedPlugin>, PluginError> {
    let Some(component) = prepared.first_instance.snapshot(instrumented) else {
        return Ok(None);
    };
    let compiled = compile::compile_and_link(&engine.optimizing, &component, &source.bounds)?;
    prepared.requirements.compile += compiled.requirements.compile;
    let template = InstanceTemplate {
        instance_pre: compiled.instance_pre,
        roles: compiled.roles,
        is_snapshot: true,
        ..prepared.template
    };
    Ok(Some(PreparedPlugin {
        first_instance: Instance::start_ready(&template)?,
        template,
        ..prepared
    }))
}

fn prepare(
    engine: &CodeEngine,
    source: &Source,
    bytes: &[u8],
) -> Result<PreparedPlugin, PluginError> {
    let bounds = source.bounds;
    let compiled = compile::compile_and_link(engine, bytes, &bounds)?;
    let log = PluginLog::new(
        source.name.clone(),
        bounds.log_lines_per_second,
        bounds.log_line_bytes,
    );
    let template = InstanceTemplate {
        instance_pre: compiled.instance_pre,
        roles: compiled.roles,
        settings: source.settings.as_str().into(),
        hash: Sha256::digest(&source.bytes).into(),
        bounds,
        log: Arc::new(log),
        usage: Arc::default(),
        is_snapshot: false,
    };
    let (first_instance, mut declarations) = Instance::start_prepared(&template)?;
    if source.is_builtin()
        && let Some(matcher) = &mut declarations.matcher
    {
        add_parts(matcher, &source.settings)?;
    }
    Ok(PreparedPlugin {
        template,
        first_instance,
        declarations,
        requirements: compiled.requirements,
    })
}

/// The part for credentials in headers that the built-in matcher does not know by name. The
/// contract has none. None if it declares all headers, or its default lists do not apply.
fn hidden_headers(declared: &[KeyPart]) -> Option<KeyPart> {
    let has_all = declared
        .iter()
        .any(|it| matches!(it, KeyPart::Headers { .. }));
    let has_defaults = declared.iter().any(|it| matches!(it, KeyPart::Header(_)));
    let except = declared.iter().find_map(|part| match part {
        KeyPart::Vary { except } => Some(except.clone()),
        _ => None,
    });
    let mut except = except.filter(|_| has_defaults && !has_all)?;
    let named = declared.iter().filter_map(|part| match part {
        KeyPart::Header(name) => Some(name.as_str()),
        _ => None,
    });
    for name in named.chain(NOT_COMPARED) {
        except = except.with(name);
    }
    Some(KeyPart::HiddenHeaders { except })
}

/// Cookies are compared one by one. A session token of AWS belongs to the key in `authorization`,
/// and whether there is one depends on where the program got its credentials.
const NOT_COMPARED: [&str; 2] = ["cookie", "x-amz-security-token"];

/// Adds the parts of the built-in matcher that the contract does not have.
fn add_parts(matcher: &mut Declared<KeyPart>, settings: &str) -> Result<(), PluginError> {
    matcher.items.extend(hidden_headers(&matcher.items));
    if !ignores_cookies(settings) {
        matcher.items.push(KeyPart::Cookies);
    }
    let rules = minted_rules(settings).map_err(PluginError::Rule)?;
    if !rules.is_empty() {
        matcher.items.push(KeyPart::Minted(rules));
    }
    Ok(())
}

/// The rules for values that clients make up, by the settings of the built-in matcher.
fn minted_rules(settings: &str) -> Result<MintedRules, String> {
    let disabled = strings(settings, "/disabled_rules/*");
    let document = Document::parse(Bytes::copy_from_slice(settings.as_bytes()));
    let defaults = Pointer::parse("/defaults").ok().zip(document.as_ref());
    let has_defaults = !defaults.is_some_and(|(pointer, document)| {
        let mut found = document.find(&pointer);
        found.any(|flag| matches!(flag.kind(), Kind::Bool(false)))
    });
    let is_enabled = |rule: &str| has_defaults && !disabled.iter().any(|id| id == rule);
    MintedRules::new(strings(settings, "/minted/*"), is_enabled)
}

/// True if the settings of the built-in matcher name cookies among the headers to ignore.
fn ignores_cookies(settings: &str) -> bool {
    let names = strings(settings, "/ignore_headers/*");
    names.iter().any(|name| name.eq_ignore_ascii_case("cookie"))
}

/// The strings at a pointer in settings.
fn strings(settings: &str, pointer: &str) -> Vec<String> {
    let document = Document::parse(Bytes::copy_from_slice(settings.as_bytes()));
    let Some((pointer, document)) = Pointer::parse(pointer).ok().zip(document) else {
        return Vec::new();
    };
    let found = document
        .find(&pointer)
        .filter_map(|node| match node.kind() {
            Kind::String(text) => Some(text.into_owned()),
            _ => None,
        });
    found.collect()
}
