// A matcher: requests that differ in nothing but a nonce are the same.
//
// The nonce stands in two places: in the JSON body, where a declaration is enough, and in the header
// `x-request-id: TENANT.NONCE`, which takes code.

const DOT = '.'.charCodeAt(0);

export const matcher = {
  prepare(parts) {
    parts.method();
    parts.path();
    parts.query([]);
    parts.vary(['user-agent']);
    parts.body(['/nonce']);
    parts.ask();
  },

  identify(request, parts) {
    const [id] = request.header('x-request-id');
    if (id === undefined) return;
    const dot = id.indexOf(DOT);
    parts.part('tenant', dot < 0 ? id : id.slice(0, dot));
  },
};
