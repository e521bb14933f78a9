//! The contract in `wit/`: generated bindings, the functions that the host provides, the roles that
//! a component exports and what they declare.

pub(crate) mod bindings;
pub(crate) mod declarations;
mod imports;
pub(crate) mod roles;
