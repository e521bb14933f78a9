//! A snapshot of a prepared instance: a component that starts in the state that `prepare` left, so
//! that `prepare` runs once for all instances.
//!
//! The memory and the globals of the prepared instance become the initial ones of the new component
//! (wasmtime-wizer). State that the host holds for the guest is not included, so a guest that holds
//! handles of the host cannot be snapshotted.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::Store;
use wasmtime::component::{Instance, Lift, WasmList};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use crate::sandbox::state::State;

/// A component with added functions that read its state.
pub(crate) struct InstrumentedComponent<'a> {
    context: ComponentContext<'a>,
    pub(crate) bytes: Vec<u8>,
}

/// Adds functions that read the state of a component. None if it has parts whose state cannot be
/// read, such as nested components.
pub(crate) fn instrument(bytes: &[u8]) -> Option<InstrumentedComponent<'_>> {
    let result = std::panic::catch_unwind(|| Wizer::new().instrument_component(bytes));
    let (context, bytes) = result.ok()?.ok()?;
    Some(InstrumentedComponent { context, bytes })
}

impl InstrumentedComponent<'_> {
    /// A component that starts in the present state of this instance.
    pub(super) fn snapshot(&self, store: &mut Store<State>, instance: Instance) -> Option<Vec<u8>> {
        let mut reader = StateReader { store, instance };
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let wizer = Wizer::new();
            let snapshot = pin!(wizer.snapshot_component(&self.context, &mut reader));
            // The reader never waits, so the first poll finishes.
            match snapshot.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(component) => component.ok(),
                Poll::Pending => None,
            }
        }));
        result.ok()?
    }
}

struct StateReader<'a> {
    store: &'a mut Store<State>,
    instance: Instance,
}

impl StateReader<'_> {
    fn call<R, T>(
        &mut self,
        instance: &str,
        func: &str,
        take: impl FnOnce(&mut Store<State>, R) -> T,
    ) -> T
    where
        R: Lift + 'static,
    {
        let mut read = || -> wasmtime::Result<R> {
            let missing = || wasmtime::Error::msg("an accessor is missing");
            let outer = self
                .instance
                .get_export_index(&mut *self.store, None, instance);
            let outer = outer.ok_or_else(missing)?;
            let inner = self
                .instance
                .get_export_index(&mut *self.store, Some(&outer), func);
            let inner = inner.ok_or_else(missing)?;
            let func = self
                .instance
                .get_typed_func::<(), (R,)>(&mut *self.store, inner)?;
            Ok(func.call(&mut *self.store, ())?.0)
        };
        // The trait has no errors; the caller catches the panic.
        let value = read().expect("the state of an instrumented component can be read");
        take(self.store, value)
    }
}

impl ComponentInstanceState for StateReader<'_> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        self.call(instance, func, |store, list: WasmList<u8>| {
            contents(list.as_le_slice(&*store));
        });
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func, |_, value| value)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func, |_, value| value)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call(instance, func, |_, value: f32| value.to_bits())
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call(instance, func, |_, value: f64| value.to_bits())
    }
}
