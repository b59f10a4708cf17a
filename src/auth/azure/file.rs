//! Files with a key or a token.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use crate::auth::error::SignInError;
use crate::{blocking, paths};

/// Reads the first MiB of a file, which is enough for a key or a token. Reads on a thread of its own,
/// because the file may be a pipe without a writer.
pub(super) async fn read(path: PathBuf) -> Result<Vec<u8>, SignInError> {
    const MAX_BYTES: u64 = 1 << 20;
    let shown = paths::display(&path);
    let reading = blocking::call(move || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    });
    reading.await.flatten().map_err(|error| SignInError::new(format!("cannot read `{shown}`: {error}")))
}
