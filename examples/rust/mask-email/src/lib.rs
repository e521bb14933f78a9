//! Mail addresses are secrets: those that stand in one piece, and those that stand in two.

use ouli_plugin::{Answer, Edit, Message, Redactor, Rules, json, placeholder};

struct MaskEmail;

impl Redactor for MaskEmail {
    fn prepare(declare: &Rules) -> Answer {
        declare.pattern(ADDRESS, CLASS);
        declare.ask();
        Ok(())
    }

    /// For `{"contact": {"user": "ada", "host": "example.com"}}`, where no pattern sees an address.
    fn redact(what: &Message, change: &Edit) -> Answer {
        let pieces = (what.json("/contact/user"), what.json("/contact/host"));
        let (Some(user), Some(host)) = pieces else {
            return Ok(());
        };
        // After an error the exchange is not written: better none than one with an address in it.
        let (Ok(user), Ok(host)) = (json::read::<String>(&user), json::read::<String>(&host))
        else {
            return Err("contact.user and contact.host must be strings".to_owned());
        };
        // The stand-in of the whole address: the same as where the pattern finds it.
        let stand_in = placeholder(CLASS, format!("{user}@{host}"));
        change.replace_json_with("/contact/user", stand_in)
    }
}

ouli_plugin::redactor!(MaskEmail);

const CLASS: &str = "e-mail";
const ADDRESS: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+";

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;
