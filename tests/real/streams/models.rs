//! The SDKs of two providers of language models with an origin that speaks their protocols.

use super::trial::{Trial, scenario, scenarios};
use crate::secrets::Secrets;

const CLIENTS: [&str; 2] = ["llm_openai.py", "llm_anthropic.py"];

#[test]
#[ignore = "needs packages of Python: see .ci/run"]
fn answer_again_without_the_origin() {
    let secrets = Secrets::while_recording();
    let (all, table) = Trial::new("models.py", &CLIENTS).run();
    println!("\n{table}");
    for told in all {
        assert!(scenarios(&told).len() >= 13, "{told:#}");
        // The response of the origin contains the secret key, so redaction had to find it.
        for name in ["key", "key over two", "refused"] {
            let text = scenario(&told, name).to_string();
            assert!(secrets.are_in(text.as_bytes()), "{name}: {text}");
        }
    }
}
