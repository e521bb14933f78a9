//! Configurations: any text is accepted or refused with the position of every fault.

use std::path::Path;

use ouli_config::Config;

/// The input is the text of `ouli.toml`.
pub(super) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (file, base) = (Path::new("ouli.toml"), Path::new("/base"));
    let read = || Config::from_sources(Some((file, text)), &[], base);
    match read() {
        Ok(config) => {
            assert!(!config.endpoints.is_empty());
            assert_eq!(read().as_ref(), Ok(&config));
        }
        Err(error) => {
            assert!(!error.errors.is_empty());
            let is_toml = text.parse::<toml::Table>().is_ok();
            let lines = text.split('\n').count();
            for fault in &error.errors {
                assert!(!fault.message.is_empty());
                assert!(
                    !is_toml || !fault.key.is_empty(),
                    "without a key: {fault:?}"
                );
                assert!(
                    fault.line.is_none_or(|line| (1..=lines).contains(&line)),
                    "{fault:?}"
                );
            }
            assert!(!error.to_string().is_empty());
        }
    }
}
