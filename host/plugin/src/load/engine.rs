//! The wasm engine: one a process, with the settings of production everywhere.
//!
//! Time limits rest on epochs: one thread counts ticks, and at each tick that finds guest code at
//! work a look at the processor time says whether it may go on.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use wasmtime::{
    Cache, CacheConfig, Config, InstanceAllocationStrategy, ModuleVersionStrategy, OptLevel,
    PoolingAllocationConfig, RegallocAlgorithm,
};

use crate::PluginError;

/// How often the epoch advances. A time limit is kept to within two ticks.
const TICK: Duration = Duration::from_millis(2);

/// What compiles and runs guests.
pub struct Engine {
    /// With the settings of production: whatever is asked runs here.
    pub(crate) optimizing: wasmtime::Engine,
    /// Compiles quickly and not well, for the one copy of a plugin that is prepared.
    pub(crate) fast_compiling: wasmtime::Engine,
}

/// Opens the engine on the first call; later calls return the same one, whatever the cache folder.
///
/// Compiled code is kept in `cache`, keyed by content, engine settings and version; without a
/// folder, or where it cannot be used, plugins are compiled at every start.
pub fn shared(cache: Option<&Path>) -> Result<&'static Engine, PluginError> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    if let Some(engine) = ENGINE.get() {
        return Ok(engine);
    }
    let engine = open(cache)?;
    let stored = ENGINE.get_or_init(|| {
        tick(&engine);
        engine
    });
    Ok(stored)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that makes the engine"
)]
fn open(cache: Option<&Path>) -> Result<Engine, PluginError> {
    let mut config = base_config();
    if let Some(cache) = cache.and_then(open_cache) {
        config.cache(Some(cache));
    }
    let mut pooled = config.clone();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    // Pooling reserves address space, which containers and `ulimit -v` may refuse.
    let main = wasmtime::Engine::new(&pooled)
        .or_else(|_| wasmtime::Engine::new(&config))
        .map_err(PluginError::Engine)?;
    config.cranelift_opt_level(OptLevel::None);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    let draft = wasmtime::Engine::new(&config).map_err(PluginError::Engine)?;
    Ok(Engine {
        optimizing: main,
        fast_compiling: draft,
    })
}

fn base_config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(512 << 10);
    // The same input gives the same answer on every machine.
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

/// Slots for every instance that may live at once. Memory is only used by slots in use.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(512)
        .total_core_instances(4096)
        .total_memories(512)
        .total_tables(2048)
        // Guests from Python and JavaScript are made of dozens of core modules.
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
            tracing::warn!("plugins are compiled at every start: {error:#}");
            None
        }
    }
}

fn tick(engine: &Engine) {
    let engines = [engine.optimizing.weak(), engine.fast_compiling.weak()];
    let spawned = std::thread::Builder::new()
        .name("ouli-epoch".to_owned())
        .spawn(move || {
            while let [Some(main), Some(draft)] = engines.each_ref().map(|one| one.upgrade()) {
                main.increment_epoch();
                draft.increment_epoch();
                drop((main, draft));
                std::thread::sleep(TICK);
            }
        });
    if let Err(error) = spawned {
        tracing::error!("no thread for plugin time limits: {error}");
    }
}
