//! Outputs: files that are replaced atomically, the files of a step of GitHub Actions, and stdout and stderr of a run.

mod errors;
mod log;
mod outputs;
mod printer;
mod problems;
mod step;
mod workspace;

pub use errors::{folder_error, not_writable, stdout_error};
pub use log::log_to_stderr;
pub use outputs::{OutPath, Outputs, RenderedRun, open_distinct, open_file, rescue_report};
pub use problems::{print_diagnostics, print_problems};
pub use step::StepFiles;
