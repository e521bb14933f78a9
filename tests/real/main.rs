//! Tests with software that others wrote: httpbin as the upstream; curl, httpx and Node's fetch as clients.
//!
//! They need Python and Node, so they run only where asked: `.ci/run` installs what they take and runs them.

mod client;
mod compare;
mod curl;
mod process;
mod replay;
mod requests;
mod script;
mod secrets;
mod sessions;
mod tools;
