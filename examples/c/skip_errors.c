// Failures are not worth replaying: neither those of the server, nor those of a GraphQL query, which come with status
// 200.
#include "policy_plugin.h"

// A constant as a string of the contract; the callee only reads it.
static policy_plugin_string_t text(const char *literal) {
  policy_plugin_string_t string;
  policy_plugin_string_set(&string, literal);
  return string;
}

bool exports_ouli_gateway_recording_policy_prepare(ouli_gateway_verdicts_borrow_conditions_t declare,
                                                   policy_plugin_string_t *err) {
  (void)err;
  policy_plugin_string_t reason = text("the server failed");
  ouli_gateway_verdicts_method_conditions_skip_status(declare, 500, 599, &reason);
  ouli_gateway_verdicts_method_conditions_ask(declare);
  return true;
}

// `response` is NULL where the upstream gave none.
bool exports_ouli_gateway_recording_policy_decide(ouli_gateway_traffic_borrow_message_t request,
                                                  ouli_gateway_traffic_borrow_message_t *response,
                                                  ouli_gateway_verdicts_borrow_verdict_t give,
                                                  policy_plugin_string_t *err) {
  (void)request, (void)err;
  policy_plugin_string_t pointer = text("/errors/0"), error;
  if (response != NULL && ouli_gateway_traffic_method_message_json(*response, &pointer, &error)) {
    policy_plugin_string_free(&error);
    policy_plugin_string_t reason = text("the query failed");
    ouli_gateway_verdicts_method_verdict_skip(give, &reason);
  }
  return true;
}
