//! Values that clients make up match one to one, and come back as the client's own.

mod declared;
mod defaults;
mod generated;
mod json_rpc;

/// An id that a client makes up.
fn id() -> String {
    let digits = crate::support::random();
    format!("{}-4{}-a{}", &digits[..8], &digits[8..11], &digits[11..])
}
