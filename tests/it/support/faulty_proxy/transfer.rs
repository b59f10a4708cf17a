//! Copies bytes between client and server, with the faults of one connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::sleep;

use super::{RecordFault, WireFault};

/// Copies bytes in both directions until one direction ends.
pub(super) async fn transfer<C, S>(
    client: C,
    server: S,
    fault: Option<WireFault>,
    record_fault: RecordFault<'_>,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (request, response) = match fault {
        Some(WireFault::TruncateRequest(bytes)) => (Direction::truncated(bytes), Direction::INTACT),
        Some(WireFault::TruncateResponse(bytes)) => (Direction::INTACT, Direction::truncated(bytes)),
        Some(WireFault::SlowResponse(piece, pause)) => {
            (Direction::INTACT, Direction { piece, pause: Duration::from_millis(pause), ..Direction::INTACT })
        }
        _ => (Direction::INTACT, Direction::INTACT),
    };
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        sent = copy(from_client, to_server, request, record_fault) => sent,
        received = copy(from_server, to_client, response, record_fault) => received,
    }
}

/// How bytes are copied in one direction.
struct Direction {
    /// Number of bytes after which the connection breaks.
    limit: usize,
    piece: usize,
    pause: Duration,
}

impl Direction {
    const INTACT: Self = Self { limit: usize::MAX, piece: 16 << 10, pause: Duration::ZERO };

    const fn truncated(limit: usize) -> Self {
        Self { limit, ..Self::INTACT }
    }
}

async fn copy<R: AsyncRead, W: AsyncWrite>(
    mut from: ReadHalf<R>,
    mut to: WriteHalf<W>,
    Direction { mut limit, piece, pause }: Direction,
    record_fault: RecordFault<'_>,
) -> io::Result<()> {
    let mut bytes = vec![0; piece];
    let mut is_slow = !pause.is_zero();
    loop {
        let read = from.read(&mut bytes).await?;
        let copied = read.min(limit);
        to.write_all(&bytes[..copied]).await?;
        to.flush().await?;
        limit -= copied;
        if limit == 0 || (is_slow && read > 0) {
            record_fault();
            is_slow = false;
        }
        if read == 0 || limit == 0 {
            return Ok(());
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}
