//! What the system tells the process: to end, and that a child has ended.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

/// The process that inherits every orphan of its container.
const INIT: u32 = 1;

/// The signals that end the server.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on. The first process of a container gets no default handlers, and its
    /// duty is to bury orphans; so this also sees to that.
    pub fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| Error::Io(format!("cannot listen for signals: {error}")))
        };
        if std::process::id() == INIT {
            tokio::spawn(bury_orphans(listen(SignalKind::child())?));
        }
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one, and says which.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Sage starts no children; what `docker exec` leaves behind ends here.
async fn bury_orphans(mut ended: Signal) {
    use rustix::process::{WaitOptions, wait};
    while ended.recv().await.is_some() {
        // One signal may stand for several children. An error says that there are none.
        while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
    }
}
