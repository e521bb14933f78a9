//! The memory that the values which a client made up take in a large recorded response.

use http::Version;

use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;

/// Bytes of the response, most of which are the id of the request.
const LARGE: usize = 2 << 20;

/// The most memory that its replay may take, in bytes for each byte of the response.
const MOST: u64 = 7;

/// A cassette with one request that has an id, and this response.
fn recorded(request: &str, content_type: &str, response: &str) -> Folder {
    let folder = Folder::new();
    let text = format!(
        "{{ \"ouli-cassette\": 1 }}\n{{\n  \"exchange\": 1,\n  \"endpoint\": \"default\",\n  \
         \"request\": {{\"method\": \"POST\", \"authority\": \"x\", \"target\": \"/\", \
         \"headers\": [[\"content-type\", \"application/json\"]], \"body\": {{\"json\": \
         {request}}}}},\n  \"response\": {{\"status\": 200, \"headers\": [[\"content-type\", \
         \"{content_type}\"]], \"body\": {response}}}\n}}\n"
    );
    std::fs::create_dir_all(folder.cassettes()).unwrap();
    std::fs::write(folder.cassette("default"), text).unwrap();
    folder.write_config("[matcher]\nminted = [\"/job\"]\n");
    folder
}

/// Replays a response in which this text has the recorded id, to a client with another one.
fn assert_bounded(request: fn(&str) -> String, content_type: &str, ids: [&str; 2], form: &Form) {
    let (begin, each, end) = (form.begin, form.each, form.end);
    let each = |id: &str| each.replace("ID", id);
    let count = LARGE / each(ids[0]).len();
    let body = |id: &str| format!("{begin}{}{end}", each(id).repeat(count));
    let response = match content_type {
        "application/json" => format!("{{\"json\": {}}}", body(ids[0])),
        _ => format!("{{\"text\": {:?}}}", body(ids[0])),
    };
    let folder = recorded(&request(ids[0]), content_type, &response);
    let mut process = program(&folder, &["replay", "--listen", "127.0.0.1:0"]).start();
    let client = client::at(process.address(), Version::HTTP_11);
    assert_eq!(client.get("/nothing").status, 404);
    let before = process.peak_memory();
    let answer = client.post("/", "application/json", &request(ids[1]));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text() == body(ids[1]), "{content_type}");
    let more = process.peak_memory() - before;
    assert!(
        more < MOST * LARGE as u64,
        "{content_type}: {} MiB more",
        more >> 20
    );
}

/// A body: its begin, what is repeated with an id, and its end.
struct Form {
    begin: &'static str,
    each: &'static str,
    end: &'static str,
}

#[test]
fn an_id_that_a_large_response_repeats_takes_a_few_times_its_size() {
    let call = |id: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"m\"}}");
    let members = Form {
        begin: "{\"jsonrpc\":\"2.0\",",
        each: "\"id\":ID,",
        end: "\"result\":1}",
    };
    assert_bounded(call, "application/json", ["8", "9"], &members);
    let job = |id: &str| format!("{{\"job\":\"{id}\"}}");
    let words = Form {
        begin: "",
        each: "ID ",
        end: "",
    };
    assert_bounded(job, "text/plain", ["job-aZ81kPq1", "job-aZ81kPq2"], &words);
}
