//! What the file says about one plugin.

use serde_json::{Map, Value as Json};

use crate::choice::{Instances, OnDifference, OnError};
use crate::config_error::ValueError;
use crate::limit;
use crate::limits::Limits;
use crate::table_reader::{Section, choice, text};
use crate::value_tree::Node;

/// A `[[plugin]]`: plugins are asked in the order in which they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Name of its file in one of the plugin folders, as `ids.wasm`.
    pub file: String,
    /// Patterns of the paths that it is asked for, in which `*` stands for any run of characters.
    pub routes: Vec<String>,
    /// What it reads as its settings.
    pub settings: Map<String, Json>,
    /// What follows when its matcher fails.
    pub on_error: OnError,
    /// What follows when a new version answers otherwise than the one in force.
    pub on_difference: OnDifference,
    /// Whether its copies serve more than one call.
    pub instances: Instances,
    /// The limits under which it runs.
    pub limits: Limits,
}

impl Plugin {
    /// Reads one `[[plugin]]`. None where its file is wrong or missing: the fault is collected.
    pub(super) fn read(mut section: Section<'_>, limits: &Limits) -> Option<Self> {
        if !section.has("file") {
            let hint = "write the name of a file in the plugins folder, as `file = \"ids.wasm\"`";
            section.add_missing("file", ValueError::new("missing").with_hint(hint));
        }
        let file = section.read("file", read_file_name);
        let routes = section.list("routes", read_route);
        if routes.as_ref().is_some_and(Vec::is_empty) {
            let problem = ValueError::new("without a route the plugin is never asked");
            section.add_error(
                "routes",
                None,
                problem.with_hint("leave the key out for every path"),
            );
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
                |section| limit::read_plugin_limits(section, limits),
            ),
        };
        section.reject_unknown_keys();
        file.map(|_| plugin)
    }
}

fn read_file_name(node: &Node) -> Result<String, ValueError> {
    let file = text(node)?;
    if file.contains(['/', '\\']) {
        let problem = ValueError::new(format!("`{}` is a path", file.escape_debug()));
        return Err(problem.with_hint("write the name alone; `plugins` names the folder"));
    }
    if !file.ends_with(".wasm") || file.starts_with('.') {
        let problem = ValueError::new(format!("`{}` is not a plugin file", file.escape_debug()));
        return Err(problem.with_hint("the name ends in `.wasm`; in a key it stands in quotes"));
    }
    Ok(file)
}

fn read_route(node: &Node) -> Result<String, ValueError> {
    let route = text(node)?;
    if route.starts_with(['/', '*']) {
        return Ok(route);
    }
    let problem = ValueError::new(format!("`{}` fits no path", route.escape_debug()));
    Err(problem.with_hint("begin it with `/` or `*`, as `/v1/*`"))
}
