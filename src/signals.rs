//! Signals that end the process. A command runs on a thread of its own, so that no blocked write delays its end.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::exit::Exit;
use crate::http::{Stop, StopStage, saturating_add, stopped};

/// Time after the first signal for changes in flight, and then for their read-back. Together with the time for stdout
/// and `LIMIT`, a stopped run ends within 10 s.
const STAGES: [(StopStage, Duration); 2] =
    [(StopStage::Verifying, Duration::from_secs(4)), (StopStage::Ending, Duration::from_secs(7))];

/// Time for the report after all requests have ended. Then the process ends without it.
const LIMIT: Duration = Duration::from_millis(2_500);

/// Stack of the thread of a command: that of a main thread.
const STACK_SIZE: usize = 8 << 20;

/// Signals that a command observes.
#[derive(Debug)]
pub struct Signals {
    /// Stage of the shutdown.
    pub stop: Stop,
    exit: Arc<OnceLock<Exit>>,
    ends_in_stages: Arc<AtomicBool>,
}

impl Signals {
    /// Returns the exit code of the first signal; `None` before any signal.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// From now on, a signal ends the command in the stages of [`StopStage`], and a second one starts the last stage.
    /// Before this call, a signal ends the process at once, also while a read of a pipe blocks the thread. A command
    /// calls this before it has anything to finish or to report.
    pub fn end_in_stages(&self) {
        self.ends_in_stages.store(true, Ordering::Release);
    }

    /// Waits for the first signal.
    pub async fn stopped(&self) {
        stopped(&self.stop, StopStage::Stopping).await;
    }
}

/// Runs a command, and returns its result. If a signal ends the process before, returns the exit code of the signal.
///
/// # Errors
/// The signals cannot be watched, or the thread cannot be started.
pub fn run<T: Send + 'static>(
    command: impl FnOnce(&Signals) -> T + Send + 'static,
) -> anyhow::Result<Result<T, Exit>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        let mut source = source::Source::new()?;
        let (sender, stop) = watch::channel(StopStage::Running);
        let signals = Signals { stop, exit: Arc::default(), ends_in_stages: Arc::default() };
        let (exit, ends_in_stages) = (Arc::clone(&signals.exit), Arc::clone(&signals.ends_in_stages));
        let (done, ended) = oneshot::channel::<()>();
        let start = move || {
            // Dropped when the command has ended or panicked.
            let _done = done;
            command(&signals)
        };
        let thread = thread::Builder::new().stack_size(STACK_SIZE).spawn(start);
        let thread = thread.context("cannot start a thread")?;
        let end = async {
            let first = source.next().await;
            // The receiver may be dropped. The code is set before the command can observe the signal.
            _ = exit.set(first);
            if ends_in_stages.load(Ordering::Acquire) {
                shut_down(&sender, source.next()).await;
            }
            first
        };
        tokio::select! {
            biased;
            _ = ended => Ok(Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))),
            exit = end => Ok(Err(exit)),
        }
    })
}

/// Goes through the stages of a shutdown, the last of which begins with a second signal at the latest. Returns when the
/// time for the report is over.
async fn shut_down(stop: &watch::Sender<StopStage>, second: impl Future<Output = Exit>) {
    let began = Instant::now();
    stop.send_replace(StopStage::Stopping);
    let stages = async {
        for (stage, after) in STAGES {
            sleep_until(saturating_add(began, after)).await;
            stop.send_replace(stage);
        }
    };
    tokio::select! {
        () = stages => {}
        _ = second => {
            stop.send_replace(StopStage::Ending);
        }
    }
    sleep(LIMIT).await;
}

#[cfg(unix)]
mod source {
    use anyhow::Context as _;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use crate::exit::Exit;

    /// Sent for a write above the limit of `ulimit -f`. With a handler, the process goes on, and the write is an error
    /// like that of a full disk.
    const SIGXFSZ: i32 = 25;

    /// Signals of the process: SIGINT, SIGTERM, and SIGHUP and SIGQUIT, unless the process was started to ignore them.
    pub(super) struct Source {
        interrupt: Signal,
        terminate: Signal,
        hang_up: Option<Signal>,
        quit: Option<Signal>,
    }

    impl Source {
        pub(super) fn new() -> anyhow::Result<Self> {
            let unless_ignored = |kind| (!is_ignored(kind)).then(|| signal(kind)).transpose();
            _ = signal(SignalKind::from_raw(SIGXFSZ)).context("cannot watch for SIGXFSZ")?;
            Ok(Self {
                interrupt: signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?,
                terminate: signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?,
                hang_up: unless_ignored(SignalKind::hangup()).context("cannot watch for SIGHUP")?,
                quit: unless_ignored(SignalKind::quit()).context("cannot watch for SIGQUIT")?,
            })
        }

        /// Waits for the next signal, and returns its exit code.
        pub(super) async fn next(&mut self) -> Exit {
            let Self { interrupt, terminate, hang_up, quit } = self;
            tokio::select! {
                _ = interrupt.recv() => Exit::Interrupted,
                _ = terminate.recv() => Exit::Terminated,
                () = receive(hang_up) => Exit::Terminated,
                () = receive(quit) => Exit::Terminated,
            }
        }
    }

    /// Waits for a signal that may be ignored.
    async fn receive(signal: &mut Option<Signal>) {
        match signal {
            Some(signal) => _ = signal.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Returns whether a signal is ignored, as `nohup` does with SIGHUP. A handler would end the run in spite of it.
    /// Only Linux shows this in a file; elsewhere no signal counts as ignored.
    fn is_ignored(signal: SignalKind) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // Signal 1 is the lowest bit.
        let bit =
            signal.as_raw_value().checked_sub(1).and_then(|shift| 1_u64.checked_shl(shift.cast_unsigned()));
        mask.zip(bit).is_some_and(|(mask, bit)| mask & bit != 0)
    }
}

#[cfg(windows)]
mod source {
    use std::time::Duration;

    use anyhow::Context as _;
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
    };
    use tokio::time::sleep;

    use crate::exit::Exit;

    /// Time for changes in flight after the console was closed or Windows shuts down, which ends the process after 5 s.
    const CLOSING: Duration = Duration::from_secs(2);

    /// Signals of the process: Ctrl+C, Ctrl+Break, and a closed console and a shutdown, each of which counts as two.
    pub(super) struct Source {
        interrupt: CtrlC,
        terminate: CtrlBreak,
        close: CtrlClose,
        shutdown: CtrlShutdown,
        is_closing: bool,
    }

    impl Source {
        pub(super) fn new() -> anyhow::Result<Self> {
            Ok(Self {
                interrupt: ctrl_c().context("cannot watch for Ctrl+C")?,
                terminate: ctrl_break().context("cannot watch for Ctrl+Break")?,
                close: ctrl_close().context("cannot watch the console")?,
                shutdown: ctrl_shutdown().context("cannot watch for a shutdown")?,
                is_closing: false,
            })
        }

        /// Waits for the next signal, and returns its exit code.
        pub(super) async fn next(&mut self) -> Exit {
            if self.is_closing {
                sleep(CLOSING).await;
                return Exit::Terminated;
            }
            self.is_closing = tokio::select! {
                _ = self.interrupt.recv() => return Exit::Interrupted,
                _ = self.terminate.recv() => false,
                _ = self.close.recv() => true,
                _ = self.shutdown.recv() => true,
            };
            Exit::Terminated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the stages with the seconds at which they begin, and the time at which the process ends.
    async fn stages(second: impl Future<Output = Exit>) -> (Vec<(StopStage, u64)>, Duration) {
        let (sender, mut stop) = watch::channel(StopStage::Running);
        let began = Instant::now();
        let mut stages = Vec::new();
        let observe = async {
            while stop.changed().await.is_ok() {
                stages.push((*stop.borrow_and_update(), began.elapsed().as_secs()));
            }
        };
        tokio::select! {
            () = observe => {}
            () = shut_down(&sender, second) => {}
        }
        (stages, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_without_a_second_signal_ends_within_10_s() {
        let (stages, ended) = stages(std::future::pending()).await;
        let expected = [(StopStage::Stopping, 0), (StopStage::Verifying, 4), (StopStage::Ending, 7)];
        assert_eq!(stages, expected);
        assert!(ended < Duration::from_secs(10), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn second_signal_starts_the_last_stage_at_once() {
        let second = async {
            sleep(Duration::from_secs(1)).await;
            Exit::Terminated
        };
        let (stages, ended) = stages(second).await;
        assert_eq!(stages, [(StopStage::Stopping, 0), (StopStage::Ending, 1)]);
        assert!(ended < Duration::from_secs(4), "{ended:?}");
    }
}
