//! The functions that guests may call: the host side of every imported interface.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use wasmtime::component::Resource;

use super::bindings::ouli::gateway::{host, keys, secrets, traffic, verdicts};
use crate::condition::SkipPredicate;
use crate::sandbox::state::{MessageSlot, Phase, SinkSlot, State, parse_pointer, slice};
use ouli_matching::key::{ExcludedNames, KeyPart};
use ouli_redaction::{Edit, RuleDeclaration};

type HostResult<T> = wasmtime::Result<T>;
type MessageHandle = Resource<MessageSlot>;
type SinkHandle = Resource<SinkSlot>;

impl traffic::Host for State {}

impl traffic::HostMessage for State {
    fn kind(&mut self, message: MessageHandle) -> HostResult<String> {
        Ok(self.message(message.rep())?.kind().to_owned())
    }

    fn method(&mut self, message: MessageHandle) -> HostResult<String> {
        Ok(self.message(message.rep())?.method().to_owned())
    }

    fn authority(&mut self, message: MessageHandle) -> HostResult<String> {
        Ok(self.message(message.rep())?.authority().to_owned())
    }

    fn path(&mut self, message: MessageHandle) -> HostResult<String> {
        Ok(self.message(message.rep())?.path().to_owned())
    }

    fn query(&mut self, message: MessageHandle, name: String) -> HostResult<Vec<String>> {
        self.count_text(&[&name])?;
        let query = self.message(message.rep())?.query();
        let values = query.iter().filter(|(known, _)| *known == name);
        Ok(values.map(|(_, value)| value.clone()).collect())
    }

    fn query_names(&mut self, message: MessageHandle) -> HostResult<Vec<String>> {
        let query = self.message(message.rep())?.query();
        Ok(query.iter().map(|(name, _)| name.clone()).collect())
    }

    fn status(&mut self, message: MessageHandle) -> HostResult<u32> {
        Ok(u32::from(self.message(message.rep())?.status()))
    }

    fn header(&mut self, message: MessageHandle, mut name: String) -> HostResult<Vec<Vec<u8>>> {
        self.count_text(&[&name])?;
        name.make_ascii_lowercase();
        let values = self.message(message.rep())?.fields().get_all(&name);
        Ok(values.map(|value| value.as_bytes().to_vec()).collect())
    }

    fn header_names(&mut self, message: MessageHandle) -> HostResult<Vec<String>> {
        let fields = self.message(message.rep())?.fields();
        Ok(fields.iter().map(|(name, _)| name.to_string()).collect())
    }

    fn body_size(&mut self, message: MessageHandle) -> HostResult<u64> {
        Ok(self.message(message.rep())?.body().len() as u64)
    }

    fn body(&mut self, message: MessageHandle, offset: u64, max: u32) -> HostResult<Vec<u8>> {
        Ok(slice(self.message(message.rep())?.body(), offset, max).to_vec())
    }

    fn json(&mut self, message: MessageHandle, pointer: String) -> HostResult<Option<String>> {
        self.count_text(&[&pointer])?;
        let pointer = self.pointer(&pointer)?;
        self.json_text(message.rep(), pointer)
    }

    fn attribute(&mut self, message: MessageHandle, name: String) -> HostResult<Option<String>> {
        self.count_text(&[&name])?;
        let message = self.message(message.rep())?;
        Ok(match name.as_str() {
            "endpoint" => Some(message.endpoint().to_owned()),
            "session" => Some(message.session().to_owned()),
            "failure" => message.failure().map(str::to_owned),
            "side" => Some(message.side().name().to_owned()),
            _ => None,
        })
    }

    fn part_count(&mut self, message: MessageHandle) -> HostResult<u32> {
        let count = self.message(message.rep())?.parts().len();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn part(&mut self, message: MessageHandle, index: u32) -> HostResult<Option<MessageHandle>> {
        let part = self.message(message.rep())?.parts().get(index as usize);
        let part = part.map(Arc::clone);
        part.map(|part| self.add_part_handle(part)).transpose()
    }

    /// A guest owns parts of streams only; arguments of the call are borrowed.
    fn drop(&mut self, message: MessageHandle) -> HostResult<()> {
        self.drop_part_handle(message.rep());
        Ok(())
    }
}

impl host::Host for State {
    fn log(&mut self, level: String, text: String) -> HostResult<()> {
        self.count_host_call();
        self.count_text(&[&level, &text])?;
        self.log.line(&level, &text, self.call.secrets.as_deref());
        Ok(())
    }

    fn settings(&mut self) -> HostResult<String> {
        self.count_host_call();
        Ok(self.settings.to_string())
    }

    fn placeholder(&mut self, class: String, secret: Vec<u8>) -> HostResult<String> {
        self.count_host_call();
        if !ouli_redaction::is_class(&class) {
            return Err(wasmtime::Error::msg(format!(
                "`{class}` is not a class: use lower-case letters, digits and `-`"
            )));
        }
        let secrets = self.call.secrets.as_ref();
        let secrets =
            secrets.ok_or_else(|| wasmtime::Error::msg("`placeholder` cannot be called here"))?;
        Ok(secrets.placeholder(&class, &secret))
    }

    fn digest(&mut self, algorithm: String, data: Vec<u8>) -> HostResult<Vec<u8>> {
        self.count_host_call();
        match algorithm.as_str() {
            "sha-256" => Ok(Sha256::digest(data).to_vec()),
            _ => Err(wasmtime::Error::msg(format!(
                "unknown digest algorithm `{algorithm}`; use `sha-256`"
            ))),
        }
    }
}

impl keys::Host for State {}

impl keys::HostKey for State {
    fn endpoint(&mut self, _: SinkHandle) -> HostResult<()> {
        self.add_part(KeyPart::Endpoint)
    }

    fn method(&mut self, _: SinkHandle) -> HostResult<()> {
        self.add_part(KeyPart::Method)
    }

    fn authority(&mut self, _: SinkHandle) -> HostResult<()> {
        self.add_part(KeyPart::Authority)
    }

    fn path(&mut self, _: SinkHandle) -> HostResult<()> {
        self.add_part(KeyPart::Path)
    }

    fn query(&mut self, _: SinkHandle, except: Vec<String>) -> HostResult<()> {
        self.count_texts(&except)?;
        let except = ExcludedNames::exact(except);
        self.add_part(KeyPart::Query { except })
    }

    fn header(&mut self, _: SinkHandle, name: String) -> HostResult<()> {
        self.count_text(&[&name])?;
        self.add_part(KeyPart::Header(name.to_ascii_lowercase()))
    }

    fn headers(&mut self, _: SinkHandle, except: Vec<String>) -> HostResult<()> {
        self.count_texts(&except)?;
        let except = ExcludedNames::case_insensitive(except);
        self.add_part(KeyPart::Headers { except })
    }

    fn vary(&mut self, _: SinkHandle, except: Vec<String>) -> HostResult<()> {
        self.count_texts(&except)?;
        let except = ExcludedNames::case_insensitive(except);
        self.add_part(KeyPart::Vary { except })
    }

    fn body(&mut self, _: SinkHandle, except: Vec<String>) -> HostResult<()> {
        self.count_texts(&except)?;
        let pointers: Result<Vec<_>, _> = except.iter().map(|text| parse_pointer(text)).collect();
        self.add_part(KeyPart::Body { except: pointers? })
    }

    fn part(&mut self, _: SinkHandle, name: String, value: Vec<u8>) -> HostResult<()> {
        let value = Bytes::from(value);
        self.add_part(KeyPart::Custom { name, value })
    }

    fn abstain(&mut self, _: SinkHandle) -> HostResult<()> {
        self.count_host_call();
        self.require_phase(Phase::Call, "abstain")?;
        self.output.abstain = true;
        Ok(())
    }

    fn ask(&mut self, _: SinkHandle) -> HostResult<()> {
        self.set_ask()
    }

    fn drop(&mut self, _: SinkHandle) -> HostResult<()> {
        Ok(())
    }
}

impl secrets::Host for State {}

impl secrets::HostRules for State {
    fn header(&mut self, _: SinkHandle, name: String, class: String) -> HostResult<()> {
        self.count_text(&[&name, &class])?;
        self.add_rule(RuleDeclaration::Header { name, class })
    }

    fn query(&mut self, _: SinkHandle, name: String, class: String) -> HostResult<()> {
        self.count_text(&[&name, &class])?;
        self.add_rule(RuleDeclaration::Query { name, class })
    }

    fn form(&mut self, _: SinkHandle, name: String, class: String) -> HostResult<()> {
        self.count_text(&[&name, &class])?;
        self.add_rule(RuleDeclaration::Form { name, class })
    }

    fn json_member(&mut self, _: SinkHandle, name: String, class: String) -> HostResult<()> {
        self.count_text(&[&name, &class])?;
        self.add_rule(RuleDeclaration::JsonMember { name, class })
    }

    fn json(&mut self, _: SinkHandle, pointer: String, class: String) -> HostResult<()> {
        self.count_text(&[&pointer, &class])?;
        self.add_rule(RuleDeclaration::Json { pointer, class })
    }

    fn pattern(&mut self, _: SinkHandle, regex: String, class: String) -> HostResult<()> {
        self.count_text(&[&regex, &class])?;
        self.add_rule(RuleDeclaration::Pattern { regex, class })
    }

    fn volatile_header(&mut self, _: SinkHandle, name: String) -> HostResult<()> {
        self.count_text(&[&name])?;
        self.add_rule(RuleDeclaration::VolatileHeader { name })
    }

    fn ask(&mut self, _: SinkHandle) -> HostResult<()> {
        self.set_ask()
    }

    fn drop(&mut self, _: SinkHandle) -> HostResult<()> {
        Ok(())
    }
}

impl secrets::HostEdit for State {
    fn set_header(&mut self, _: SinkHandle, name: String, values: Vec<Vec<u8>>) -> HostResult<()> {
        let size = values.iter().map(Vec::len).sum();
        self.add_edit(Edit::SetHeader { name, values }, size)
    }

    fn remove_header(&mut self, _: SinkHandle, name: String) -> HostResult<()> {
        self.add_edit(Edit::RemoveHeader { name }, 0)
    }

    fn replace(&mut self, _: SinkHandle, start: u64, end: u64, bytes: Vec<u8>) -> HostResult<()> {
        let size = bytes.len();
        self.add_edit(Edit::Replace { start, end, bytes }, size)
    }

    fn replace_json(&mut self, _: SinkHandle, pointer: String, text: String) -> HostResult<()> {
        let size = text.len();
        self.add_edit(Edit::ReplaceJson { pointer, text }, size)
    }

    fn set_target(&mut self, _: SinkHandle, target: String) -> HostResult<()> {
        let size = target.len();
        self.add_edit(Edit::SetTarget(target), size)
    }

    fn hold(&mut self, _: SinkHandle, bytes: u32) -> HostResult<()> {
        self.count_host_call();
        self.require_phase(Phase::Call, "hold")?;
        self.output.hold = bytes as usize;
        Ok(())
    }

    fn drop(&mut self, _: SinkHandle) -> HostResult<()> {
        Ok(())
    }
}

impl verdicts::Host for State {}

impl verdicts::HostConditions for State {
    fn skip_path(&mut self, _: SinkHandle, pattern: String, reason: String) -> HostResult<()> {
        self.add_condition(SkipPredicate::Path(pattern), reason)
    }

    fn skip_method(&mut self, _: SinkHandle, method: String, reason: String) -> HostResult<()> {
        self.add_condition(SkipPredicate::Method(method), reason)
    }

    fn skip_status(
        &mut self,
        _: SinkHandle,
        lowest: u32,
        highest: u32,
        reason: String,
    ) -> HostResult<()> {
        self.add_condition(SkipPredicate::Status(lowest, highest), reason)
    }

    fn ask(&mut self, _: SinkHandle) -> HostResult<()> {
        self.set_ask()
    }

    fn drop(&mut self, _: SinkHandle) -> HostResult<()> {
        Ok(())
    }
}

impl verdicts::HostVerdict for State {
    fn skip(&mut self, _: SinkHandle, reason: String) -> HostResult<()> {
        self.set_skip(reason)
    }

    fn tag(&mut self, _: SinkHandle, name: String, value: String) -> HostResult<()> {
        self.set_tag(name, value)
    }

    fn drop(&mut self, _: SinkHandle) -> HostResult<()> {
        Ok(())
    }
}
