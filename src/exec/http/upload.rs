//! What a request sends: bytes at hand, or a file, read piece by piece.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::pulse::Pulse;

/// Bytes that are sent at once, so that a slow connection shows that it moves.
const PIECE: usize = 64 * 1024;

/// The body of a request. It can be sent again after a redirect.
#[derive(Clone)]
pub(super) enum Content {
    /// Bytes.
    Bytes(Bytes),
    /// So many bytes of a file.
    File(PathBuf, u64),
}

/// A body that is being sent.
pub(super) struct Upload {
    source: Source,
    left: u64,
    pulse: Arc<Pulse>,
}

enum Source {
    Bytes(Bytes),
    File(File),
}

impl Upload {
    pub fn of(content: &Content, pulse: Arc<Pulse>) -> io::Result<Self> {
        let (source, left) = match content {
            Content::Bytes(bytes) => (Source::Bytes(bytes.clone()), bytes.len() as u64),
            Content::File(path, length) => (Source::File(File::open(path)?), *length),
        };
        Ok(Upload { source, left, pulse })
    }

    /// Files of one machine answer fast, so there is no need of a thread for each.
    fn piece(&mut self) -> io::Result<Bytes> {
        let size = self.left.min(PIECE as u64) as usize;
        let piece = match &mut self.source {
            Source::Bytes(bytes) => bytes.split_to(size),
            Source::File(file) => {
                let mut piece = vec![0; size];
                let read = file.read(&mut piece)?;
                if read == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
                }
                piece.truncate(read);
                piece.into()
            }
        };
        self.left -= piece.len() as u64;
        Ok(piece)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.pulse.beat();
        if self.left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.piece().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
