//! The bindings that are generated from the contract in `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: { default: trappable },
    with: {
        "ouli:gateway/traffic.message": crate::sandbox::state::MessageSlot,
        "ouli:gateway/keys.key": crate::sandbox::state::SinkSlot,
        "ouli:gateway/secrets.rules": crate::sandbox::state::SinkSlot,
        "ouli:gateway/secrets.edit": crate::sandbox::state::SinkSlot,
        "ouli:gateway/verdicts.conditions": crate::sandbox::state::SinkSlot,
        "ouli:gateway/verdicts.verdict": crate::sandbox::state::SinkSlot,
    },
});
