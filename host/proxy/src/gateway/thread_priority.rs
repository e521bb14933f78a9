//! The scheduling priority of threads that serve no connection.

/// What is added to the nice value: about a third of the weight of a serving thread (sched(7)).
#[cfg(target_os = "linux")]
const LOWER_BY: i32 = 5;

/// Lowers the priority of the calling thread, so that a serving thread runs as soon as it has
/// something to do, however much work on large bodies there is. Without an effect where the
/// priority is that of the process.
pub(super) fn lower() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // Without an identifier they apply to the calling thread (setpriority(2)). A thread with
        // the old priority works as well.
        let _ = getpriority_process(None)
            .and_then(|nice| setpriority_process(None, nice.saturating_add(LOWER_BY)));
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn the_blocking_threads_of_a_worker_have_a_lower_priority_than_the_worker() {
        let before = getpriority_process(None).unwrap();
        let mut builder = Builder::new_current_thread();
        let runtime = builder.on_thread_start(lower).build().unwrap();
        let (serving, blocking) = runtime.block_on(async {
            let blocking = tokio::task::spawn_blocking(|| getpriority_process(None).unwrap());
            (getpriority_process(None).unwrap(), blocking.await.unwrap())
        });
        assert_eq!(serving, before);
        assert_eq!(blocking, (before + LOWER_BY).min(19));
    }
}
