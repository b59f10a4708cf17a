//! Error responses of the emulator, as values.
//!
//! A leaf: `odata` renders them, every other module may return them. See
//! <https://learn.microsoft.com/graph/errors>.

/// Error response to a request: status, Graph error code, message and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorResponse {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl ErrorResponse {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    /// Returns a 400 with the code of Graph's front end, for a malformed request.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// Returns a 404 for a flow or connector that does not exist. The service behind user flows
    /// uses the code `AADB2C` for nearly every error.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "AADB2C", message)
    }

    /// Adds a header.
    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
