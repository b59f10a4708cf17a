//! A text that is never shown.

use std::fmt;
use std::sync::Arc;

/// A text that is never shown: its `Debug` is a mask, and there is no `Display`. Its clones share it.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a secret in; nothing but white space is none.
    pub fn new(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.into()))
    }

    /// Lets the secret out, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown_never_empty_and_shared_by_its_clones() {
        for empty in ["", " ", "\n\t"] {
            assert!(Secret::new(empty).is_none(), "{empty:?}");
        }
        let secret = Secret::new("s3cr3t").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(secret.expose().as_ptr(), secret.clone().expose().as_ptr());
    }
}
