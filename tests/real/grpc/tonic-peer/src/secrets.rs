//! What is secret, by the place where it is sent: all are different, and all hold the secret that
//! the peer is told.

/// The same values as `schema.secrets` has in Python.
pub(crate) struct Secrets {
    pub(crate) authorization: String,
    pub(crate) api_key: String,
    pub(crate) password: String,
    /// It looks like a token of GitHub, so that it is found without descriptors.
    pub(crate) access_token: String,
    /// What the server gives to who logs in.
    pub(crate) issued: String,
    /// What the server puts into the trailers then.
    pub(crate) trailer: String,
}

impl Secrets {
    pub(crate) fn of(secret: &str) -> Self {
        Self {
            authorization: format!("Bearer bR{secret}"),
            api_key: format!("aK{secret}"),
            password: format!("pW{secret}"),
            access_token: format!("ghp_{secret}0123456789abcdef"),
            issued: format!("iS{secret}"),
            trailer: format!("tR{secret}"),
        }
    }
}
