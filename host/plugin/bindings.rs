//! The generated side of the contract in `wit/`, and nothing else.

wasmtime::component::bindgen!({
    path: "wit",
    world: "plugin",
    imports: { default: trappable },
    with: {
        "ouli:gateway/traffic.message": super::state::MessageSlot,
        "ouli:gateway/keys.key": super::state::SinkSlot,
        "ouli:gateway/secrets.rules": super::state::SinkSlot,
        "ouli:gateway/secrets.edit": super::state::SinkSlot,
        "ouli:gateway/verdicts.conditions": super::state::SinkSlot,
        "ouli:gateway/verdicts.verdict": super::state::SinkSlot,
    },
});
