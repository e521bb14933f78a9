//! The secrets, one for each place: all are different and contain the secret of the command line.

/// The same values as `schema.secrets` in Python.
pub(crate) struct Secrets {
    pub(crate) authorization: String,
    pub(crate) api_key: String,
    pub(crate) password: String,
    /// It has the pattern of a GitHub token, so it is found without descriptors.
    pub(crate) access_token: String,
    /// The token that the server issues at a login.
    pub(crate) issued: String,
    /// The token that the server sends in the trailers of a login.
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
