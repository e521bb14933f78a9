//! A gateway in this process, on a free port, with its own folder.

use std::net::SocketAddr;
use std::sync::Arc;

use ouli_plugin::CompileOptions;
use ouli_proxy::gateway::{ConfigSource, Gateway, ListenerInfo, Options, StartError, Status};
use ouli_proxy::session::{SessionReport, Verdict};

use super::client::{self, Client};
use super::folder::Folder;
use super::origin::{self, Origin};

/// A gateway that is not started yet.
#[derive(Clone)]
pub(crate) struct Builder {
    folder: Arc<Folder>,
    mode: &'static str,
    upstream: Option<String>,
    top: String,
    endpoint: String,
    sections: String,
    listen: &'static str,
    watch: bool,
    environment: fn(&str) -> Option<String>,
}

/// A running gateway. Dropping it stops it.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) folder: Arc<Folder>,
    gateway: Option<Gateway>,
}

/// Record mode in a new folder.
pub(crate) fn record(origin: &Origin) -> Builder {
    over(&Arc::new(Folder::new()), "record").upstream(&origin.url())
}

/// A folder with a cassette of the requests that `send` sends to an echo origin.
pub(crate) fn echoed(send: impl Fn(&Client)) -> Arc<Folder> {
    let origin = origin::new()
        .route("/*", |seen| origin::bytes(seen.body.clone()))
        .start();
    let gateway = record(&origin).start();
    send(&client::http1(&gateway));
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

/// Auto mode in a new folder.
pub(crate) fn auto(origin: &Origin) -> Builder {
    over(&Arc::new(Folder::new()), "auto").upstream(&origin.url())
}

/// Passthrough mode in a new folder.
pub(crate) fn passthrough(origin: &Origin) -> Builder {
    over(&Arc::new(Folder::new()), "passthrough").upstream(&origin.url())
}

/// Replay mode with the cassettes of a folder. It has no upstream.
pub(crate) fn replay(folder: &Arc<Folder>) -> Builder {
    over(folder, "replay")
}

/// Replay mode in which the last recorded response is repeated, also if it is a failure.
pub(crate) fn replay_repeating(folder: &Arc<Folder>) -> Builder {
    replay(folder).set("on_exhausted = \"repeat\"")
}

/// Any mode with any folder.
pub(crate) fn over(folder: &Arc<Folder>, mode: &'static str) -> Builder {
    Builder {
        folder: Arc::clone(folder),
        mode,
        upstream: None,
        top: String::new(),
        endpoint: String::new(),
        sections: String::new(),
        listen: "listen = \"127.0.0.1:0\"",
        watch: false,
        environment: |_| None,
    }
}

impl Builder {
    pub(crate) fn upstream(mut self, url: &str) -> Self {
        self.upstream = Some(url.to_owned());
        self
    }

    /// Adds lines at the top of the configuration.
    pub(crate) fn set(mut self, lines: &str) -> Self {
        self.top += &format!("{lines}\n");
        self
    }

    /// Adds lines to the endpoint.
    pub(crate) fn endpoint(mut self, lines: &str) -> Self {
        self.endpoint += &format!("{lines}\n");
        self
    }

    /// Sets the `listen` line of the endpoint.
    pub(crate) fn listen(mut self, line: &'static str) -> Self {
        self.listen = line;
        self
    }

    /// Adds a complete section with its header.
    pub(crate) fn section(mut self, lines: &str) -> Self {
        self.sections += &format!("{lines}\n");
        self
    }

    /// Adds a file to the plugins folder.
    pub(crate) fn plugin(self, name: &str, bytes: &[u8]) -> Self {
        self.folder.put_plugin(name, bytes);
        self
    }

    /// Watches the files while the gateway runs.
    pub(crate) fn watched(mut self) -> Self {
        self.watch = true;
        self
    }

    pub(crate) fn environment(mut self, look_up: fn(&str) -> Option<String>) -> Self {
        self.environment = look_up;
        self
    }

    /// The complete configuration.
    pub(crate) fn config(&self) -> String {
        let Self { mode, top, .. } = self;
        let upstream = self.upstream.as_ref();
        let upstream = upstream.map_or_else(String::new, |url| format!("upstream = \"{url}\"\n"));
        let (listen, endpoint, sections) = (self.listen, &self.endpoint, &self.sections);
        format!(
            "mode = \"{mode}\"\nplugins = \"plugins\"\nfsync = \"close\"\n{top}\n\
             [[endpoint]]\nname = \"api\"\n{listen}\n{upstream}{endpoint}\n\
             {sections}"
        )
    }

    pub(crate) fn options(&self) -> Options {
        self.folder.write_config(&self.config());
        Options {
            config: ConfigSource::File("ouli.toml".into()),
            overrides: Vec::new(),
            base_dir: self.folder.path().to_owned(),
            compile: CompileOptions {
                cache: Some(super::cache()),
                compiler: None,
            },
            ca_folder: Some(self.folder.path().join("ca")),
            environment: self.environment,
            inherited_sockets: Vec::new(),
            max_descriptors: None,
            workers: 2,
            watch: self.watch,
            on_listening: Arc::new(|_| {}),
        }
    }

    pub(crate) fn start(&self) -> Running {
        let started = self.try_start();
        started.unwrap_or_else(|error| panic!("the gateway does not start: {error}"))
    }

    /// Starts the gateway with this number of serving threads.
    pub(crate) fn start_with(&self, workers: usize) -> Running {
        let options = Options {
            workers,
            ..self.options()
        };
        self.run(options).unwrap()
    }

    pub(crate) fn try_start(&self) -> Result<Running, StartError> {
        self.run(self.options())
    }

    fn run(&self, options: Options) -> Result<Running, StartError> {
        let gateway = Gateway::start(options)?;
        Ok(Running {
            address: gateway.listeners()[0].address,
            folder: Arc::clone(&self.folder),
            gateway: Some(gateway),
        })
    }
}

impl Running {
    fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.gateway().snapshot().generation
    }

    pub(crate) fn listening(&self) -> Vec<ListenerInfo> {
        self.gateway().listeners()
    }

    /// The live, rejected and draining generations.
    pub(crate) fn status(&self) -> Status {
        self.gateway().status()
    }

    /// Starts a new run of the default session.
    pub(crate) fn mark(&self) {
        let mark = client::http1(self).ask("POST", "/__ouli/sessions/default/mark");
        assert_eq!(mark.send().status, 200);
    }

    pub(crate) fn reload(&self) -> bool {
        self.gateway().reload()
    }

    /// The current report on a session.
    pub(crate) fn session(&self, name: &str) -> SessionReport {
        pick(self.gateway().verdict(), name)
    }

    /// The names of the sessions.
    pub(crate) fn session_names(&self) -> Vec<String> {
        let sessions = self.gateway().verdict().sessions.into_iter();
        sessions.map(|report| report.session).collect()
    }

    /// Waits until a new client gets a 200: what was exhausted is free again.
    pub(crate) fn serves_again(&self, target: &str) {
        super::until("an answer with status 200", || {
            let answer = client::http1(self).ask("GET", target).try_send();
            answer.is_ok_and(|it| it.status == 200).then_some(())
        });
    }

    /// Stops the gateway; after this all exchanges are written.
    pub(crate) fn stop(mut self) -> Verdict {
        self.gateway.take().unwrap().stop()
    }

    /// Stops the gateway and returns its folder, in which all exchanges are written.
    pub(crate) fn into_folder(self) -> Arc<Folder> {
        let folder = Arc::clone(&self.folder);
        self.stop();
        folder
    }

    /// Stops the gateway and returns the report on the default session.
    pub(crate) fn finish(self) -> SessionReport {
        pick(self.stop(), "default")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop();
        }
    }
}

/// The report on one session.
pub(crate) fn pick(verdict: Verdict, name: &str) -> SessionReport {
    let mut sessions = verdict.sessions.into_iter();
    let found = sessions.find(|report| report.session == name);
    found.unwrap_or_else(|| panic!("there is no session {name}"))
}
