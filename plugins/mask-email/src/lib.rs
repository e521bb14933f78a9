//! Mail addresses are secrets: those that stand in one piece, and those that stand in two.

use guest::{Answer, Edit, Message, Redactor, Rules, json, placeholder};

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
        // What is no text is an error, and then the exchange is not written: better none than one
        // with an address in it.
        let (user, host): (String, String) = (json::read(&user)?, json::read(&host)?);
        // The stand-in of the whole address: the same as where the pattern finds it.
        let stand_in = placeholder(CLASS, format!("{user}@{host}").as_bytes());
        change.replace_json("/contact/user", &json::write(stand_in)?);
        Ok(())
    }
}

guest::redactor!(MaskEmail);

const CLASS: &str = "e-mail";
const ADDRESS: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+";
