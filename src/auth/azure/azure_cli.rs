//! Runs `az`, and kills it when the future is dropped.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};

use async_trait::async_trait;
use azure_identity::Executor;
use tokio::process::Command;

/// Executor that kills a command and its children when the future is dropped. The crate's own executor lets them
/// run on.
#[derive(Debug)]
pub(super) struct KillOnDropExecutor;

/// Runs a command in its own process group, which is killed when the other end of stdin is closed: by us, or
/// because we were killed. `az` is a script, so killing the started process alone is not enough.
#[cfg(unix)]
const KILL_ON_STDIN_CLOSE: &str = r#"
exec 3<&0 </dev/null
{ read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 &
"$@" 3<&-
code=$?
kill $! 2>/dev/null
exit $code
"#;

#[async_trait]
impl Executor for KillOnDropExecutor {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        #[cfg(unix)]
        let mut command = {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", KILL_ON_STDIN_CLOSE, "sh"]).arg(program).process_group(0);
            command
        };
        #[cfg(not(unix))]
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.kill_on_drop(true).spawn()?;
        let _stdin = running.stdin.take();
        running.wait_with_output().await
    }
}
