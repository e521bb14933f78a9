// A recording policy: a failure is not worth recording, neither one with a status that says so, nor one that hides in
// the `errors` of an answer with status 200, as GraphQL gives them.

export const recordingPolicy = {
  prepare(conditions) {
    conditions.skipStatus(500, 599, 'the server failed');
    conditions.ask();
  },

  decide(request, response, verdict) {
    if (response?.json('/errors/0') !== undefined) verdict.skip('the query failed');
  },
};
