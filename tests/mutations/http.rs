//! Changes of the parts of HTTP requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::corpus::{Body, Sample, origin, owned, samples};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};

/// A changed request: the part and what was done to it.
type Mutation = (String, Sample);

/// Headers that select what a server does. A request without one is not equal to one with it.
const SELECTING: [&str; 6] = [
    "x-amz-target",
    "soapaction",
    "x-http-method-override",
    "prefer",
    "depth",
    "x-goog-fieldmask",
];

fn mutations(sample: &Sample) -> Vec<Mutation> {
    let mut changed = Vec::new();
    let mut add = |name: String, change: &dyn Fn(&mut Sample)| {
        let mut copy = sample.clone();
        change(&mut copy);
        changed.push((name, copy));
    };
    let other_method = if sample.method == "POST" {
        "PUT"
    } else {
        "POST"
    };
    add("method".to_owned(), &|it| it.method = other_method);
    for at in 0..sample.path.len() {
        add(format!("path {at} value"), &|it| it.path[at].push('x'));
        add(format!("path {at} added"), &|it| {
            it.path.insert(at, "new".to_owned());
        });
        if sample.path.len() > 1 {
            add(format!("path {at} removed"), &|it| drop(it.path.remove(at)));
        }
    }
    add("path case".to_owned(), &|it| {
        it.path[0] = it.path[0].to_uppercase();
    });
    for (name, pairs) in changed_pairs(&sample.query) {
        add(format!("query {name}"), &|it| it.query.clone_from(&pairs));
    }
    for at in 0..sample.headers.len() {
        let name = sample.headers[at].0;
        add(format!("header {name} value"), &|it| {
            it.headers[at].1 = format!("{}0", it.headers[at].1);
        });
        add(format!("header {name} removed"), &|it| {
            it.headers.remove(at);
        });
    }
    for name in SELECTING {
        if sample.headers.iter().all(|(own, _)| *own != name) {
            add(format!("header {name} added"), &|it| {
                it.headers.push((name, "1".to_owned()));
            });
        }
    }
    for (name, body) in changed_bodies(&sample.body) {
        add(format!("body {name}"), &|it| it.body = body.clone());
    }
    changed
}

type Pairs = Vec<(String, String)>;

/// Each name and value changed, each pair removed and repeated, one added, and the order of the
/// values of one name.
fn changed_pairs(pairs: &[(String, String)]) -> Vec<(String, Pairs)> {
    let mut changed = vec![("added".to_owned(), {
        let mut more = pairs.to_vec();
        more.extend(owned(&[("new", "1")]));
        more
    })];
    for at in 0..pairs.len() {
        let with = |change: fn(&mut Pairs, usize)| {
            let mut copy = pairs.to_vec();
            change(&mut copy, at);
            copy
        };
        changed.push((format!("{at} name"), with(|it, at| it[at].0.push('x'))));
        changed.push((format!("{at} value"), with(|it, at| it[at].1.push('x'))));
        changed.push((format!("{at} removed"), with(|it, at| drop(it.remove(at)))));
        changed.push((
            format!("{at} repeated"),
            with(|it, at| it.push(it[at].clone())),
        ));
        if at > 0 && pairs[at].0 == pairs[at - 1].0 {
            changed.push((format!("{at} order"), with(|it, at| it.swap(at - 1, at))));
        }
    }
    changed
}

fn changed_bodies(body: &Body) -> Vec<(String, Body)> {
    let mut changed = Vec::new();
    match body {
        Body::None => return vec![("added".to_owned(), Body::Other("text/plain", b"x".to_vec()))],
        Body::Json(value) => {
            let values = changed_values("", value);
            changed.extend(values.into_iter().map(|(at, it)| (at, Body::Json(it))));
        }
        Body::Lines(lines) => {
            for (number, line) in lines.iter().enumerate() {
                for (at, value) in changed_values("", line) {
                    let mut lines = lines.clone();
                    lines[number] = value;
                    changed.push((format!("line {number} {at}"), Body::Lines(lines)));
                }
            }
            let mut swapped = lines.clone();
            swapped.swap(0, 1);
            changed.push(("lines order".to_owned(), Body::Lines(swapped)));
            changed.push(("line removed".to_owned(), Body::Lines(lines[1..].to_vec())));
        }
        Body::Form(pairs) => {
            let pairs = changed_pairs(pairs).into_iter();
            changed.extend(pairs.map(|(name, it)| (name, Body::Form(it))));
        }
        Body::Multipart(parts) => {
            for at in 0..parts.len() {
                let mut with = |name: &str, change: &dyn Fn(&mut Vec<_>)| {
                    let mut copy = parts.clone();
                    change(&mut copy);
                    changed.push((format!("{at} {name}"), Body::Multipart(copy)));
                };
                with("name", &|it: &mut Vec<(String, String, String)>| {
                    it[at].0.push('x');
                });
                with("file name", &|it| it[at].1.push('x'));
                with("content", &|it| it[at].2.push('x'));
                with("removed", &|it| drop(it.remove(at)));
                with("repeated", &|it| it.push(parts[at].clone()));
            }
        }
        Body::Other(content_type, bytes) => {
            for at in 0..bytes.len() {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1;
                changed.push((format!("byte {at}"), Body::Other(content_type, bytes)));
            }
            let longer = [&bytes[..], b"0"].concat();
            changed.push(("longer".to_owned(), Body::Other(content_type, longer)));
            let shorter = bytes[1..].to_vec();
            changed.push(("shorter".to_owned(), Body::Other(content_type, shorter)));
        }
    }
    changed.push(("removed".to_owned(), Body::None));
    let text = Body::Other("text/plain", b"another".to_vec());
    changed.push(("of another type".to_owned(), text));
    changed
}

/// The value with one change at each place: another value of the type, another type, a member more
/// or less, an element more or less, two elements swapped.
fn changed_values(at: &str, value: &Value) -> Vec<(String, Value)> {
    let mut changed = vec![(format!("{at} type"), json!({"of": "another type"}))];
    match value {
        Value::Null => changed.push((format!("{at} null"), json!(false))),
        Value::Bool(flag) => changed.push((format!("{at} flag"), json!(!flag))),
        Value::Number(number) => {
            let more = number.as_f64().unwrap() + 1.0;
            changed.push((format!("{at} number"), json!(more)));
            changed.push((format!("{at} as text"), json!(number.to_string())));
        }
        Value::String(text) => {
            changed.push((format!("{at} text"), json!(format!("{text}x"))));
            changed.push((format!("{at} empty"), json!("")));
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                for (place, new) in changed_values(&format!("{at}/{index}"), element) {
                    let mut copy = elements.clone();
                    copy[index] = new;
                    changed.push((place, Value::Array(copy)));
                }
                let mut fewer = elements.clone();
                fewer.remove(index);
                changed.push((format!("{at}/{index} removed"), Value::Array(fewer)));
            }
            let mut reversed = elements.clone();
            reversed.reverse();
            changed.push((format!("{at} order"), Value::Array(reversed)));
            let more = [elements.clone(), vec![json!("new")]].concat();
            changed.push((format!("{at} longer"), Value::Array(more)));
        }
        Value::Object(members) => {
            for (name, member) in members {
                for (place, new) in changed_values(&format!("{at}/{name}"), member) {
                    let mut copy = members.clone();
                    copy[name] = new;
                    changed.push((place, Value::Object(copy)));
                }
                let mut fewer = members.clone();
                fewer.remove(name);
                changed.push((format!("{at}/{name} removed"), Value::Object(fewer)));
            }
            let mut more = members.clone();
            more.insert("new".to_owned(), json!(1));
            changed.push((format!("{at} member"), Value::Object(more)));
        }
    }
    changed
}

/// A cassette of the samples.
fn recorded() -> Arc<Folder> {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .start();
    for sample in samples() {
        sample.send(&client::http1(&gateway));
    }
    assert!(gateway.finish().passed);
    folder
}

#[test]
fn a_request_with_one_part_changed_is_a_miss() {
    let gateway = gateway::replay(&recorded()).start();
    let client = client::http1(&gateway);
    let (mut counts, mut wrong) = (BTreeMap::<String, u64>::new(), Vec::new());
    for sample in samples() {
        assert!(sample.send(&client).status < 400, "{sample:?}");
        for (name, changed) in mutations(&sample) {
            let answer = changed.send(&client);
            let part = name.split(' ').next().unwrap().to_owned();
            *counts.entry(part).or_default() += 1;
            if (answer.status, answer.header("ouli-error")) != (404, "miss") {
                wrong.push(format!("{} {}: {name}", sample.method, sample.target()));
            }
        }
    }
    let count: u64 = counts.values().sum();
    println!(
        "{count} changed requests: {counts:?}, {} wrong answers",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 400, "{counts:?}");
    assert_eq!(gateway.finish().misses, count);
}

#[test]
fn in_auto_a_request_with_one_part_changed_is_sent() {
    let (origin, folder) = (origin(), recorded());
    let section = "[matcher]\nauthority = false";
    let over = gateway::over(&folder, "auto").upstream(&origin.url());
    let gateway = over.section(section).start();
    let client = client::http1(&gateway);
    let mut wrong = Vec::new();
    for sample in samples() {
        let before = origin.seen().len();
        sample.send(&client);
        assert_eq!(origin.seen().len(), before, "{sample:?} is replayed");
        for (name, changed) in mutations(&sample) {
            let before = origin.seen().len();
            changed.send(&client);
            if origin.seen().len() != before + 1 {
                wrong.push(format!("{} {}: {name}", sample.method, sample.target()));
            }
        }
    }
    println!("{} changed requests are sent", origin.seen().len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The settings of a report are in force from now on.
fn reload(gateway: &Running, builder: &Builder) {
    gateway.folder.write_config(&builder.config());
    assert!(gateway.reload(), "{}", builder.config());
}

#[test]
fn what_a_miss_suggests_makes_the_changed_request_match() {
    let folder = recorded();
    let plain = gateway::replay(&folder);
    let gateway = plain.start();
    let client = client::http1(&gateway);
    let (mut suggested, mut without) = (0, 0);
    for sample in samples() {
        // One of each kind is enough: each is tried with a reload.
        for (name, changed) in mutations(&sample).into_iter().step_by(5) {
            let problem = changed.send(&client).json();
            let Some(toml) = problem["remedy"]["toml"].as_str() else {
                without += 1;
                continue;
            };
            suggested += 1;
            reload(&gateway, &plain.clone().section(toml));
            let answer = changed.send(&client);
            let about = format!("{} {}: {name}", sample.method, sample.target());
            assert!(answer.status < 400, "{about}: {toml}{}", answer.text());
            reload(&gateway, &plain);
        }
    }
    println!("{suggested} suggestions work, {without} misses have none");
    assert!(suggested > 30, "{suggested}");
}
