//! Bytes on their way, as badly as a kink has it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::sleep;

use super::{Kink, Strike};

/// Carries bytes both ways until either ends.
pub(super) async fn carry<C, S>(
    client: C,
    server: S,
    kink: Option<Kink>,
    strike: Strike<'_>,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (request, answer) = match kink {
        Some(Kink::TearRequest(bytes)) => (Manner::torn(bytes), Manner::WHOLE),
        Some(Kink::TearAnswer(bytes)) => (Manner::WHOLE, Manner::torn(bytes)),
        Some(Kink::Drip(piece, pause)) => {
            (Manner::WHOLE, Manner { piece, pause: Duration::from_millis(pause), ..Manner::WHOLE })
        }
        _ => (Manner::WHOLE, Manner::WHOLE),
    };
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    // Whichever way ends first ends the connection.
    tokio::select! {
        sent = pass(from_client, to_server, request, strike) => sent,
        answered = pass(from_server, to_client, answer, strike) => answered,
    }
}

/// How bytes are carried one way.
struct Manner {
    /// How many before it breaks.
    most: usize,
    piece: usize,
    pause: Duration,
}

impl Manner {
    const WHOLE: Self = Self { most: usize::MAX, piece: 16 << 10, pause: Duration::ZERO };

    const fn torn(most: usize) -> Self {
        Self { most, ..Self::WHOLE }
    }
}

async fn pass<R: AsyncRead, W: AsyncWrite>(
    mut from: ReadHalf<R>,
    mut to: WriteHalf<W>,
    Manner { mut most, piece, pause }: Manner,
    strike: Strike<'_>,
) -> io::Result<()> {
    let mut bytes = vec![0; piece];
    let mut slow = !pause.is_zero();
    loop {
        let read = from.read(&mut bytes).await?;
        let carried = read.min(most);
        to.write_all(&bytes[..carried]).await?;
        to.flush().await?;
        most -= carried;
        if most == 0 || (slow && read > 0) {
            strike();
            slow = false;
        }
        if read == 0 || most == 0 {
            return Ok(());
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}
