//! `ca`: creates the local CA if needed and prints the path of its certificate.

use crate::environment;
use crate::exit_status::{EXIT_OK, usage_error};
use crate::output::outln;
use ouli_message::error_chain::error_chain;
use ouli_net::tls::CertificateAuthority;

/// Prints the path alone on stdout, so that other commands can use it.
pub(super) fn print_path() -> u8 {
    match open_local() {
        Ok(authority) => {
            outln!("{}", authority.certificate_path().display());
            EXIT_OK
        }
        Err(reason) => usage_error(&reason),
    }
}

/// The local CA of this user, which is created if needed.
pub(super) fn open_local() -> Result<CertificateAuthority, String> {
    let folder = environment::ca_folder().ok_or(
        "no folder for the key of the local CA: HOME is not set; set HOME, or XDG_DATA_HOME to an \
         absolute path",
    )?;
    CertificateAuthority::open_or_create(&folder).map_err(|error| error_chain(&error))
}
