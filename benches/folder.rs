//! Plugins and gateways in a temporary folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ouli_config::Override;
use ouli_plugin::Plugins;
use ouli_proxy::gateway::{ConfigSource, Gateway, Loaded, Options};

/// A temporary folder with a configuration, plugins and cassettes.
pub(crate) struct BenchFolder(tempfile::TempDir);

impl BenchFolder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plugins")).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A gateway with one endpoint on a free port and a thread for each core.
    pub(crate) fn gateway(&self, mode: &str, upstream: Option<&str>) -> Gateway {
        Gateway::start(self.options(mode, upstream)).unwrap()
    }

    fn options(&self, mode: &str, upstream: Option<&str>) -> Options {
        let upstream = upstream.map_or_else(String::new, |url| format!("upstream = \"{url}\"\n"));
        let text = format!(
            "plugins = \"plugins\"\n[[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:0\"\n\
             {upstream}"
        );
        let file = self.path().join("ouli.toml");
        std::fs::write(&file, text).unwrap();
        Options {
            config: ConfigSource::File(file),
            overrides: vec![Override::text("mode", mode)],
            base_dir: self.path().to_owned(),
            compile: ouli_plugin::CompileOptions {
                cache: Some(cache()),
                compiler: None,
            },
            ca_folder: Some(self.path().join("ca")),
            environment: |_| None,
            inherited_sockets: Vec::new(),
            max_descriptors: None,
            workers: 0,
            watch: false,
            on_listening: Arc::new(|_| {}),
        }
    }
}

/// The built-in plugins, preceded by another component if one is given.
pub(crate) fn plugins(own: Option<&[u8]>) -> Plugins {
    let folder = BenchFolder::new();
    if let Some(component) = own {
        std::fs::write(folder.path().join("plugins/own.wasm"), component).unwrap();
    }
    let loaded = Loaded::read(&folder.options("replay", None)).unwrap();
    Plugins::new(loaded.plugins(), &[], loaded.schema()).unwrap()
}

/// The built-in plugins and a fixture that is called for some paths only.
pub(crate) fn routed(fixture: &str, route: &str) -> Plugins {
    let folder = BenchFolder::new();
    let component = crate::fixtures::fixture(fixture);
    std::fs::write(folder.path().join("plugins/own.wasm"), component).unwrap();
    let options = folder.options("replay", None);
    let file = folder.path().join("ouli.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let section = format!("[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"{route}\"]\n");
    std::fs::write(&file, text + &section).unwrap();
    let loaded = Loaded::read(&options).unwrap();
    Plugins::new(loaded.plugins(), &[], loaded.schema()).unwrap()
}

/// The folder of compiled plugins.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/ouli-gateway/compiled")
}
