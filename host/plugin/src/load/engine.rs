//! The WebAssembly engine: one per process, with the same settings in production and in tests.
//!
//! Time limits use epochs: one thread advances the epoch at each tick. Guest code that runs at a
//! tick checks its processor time.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::{
    Config, InstanceAllocationStrategy, ModuleVersionStrategy, OptLevel, PoolingAllocationConfig,
    RegallocAlgorithm,
};

use super::code_cache::CodeCache;
use crate::PluginError;

/// How often the epoch advances. A time limit is exact to two ticks.
const TICK: Duration = Duration::from_millis(2);

/// Compiles and runs guests.
pub struct Engine {
    /// Compiles optimised code. All calls run here.
    pub(crate) optimizing: CodeEngine,
    /// Compiles fast. Only `prepare` of an instance that is snapshotted runs here.
    pub(crate) fast_compiling: CodeEngine,
}

/// An engine of wasmtime, and where its code comes from.
pub(crate) struct CodeEngine {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) flavor: Flavor,
    pub(crate) cache: Option<Arc<CodeCache>>,
    pub(crate) compiler: Option<PathBuf>,
}

/// How code is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Fast code.
    Optimizing,
    /// Code that is compiled fast.
    FastCompiling,
}

/// Where compiled code comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompileOptions {
    /// The folder of compiled code, by content, engine settings and version. Without a usable
    /// folder, plugins are compiled at every start.
    pub cache: Option<PathBuf>,
    /// The program that compiles, in a process of its own: its first argument is
    /// [`COMPILER_ARGUMENT`](crate::compiler::COMPILER_ARGUMENT), and it calls
    /// [`run`](crate::compiler::run). Without one, the calling thread compiles, without a limit of
    /// memory and time.
    pub compiler: Option<PathBuf>,
}

/// Opens the engine at the first call. Later calls return the same engine and ignore the options.
///
/// # Errors
/// If the engine cannot start.
pub fn shared(options: &CompileOptions) -> Result<&'static Engine, PluginError> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    if let Some(engine) = ENGINE.get() {
        return Ok(engine);
    }
    let engine = open(options)?;
    let stored = ENGINE.get_or_init(|| {
        start_epoch_thread(&engine);
        engine
    });
    Ok(stored)
}

fn open(options: &CompileOptions) -> Result<Engine, PluginError> {
    let cache = options.cache.as_deref().and_then(CodeCache::open);
    let cache = cache.map(Arc::new);
    let engine = |engine, flavor| CodeEngine {
        engine,
        flavor,
        cache: cache.clone(),
        compiler: options.compiler.clone(),
    };
    let mut pooled = config(Flavor::Optimizing);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    // Pooling reserves address space. If a container or `ulimit -v` refuses it, memory is
    // allocated on demand.
    let optimizing = new_engine(&pooled).or_else(|_| compiler(Flavor::Optimizing))?;
    Ok(Engine {
        optimizing: engine(optimizing, Flavor::Optimizing),
        fast_compiling: engine(compiler(Flavor::FastCompiling)?, Flavor::FastCompiling),
    })
}

/// An engine that only compiles. It reserves no memory for instances.
pub(super) fn compiler(flavor: Flavor) -> Result<wasmtime::Engine, PluginError> {
    new_engine(&config(flavor))
}

/// The compiled code of a component, made on this thread.
pub(super) fn compile(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Vec<u8>, PluginError> {
    let compiled = engine.precompile_component(bytes);
    compiled.map_err(PluginError::Compile)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only place that creates an engine"
)]
fn new_engine(config: &Config) -> Result<wasmtime::Engine, PluginError> {
    wasmtime::Engine::new(config).map_err(PluginError::Engine)
}

impl Flavor {
    /// The name, as an argument of the compiler.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Optimizing => "optimizing",
            Self::FastCompiling => "fast-compiling",
        }
    }

    /// The flavor of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Optimizing, Self::FastCompiling];
        all.into_iter().find(|flavor| flavor.name() == name)
    }
}

fn config(flavor: Flavor) -> Config {
    let mut config = base_config();
    if flavor == Flavor::FastCompiling {
        config.cranelift_opt_level(OptLevel::None);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    }
    config
}

fn base_config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(512 << 10);
    // The same input gives the same result on every machine.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.wasm_memory64(false);
    config.memory_init_cow(true);
    let version = format!("ouli-gateway-{}", env!("CARGO_PKG_VERSION"));
    config
        .module_version(ModuleVersionStrategy::Custom(version))
        .expect("the version is shorter than 256 bytes");
    config
}

/// Reserves slots for instances. A slot uses memory only while an instance runs in it.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(512)
        .total_core_instances(4096)
        .total_memories(512)
        .total_tables(2048)
        // Guests in Python and JavaScript consist of dozens of core modules.
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_core_instances_per_component(200)
        .max_memories_per_component(32)
        .max_tables_per_component(64)
        .max_memories_per_module(2)
        .max_tables_per_module(2)
        .table_elements(100_000)
        .max_memory_size(256 << 20)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(256 << 10);
    pool
}

/// Starts the thread that advances the epoch. It ends with the engine.
fn start_epoch_thread(engine: &Engine) {
    let engines = [&engine.optimizing, &engine.fast_compiling];
    let engines = engines.map(|engine| engine.engine.weak());
    let spawned = std::thread::Builder::new()
        .name("ouli-epoch".to_owned())
        .spawn(move || {
            while let [Some(optimizing), Some(fast_compiling)] =
                engines.each_ref().map(|engine| engine.upgrade())
            {
                optimizing.increment_epoch();
                fast_compiling.increment_epoch();
                drop((optimizing, fast_compiling));
                std::thread::sleep(TICK);
            }
        });
    if let Err(error) = spawned {
        tracing::error!("cannot start the thread for plugin time limits: {error}");
    }
}
