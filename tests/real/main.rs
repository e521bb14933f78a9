//! Tests with software that others wrote.
