//! Values that clients make up match one to one, and come back as the client's own.

mod declared;
mod defaults;
mod echoes;
mod event_answers;
mod generated;
mod grpc;
mod json_rpc;
mod shapes;

/// An id that a client makes up: a UUID of version 4.
fn id() -> String {
    let digits = [crate::support::random(), crate::support::random()].concat();
    let digits = |from: usize, count: usize| &digits[from..from + count];
    let (first, second, last) = (digits(0, 8), digits(8, 4), digits(18, 12));
    format!(
        "{first}-{second}-4{}-a{}-{last}",
        digits(12, 3),
        digits(15, 3)
    )
}
