//! Text that is never printed.

use std::fmt;
use std::sync::Arc;

/// Text that is never printed: `Debug` masks it, and there is no `Display`. Clones share it.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Creates a secret. Returns `None` if the text is blank.
    pub fn new(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.into()))
    }

    /// Returns the secret, for the code that sends it.
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
    fn secret_is_masked_not_blank_and_shared_by_clones() {
        for empty in ["", " ", "\n\t"] {
            assert!(Secret::new(empty).is_none(), "{empty:?}");
        }
        let secret = Secret::new("s3cr3t").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(secret.expose().as_ptr(), secret.clone().expose().as_ptr());
    }
}
