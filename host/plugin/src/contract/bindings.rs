//! The generated side of the contract in `wit/`, and nothing else.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: { default: trappable },
    with: {
        "ouli:gateway/traffic.message": super::call_state::MessageSlot,
        "ouli:gateway/keys.key": super::call_state::SinkSlot,
        "ouli:gateway/secrets.rules": super::call_state::SinkSlot,
        "ouli:gateway/secrets.edit": super::call_state::SinkSlot,
        "ouli:gateway/verdicts.conditions": super::call_state::SinkSlot,
        "ouli:gateway/verdicts.verdict": super::call_state::SinkSlot,
    },
});
