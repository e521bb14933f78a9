// A plugin with all three roles in plain JavaScript: one object per role, one method per function of the contract.
// A returned value means success; a thrown string is the error that the host shows to the user.
import { placeholder } from 'ouli:gateway/host@0.1.0';

const encoder = new TextEncoder();
const nothing = new Uint8Array();

export const matcher = {
  prepare(parts) {
    parts.method();
    parts.path();
    parts.ask();
  },

  identify(request, parts) {
    const id = request.json('/id');
    const [kind = nothing] = request.header('x-kind');
    parts.part('id', id === undefined ? nothing : encoder.encode(id));
    parts.part('kind', kind);
  },
};

export const redactor = {
  prepare(rules) {
    rules.jsonMember('pin', 'pin');
    rules.ask();
  },

  redact(message, edit) {
    const mails = message.header('x-mail');
    if (mails.length > 0) {
      edit.setHeader('x-mail', mails.map((mail) => encoder.encode(placeholder('e-mail', mail))));
    }
  },
};

export const recordingPolicy = {
  prepare(conditions) {
    conditions.skipPath('/healthz', 'health check');
    conditions.ask();
  },

  decide(request, response, verdict) {
    if (response !== undefined && response.status() >= 500) {
      verdict.skip('server error');
    }
  },
};
