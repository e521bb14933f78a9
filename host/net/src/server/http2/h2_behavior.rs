//! Tests of what the gateway relies on in h2 and hyper.
