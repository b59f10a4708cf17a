//! Runs `az`, kills it when the future is dropped, and finds the token in what it prints.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};

use async_trait::async_trait;
use azure_identity::Executor;
use tokio::process::Command;

use super::error::single_line;
use super::token_response::find_az_token;
use crate::auth::error::SignInError;

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
        #[cfg(windows)]
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = run(command).await?;
        with_token(output, args.last().copied().unwrap_or_default())
    }
}

#[cfg(unix)]
async fn run(mut command: Command) -> io::Result<Output> {
    let spawned = command.kill_on_drop(true).spawn();
    let mut running = spawned.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other(SignInError::new("this system has no shell to run `az`")),
        _ => error,
    })?;
    let _stdin = running.stdin.take();
    running.wait_with_output().await
}

/// Runs a command in a job object, which Windows ends with all its processes when the future is dropped or this process
/// ends.
#[cfg(windows)]
async fn run(command: Command) -> io::Result<Output> {
    use process_wrap::tokio::{CommandWrap, JobObject, KillOnDrop};
    use tokio::io::{AsyncRead, AsyncReadExt as _};

    async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).await?;
        }
        Ok(bytes)
    }

    let mut job = CommandWrap::from(command).wrap(KillOnDrop).wrap(JobObject).spawn()?;
    let _stdin = job.stdin().take();
    let (stdout, stderr) = (job.stdout().take(), job.stderr().take());
    // The wait of the job would also wait for a process that `az` starts in the background.
    let (stdout, stderr, status) = tokio::try_join!(read(stdout), read(stderr), job.inner_mut().wait())?;
    Ok(Output { status, stdout, stderr })
}

/// Returns the output of a success with only the token on stdout, and the output of a failure with a message on
/// stderr. `line` is the command line of the shell.
///
/// # Errors
/// A success without a token, or an `az` that is not executable.
fn with_token(mut output: Output, line: &OsStr) -> io::Result<Output> {
    let line = line.to_string_lossy();
    let line = line.split_once("&& ").map_or(&*line, |(_, command)| command);
    let to_see = format!("to see what it prints, run `{line}`");
    if output.status.success() {
        match find_az_token(&String::from_utf8_lossy(&output.stdout)) {
            Some(token) => output.stdout = token,
            None => {
                let problem = format!("`az` printed no JSON object with a token; {to_see}");
                return Err(io::Error::other(SignInError::new(problem)));
            }
        }
    } else if output.status.code() == Some(127)
        && let message = single_line(&String::from_utf8_lossy(&output.stderr))
        && !message.is_empty()
        && !message.contains("not found")
    {
        // `azure_identity` reports every 127 of the shell as a missing `az`.
        return Err(io::Error::other(SignInError::new(format!("`az` cannot be run: {message}"))));
    } else if output.stderr.trim_ascii().is_empty() {
        output.stderr = format!("`az` failed without a message ({}); {to_see}", output.status).into_bytes();
    }
    Ok(output)
}
