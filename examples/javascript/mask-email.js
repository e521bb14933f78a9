// A redactor: mail addresses are secrets, those that stand in one piece and those that stand in two.
import { placeholder } from 'ouli:gateway/host@0.1.1';

const CLASS = 'e-mail';
const ADDRESS = String.raw`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`;

const encoder = new TextEncoder();

export const redactor = {
  prepare(rules) {
    rules.pattern(ADDRESS, CLASS);
    rules.ask();
  },

  // For {"contact": {"user": "ada", "host": "example.com"}}, where no pattern sees an address.
  redact(message, edit) {
    const pieces = [message.json('/contact/user'), message.json('/contact/host')];
    if (pieces.includes(undefined)) return;
    const [user, host] = pieces.map((text) => JSON.parse(text));
    // After an error the exchange is not written: better none than one with an address in it.
    if (typeof user !== 'string' || typeof host !== 'string') {
      throw 'contact.user and contact.host must be strings';
    }
    // The stand-in of the whole address: the same as where the pattern finds it.
    const standIn = placeholder(CLASS, encoder.encode(`${user}@${host}`));
    edit.replaceJson('/contact/user', JSON.stringify(standIn));
  },
};
