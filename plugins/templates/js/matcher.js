// Says which requests are the same as a recorded one.

export const matcher = {
  // Called once. The gateway takes these parts from each request by itself, at native speed.
  prepare(parts) {
    parts.method();
    parts.path();
    parts.query([]);
    parts.body(['/nonce']);
    parts.ask();
  },

  // Called for each request, since `prepare` asked for it: adds the parts that need code.
  identify(request, parts) {
    const [tenant] = request.header('x-tenant');
    if (tenant !== undefined) parts.part('tenant', tenant);
  },
};
