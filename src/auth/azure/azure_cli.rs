//! How `az` is run: not a moment longer than somebody waits for it.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};

use async_trait::async_trait;
use azure_identity::Executor;
use tokio::process::Command;

/// Runs a command that ends with all that it started once nobody waits for it any more. The crate's own
/// way lets it live on.
#[derive(Debug)]
pub(super) struct Tied;

/// Runs a command in a group of processes of its own, which is killed as soon as the other end of stdin
/// is closed: by us, or by whatever ended us. `az` is a script, so it would not do to kill what we started.
#[cfg(unix)]
const TIED: &str = r#"
exec 3<&0 </dev/null
{ read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 &
"$@" 3<&-
code=$?
kill $! 2>/dev/null
exit $code
"#;

#[async_trait]
impl Executor for Tied {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        #[cfg(unix)]
        let mut command = {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", TIED, "sh"]).arg(program).process_group(0);
            command
        };
        #[cfg(not(unix))]
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.kill_on_drop(true).spawn()?;
        let _tie = running.stdin.take();
        running.wait_with_output().await
    }
}
