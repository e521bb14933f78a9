//! One plugin, loaded: admitted, compiled, linked, and what its `prepare` declared.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::bindings::exports::ouli::gateway::{matcher, recording_policy, redactor};
use super::bindings::ouli::gateway::{host, keys, secrets, traffic, verdicts};
use super::instance::{Instance, Pool};
use super::log::Log;
use super::state::{Condition, State};
use super::{Bounds, PluginError, wasi};
use crate::exchange::glob;
use crate::exchange::key::Part;
use crate::exchange::redaction::Declared;

/// A plugin as it is handed to the host: its bytes and what the configuration says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// How it is called in reports: the file's name, or `builtin:...`.
    pub name: String,
    /// The component.
    pub bytes: Arc<[u8]>,
    /// Patterns of paths that it is asked for; none means all.
    pub routes: Vec<String>,
    /// Its settings as JSON text.
    pub settings: String,
    /// Where its matcher fails the request fails, instead of being left to the next matcher.
    pub fail: bool,
}

/// Places of the roles' functions in a component, looked up once.
pub(super) struct Roles {
    pub(super) matcher: Option<matcher::GuestIndices>,
    pub(super) redactor: Option<redactor::GuestIndices>,
    pub(super) policy: Option<recording_policy::GuestIndices>,
}

/// What the roles declared in `prepare`.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    pub(super) matcher: Option<(Vec<Part>, bool)>,
    pub(super) redactor: Option<(Vec<Declared>, bool)>,
    pub(super) policy: Option<(Vec<Condition>, bool)>,
}

/// What is needed to make another instance.
pub(super) struct Template {
    pub(super) name: String,
    pub(super) linked: InstancePre<State>,
    pub(super) roles: Roles,
    pub(super) settings: Arc<str>,
    pub(super) hash: [u8; 32],
    pub(super) bounds: Bounds,
    pub(super) log: Arc<Log>,
}

/// A plugin ready to be asked.
pub struct Plugin {
    pub(super) template: Template,
    pub(super) declarations: Declarations,
    pub(super) pool: Pool,
    routes: Vec<String>,
    pub(super) fail: bool,
}

impl Plugin {
    /// Checks, compiles, links and prepares a plugin. Takes the time of a compilation: not for a
    /// thread that serves.
    pub fn load(engine: &Engine, source: &Source, bounds: Bounds) -> Result<Self, PluginError> {
        let component = compile(engine, &source.bytes, bounds.file)?;
        check_imports(engine, &component)?;
        let linked = link(engine, &component)?;
        let roles = find_roles(engine, &component, &linked)?;
        let template = Template {
            name: source.name.clone(),
            linked,
            roles,
            settings: source.settings.as_str().into(),
            hash: Sha256::digest(&source.bytes).into(),
            bounds,
            log: Arc::new(Log::new(
                source.name.clone(),
                bounds.log_lines,
                bounds.log_line,
            )),
        };
        let (instance, declarations) = Instance::prepared(&template)?;
        let pool = Pool::default();
        pool.put(instance);
        Ok(Self {
            template,
            declarations,
            pool,
            routes: source.routes.clone(),
            fail: source.fail,
        })
    }

    /// How the plugin is called in reports.
    pub fn name(&self) -> &str {
        &self.template.name
    }

    /// True where it is part of the gateway.
    pub fn is_builtin(&self) -> bool {
        self.template.name.starts_with("builtin:")
    }

    /// The SHA-256 of the component in lower-case hex.
    pub fn digest(&self) -> String {
        use std::fmt::Write as _;
        self.template
            .hash
            .iter()
            .fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// True where it runs under these limits.
    pub fn is_under(&self, bounds: &Bounds) -> bool {
        self.template.bounds == *bounds
    }

    /// The patterns of paths that it is asked for; none means all.
    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    /// True where the plugin is asked for this path.
    pub fn covers(&self, path: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|route| glob::matches(route, path))
    }

    /// What it declared, a readable line each.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((parts, ask)) = &self.declarations.matcher {
            let names: Vec<_> = parts.iter().map(Part::name).collect();
            lines.push(format!("matcher: {}{}", names.join(", "), asked(*ask)));
        }
        if let Some((rules, ask)) = &self.declarations.redactor {
            lines.push(format!("redactor: {} rules{}", rules.len(), asked(*ask)));
            lines.extend(wrapped(rules.iter().map(Declared::id)));
        }
        if let Some((conditions, ask)) = &self.declarations.policy {
            let count = conditions.len();
            lines.push(format!(
                "recording-policy: {count} conditions{}",
                asked(*ask)
            ));
            lines.extend(wrapped(conditions.iter().map(ToString::to_string)));
        }
        lines
    }
}

/// Words in lines of a terminal's width, indented.
fn wrapped(words: impl Iterator<Item = String>) -> Vec<String> {
    const WIDTH: usize = 90;
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH => {
                line.push_str(", ");
                line.push_str(&word);
            }
            Some(_) | None => lines.push(format!("  {word}")),
        }
    }
    lines
}

fn asked(ask: bool) -> &'static str {
    if ask {
        ", and is asked per message"
    } else {
        ""
    }
}

fn compile(engine: &Engine, bytes: &[u8], most: usize) -> Result<Component, PluginError> {
    if bytes.len() > most {
        let size = bytes.len();
        return Err(PluginError::Size { size, most });
    }
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

/// Refuses by name what is not granted, before the linker says it in its own words.
fn check_imports(engine: &Engine, component: &Component) -> Result<(), PluginError> {
    for (name, _) in component.component_type().imports(engine) {
        let granted = name.starts_with("ouli:gateway/")
            || wasi::GRANTED.iter().any(|prefix| name.starts_with(prefix));
        if granted {
            continue;
        }
        let hint = if name.starts_with("wasi:") {
            "build without it: componentize-py has --stub-wasi, componentize-js has \
             --disable http, and in other languages leave out network code"
        } else {
            "a plugin may import ouli:gateway/* and, as stubs, the WASI 0.2 interfaces \
             cli, clocks, filesystem, io and random"
        };
        let interface = name.to_owned();
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
