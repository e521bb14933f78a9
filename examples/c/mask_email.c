// Mail addresses are secrets: those that stand in one piece, and those that stand in two.
#include <stdlib.h>

#include "json_string.h"
#include "redactor_plugin.h"

typedef redactor_plugin_string_t string_t;

// A constant as a string of the contract; the callee only reads it.
static string_t text(const char *literal) {
  string_t string;
  redactor_plugin_string_set(&string, literal);
  return string;
}

static uint8_t *allocate(size_t size) {
  uint8_t *bytes = malloc(size);
  if (bytes == NULL) abort();  // a trap: the exchange is not written
  return bytes;
}

bool exports_ouli_gateway_redactor_prepare(ouli_gateway_secrets_borrow_rules_t declare, string_t *err) {
  (void)err;
  string_t class = text("e-mail"), address = text("[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+");
  ouli_gateway_secrets_method_rules_pattern(declare, &address, &class);
  ouli_gateway_secrets_method_rules_ask(declare);
  return true;
}

// The stand-in for an address as a JSON string: the same as where the pattern finds the address.
static string_t stand_in(redactor_plugin_list_u8_t address) {
  string_t class = text("e-mail"), plain;
  ouli_gateway_host_placeholder(&class, &address, &plain);
  string_t json = {allocate(6 * plain.len + 2), 0};
  json.len = json_string_encode(plain.ptr, plain.len, json.ptr);
  redactor_plugin_string_free(&plain);
  return json;
}

// Puts the stand-in in the place of `user`. What is no text is an error, and then the exchange is not written: better
// none than one with an address in it.
static bool mask(string_t user, string_t host, ouli_gateway_secrets_borrow_edit_t change, string_t *err) {
  uint8_t *address = allocate(user.len + 1 + host.len), *end = address;
  bool is_text = json_string_decode(user.ptr, user.len, &end);
  *end++ = '@';
  is_text = is_text && json_string_decode(host.ptr, host.len, &end);
  if (is_text) {
    string_t pointer = text("/contact/user");
    string_t json = stand_in((redactor_plugin_list_u8_t){address, end - address});
    ouli_gateway_secrets_method_edit_replace_json(change, &pointer, &json);
    redactor_plugin_string_free(&json);
  } else {
    redactor_plugin_string_dup(err, "contact.user and contact.host must be strings");
  }
  free(address);
  return is_text;
}

// For `{"contact": {"user": "ada", "host": "example.com"}}`, where no pattern sees an address.
bool exports_ouli_gateway_redactor_redact(ouli_gateway_traffic_borrow_message_t what,
                                          ouli_gateway_secrets_borrow_edit_t change, string_t *err) {
  string_t user_pointer = text("/contact/user"), host_pointer = text("/contact/host"), user, host;
  if (!ouli_gateway_traffic_method_message_json(what, &user_pointer, &user)) return true;
  bool success = true;
  if (ouli_gateway_traffic_method_message_json(what, &host_pointer, &host)) {
    success = mask(user, host, change, err);
    redactor_plugin_string_free(&host);
  }
  redactor_plugin_string_free(&user);
  return success;
}
