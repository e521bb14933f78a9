// Says which requests are the same: those with the same method, path, query and body, whatever their `nonce`, of the
// same tenant.
#include "matcher_plugin.h"

// A constant as a string of the contract; the callee only reads it.
static matcher_plugin_string_t text(const char *literal) {
  matcher_plugin_string_t string;
  matcher_plugin_string_set(&string, literal);
  return string;
}

// Called once: what is declared here the host takes from each request by itself.
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

// Called for each request, since `prepare` asked for it.
bool exports_ouli_gateway_matcher_identify(ouli_gateway_traffic_borrow_message_t request,
                                           ouli_gateway_keys_borrow_key_t parts, matcher_plugin_string_t *err) {
  (void)err;
  matcher_plugin_string_t header = text("x-tenant"), name = text("tenant");
  matcher_plugin_list_list_u8_t tenants;
  ouli_gateway_traffic_method_message_header(request, &header, &tenants);
  if (tenants.len > 0) ouli_gateway_keys_method_key_part(parts, &name, &tenants.ptr[0]);
  matcher_plugin_list_list_u8_free(&tenants);
  return true;
}
