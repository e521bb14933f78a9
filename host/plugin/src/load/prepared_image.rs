//! A component as it is once `prepare` has run: new copies begin there, so that the start-up work
//! of a plugin is done once.
//!
//! The memory and the globals of a prepared copy become the initial ones of a new component
//! (wasmtime-wizer). That leaves out what the host holds for a guest, so a guest that keeps handles
//! has none.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::Store;
use wasmtime::component::{Instance, Lift, WasmList};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use crate::contract::call_state::State;

/// A component whose state can be read, and what is needed to write it again.
pub(crate) struct InstrumentedComponent<'a> {
    context: ComponentContext<'a>,
    pub(crate) bytes: Vec<u8>,
}

/// Makes the state of a component readable. None where it has parts that cannot be read, such as
/// components within components.
pub(crate) fn instrument(bytes: &[u8]) -> Option<InstrumentedComponent<'_>> {
    let made = std::panic::catch_unwind(|| Wizer::new().instrument_component(bytes));
    let (context, bytes) = made.ok()?.ok()?;
    Some(InstrumentedComponent { context, bytes })
}

impl InstrumentedComponent<'_> {
    /// The component as this copy of it is now.
    pub(crate) fn snapshot(&self, store: &mut Store<State>, instance: Instance) -> Option<Vec<u8>> {
        let mut reader = StateReader { store, instance };
        let made = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let wizer = Wizer::new();
            let written = pin!(wizer.snapshot_component(&self.context, &mut reader));
            // Nothing in it waits.
            match written.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(written) => written.ok(),
                Poll::Pending => None,
            }
        }));
        made.ok()?
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
        // The trait has no errors; the caller catches this.
        let value = read().expect("what was made readable can be read");
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
