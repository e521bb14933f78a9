//! Credentials count whatever header they are in, and signatures by the account that made them.

use super::{get_as, token, who_am_i};
use crate::support::client::{self, Client};
use crate::support::gateway;
use crate::support::origin::{self, Origin, Seen};
use crate::support::random;

/// Headers that redaction hides, and that the built-in matcher does not know by name.
const HIDDEN: [&str; 5] = [
    "x-figma-token",
    "x-shopify-access-token",
    "acme-api-key",
    "x-client-secret",
    "x-tenant-key",
];

/// An origin that tells which user is named in a header.
fn users() -> Origin {
    let answer = |seen: &Seen| {
        let text = format!("{} {:?}", seen.target, seen.headers);
        let found = ["ALICE", "BOBBY"].iter().find(|user| text.contains(**user));
        origin::text(found.unwrap_or(&"nobody"))
    };
    origin::new().route("/*", answer).start()
}

fn ask(client: &Client, name: &str, value: &str) -> String {
    let ask = client.ask("GET", "/me").header(name, value);
    ask.send().text().to_owned()
}

#[test]
fn a_hidden_header_tells_who_asks() {
    for connect in client::VERSIONS {
        for name in HIDDEN {
            let origin = users();
            let settings = "[redactor]\nheaders = [\"x-tenant-key\"]";
            let gateway = gateway::auto(&origin).section(settings).start();
            let client = connect(&gateway);
            let [alice, bobby] = ["ALICE", "BOBBY"].map(|user| format!("{user}{}", random()));
            assert_eq!(client.get("/me").text(), "nobody");
            for (value, user) in [(&alice, "ALICE"), (&bobby, "BOBBY")] {
                assert_eq!(ask(&client, name, value), user, "{name}");
            }
            gateway.mark();
            for (value, user) in [(&bobby, "BOBBY"), (&alice, "ALICE")] {
                assert_eq!(ask(&client, name, value), user, "{name}");
            }
            assert_eq!(client.get("/me").text(), "nobody");
            assert_eq!(origin.seen().len(), 3, "{name}");
            let folder = gateway.into_folder();
            let replay = gateway::replay(&folder).section(settings).start();
            let client = connect(&replay);
            // Other keys stand for the recorded ones, one to one.
            let others = [random(), random()];
            assert_eq!(ask(&client, name, &others[0]), "ALICE", "{name}");
            assert_eq!(ask(&client, name, &others[1]), "BOBBY", "{name}");
            assert_eq!(ask(&client, name, &others[0]), "ALICE", "{name}");
        }
    }
}

#[test]
fn a_miss_for_a_hidden_header_names_the_setting() {
    let origin = users();
    let gateway = gateway::record(&origin).start();
    let recorded = format!("ALICE{}", random());
    assert_eq!(
        ask(&client::http1(&gateway), "x-figma-token", &recorded),
        "ALICE"
    );
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let missed = client::http1(&replay).get("/me");
    assert_eq!(missed.status, 404);
    let setting = "ignore_headers = [\\\"x-figma-token\\\"]";
    assert!(missed.text().contains(setting), "{}", missed.text());
    let section = "[matcher]\nignore_headers = [\"x-figma-token\"]";
    let replay = gateway::replay(&folder).section(section).start();
    assert_eq!(client::http1(&replay).get("/me").text(), "ALICE");
}

/// Credentials of the user `USER` on day `DAY`, with values `NEW` of this request.
const SIGNED: [&str; 12] = [
    "AWS4-HMAC-SHA256 Credential=AKIAUSER0123456789A/202611DAY/eu-west-1/s3/aws4_request, \
     SignedHeaders=host, Signature=NEW",
    "Digest username=\"USER\", realm=\"rDAY\", nonce=\"NEW\", response=\"NEW\"",
    "AWS AKIAUSER:NEW=",
    "SharedKey USERstore:NEW=",
    "SharedAccessSignature sr=h%2Fq&sig=NEW&se=DAY&skn=USER",
    "Hawk id=\"USER\", ts=\"DAY\", nonce=\"n\", mac=\"NEW\"",
    "OAuth oauth_consumer_key=\"app\", oauth_token=\"USER\", oauth_timestamp=\"DAY\", \
     oauth_nonce=\"NEW\", oauth_signature=\"NEW\"",
    "Signature keyId=\"https://h/USER#k\",headers=\"date\",signature=\"NEW\"",
    "HMAC USER:DAY:NEW",
    "acs USER:NEW=",
    "bce-auth-v1/USER/2026-11-DAY/1800/host/NEW",
    "EG1-HMAC-SHA256 client_token=USER;access_token=a;timestamp=DAY;signature=NEW",
];

#[test]
fn a_signature_counts_by_the_account_that_made_it() {
    for template in SIGNED {
        let sign = |user: &str, day: u8| {
            let signed = template.replace("USER", user).replace("NEW", &random());
            signed.replace("DAY", &day.to_string())
        };
        let origin = users();
        let gateway = gateway::auto(&origin).start();
        let client = client::http1(&gateway);
        for user in ["ALICE", "BOBBY"] {
            let signed = sign(user, 10);
            assert_eq!(ask(&client, "authorization", &signed), user, "{signed}");
        }
        gateway.mark();
        for user in ["BOBBY", "ALICE"] {
            let signed = sign(user, 20);
            assert_eq!(ask(&client, "authorization", &signed), user, "{signed}");
        }
        assert_eq!(origin.seen().len(), 2);
        let folder = gateway.into_folder();
        let kept = folder.text("default");
        assert!(
            !kept.contains("ALICE0") && !kept.contains("\\\"ALICE"),
            "{kept}"
        );
        let replay = gateway::replay(&folder).start();
        let client = client::http1(&replay);
        for user in ["CAROL", "DAVID", "CAROL"] {
            let expected = if user == "CAROL" { "ALICE" } else { "BOBBY" };
            let signed = sign(user, 30);
            assert_eq!(ask(&client, "authorization", &signed), expected, "{signed}");
        }
        let missed = ask(&client, "authorization", &sign("ERICA", 30));
        assert!(missed.contains("header.authorization"), "{missed}");
    }
}

#[test]
fn a_scheme_without_its_account_counts_as_a_whole() {
    for scheme in ["OAuth", "AWS", "Signature", "Custom"] {
        let origin = users();
        let gateway = gateway::auto(&origin).start();
        let client = client::http1(&gateway);
        let [alice, bobby] = ["ALICE", "BOBBY"].map(|user| format!("{scheme} {user}{}", random()));
        for (value, user) in [(&alice, "ALICE"), (&bobby, "BOBBY")] {
            assert_eq!(ask(&client, "authorization", value), user, "{scheme}");
        }
        gateway.mark();
        for (value, user) in [(&bobby, "BOBBY"), (&alice, "ALICE")] {
            assert_eq!(ask(&client, "authorization", value), user, "{scheme}");
        }
        assert_eq!(origin.seen().len(), 2, "{scheme}");
    }
}

#[test]
fn a_signature_in_a_header_of_its_own_counts_by_its_key() {
    let input = |user: &str, day: u8| format!("s=(\"date\");created={day};keyid=\"{user}\"");
    let drafts = |user: &str, _| format!("keyId=\"{user}\",signature=\"{}\"", random());
    let wsse = |user: &str, day: u8| {
        format!(
            "UsernameToken Username=\"{user}\", PasswordDigest=\"{}\", Created=\"{day}\"",
            random()
        )
    };
    type Sign<'a> = &'a dyn Fn(&str, u8) -> String;
    let headers: [(&str, Sign<'_>); 3] = [
        ("signature-input", &input),
        ("signature", &drafts),
        ("x-wsse", &wsse),
    ];
    for (name, sign) in headers {
        let origin = users();
        let gateway = gateway::record(&origin).start();
        let client = client::http1(&gateway);
        for user in ["ALICE", "BOBBY"] {
            assert_eq!(ask(&client, name, &sign(user, 10)), user);
        }
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let client = client::http1(&replay);
        // A name that is not hidden counts as it is.
        let order = match name {
            "x-wsse" => [("ALICE", "ALICE"), ("BOBBY", "BOBBY"), ("ALICE", "ALICE")],
            _ => [("BOBBY", "BOBBY"), ("ALICE", "ALICE"), ("BOBBY", "BOBBY")],
        };
        for (user, expected) in order {
            assert_eq!(ask(&client, name, &sign(user, 20)), expected, "{name}");
        }
        let missed = ask(&client, name, &sign("ERICA", 20));
        assert!(missed.contains(&format!("header.{name}")), "{missed}");
    }
}

#[test]
fn a_presigned_url_counts_by_the_account_that_signed_it() {
    let presigned = |user: &str, day: u8, path: &str| {
        format!(
            "{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=202611{day}T101010Z&X-Amz-\
             Credential=AKIA{user}0123456789A%2F202611{day}%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-\
             Signature={}",
            random()
        )
    };
    let origin = users();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    let ask = |client: &Client, user: &str, day: u8, path: &str| {
        client.get(&presigned(user, day, path)).text().to_owned()
    };
    for (user, day) in [("ALICE", 10), ("BOBBY", 10)] {
        assert_eq!(ask(&client, user, day, "/me"), user);
        // The date is another one after midnight.
        assert_eq!(ask(&client, user, day + 1, "/more"), user);
    }
    gateway.mark();
    for (user, path) in [("BOBBY", "/me"), ("ALICE", "/more"), ("ALICE", "/me")] {
        assert_eq!(ask(&client, user, 20, path), user);
    }
    assert_eq!(origin.seen().len(), 4);
    let folder = gateway.into_folder();
    assert!(!folder.text("default").contains("AKIAALICE"));
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    assert_eq!(ask(&client, "CAROL", 30, "/me"), "ALICE");
    assert_eq!(ask(&client, "DAVID", 30, "/me"), "BOBBY");
    assert_eq!(ask(&client, "DAVID", 29, "/more"), "BOBBY");
    assert_eq!(ask(&client, "CAROL", 29, "/more"), "ALICE");
    assert_eq!(replay.finish().misses, 0);
}

#[test]
fn the_name_of_a_scheme_is_case_insensitive() {
    let origin = who_am_i();
    let gateway = gateway::record(&origin).start();
    let recorded = get_as(&client::http1(&gateway), "/me", &token());
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let answer = ask(
        &client::http1(&replay),
        "authorization",
        &format!("bearer {}", token()),
    );
    assert_eq!(answer, recorded.text());
    let answer = ask(
        &client::http1(&replay),
        "authorization",
        &format!("Token {}", token()),
    );
    assert!(answer.contains("header.authorization"), "{answer}");
}

#[test]
fn a_miss_for_another_secret_has_the_setting_that_makes_it_hit() {
    let origin = who_am_i();
    let gateway = gateway::record(&origin).start();
    let recorded = get_as(&client::http1(&gateway), "/me", &token());
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    assert_eq!(get_as(&client, "/me", &token()).status, 200);
    let missed = get_as(&client, "/me", &token());
    assert_eq!(missed.status, 404);
    let help = missed.header("ouli-miss");
    let expected = "exchange=1, part=\"header.authorization\", \
                    add=\"--set 'matcher.ignore_headers=[\\\"authorization\\\"]'\"";
    assert_eq!(help, expected);
    let section = "[matcher]\nignore_headers = [\"authorization\"]";
    let replay = gateway::replay(&folder).section(section).start();
    let client = client::http1(&replay);
    for _ in 0..2 {
        assert_eq!(get_as(&client, "/me", &token()).text(), recorded.text());
    }
}
