//! The WebAssembly engine: one per process, with the same settings in production and in tests.
//!
//! Time limits use epochs: one thread advances the epoch at each tick. Guest code that runs at a
//! tick checks its processor time.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use wasmtime::{
    Cache, CacheConfig, Config, InstanceAllocationStrategy, ModuleVersionStrategy, OptLevel,
    PoolingAllocationConfig, RegallocAlgorithm,
};

use crate::PluginError;

/// How often the epoch advances. A time limit is exact to two ticks.
const TICK: Duration = Duration::from_millis(2);

/// Compiles and runs guests.
pub struct Engine {
    /// Compiles optimised code. All calls run here.
    pub(crate) optimizing: wasmtime::Engine,
    /// Compiles fast. Only `prepare` of an instance that is snapshotted runs here.
    pub(crate) fast_compiling: wasmtime::Engine,
}

/// Opens the engine at the first call. Later calls return the same engine and ignore `cache`.
///
/// Compiled code is stored in the folder `cache`, by content, engine settings and version. Without
/// a usable folder, plugins are compiled at every start.
///
/// # Errors
/// If the engine cannot start.
pub fn shared(cache: Option<&Path>) -> Result<&'static Engine, PluginError> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    if let Some(engine) = ENGINE.get() {
        return Ok(engine);
    }
    let engine = open(cache)?;
    let stored = ENGINE.get_or_init(|| {
        start_epoch_thread(&engine);
        engine
    });
    Ok(stored)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only place that creates an engine"
)]
fn open(cache: Option<&Path>) -> Result<Engine, PluginError> {
    let mut config = base_config();
    if let Some(cache) = cache.and_then(open_cache) {
        config.cache(Some(cache));
    }
    let mut pooled = config.clone();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    // Pooling reserves address space. If a container or `ulimit -v` refuses it, memory is
    // allocated on demand.
    let optimizing = wasmtime::Engine::new(&pooled)
        .or_else(|_| wasmtime::Engine::new(&config))
        .map_err(PluginError::Engine)?;
    config.cranelift_opt_level(OptLevel::None);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    let fast_compiling = wasmtime::Engine::new(&config).map_err(PluginError::Engine)?;
    Ok(Engine {
        optimizing,
        fast_compiling,
    })
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

fn open_cache(folder: &Path) -> Option<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    match Cache::new(config) {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::warn!(
                "cannot use the compile cache, plugins are compiled at every start: {error:#}"
            );
            None
        }
    }
}

/// Starts the thread that advances the epoch. It ends with the engine.
fn start_epoch_thread(engine: &Engine) {
    let engines = [engine.optimizing.weak(), engine.fast_compiling.weak()];
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
