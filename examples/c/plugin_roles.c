// A plugin with all three roles in C: one function per function of the contract.
//
// `true` means success; `false` with a text in `err` (made by plugin_string_dup) is the error that the host shows to the
// user. Handles are dropped by the bindings (--autodrop-borrows yes). Whatever the host returned is the plugin's own:
// each `..._free` below gives it back.
#include <string.h>

#include "gen/plugin.h"

typedef ouli_gateway_traffic_borrow_message_t message_t;
typedef ouli_gateway_keys_borrow_key_t key_t;
typedef ouli_gateway_secrets_borrow_rules_t rules_t;
typedef ouli_gateway_secrets_borrow_edit_t edit_t;
typedef ouli_gateway_verdicts_borrow_conditions_t conditions_t;
typedef ouli_gateway_verdicts_borrow_verdict_t verdict_t;

// A constant as a string of the contract; the callee only reads it.
static plugin_string_t text(const char *literal) {
  plugin_string_t string;
  plugin_string_set(&string, literal);
  return string;
}

bool exports_ouli_gateway_matcher_prepare(key_t parts, plugin_string_t *err) {
  (void)err;
  ouli_gateway_keys_method_key_method(parts);
  ouli_gateway_keys_method_key_path(parts);
  ouli_gateway_keys_method_key_ask(parts);
  return true;
}

static void add_id(message_t request, key_t parts) {
  plugin_string_t name = text("id"), pointer = text("/id"), id;
  plugin_list_u8_t value = {0};
  bool found = ouli_gateway_traffic_method_message_json(request, &pointer, &id);
  if (found) value = (plugin_list_u8_t){id.ptr, id.len};  // without `found`, `id` holds anything
  ouli_gateway_keys_method_key_part(parts, &name, &value);
  if (found) plugin_string_free(&id);
}

static void add_kind(message_t request, key_t parts) {
  plugin_string_t name = text("kind"), header = text("x-kind");
  plugin_list_list_u8_t kinds;
  ouli_gateway_traffic_method_message_header(request, &header, &kinds);
  plugin_list_u8_t none = {0};
  ouli_gateway_keys_method_key_part(parts, &name, kinds.len > 0 ? &kinds.ptr[0] : &none);
  plugin_list_list_u8_free(&kinds);
}

bool exports_ouli_gateway_matcher_identify(message_t request, key_t parts, plugin_string_t *err) {
  (void)err;
  add_id(request, parts);
  add_kind(request, parts);
  return true;
}

bool exports_ouli_gateway_redactor_prepare(rules_t declare, plugin_string_t *err) {
  (void)err;
  plugin_string_t name = text("pin"), class = text("pin");
  ouli_gateway_secrets_method_rules_json_member(declare, &name, &class);
  ouli_gateway_secrets_method_rules_ask(declare);
  return true;
}

// Replaces a value by its stand-in, in place.
static void stand_in(plugin_list_u8_t *value) {
  plugin_string_t class = text("e-mail"), made;
  ouli_gateway_host_placeholder(&class, value, &made);
  plugin_list_u8_free(value);
  *value = (plugin_list_u8_t){made.ptr, made.len};
}

bool exports_ouli_gateway_redactor_redact(message_t what, edit_t change, plugin_string_t *err) {
  (void)err;
  plugin_string_t name = text("x-mail");
  plugin_list_list_u8_t mails;
  ouli_gateway_traffic_method_message_header(what, &name, &mails);
  for (size_t i = 0; i < mails.len; i++) stand_in(&mails.ptr[i]);
  if (mails.len > 0) ouli_gateway_secrets_method_edit_set_header(change, &name, &mails);
  plugin_list_list_u8_free(&mails);
  return true;
}

bool exports_ouli_gateway_recording_policy_prepare(conditions_t declare, plugin_string_t *err) {
  (void)err;
  plugin_string_t pattern = text("/healthz"), reason = text("health check");
  ouli_gateway_verdicts_method_conditions_skip_path(declare, &pattern, &reason);
  ouli_gateway_verdicts_method_conditions_ask(declare);
  return true;
}

// `response` is NULL where the upstream gave none.
bool exports_ouli_gateway_recording_policy_decide(message_t request, message_t *response, verdict_t give,
                                                  plugin_string_t *err) {
  (void)request, (void)err;
  if (response != NULL && ouli_gateway_traffic_method_message_status(*response) >= 500) {
    plugin_string_t reason = text("server error");
    ouli_gateway_verdicts_method_verdict_skip(give, &reason);
  }
  return true;
}
