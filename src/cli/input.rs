//! Reads input files up to a size limit.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::paths;

/// Size limit in bytes: some hundred thousand changes.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a file or a pipe as UTF-8 text of at most 64 MiB. A link that leads out of its repository is an
/// error.
///
/// # Errors
/// The file cannot be read, is over 64 MiB, or is not UTF-8; or a link leads out of its repository.
pub(super) fn read(path: &Path) -> io::Result<String> {
    paths::resolve_input(path).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    // One byte more than allowed distinguishes a file that is too large from one that just fits.
    let read = File::open(path)?.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_BYTES) {
        return String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8"));
    }
    Err(io::Error::other("larger than 64 MiB"))
}
