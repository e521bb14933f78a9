//! The TLS settings of the endpoints, each built from the last good version of its files.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::error::StartError;
use ouli_config::{CertificateFiles, ClientAuth, Config, Endpoint, Scheme, Tls};
use ouli_net::tls::{self, ClientConfig, ClientVerifier, Identity, TlsError};

/// The largest file that is compared. A larger one is rejected when it is parsed.
const MAX_FILE_SIZE: usize = 4 << 20;

/// The TLS settings by endpoint.
#[derive(Clone, Default)]
pub(super) struct TlsSettings(BTreeMap<String, EndpointTls>);

#[derive(Clone)]
struct EndpointTls {
    source: TlsSource,
    /// The content of the files, hashed: keys are not kept longer than needed.
    fingerprint: u64,
    built: BuiltTls,
}

/// Everything that the files of an endpoint contain.
#[derive(Clone, Debug, Default)]
pub(super) struct BuiltTls {
    /// For connections to the upstream.
    pub(super) client: Option<Arc<ClientConfig>>,
    /// What the listener shows to clients, where it is not issued by the local CA.
    pub(super) identity: Option<Identity>,
    /// Verifies the certificates of clients.
    pub(super) clients: Option<ClientVerifier>,
}

/// The settings of an endpoint that name files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TlsSource {
    listener: Option<CertificateFiles>,
    client_auth: Option<ClientAuth>,
    /// None if no connection to an upstream has TLS.
    upstream: Option<UpstreamFiles>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct UpstreamFiles {
    ca: Option<PathBuf>,
    certificate: Option<CertificateFiles>,
}

impl BuiltTls {
    /// True if the listener shows and asks for the same.
    pub(super) fn is_same_listener(&self, other: &Self) -> bool {
        same(self.identity.as_ref(), other.identity.as_ref())
            && same(self.clients.as_ref(), other.clients.as_ref())
    }
}

fn same<T: ?Sized>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl TlsSettings {
    /// Reads the files of all endpoints. Returns an error for each endpoint that cannot use its
    /// files.
    pub(super) fn read(config: &Config) -> (Self, Vec<StartError>) {
        let mut settings = Self::default();
        let errors = config.endpoints.iter();
        let errors = errors.filter_map(|endpoint| settings.add(endpoint).err());
        let errors = errors.collect();
        (settings, errors)
    }

    /// Reads the files again. Returns true if something changed. Files that changed and cannot be
    /// used are logged; the last good version stays in force.
    ///
    /// # Errors
    /// If the configuration names other files, and they cannot be used.
    pub(super) fn reload(&mut self, config: &Config) -> Result<bool, StartError> {
        let mut next = Self::default();
        let mut is_changed = false;
        for endpoint in &config.endpoints {
            let source = TlsSource::of(endpoint);
            let previous = self.0.get(&endpoint.name);
            let previous = previous.filter(|previous| previous.source == source);
            match previous {
                Some(previous) if previous.fingerprint == source.fingerprint() => {
                    next.0.insert(endpoint.name.clone(), previous.clone());
                }
                Some(previous) => match next.add(endpoint) {
                    Ok(()) => {
                        tracing::info!("endpoint {}: certificates were read again", endpoint.name);
                        source.warn_expired(&endpoint.name);
                        is_changed = true;
                    }
                    Err(error) => {
                        tracing::error!("{error}\n  the last good certificates stay in force");
                        next.0.insert(endpoint.name.clone(), previous.clone());
                    }
                },
                None => {
                    next.add(endpoint)?;
                    source.warn_expired(&endpoint.name);
                    is_changed = true;
                }
            }
        }
        *self = next;
        Ok(is_changed)
    }

    /// What the files of an endpoint contain.
    pub(super) fn built(&self, endpoint: &str) -> BuiltTls {
        let found = self.0.get(endpoint);
        found.map(|found| found.built.clone()).unwrap_or_default()
    }

    /// The certificates that clients or upstreams reject for their dates.
    pub(super) fn expired(&self) -> Vec<String> {
        let endpoints = self.0.iter();
        let problems = endpoints.flat_map(|(name, endpoint)| endpoint.source.expired(name));
        problems.collect()
    }

    fn add(&mut self, endpoint: &Endpoint) -> Result<(), StartError> {
        let source = TlsSource::of(endpoint);
        // Before the files are parsed: a change in between is found by the next reload.
        let fingerprint = source.fingerprint();
        let built = source.build().map_err(|source| StartError::Tls {
            endpoint: endpoint.name.clone(),
            source,
        })?;
        let settings = EndpointTls {
            source,
            fingerprint,
            built,
        };
        self.0.insert(endpoint.name.clone(), settings);
        Ok(())
    }
}

/// The files that are watched for changes.
pub(super) fn files(config: &Config) -> Vec<PathBuf> {
    let endpoints = config.endpoints.iter().map(TlsSource::of);
    endpoints
        .flat_map(|source| {
            source
                .files()
                .into_iter()
                .map(Path::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

impl TlsSource {
    fn of(endpoint: &Endpoint) -> Self {
        let upstream = endpoint.upstream.as_ref();
        let is_secure = upstream.is_some_and(|upstream| upstream.scheme == Scheme::Https);
        let upstream = (is_secure && endpoint.mode.needs_upstream()).then(|| UpstreamFiles {
            ca: endpoint.upstream_ca.clone(),
            certificate: endpoint.upstream_client_certificate.clone(),
        });
        let listener = match &endpoint.tls {
            Tls::Files(files) => Some(files.clone()),
            Tls::Off | Tls::SelfSigned => None,
        };
        Self {
            listener,
            client_auth: endpoint.client_auth.clone(),
            upstream,
        }
    }

    fn certificates(&self) -> impl Iterator<Item = &CertificateFiles> {
        let upstream = self.upstream.as_ref();
        let upstream = upstream.and_then(|upstream| upstream.certificate.as_ref());
        self.listener.iter().chain(upstream)
    }

    fn files(&self) -> Vec<&Path> {
        let certificates = self
            .certificates()
            .flat_map(|files| [files.cert.as_path(), files.key.as_path()]);
        let upstream = self.upstream.as_ref();
        let upstream_ca = upstream.and_then(|upstream| upstream.ca.as_deref());
        let client_ca = self.client_auth.as_ref().map(|auth| auth.ca.as_path());
        certificates.chain(upstream_ca).chain(client_ca).collect()
    }

    fn fingerprint(&self) -> u64 {
        static STATE: OnceLock<RandomState> = OnceLock::new();
        let read = |path: &Path| ouli_files::read(path, MAX_FILE_SIZE).ok();
        let contents: Vec<_> = self.files().into_iter().map(read).collect();
        STATE.get_or_init(RandomState::new).hash_one(contents)
    }

    fn build(&self) -> Result<BuiltTls, TlsError> {
        let load = |files: &CertificateFiles| tls::load_identity(files);
        let client = self.upstream.as_ref().map(|upstream| {
            let identity = upstream.certificate.as_ref().map(load).transpose()?;
            tls::client_config(upstream.ca.as_deref(), identity)
        });
        let clients = self.client_auth.as_ref().map(tls::load_client_verifier);
        Ok(BuiltTls {
            client: client.transpose()?,
            identity: self.listener.as_ref().map(load).transpose()?,
            clients: clients.transpose()?,
        })
    }

    fn warn_expired(&self, endpoint: &str) {
        for problem in self.expired(endpoint) {
            tracing::warn!("{problem}");
        }
    }

    fn expired(&self, endpoint: &str) -> Vec<String> {
        let problems = self.certificates().filter_map(|files| {
            let identity = tls::load_identity(files).ok()?;
            let problem = tls::date_problem(&identity)?;
            let path = files.cert.display();
            Some(format!("endpoint {endpoint}: {path} {problem}"))
        });
        problems.collect()
    }
}
