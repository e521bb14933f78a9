//! The memory that is taken to find out whether a value of a request is a secret of a recorded one.

use http::Version;

use super::together::zeros;
use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;

/// Bytes of the large request.
const LARGE: usize = 3 << 20;

/// Within the share of `limits.miss_comparison`.
const SMALL: usize = 4 << 10;

/// The most that it may take: `limits.miss_comparison` and a few times the body.
const MOST: u64 = (16 << 20) + 6 * LARGE as u64;

/// Values that nobody chose.
const VALUE: &str = "Jq7Zp4Wx9Rt2Bn6Lc8";
const OTHER: &str = "Tm3Vh8Dk5Ys1Gf9Qe2";

#[test]
fn the_memory_of_assuming_secrets_is_bounded() {
    let folder = Folder::new();
    let exchange = |ordinal: u64, target: &str, body: &str| {
        let fields = "\"headers\": [[\"content-type\", \"application/json\"]]";
        format!(
            "{{\n  \"exchange\": {ordinal},\n  \"endpoint\": \"default\",\n  \"request\": \
             {{\"method\": \"POST\", \"authority\": \"x\", \"target\": \"{target}\", {fields}, \
             \"body\": {{\"json\": {body}}}}},\n  \
             \"response\": {{\"status\": 200, {fields}, \"body\": {{\"json\": {ordinal}}}}}\n}}\n"
        )
    };
    let text = [
        "{ \"ouli-cassette\": 1 }\n",
        &exchange(1, "/other/<token-1>", &zeros(SMALL)),
        &exchange(2, "/large/<token-2>", &zeros(LARGE)),
        &exchange(3, "/small", "{\"a\":{\"b\":\"<token-3>\"}}"),
    ];
    std::fs::create_dir_all(folder.cassettes()).unwrap();
    std::fs::write(folder.cassette("default"), text.concat()).unwrap();
    let mut process = program(&folder, &["replay", "--listen", "127.0.0.1:0"]).start();
    let client = client::at(process.address(), Version::HTTP_11);
    let json = "application/json";
    assert_eq!(client.post("/nowhere", json, "{}").status, 404);
    let before = process.peak_memory();
    let large = zeros(LARGE);
    // The bodies differ.
    let other = client.post(&format!("/other/{VALUE}"), json, &large);
    assert_eq!(other.status, 404, "{}", other.text());
    // They are equal.
    let same = client.post(&format!("/large/{VALUE}"), json, &large);
    assert_eq!((same.status, same.text()), (200, "2"));
    let more = process.peak_memory() - before;
    assert!(more < MOST, "{} MiB more", more >> 20);
    // The body of a small request has the value.
    let small = client.post("/small", json, &format!("{{\"a\":{{\"b\":\"{OTHER}\"}}}}"));
    assert_eq!((small.status, small.text()), (200, "3"));
    assert_eq!(process.stop().status, Some(0));
}
