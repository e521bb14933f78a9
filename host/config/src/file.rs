//! Reads a whole configuration: every key of `ouli.toml` outside of endpoints and plugins.

use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::builtin_settings;
use crate::choice::{LogFormat, OnRecorderFull};
use crate::config::{BuiltinSettings, Config, PluginFolders, Redaction};
use crate::config_error::{ConfigErrors, ErrorCollector, ValueError};
use crate::endpoint_list;
use crate::fail_on::{self, FailOn};
use crate::fsync::fsync;
use crate::limits::{self, Limits};
use crate::overrides::{self, Override};
use crate::plugin::Plugin;
use crate::table_reader::{ReadContext, Section};
use crate::timing::timing;
use crate::value_parsers::{choice, flag, text};
use crate::value_tree::{self, Node, Value};

impl Config {
    /// Reads the text of a file and applies the overrides. Relative paths in the file start from
    /// its folder, those in overrides from `base_dir`; the path of the file is relative to
    /// `base_dir` too.
    ///
    /// # Errors
    /// All errors of the file and the overrides at once.
    pub fn from_sources(
        file: Option<(&Path, &str)>,
        overrides: &[Override],
        base_dir: &Path,
    ) -> Result<Self, ConfigErrors> {
        let (config, errors) = Self::with_errors(file, overrides, base_dir);
        errors.map_or(Ok(config), Err)
    }

    /// As [`Self::from_sources`], with what could be read: an invalid value is replaced by its
    /// default. So a check can go on to the plugins and the cassettes.
    pub fn with_errors(
        file: Option<(&Path, &str)>,
        overrides: &[Override],
        base_dir: &Path,
    ) -> (Self, Option<ConfigErrors>) {
        let (mut table, syntax_errors) =
            file.map_or_else(Default::default, |(_, text)| value_tree::parse(text));
        let path = file.map(|(path, _)| path);
        let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let context = ReadContext {
            errors: ErrorCollector::from_syntax_errors(syntax_errors),
            file_folder: base_dir.join(folder),
            base_folder: base_dir,
            #[cfg(test)]
            known_keys: Default::default(),
        };
        overrides::apply(overrides, &mut table, &context.errors);
        let config = read(Section::root(&context, table));
        let mut errors = context.errors.into_sorted();
        overrides::name_flags(overrides, &mut errors);
        let errors = (!errors.is_empty()).then(|| ConfigErrors {
            file: path.map(Path::to_owned),
            errors,
        });
        (config, errors)
    }
}

/// The paths of all keys that a reader of this text asks for.
#[cfg(test)]
pub(super) fn known_keys(text: &str) -> std::collections::BTreeSet<String> {
    let (table, _) = value_tree::parse(text);
    let context = ReadContext {
        errors: ErrorCollector::from_syntax_errors(Vec::new()),
        file_folder: Path::new("/").to_owned(),
        base_folder: Path::new("/"),
        known_keys: Default::default(),
    };
    read(Section::root(&context, table));
    context.known_keys.into_inner()
}

impl Config {
    /// The place of a setting in the file, as `ouli.toml:12`. `path` leads to it by keys, and by
    /// numbers in arrays. None if it is not in the file, or if an override decides.
    pub fn place_of(
        file: Option<(&Path, &str)>,
        overrides: &[Override],
        path: &[&str],
    ) -> Option<String> {
        let (name, text) = file?;
        let (mut table, _) = value_tree::parse(text);
        let errors = ErrorCollector::from_syntax_errors(Vec::new());
        overrides::apply(overrides, &mut table, &errors);
        let (first, rest) = path.split_first()?;
        let mut node = table.get(*first)?;
        for step in rest {
            node = match &node.value {
                Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => node.member(step)?,
            };
        }
        node.line.map(|line| format!("{}:{line}", name.display()))
    }
}

/// Reads the whole table. An invalid value is replaced by a default, and its error is collected.
fn read(mut root: Section<'_>) -> Config {
    let limits = root
        .section("limits")
        .map_or_else(Limits::default, limits::read);
    let endpoints = endpoint_list::read(&mut root, limits.endpoints);
    let plugins = plugins(&mut root, &limits);
    let strict = root.read("strict", flag).unwrap_or(false);
    let config = Config {
        cassettes_explicit: root.has("cassettes"),
        cassettes: root.path_or("cassettes", "cassettes"),
        plugin_folders: plugin_folders(&mut root),
        on_recorder_full: root
            .read("on_recorder_full", choice)
            .unwrap_or(OnRecorderFull::Wait),
        timing: root.read("timing", timing).unwrap_or_default(),
        proto_descriptors: root.paths("proto_descriptors").unwrap_or_default(),
        strict,
        report: root.path("report"),
        fsync: root.read("fsync", fsync).unwrap_or_default(),
        log_format: root.read("log_format", choice).unwrap_or(LogFormat::Text),
        access_log: root.read("access_log", flag).unwrap_or(false),
        endpoints,
        plugins,
        builtin: BuiltinSettings {
            matcher: section_settings(&mut root, "matcher", builtin_settings::matcher),
            redactor: section_settings(&mut root, "redactor", builtin_settings::redactor),
            policy: section_settings(&mut root, "policy", builtin_settings::policy),
        },
        redaction: redaction(&mut root),
        fail_on: fail_on(&mut root, strict),
        limits,
    };
    root.reject_unknown_keys();
    config
}

/// The settings of a built-in plugin.
fn section_settings<'a>(
    root: &mut Section<'a>,
    key: &'static str,
    read: impl FnOnce(Section<'a>) -> Map<String, Json>,
) -> Map<String, Json> {
    root.section(key).map(read).unwrap_or_default()
}

fn plugins(root: &mut Section<'_>, limits: &Limits) -> Vec<Plugin> {
    let mut plugins: Vec<Plugin> = Vec::new();
    for section in root.sections("plugin", "file") {
        let location = section.location();
        let Some(plugin) = Plugin::read(section, limits) else {
            continue;
        };
        if plugins.iter().any(|other| other.file == plugin.file) {
            let problem = ValueError::new(format!("`{}` has two sections", plugin.file));
            let hint = "merge them, or copy the file under another name";
            root.add_error_at(&location, problem.with_hint(hint));
        }
        plugins.push(plugin);
    }
    plugins
}

fn plugin_folders(root: &mut Section<'_>) -> PluginFolders {
    let explicit = root.has("plugins");
    let paths = root.paths("plugins");
    PluginFolders {
        paths: paths.unwrap_or_else(|| vec![root.default_path("plugins")]),
        explicit,
    }
}

fn redaction(root: &mut Section<'_>) -> Redaction {
    let Some(mut section) = root.section("redaction") else {
        return Redaction::default();
    };
    let redaction = Redaction {
        disabled_rules: section.list("disabled_rules", text).unwrap_or_default(),
        env: section.list("env", env_var_name).unwrap_or_default(),
    };
    section.reject_unknown_keys();
    redaction
}

/// The name of an environment variable.
fn env_var_name(node: &Node) -> Result<String, ValueError> {
    let name = text(node)?;
    if name.is_empty() || name.contains(['=', '\0']) {
        // The value is not shown: it may be the secret itself.
        let problem = ValueError::new("not the name of an environment variable");
        return Err(problem.with_hint("write the name without a value, as \"API_KEY\""));
    }
    Ok(name)
}

fn fail_on(root: &mut Section<'_>, strict: bool) -> FailOn {
    let Some(mut section) = root.section("verdict") else {
        return FailOn::new(strict, None);
    };
    let terms = section.list("fail_on", fail_on::terms);
    section.reject_unknown_keys();
    FailOn::new(strict, terms)
}
