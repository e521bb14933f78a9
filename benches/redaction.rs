//! Redaction of an exchange before it is written: request and response with bodies. The baselines
//! process the same bytes once: a copy, and a JSON parse.

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use ouli_redaction::Secrets;

use crate::table::Table;
use crate::{folder, messages};

const SIZES: [(&str, usize); 2] = [("1KiB", 1 << 10), ("1MiB", 1 << 20)];

pub(crate) fn bench(criterion: &mut Criterion, table: &mut Table) {
    let plugins = LazyCell::new(|| folder::plugins(None));
    let mut group = criterion.benchmark_group("redaction");
    for (name, size) in SIZES {
        let body = messages::json(size);
        let exchange = messages::exchange(messages::get(), &body);
        let (session, secrets): (Arc<str>, Arc<Secrets>) = ("default".into(), Arc::default());
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("redact-{name}"), |bencher| {
            bencher.iter_batched(
                || exchange.clone(),
                |exchange| plugins.redact(exchange, &session, &secrets).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("copy-{name}"), |bencher| {
            bencher.iter(|| black_box(body.as_bytes()).to_vec());
        });
        group.bench_function(format!("parse-{name}"), |bencher| {
            let parse = || serde_json::from_str::<serde_json::Value>(black_box(&body));
            bencher.iter_with_large_drop(|| parse().unwrap());
        });
    }
    group.finish();
    for (name, size) in SIZES {
        let bytes = Some(messages::json(size).len());
        for baseline in ["parse", "copy"] {
            let pair = (format!("redact-{name}"), format!("{baseline}-{name}"));
            let what = format!("redaction of {name} JSON");
            table.times(&what, "redaction", (&pair.0, &pair.1), bytes);
        }
    }
}
