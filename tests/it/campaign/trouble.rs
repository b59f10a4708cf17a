//! What goes wrong beside the service: on the way to it, with the process, and with what it writes.

use super::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    None,
    Trusted,
    /// Trusted as well, and HTTP/2 is offered.
    Http2,
    /// By an authority that nobody knows.
    Untrusted,
    /// The certificate was good once.
    Expired,
    /// The certificate is another server's.
    Misnamed,
    /// The service speaks none.
    Missing,
}

impl Tls {
    /// Whether a service can be asked that way.
    pub fn is_good(self) -> bool {
        matches!(self, Self::None | Self::Trusted | Self::Http2)
    }
}

/// What happens to the process, or under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It gets a signal of this name.
    Signal(&'static str),
    /// The folder of its outputs is removed.
    FolderGone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When so many requests have arrived.
    Requests(usize),
    Milliseconds(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputTrouble {
    None,
    /// Nothing is left on the disk when outputs are written.
    DiskFull,
    /// Nothing is left on the disk when the first bytes of an output are written.
    DiskFills,
    /// stdout takes nothing.
    StdoutFull,
    /// Nobody reads stdout.
    StdoutClosed,
    /// An output is in a folder that is not there.
    NoFolder,
    /// An output is a device.
    Device,
    /// An output is in a folder that takes no file.
    NoRight,
}

impl OutputTrouble {
    /// How many blocks of 512 bytes or more are left of a disk that has an end.
    pub fn blocks_left(self) -> Option<usize> {
        match self {
            Self::DiskFull => Some(0),
            Self::DiskFills => Some(1),
            _ => None,
        }
    }

    pub fn roll(dice: &mut Dice) -> Self {
        *dice.pick(&[
            Self::DiskFull,
            Self::DiskFills,
            Self::StdoutFull,
            Self::StdoutFull,
            Self::StdoutClosed,
            Self::NoFolder,
            Self::Device,
            Self::NoRight,
        ])
    }
}

pub fn moment(dice: &mut Dice) -> (Event, Moment) {
    let event = match dice.below(10) {
        0..3 => Event::Signal("INT"),
        3..6 => Event::Signal("TERM"),
        6..9 => Event::Signal("KILL"),
        _ => Event::FolderGone,
    };
    let moment = match dice.chance(75) {
        true => Moment::Requests(1 + dice.below(12)),
        false => Moment::Milliseconds(dice.below(700) as u64),
    };
    (event, moment)
}
