//! One run: clients, gateway and origin under faults, then the recording, then its replay.

use std::sync::Arc;
use std::time::Duration;

use ouli_cassette::{CassetteDir, ChangePolicy, RecordedExchange};
use ouli_message::stream::Ending;
use turmoil::Sim;

use super::gateway::{SESSION, Simulated};
use super::plan::{Batch, CLIENTS, Event, GATEWAY, ORIGIN, Plan, PlannedRequest};
use super::reply::Target;
use super::run_log::{Got, RunLog};
use super::{client, origin};

/// The longest run, in simulated time.
const LONGEST: Duration = Duration::from_secs(60);
/// Steps of the clock.
const TICK: Duration = Duration::from_millis(2);
/// Steps of the clock until everything has ended after the clients.
const STEPS_TO_END: u32 = 6_000;

/// The result of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Equal for two runs with one seed.
    pub(super) trace: u64,
    /// Violations of invariants.
    pub(super) wrong: Vec<String>,
    pub(super) requests: usize,
    pub(super) whole: usize,
    pub(super) recorded: usize,
    /// The time at which the last request without a complete response ended.
    pub(super) last_failure: Duration,
}

/// Runs a plan.
pub(super) fn run(plan: &Plan) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let run_log = Arc::new(RunLog::default());
    breaking(plan, folder.path(), &run_log);
    let exchanges = recorded(folder.path());
    let (outcomes, trace, whole) = {
        let notes = run_log.lock();
        (notes.outcomes.clone(), notes.trace(), notes.answered())
    };
    if plan.mode == "passthrough" {
        if !exchanges.is_empty() {
            run_log.wrong("passthrough records".to_owned());
        }
    } else {
        compare(&exchanges, &whole, &run_log);
        replay(plan, folder.path(), &exchanges, &run_log);
    }
    for asked in plan.clients.iter().flat_map(|client| &client.last.requests) {
        let target = asked.target;
        let got = outcomes.iter().find(|(_, other, _)| *other == target);
        if !got.is_some_and(|(_, _, got)| *got == Got::Whole) {
            run_log.wrong(format!("{target}: {got:?} after the faults ended"));
        }
    }
    let wrong = std::mem::take(&mut run_log.lock().wrong);
    let failures = outcomes.iter().filter(|(_, _, got)| *got != Got::Whole);
    Outcome {
        trace,
        wrong,
        requests: plan.requests().count(),
        whole: whole.len(),
        recorded: exchanges.len(),
        last_failure: failures.map(|(at, _, _)| *at).max().unwrap_or_default(),
    }
}

fn simulation(seed: u64) -> Sim<'static> {
    turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(8))
        .simulation_duration(LONGEST)
        // A socket buffers this many segments before its writer waits.
        .tcp_capacity(64)
        .build()
}

/// The part of the run with faults.
fn breaking(plan: &Plan, cassettes: &std::path::Path, run_log: &Arc<RunLog>) {
    let gateway = Simulated::new(plan.mode, plan.http2_upstream, cassettes);
    let mut sim = simulation(plan.seed);
    let (http2, origins) = (plan.http2_upstream, Arc::clone(run_log));
    sim.host(ORIGIN, move || origin::serve(http2, Arc::clone(&origins)));
    let serving = std::cell::RefCell::new(Some(gateway.serve()));
    sim.host(GATEWAY, move || {
        serving
            .borrow_mut()
            .take()
            .expect("the host is not restarted")
    });
    for (name, one) in CLIENTS.iter().zip(&plan.clients) {
        sim.client(*name, client::run(one.clone(), Arc::clone(run_log)));
    }
    let mut events = plan.events.iter().peekable();
    let mut is_up = true;
    loop {
        while let Some((_, event)) = events.next_if(|(at, _)| *at <= sim.elapsed()) {
            apply(&mut sim, *event, &mut is_up);
        }
        match sim.step() {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => {
                run_log.wrong(format!("the run does not end: {error}"));
                break;
            }
        }
    }
    end(sim, gateway, "after the faults", run_log);
}

fn apply(sim: &mut Sim<'_>, event: Event, is_up: &mut bool) {
    match event {
        Event::Hold(a, b) => sim.hold(a, b),
        Event::Release(a, b) => sim.release(a, b),
        Event::Part(a, b) => sim.partition(a, b),
        Event::PartOneWay(a, b) => sim.partition_oneway(a, b),
        Event::Repair(a, b) => sim.repair(a, b),
        Event::Slow(a, b, latency) => sim.set_link_latency(a, b, latency),
        Event::Crash if *is_up => {
            sim.crash(ORIGIN);
            *is_up = false;
        }
        Event::Restart if !*is_up => {
            sim.bounce(ORIGIN);
            *is_up = true;
        }
        Event::Crash | Event::Restart => {}
    }
}

/// Stops the gateway: it releases everything it holds within its timeouts.
fn end(mut sim: Sim<'_>, gateway: Simulated, when: &str, run_log: &RunLog) {
    gateway.drain.begin();
    for _ in 0..STEPS_TO_END {
        if gateway.held().is_empty() || sim.step().is_err() {
            break;
        }
    }
    let held = gateway.held();
    if !held.is_empty() {
        run_log.wrong(format!("never released {when}: {held:?}"));
    }
    drop(sim);
    gateway.finish();
}

fn recorded(cassettes: &std::path::Path) -> Vec<RecordedExchange> {
    let folder = CassetteDir::open(cassettes, u64::MAX).unwrap();
    let loaded = folder.load(SESSION, ChangePolicy::Mark).unwrap();
    let whole = |mut recorded: RecordedExchange| {
        folder.read_bodies(SESSION, &mut recorded.exchange).unwrap();
        recorded
    };
    loaded.map_or_else(Vec::new, |loaded| {
        assert!(
            loaded.damage.is_empty() && loaded.torn_tail.is_none(),
            "{loaded:?}"
        );
        loaded.exchanges.into_iter().map(whole).collect()
    })
}

/// Checks that the recording equals what the origin received and sent, and that every complete
/// response that a client received is recorded.
fn compare(exchanges: &[RecordedExchange], whole: &[Target], run_log: &RunLog) {
    let mut seen = Vec::new();
    for recorded in exchanges {
        let (request, response) = (&recorded.exchange.request, &recorded.exchange.response);
        let Ok(target) = request.target.parse::<Target>() else {
            run_log.wrong(format!("{} is recorded", request.target));
            continue;
        };
        if seen.contains(&target) {
            run_log.wrong(format!("{target} is recorded twice"));
        }
        seen.push(target);
        let reply = target.reply();
        let ended = recorded
            .exchange
            .stream
            .as_ref()
            .map_or(Ending::Complete, |it| it.ending);
        let same = response.body.inline() == reply.body();
        let complete = ended == Ending::Complete;
        if complete && (!same || reply.cut) {
            run_log.wrong(format!("{target} is recorded as complete and is not"));
        }
        if !complete && !reply.body().starts_with(response.body.inline()) {
            run_log.wrong(format!("{target} is recorded in part, with other bytes"));
        }
        if response.status != reply.status || request.body.inline() != target.asked() {
            run_log.wrong(format!("{target} is recorded as another exchange"));
        }
    }
    for target in whole {
        if !seen.contains(target) {
            run_log.wrong(format!(
                "{target} has a complete response and is not recorded"
            ));
        }
    }
}

/// Replays every recorded request.
fn replay(
    plan: &Plan,
    cassettes: &std::path::Path,
    exchanges: &[RecordedExchange],
    run_log: &RunLog,
) {
    let gateway = Simulated::new("replay", false, cassettes);
    let mut sim = simulation(plan.seed);
    let serving = std::cell::RefCell::new(Some(gateway.serve()));
    sim.host(GATEWAY, move || {
        serving
            .borrow_mut()
            .take()
            .expect("the host is not restarted")
    });
    let again = Arc::new(RunLog::default());
    for (name, one) in CLIENTS.iter().zip(&plan.clients) {
        let batches = one.batches.iter().chain([&one.last]);
        let requests = batches.flat_map(|batch| batch.requests.iter());
        let requests = requests
            .map(|asked| PlannedRequest {
                abandoned: false,
                ..*asked
            })
            .collect();
        let batch = Batch {
            requests,
            pause: Duration::ZERO,
        };
        sim.client(
            *name,
            client::ask_again(one.http2, batch, Arc::clone(&again)),
        );
    }
    if let Err(error) = sim.run() {
        run_log.wrong(format!("the replay does not end: {error}"));
    }
    end(sim, gateway, "in the replay", run_log);
    let mut again = again.lock();
    for (_, target, got) in &again.outcomes {
        let found = exchanges
            .iter()
            .find(|it| it.exchange.request.target == target.to_string());
        let complete = found.map(|it| {
            let stream = it.exchange.stream.as_ref();
            stream.is_none_or(|stream| stream.ending == Ending::Complete)
        });
        let right = match (complete, got) {
            (Some(true), Got::Whole) | (Some(false), Got::Broken) => true,
            (None, Got::GatewayError(404, kind)) => kind == "miss",
            _ => false,
        };
        if !right {
            run_log.wrong(format!(
                "{target}: {got:?} from a recording where it is {complete:?}"
            ));
        }
    }
    run_log.lock().wrong.append(&mut again.wrong);
}
