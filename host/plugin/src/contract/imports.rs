//! What guests may call: the host's side of every imported interface.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use wasmtime::component::Resource;

use super::bindings::ouli::gateway::{host, keys, secrets, traffic, verdicts};
use super::call_state::{MessageSlot, Phase, SinkSlot, State, When, parse_pointer, slice};
use ouli_matching::key::{Names, Part};
use ouli_redaction::{Declared, Edit};

type Outcome<T> = wasmtime::Result<T>;
type Lent = Resource<MessageSlot>;
type Sink = Resource<SinkSlot>;

impl traffic::Host for State {}

impl traffic::HostMessage for State {
    fn kind(&mut self, message: Lent) -> Outcome<String> {
        Ok(self.message(message.rep())?.kind().to_owned())
    }

    fn method(&mut self, message: Lent) -> Outcome<String> {
        Ok(self.message(message.rep())?.method().to_owned())
    }

    fn authority(&mut self, message: Lent) -> Outcome<String> {
        Ok(self.message(message.rep())?.authority().to_owned())
    }

    fn path(&mut self, message: Lent) -> Outcome<String> {
        Ok(self.message(message.rep())?.path().to_owned())
    }

    fn query(&mut self, message: Lent, name: String) -> Outcome<Vec<String>> {
        self.text(&[&name])?;
        let query = self.message(message.rep())?.query();
        let values = query.iter().filter(|(own, _)| *own == name);
        Ok(values.map(|(_, value)| value.clone()).collect())
    }

    fn query_names(&mut self, message: Lent) -> Outcome<Vec<String>> {
        let query = self.message(message.rep())?.query();
        Ok(query.iter().map(|(name, _)| name.clone()).collect())
    }

    fn status(&mut self, message: Lent) -> Outcome<u32> {
        Ok(u32::from(self.message(message.rep())?.status()))
    }

    fn header(&mut self, message: Lent, mut name: String) -> Outcome<Vec<Vec<u8>>> {
        self.text(&[&name])?;
        name.make_ascii_lowercase();
        let values = self.message(message.rep())?.fields().all(&name);
        Ok(values.map(|value| value.as_bytes().to_vec()).collect())
    }

    fn header_names(&mut self, message: Lent) -> Outcome<Vec<String>> {
        let fields = self.message(message.rep())?.fields();
        Ok(fields.iter().map(|(name, _)| name.to_string()).collect())
    }

    fn body_size(&mut self, message: Lent) -> Outcome<u64> {
        Ok(self.message(message.rep())?.body().len() as u64)
    }

    fn body(&mut self, message: Lent, offset: u64, max: u32) -> Outcome<Vec<u8>> {
        Ok(slice(self.message(message.rep())?.body(), offset, max).to_vec())
    }

    fn json(&mut self, message: Lent, pointer: String) -> Outcome<Option<String>> {
        self.text(&[&pointer])?;
        let pointer = self.pointer(&pointer)?;
        self.json_text(message.rep(), pointer)
    }

    fn attribute(&mut self, message: Lent, name: String) -> Outcome<Option<String>> {
        self.text(&[&name])?;
        let message = self.message(message.rep())?;
        Ok(match name.as_str() {
            "endpoint" => Some(message.endpoint().to_owned()),
            "session" => Some(message.session().to_owned()),
            "failure" => message.failure().map(str::to_owned),
            "side" => Some(message.side().name().to_owned()),
            _ => None,
        })
    }

    fn part_count(&mut self, message: Lent) -> Outcome<u32> {
        let count = self.message(message.rep())?.parts().len();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn part(&mut self, message: Lent, place: u32) -> Outcome<Option<Lent>> {
        let part = self.message(message.rep())?.parts().get(place as usize);
        let part = part.map(Arc::clone);
        part.map(|part| self.lend(part)).transpose()
    }

    /// Messages that are borrowed are not dropped by a guest; parts are its own.
    fn drop(&mut self, message: Lent) -> Outcome<()> {
        self.forget(message.rep());
        Ok(())
    }
}

impl host::Host for State {
    fn log(&mut self, level: String, text: String) -> Outcome<()> {
        self.cross();
        self.text(&[&level, &text])?;
        self.log.line(&level, &text, self.loan.secrets.as_deref());
        Ok(())
    }

    fn settings(&mut self) -> Outcome<String> {
        self.cross();
        Ok(self.settings.to_string())
    }

    fn placeholder(&mut self, class: String, secret: Vec<u8>) -> Outcome<String> {
        self.cross();
        if !ouli_redaction::is_class(&class) {
            return Err(wasmtime::Error::msg(format!(
                "`{class}` is no class: use lower-case letters, digits and `-`"
            )));
        }
        let secrets = self.loan.secrets.as_ref();
        let secrets = secrets.ok_or_else(|| wasmtime::Error::msg("there is no secret here"))?;
        Ok(secrets.placeholder(&class, &secret))
    }

    fn digest(&mut self, algorithm: String, data: Vec<u8>) -> Outcome<Vec<u8>> {
        self.cross();
        match algorithm.as_str() {
            "sha-256" => Ok(Sha256::digest(data).to_vec()),
            _ => Err(wasmtime::Error::msg(format!(
                "no digest is named `{algorithm}`; there is `sha-256`"
            ))),
        }
    }
}

impl keys::Host for State {}

impl keys::HostKey for State {
    fn endpoint(&mut self, _: Sink) -> Outcome<()> {
        self.add_part(Part::Endpoint)
    }

    fn method(&mut self, _: Sink) -> Outcome<()> {
        self.add_part(Part::Method)
    }

    fn authority(&mut self, _: Sink) -> Outcome<()> {
        self.add_part(Part::Authority)
    }

    fn path(&mut self, _: Sink) -> Outcome<()> {
        self.add_part(Part::Path)
    }

    fn query(&mut self, _: Sink, but: Vec<String>) -> Outcome<()> {
        self.texts(&but)?;
        let but = Names::exact(but);
        self.add_part(Part::Query { but })
    }

    fn header(&mut self, _: Sink, name: String) -> Outcome<()> {
        self.text(&[&name])?;
        self.add_part(Part::Header(name.to_ascii_lowercase()))
    }

    fn headers(&mut self, _: Sink, but: Vec<String>) -> Outcome<()> {
        self.texts(&but)?;
        let but = Names::any_case(but);
        self.add_part(Part::Headers { but })
    }

    fn body(&mut self, _: Sink, but: Vec<String>) -> Outcome<()> {
        self.texts(&but)?;
        let pointers: Result<Vec<_>, _> = but.iter().map(|text| parse_pointer(text)).collect();
        self.add_part(Part::Body { but: pointers? })
    }

    fn part(&mut self, _: Sink, name: String, value: Vec<u8>) -> Outcome<()> {
        let value = Bytes::from(value);
        self.add_part(Part::Own { name, value })
    }

    fn abstain(&mut self, _: Sink) -> Outcome<()> {
        self.cross();
        self.only_in(Phase::Ask, "abstain")?;
        self.answer.abstain = true;
        Ok(())
    }

    fn ask(&mut self, _: Sink) -> Outcome<()> {
        self.cross();
        self.only_in(Phase::Prepare, "ask")?;
        self.answer.ask = true;
        Ok(())
    }

    fn drop(&mut self, _: Sink) -> Outcome<()> {
        Ok(())
    }
}

impl secrets::Host for State {}

impl secrets::HostRules for State {
    fn header(&mut self, _: Sink, name: String, class: String) -> Outcome<()> {
        self.text(&[&name, &class])?;
        self.add_rule(Declared::Header { name, class })
    }

    fn query(&mut self, _: Sink, name: String, class: String) -> Outcome<()> {
        self.text(&[&name, &class])?;
        self.add_rule(Declared::Query { name, class })
    }

    fn form(&mut self, _: Sink, name: String, class: String) -> Outcome<()> {
        self.text(&[&name, &class])?;
        self.add_rule(Declared::Form { name, class })
    }

    fn json_member(&mut self, _: Sink, name: String, class: String) -> Outcome<()> {
        self.text(&[&name, &class])?;
        self.add_rule(Declared::JsonMember { name, class })
    }

    fn json(&mut self, _: Sink, pointer: String, class: String) -> Outcome<()> {
        self.text(&[&pointer, &class])?;
        self.add_rule(Declared::Json { pointer, class })
    }

    fn pattern(&mut self, _: Sink, regex: String, class: String) -> Outcome<()> {
        self.text(&[&regex, &class])?;
        self.add_rule(Declared::Pattern { regex, class })
    }

    fn volatile_header(&mut self, _: Sink, name: String) -> Outcome<()> {
        self.text(&[&name])?;
        self.add_rule(Declared::VolatileHeader { name })
    }

    fn ask(&mut self, _: Sink) -> Outcome<()> {
        self.cross();
        self.only_in(Phase::Prepare, "ask")?;
        self.answer.ask = true;
        Ok(())
    }

    fn drop(&mut self, _: Sink) -> Outcome<()> {
        Ok(())
    }
}

impl secrets::HostEdit for State {
    fn set_header(&mut self, _: Sink, name: String, values: Vec<Vec<u8>>) -> Outcome<()> {
        let size = values.iter().map(Vec::len).sum();
        self.add_edit(Edit::SetHeader { name, values }, size)
    }

    fn remove_header(&mut self, _: Sink, name: String) -> Outcome<()> {
        self.add_edit(Edit::RemoveHeader { name }, 0)
    }

    fn replace(&mut self, _: Sink, start: u64, end: u64, bytes: Vec<u8>) -> Outcome<()> {
        let size = bytes.len();
        self.add_edit(Edit::Replace { start, end, bytes }, size)
    }

    fn replace_json(&mut self, _: Sink, pointer: String, text: String) -> Outcome<()> {
        let size = text.len();
        self.add_edit(Edit::ReplaceJson { pointer, text }, size)
    }

    fn set_target(&mut self, _: Sink, target: String) -> Outcome<()> {
        let size = target.len();
        self.add_edit(Edit::SetTarget(target), size)
    }

    fn hold(&mut self, _: Sink, bytes: u32) -> Outcome<()> {
        self.cross();
        self.only_in(Phase::Ask, "hold")?;
        self.answer.hold = bytes as usize;
        Ok(())
    }

    fn drop(&mut self, _: Sink) -> Outcome<()> {
        Ok(())
    }
}

impl verdicts::Host for State {}

impl verdicts::HostConditions for State {
    fn skip_path(&mut self, _: Sink, pattern: String, reason: String) -> Outcome<()> {
        self.add_condition(When::Path(pattern), reason)
    }

    fn skip_method(&mut self, _: Sink, method: String, reason: String) -> Outcome<()> {
        self.add_condition(When::Method(method), reason)
    }

    fn skip_status(&mut self, _: Sink, lowest: u32, highest: u32, why: String) -> Outcome<()> {
        self.add_condition(When::Status(lowest, highest), why)
    }

    fn ask(&mut self, _: Sink) -> Outcome<()> {
        self.cross();
        self.only_in(Phase::Prepare, "ask")?;
        self.answer.ask = true;
        Ok(())
    }

    fn drop(&mut self, _: Sink) -> Outcome<()> {
        Ok(())
    }
}

impl verdicts::HostVerdict for State {
    fn skip(&mut self, _: Sink, reason: String) -> Outcome<()> {
        self.cross();
        self.only_in(Phase::Ask, "skip")?;
        self.text(&[&reason])?;
        self.answer.skip.get_or_insert(reason);
        Ok(())
    }

    fn tag(&mut self, _: Sink, name: String, value: String) -> Outcome<()> {
        self.cross();
        self.only_in(Phase::Ask, "tag")?;
        self.text(&[&name, &value])?;
        self.answer.tags.retain(|(own, _)| *own != name);
        if self.answer.tags.len() >= self.bounds.key_parts {
            return Err(wasmtime::Error::msg(
                "too many tags on one exchange (limits.plugin_key_parts)",
            ));
        }
        self.answer.tags.push((name, value));
        Ok(())
    }

    fn drop(&mut self, _: Sink) -> Outcome<()> {
        Ok(())
    }
}
