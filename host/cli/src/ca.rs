//! `ca`: creates the local CA if needed and prints the path of its certificate.

use crate::environment;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::outln;
use ouli_message::error_chain::error_chain;
use ouli_net::tls::CertificateAuthority;

/// Prints the path alone on stdout, so that other commands can use it.
pub(super) fn print_path() -> u8 {
    match CertificateAuthority::open_or_create(&environment::ca_folder()) {
        Ok(authority) => {
            outln!("{}", authority.certificate_path().display());
            EXIT_OK
        }
        Err(error) => usage_error(&error_chain(&error)),
    }
}
