//! The types of this crate wrap those of the contract at no cost.

/// Declares a type that wraps the one of the same name in `raw`: on WebAssembly the generated type,
/// which is borrowed for one call; on other targets the type of the test harness.
macro_rules! handle {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[repr(transparent)]
        pub struct $name(pub(crate) crate::raw::$name);

        #[cfg(target_family = "wasm")]
        impl $name {
            /// Wraps a borrowed handle.
            pub(crate) fn from_raw(raw: &crate::raw::$name) -> &Self {
                // SAFETY: both types have the same layout (`repr(transparent)`).
                unsafe { &*std::ptr::from_ref(raw).cast() }
            }
        }
    };
}

/// Checks at compile time that a type implements its role, on targets without exports.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! assert_role {
    ($plugin:ident, $role:ident) => {
        const _: () = {
            const fn assert_role<P: $crate::$role>() {}
            assert_role::<$plugin>();
        };
    };
}
