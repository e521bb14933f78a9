//! The section of one plugin.

use serde_json::{Map, Value as Json};

use crate::choice::{Instances, OnDifference, OnError};
use crate::config_error::ValueError;
use crate::limits::{self, Limits};
use crate::table_reader::Section;
use crate::value_parsers::{choice, text};
use crate::value_tree::Node;

/// A `[[plugin]]`. Plugins are called in the order of their sections.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// The name of its file in one of the plugin folders, as `ids.wasm`.
    pub file: String,
    /// Patterns of the request paths for which it is called; `*` matches any characters.
    pub routes: Vec<String>,
    /// The settings that are passed to it.
    pub settings: Map<String, Json>,
    /// What happens when its matcher fails.
    pub on_error: OnError,
    /// What happens when a new version answers differently from the current one.
    pub on_difference: OnDifference,
    /// Whether its instances are reused.
    pub instances: Instances,
    /// Its limits.
    pub limits: Limits,
}

impl Plugin {
    /// Reads one `[[plugin]]`. None if its file name is invalid or missing, which is an error.
    pub(super) fn read(mut section: Section<'_>, limits: &Limits) -> Option<Self> {
        if !section.has("file") {
            let hint = "write `file = \"NAME.wasm\"`, a file in the plugins folder";
            section.add_missing("file", ValueError::new("missing").with_hint(hint));
        }
        let file = section.read("file", file_name);
        let routes = section.list("routes", route);
        if routes.as_ref().is_some_and(Vec::is_empty) {
            let problem = ValueError::new("the list is empty, so the plugin is never called");
            let hint = "remove the key to match all paths, or write a pattern, as \"/v1/*\"";
            section.add_error("routes", problem.with_hint(hint));
        }
        let plugin = Self {
            file: file.clone().unwrap_or_default(),
            routes: routes.unwrap_or_else(|| vec!["*".to_owned()]),
            settings: section.json_table("settings"),
            on_error: section.read("on_error", choice).unwrap_or(OnError::Next),
            on_difference: section
                .read("on_difference", choice)
                .unwrap_or(OnDifference::Accept),
            instances: section
                .read("instances", choice)
                .unwrap_or(Instances::Reused),
            limits: section.section("limits").map_or_else(
                || limits.clone(),
                |section| limits::read_plugin_limits(section, limits),
            ),
        };
        section.reject_unknown_keys();
        file.map(|_| plugin)
    }
}

fn file_name(node: &Node) -> Result<String, ValueError> {
    let file = text(node)?;
    if file.contains(['/', '\\']) {
        let problem = ValueError::new(format!("{file:?} is a path"));
        return Err(problem.with_hint("write the file name alone; `plugins` sets the folder"));
    }
    if !file.ends_with(".wasm") || file.starts_with('.') {
        let problem = ValueError::new(format!("{file:?} is not the name of a plugin file"));
        return Err(problem.with_hint(
            "write a name that ends with `.wasm` and does not begin with `.`; in `--set` put it in \
             quotes, as `plugin.\"ids.wasm\".on_error=fail`",
        ));
    }
    Ok(file)
}

/// A pattern of paths.
pub(super) fn route(node: &Node) -> Result<String, ValueError> {
    let route = text(node)?;
    if route.starts_with(['/', '*']) {
        return Ok(route);
    }
    let problem = ValueError::new(format!("the pattern {route:?} matches no path"));
    Err(problem.with_hint("begin it with `/` or `*`, as \"/v1/*\""))
}
