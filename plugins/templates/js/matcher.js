// Says which requests are the same as a recorded one.

export const matcher = showErrors({
  // Called once. The gateway takes these parts from each request by itself, at native speed.
  prepare(parts) {
    parts.method();
    parts.path();
    parts.query([]);
    parts.vary(['user-agent']);
    parts.body(['/nonce']);
    parts.ask();
  },

  // Called for each request, since `prepare` asked for it: adds the parts that need code.
  identify(request, parts) {
    const [tenant] = request.header('x-tenant');
    if (tenant !== undefined) parts.part('tenant', tenant);
  },
});

// The gateway adds the last output of a call that stops to its error, so an `Error` is printed.
function showErrors(role) {
  const show = (call) => (...values) => {
    try {
      return call(...values);
    } catch (error) {
      if (error instanceof Error) console.error(`${error}\n${error.stack}`);
      throw error;
    }
  };
  return Object.fromEntries(Object.entries(role).map(([name, call]) => [name, show(call)]));
}
