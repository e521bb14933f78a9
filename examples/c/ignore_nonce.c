// Requests that differ in nothing but the `nonce` of their JSON body are the same, but for each tenant on its own.
#include <string.h>

#include "matcher_plugin.h"

// A constant as a string of the contract; the callee only reads it.
static matcher_plugin_string_t text(const char *literal) {
  matcher_plugin_string_t string;
  matcher_plugin_string_set(&string, literal);
  return string;
}

bool exports_ouli_gateway_matcher_prepare(ouli_gateway_keys_borrow_key_t parts, matcher_plugin_string_t *err) {
  (void)err;
  matcher_plugin_string_t nonce = text("/nonce"), agent = text("user-agent");
  matcher_plugin_list_string_t nothing = {0}, but_nonce = {&nonce, 1}, but_agent = {&agent, 1};
  ouli_gateway_keys_method_key_method(parts);
  ouli_gateway_keys_method_key_path(parts);
  ouli_gateway_keys_method_key_query(parts, &nothing);
  ouli_gateway_keys_method_key_vary(parts, &but_agent);
  ouli_gateway_keys_method_key_body(parts, &but_nonce);
  ouli_gateway_keys_method_key_ask(parts);
  return true;
}

// A request id reads TENANT.NONCE.
static void add_tenant(matcher_plugin_list_u8_t id, ouli_gateway_keys_borrow_key_t parts) {
  matcher_plugin_string_t name = text("tenant");
  const uint8_t *dot = id.len > 0 ? memchr(id.ptr, '.', id.len) : NULL;
  if (dot != NULL) id.len = dot - id.ptr;
  ouli_gateway_keys_method_key_part(parts, &name, &id);
}

bool exports_ouli_gateway_matcher_identify(ouli_gateway_traffic_borrow_message_t request,
                                           ouli_gateway_keys_borrow_key_t parts, matcher_plugin_string_t *err) {
  (void)err;
  matcher_plugin_string_t header = text("x-request-id");
  matcher_plugin_list_list_u8_t ids;
  ouli_gateway_traffic_method_message_header(request, &header, &ids);
  if (ids.len > 0) add_tenant(ids.ptr[0], parts);
  matcher_plugin_list_list_u8_free(&ids);
  return true;
}
