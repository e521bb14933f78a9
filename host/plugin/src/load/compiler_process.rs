//! Compiles in a process of its own, which is killed when it takes too long. It limits its own
//! memory, so that a plugin cannot exhaust that of the gateway.
//!
//! The process gets the component on its standard input and writes the code to its standard output.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::code_cache::MAX_CODE_SIZE;
use super::engine::{self, Flavor};
use crate::{Bounds, PluginError};

/// The first argument of a program that `compile` starts.
pub const COMPILER_ARGUMENT: &str = "__compile";

/// The largest component that is read, and the largest error text.
const MAX_INPUT: u64 = 1 << 30;
const MAX_ERROR: u64 = 16 << 10;

/// How often a compilation that takes long is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// How often the process is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Compiles a component in a process of this program.
pub(super) fn compile(
    program: &Path,
    flavor: Flavor,
    bytes: &[u8],
    bounds: &Bounds,
) -> Result<Vec<u8>, PluginError> {
    let failed = |error: std::io::Error| {
        let reason = format!("cannot run the compiler {}: {error}", program.display());
        PluginError::Compiler(reason)
    };
    let mut child = Command::new(program)
        .args([COMPILER_ARGUMENT, flavor.name()])
        .arg(bounds.compile_memory.to_string())
        .env_clear()
        .current_dir("/")
        // The signals of a terminal are for the gateway, which ends the compiler.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let outcome = exchange(&mut child, bytes, bounds.compile_time);
    // After a timeout it still runs.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    let Some(outcome) = outcome.map_err(failed)? else {
        let time = bounds.compile_time;
        return Err(PluginError::Compiler(format!(
            "takes more than {time:?} to compile (limits.plugin_compile_time)"
        )));
    };
    match status.success() {
        true => Ok(outcome.code),
        false => Err(PluginError::Compiler(explain(status, &outcome, bounds))),
    }
}

/// What a compiler wrote until its end.
struct Outcome {
    code: Vec<u8>,
    error: String,
}

/// Passes the component to the process and reads its output. None after the time limit.
fn exchange(child: &mut Child, bytes: &[u8], limit: Duration) -> std::io::Result<Option<Outcome>> {
    let code = child
        .stdout
        .take()
        .map(|pipe| read_all(pipe, MAX_CODE_SIZE as u64));
    let error = child.stderr.take().map(|pipe| read_all(pipe, MAX_ERROR));
    let started = Instant::now();
    std::thread::scope(|scope| {
        let input = child.stdin.take();
        let sent = scope.spawn(move || input.map(|mut input| input.write_all(bytes)));
        let mut next_report = PROGRESS_INTERVAL;
        let ended = loop {
            if started.elapsed() >= next_report {
                tracing::info!("still compiling after {next_report:?}, of at most {limit:?}");
                next_report += PROGRESS_INTERVAL;
            }
            if child.try_wait()?.is_some() {
                break true;
            }
            if started.elapsed() >= limit {
                // Ends the thread that writes to it.
                child.kill()?;
                break false;
            }
            std::thread::sleep(POLL_INTERVAL);
        };
        // A process that fails may not read all of its input.
        drop(sent.join());
        let text = |read: Option<Receiver<Vec<u8>>>| {
            read.and_then(|read| read.recv().ok()).unwrap_or_default()
        };
        Ok(ended.then(|| Outcome {
            code: text(code),
            error: String::from_utf8_lossy(&text(error)).trim().to_owned(),
        }))
    })
}

/// Reads a pipe on a thread of its own, so that the process never waits for a reader.
fn read_all(pipe: impl Read + Send + 'static, max_size: u64) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut pipe = pipe.take(max_size);
        // What was read until an error is cut short, which the loader finds out.
        let _ = pipe.read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe.into_inner(), &mut std::io::sink());
        let _ = sender.send(bytes);
    });
    receiver
}

fn explain(status: ExitStatus, outcome: &Outcome, bounds: &Bounds) -> String {
    // Without memory the process aborts, panics, or says so.
    let is_reported = status.code() == Some(1) && !outcome.error.contains("out of memory");
    match is_reported {
        true => format!("does not compile: {}", outcome.error),
        false => format!(
            "needs more memory to compile than {} bytes (limits.plugin_compile_memory), or its \
             compiler was killed: {status}",
            bounds.compile_memory
        ),
    }
}

/// The compiler process: compiles standard input, within the limits in its arguments, which follow
/// [`COMPILER_ARGUMENT`]. Returns the code, which belongs on standard output.
///
/// # Errors
/// Why the component does not compile.
pub fn run(arguments: &[String]) -> Result<Vec<u8>, String> {
    let [flavor, memory] = arguments else {
        return Err("this command is for the gateway itself".to_owned());
    };
    let flavor = Flavor::named(flavor).ok_or("unknown engine")?;
    let memory: u64 = memory.parse().map_err(|_| "the memory is no number")?;
    limit_resources(memory).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(MAX_INPUT);
    input
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let engine = engine::compiler(flavor).map_err(|error| error.to_string())?;
    engine::compile(&engine, &bytes).map_err(|error| match error {
        PluginError::Compile(error) => format!("{error:#}"),
        error => error.to_string(),
    })
}

/// Limits memory, writes no core file, and ends with the gateway.
fn limit_resources(memory: u64) -> rustix::io::Result<()> {
    #[cfg(target_os = "linux")]
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let limit = |maximum| Rlimit {
        current: Some(maximum),
        maximum: Some(maximum),
    };
    setrlimit(Resource::Data, limit(memory))?;
    setrlimit(Resource::Core, limit(0))
}
