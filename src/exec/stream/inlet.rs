//! What comes from one writer.

use std::io::PipeReader;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;

use super::kept::Kept;
use super::member::Member;

/// See the module's page.
pub(super) struct Inlet {
    pub member: Arc<Member>,
    /// The end that we read from. Nothing: it does not write now.
    pub pipe: Option<PipeReader>,
    /// Its log.
    pub kept: Option<Kept>,
    /// A line that has begun, where lines are told apart.
    pub part: Vec<u8>,
    /// It has ended; what it has left in the pipe is still to be taken, and then this is told.
    pub exited: Option<Exited>,
    /// All that it wrote is here, and that is the whole.
    pub whole: bool,
    /// An attempt is being made that has not ended.
    pub runs: bool,
    /// Nobody reads it any more: when it is to be ended.
    pub linger: Option<Instant>,
}

/// A writer whose first process has ended.
pub(super) struct Exited {
    /// Others that it has left may write so long.
    pub until: Instant,
    /// It was ended by us: what it wrote is only taken as far as somebody reads it, and also not for longer.
    pub killed: bool,
    pub reply: Sender<Left>,
}

/// What is left of an attempt of a writer when all that it wrote has gone on.
pub(super) struct Left {
    pub kept: Option<Kept>,
    /// A line without its end, that is part of the log only if all is well.
    pub part: Vec<u8>,
}

impl Inlet {
    pub fn new(member: Arc<Member>) -> Self {
        Inlet {
            member,
            pipe: None,
            kept: None,
            part: Vec::new(),
            exited: None,
            whole: false,
            runs: false,
            linger: None,
        }
    }

    /// An attempt begins.
    pub fn begin(&mut self, pipe: PipeReader, kept: Kept) {
        self.pipe = Some(pipe);
        self.kept = Some(kept);
        self.part.clear();
        self.exited = None;
        self.runs = true;
        self.whole = false;
    }

    /// Tells whoever waits for it that everything has been taken. `part`: that is told, too.
    pub fn settle(&mut self, part: bool) {
        if self.pipe.is_none()
            && let Some(exited) = self.exited.take()
        {
            let part = if part { self.part.clone() } else { Vec::new() };
            // Nobody waits any more if the stream is being closed.
            let _ = exited.reply.send(Left { kept: self.kept.take(), part });
        }
    }
}
