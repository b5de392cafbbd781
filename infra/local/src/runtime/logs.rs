//! What the functions write.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::net::unix::pipe::{Receiver, pipe};

/// Lines kept per function.
const KEPT: usize = 10_000;

/// Bytes read at once.
const CHUNK: usize = 8 * 1024;

/// The last lines of one function, of all its environments. Clones share them.
#[derive(Clone, Debug)]
pub struct Logs {
    lines: Arc<Mutex<VecDeque<String>>>,
    streams: Arc<Mutex<Vec<Weak<Mutex<Stream>>>>>,
    /// The name that each line is also shown under on our own standard error.
    echo: Option<String>,
}

/// A standard stream of one process.
#[derive(Debug)]
struct Stream {
    /// Reading from it never waits.
    pipe: File,
    /// The beginning of a line whose end has not been written yet.
    begun: Vec<u8>,
}

impl Logs {
    pub(super) fn new(echo: Option<String>) -> Self {
        Self { lines: Arc::default(), streams: Arc::default(), echo }
    }

    /// The lines, oldest first: all that have been written before this call, also those that are still in a
    /// pipe.
    pub fn lines(&self) -> Vec<String> {
        self.read_now();
        lock(&self.lines).iter().cloned().collect()
    }

    /// Forgets the lines so far.
    pub fn clear(&self) {
        self.read_now();
        lock(&self.lines).clear();
    }

    /// A stream for a process to write to, which is read until the process closes it.
    pub(super) fn stream(&self) -> io::Result<OwnedFd> {
        let (sender, receiver) = pipe()?;
        let pipe = File::from(receiver.as_fd().try_clone_to_owned()?);
        let stream = Arc::new(Mutex::new(Stream { pipe, begun: Vec::new() }));
        let mut streams = lock(&self.streams);
        streams.retain(|it| it.strong_count() > 0);
        streams.push(Arc::downgrade(&stream));
        drop(streams);
        tokio::spawn(self.clone().collect(receiver, stream));
        sender.into_blocking_fd()
    }

    /// Reads `stream` to its end, by `receiver`: a process whose pipe is full would stand still.
    async fn collect(self, receiver: Receiver, stream: Arc<Mutex<Stream>>) {
        while receiver.readable().await.is_ok() {
            let outcome = lock(&stream).read(&self, |chunk| receiver.try_read(chunk));
            if !outcome.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                break;
            }
        }
        let mut stream = lock(&stream);
        if !stream.begun.is_empty() {
            stream.take(b"\n", &self);
        }
    }

    /// Reads what is in the pipes.
    fn read_now(&self) {
        let streams: Vec<_> = lock(&self.streams).iter().filter_map(Weak::upgrade).collect();
        for stream in streams {
            let mut stream = lock(&stream);
            // As long as it is open this ends with "would block".
            if let Ok(pipe) = stream.pipe.try_clone() {
                let _ = stream.read(self, |chunk| (&pipe).read(chunk));
            }
        }
    }

    fn push(&self, line: String) {
        if let Some(name) = &self.echo {
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{name}: {line}");
        }
        let mut lines = lock(&self.lines);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

impl Stream {
    /// Takes what `next` reads, to the end of the stream. Fails where there is nothing to read for now.
    fn read(
        &mut self,
        logs: &Logs,
        mut next: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        loop {
            match next(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(length) => self.take(&chunk[..length], logs),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, bytes: &[u8], logs: &Logs) {
        for part in bytes.split_inclusive(|it| *it == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                logs.push(String::from_utf8_lossy(&self.begun).trim_end().to_owned());
                self.begun.clear();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing else runs on this thread between writing and looking.
    #[tokio::test]
    async fn what_a_process_has_written_is_there_at_once() {
        let logs = Logs::new(None);
        let mut process = File::from(logs.stream().expect("a stream"));
        let mut expected = Vec::new();
        for n in 0..3 {
            write!(process, "line {n}\nand the beginning").expect("written");
            writeln!(process, " of another").expect("written");
            expected.extend([format!("line {n}"), "and the beginning of another".to_owned()]);
            assert_eq!(logs.lines(), expected);
        }
        write!(process, "the end").expect("written");
        assert_eq!(logs.lines(), expected, "a line that may go on is none yet");
        drop(process);
        while logs.lines().len() == expected.len() {
            tokio::task::yield_now().await;
        }
        assert_eq!(logs.lines().last().map(String::as_str), Some("the end"));
        logs.clear();
        assert!(logs.lines().is_empty());
    }
}
