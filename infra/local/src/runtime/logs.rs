//! What the functions write.

use std::{
    collections::VecDeque,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Lines kept per function.
const KEPT: usize = 10_000;

/// The last lines of one function, of all its environments. Clones share them.
#[derive(Clone, Debug)]
pub struct Logs {
    lines: Arc<Mutex<VecDeque<String>>>,
    /// The name that each line is also shown under on our own standard error.
    echo: Option<String>,
}

impl Logs {
    pub(super) fn new(echo: Option<String>) -> Self {
        Self { lines: Arc::default(), echo }
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Forgets the lines so far.
    pub fn clear(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn push(&self, line: String) {
        if let Some(name) = &self.echo {
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "{name}: {line}");
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Reads `stream` to its end.
    pub(super) async fn collect(self, stream: impl AsyncRead + Unpin) {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = stream.read_until(b'\n', &mut line).await {
            self.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }
}
