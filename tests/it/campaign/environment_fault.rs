//! Faults of the environment of a run: TLS, signals to the process, and outputs that cannot be written.

use super::rng::SeededRng;

/// TLS of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// The service and the Graph URL use plain HTTP.
    None,
    Trusted,
    /// Trusted, and the service offers HTTP/2.
    TrustedHttp2,
    /// The run does not know the certificate authority.
    Untrusted,
    /// The validity of the certificate has ended.
    Expired,
    /// The certificate is issued for another host name.
    WrongHost,
    /// The Graph URL is https, but the service uses plain HTTP.
    NotSpoken,
}

impl Tls {
    /// Returns whether requests can reach the service.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::None | Self::Trusted | Self::TrustedHttp2)
    }
}

/// Event during the run of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEvent {
    /// The process gets a signal of this name.
    Signal(&'static str),
    /// The folder of the output files is removed.
    OutputFolderRemoved,
}

/// Point in the run at which an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The service has received so many requests.
    Requests(usize),
    /// So much time has passed since the start.
    Milliseconds(u64),
}

/// Fault of stdout or of an output file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFault {
    None,
    /// The disk has no space left from the start.
    DiskFull,
    /// The disk has no space left after the first bytes of an output.
    DiskFills,
    /// Writes to stdout fail with "no space left".
    StdoutFull,
    /// The reader of stdout has closed the pipe.
    StdoutClosed,
    /// The folder of an output file does not exist.
    NoFolder,
    /// An output file is a device.
    Device,
    /// The folder of an output file is not writable.
    NotPermitted,
}

impl ProcessEvent {
    /// Returns whether this system has the event. Windows has no signals, but a process can be killed.
    pub fn is_possible(self) -> bool {
        cfg!(unix) || matches!(self, Self::Signal("KILL") | Self::OutputFolderRemoved)
    }
}

impl OutputFault {
    /// Returns whether the test can cause the fault. On Unix, it does so with limits of a shell, devices and file
    /// modes.
    pub fn is_possible(self) -> bool {
        cfg!(unix) || matches!(self, Self::None | Self::StdoutClosed | Self::NoFolder)
    }

    /// Returns the number of free blocks of a limited disk. A block has at least 512 bytes.
    pub fn blocks_left(self) -> Option<usize> {
        match self {
            Self::DiskFull => Some(0),
            Self::DiskFills => Some(1),
            _ => None,
        }
    }

    pub fn generate(rng: &mut SeededRng) -> Self {
        *rng.pick(&[
            Self::DiskFull,
            Self::DiskFills,
            Self::StdoutFull,
            Self::StdoutFull,
            Self::StdoutClosed,
            Self::NoFolder,
            Self::Device,
            Self::NotPermitted,
        ])
    }
}

/// Generates an event and its trigger.
pub fn process_event(rng: &mut SeededRng) -> (ProcessEvent, Trigger) {
    let event = match rng.below(10) {
        0..3 => ProcessEvent::Signal("INT"),
        3..5 => ProcessEvent::Signal("TERM"),
        5 => ProcessEvent::Signal("HUP"),
        6..9 => ProcessEvent::Signal("KILL"),
        _ => ProcessEvent::OutputFolderRemoved,
    };
    let trigger = match rng.chance(75) {
        true => Trigger::Requests(1 + rng.below(12)),
        false => Trigger::Milliseconds(rng.below(700) as u64),
    };
    (event, trigger)
}
