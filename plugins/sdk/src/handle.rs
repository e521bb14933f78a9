//! How the types of this crate wrap those of the contract, at no cost.

/// Declares a type around the one of the same name in `raw`: on WebAssembly what the contract
/// generates, which is lent for the length of a call; elsewhere what the harness holds in memory.
macro_rules! handle {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[repr(transparent)]
        pub struct $name(pub(crate) crate::raw::$name);

        #[cfg(target_family = "wasm")]
        impl $name {
            /// Shows what was lent as this type.
            pub(crate) fn lent(raw: &crate::raw::$name) -> &Self {
                // SAFETY: this type is nothing but the other one (`repr(transparent)`).
                unsafe { &*std::ptr::from_ref(raw).cast() }
            }
        }
    };
}

/// Makes sure, where nothing is exported, that a type has its role.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! has_role {
    ($plugin:ident, $role:ident) => {
        const _: () = {
            const fn has_role<P: $crate::$role>() {}
            has_role::<$plugin>();
        };
    };
}
