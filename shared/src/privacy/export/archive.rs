//! A ZIP file that goes to S3 while it is written: never more of it is in memory than one part.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_s3::types::CompletedPart;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zip::{
    CompressionMethod, DateTime, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

use crate::{error::Error, files::Files};

/// A file in the archive, as the manifest names it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// Path in the archive.
    pub(super) path: String,
    /// Length in bytes.
    pub(super) bytes: u64,
    /// SHA-256 of its contents, in hexadecimal digits.
    pub(super) sha256: String,
    /// Items in it, where it holds a category's.
    pub(super) items: Option<u64>,
}

/// What became of the whole.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The archive, and the upload that it goes into. Writing to it writes to the file begun last.
pub(super) struct Archive<'a> {
    files: &'a Files,
    key: &'a str,
    upload: &'a str,
    options: SimpleFileOptions,
    zip: ZipWriter<StreamWriter<Pipe>>,
    pipe: Pipe,
    parts: Vec<CompletedPart>,
    total: Sum,
    current: Option<(String, Sum)>,
    /// Files that are finished.
    pub(super) entries: Vec<Entry>,
}

impl<'a> Archive<'a> {
    /// Writes to an upload that has been begun. `now` is the time of its files.
    pub(super) fn new(
        files: &'a Files,
        key: &'a str,
        upload: &'a str,
        now: OffsetDateTime,
    ) -> Self {
        let pipe = Pipe::default();
        let (date, time) = (now.date(), now.time());
        let year = u16::try_from(date.year()).unwrap_or_default();
        let (month, day) = (u8::from(date.month()), date.day());
        // ZIP knows the years from 1980 to 2107.
        let modified = DateTime::from_date_and_time(
            year,
            month,
            day,
            time.hour(),
            time.minute(),
            time.second(),
        );
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(modified.unwrap_or_default());
        Self {
            files,
            key,
            upload,
            options,
            zip: ZipWriter::new_stream(pipe.clone()),
            pipe,
            parts: Vec::new(),
            total: Sum::default(),
            current: None,
            entries: Vec::new(),
        }
    }

    /// Begins a file; the one before must have ended.
    pub(super) fn begin(&mut self, path: String) -> Result<(), Error> {
        self.zip.start_file(path.as_str(), self.options).map_err(Error::internal)?;
        self.current = Some((path, Sum::default()));
        Ok(())
    }

    /// Whether the file begun last has become large enough.
    pub(super) fn is_full(&self) -> bool {
        self.current.as_ref().is_some_and(|(_, sum)| sum.bytes >= self.files.sizes.file)
    }

    /// Ends the file begun last.
    pub(super) fn end(&mut self, items: Option<u64>) {
        if let Some((path, sum)) = self.current.take() {
            let (bytes, sha256) = sum.finish();
            self.entries.push(Entry { path, bytes, sha256, items });
        }
    }

    /// A whole file.
    pub(super) async fn add(&mut self, path: &str, contents: &[u8]) -> Result<(), Error> {
        self.begin(path.to_owned())?;
        self.write_all(contents).map_err(Error::internal)?;
        self.end(None);
        self.pass_on().await
    }

    /// Sends the parts that are full.
    pub(super) async fn pass_on(&mut self) -> Result<(), Error> {
        while let Some(part) = self.pipe.take(self.files.sizes.part) {
            self.send(part).await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: Vec<u8>) -> Result<(), Error> {
        self.total.add(&part);
        let number = i32::try_from(self.parts.len()).map_err(Error::internal)? + 1;
        self.parts.push(self.files.put_part(self.key, self.upload, number, part).await?);
        Ok(())
    }

    /// Writes the archive's directory, sends what is left, and makes a file of it all.
    pub(super) async fn finish(mut self) -> Result<Finished, Error> {
        let ended = mem::replace(&mut self.zip, ZipWriter::new_stream(Pipe::default()));
        ended.finish().map_err(Error::internal)?;
        self.pass_on().await?;
        let rest = self.pipe.rest();
        if !rest.is_empty() || self.parts.is_empty() {
            self.send(rest).await?;
        }
        self.files.complete(self.key, self.upload, self.parts).await?;
        let (bytes, sha256) = self.total.finish();
        Ok(Finished { bytes, sha256 })
    }
}

impl Write for Archive<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.zip.write(bytes)?;
        if let Some((_, sum)) = &mut self.current {
            sum.add(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Flushing ends a block of the compression; what is in it comes in time.
        Ok(())
    }
}

/// Length and checksum of what passes by.
#[derive(Default)]
struct Sum {
    bytes: u64,
    hash: Sha256,
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    fn finish(self) -> (u64, String) {
        let digits = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        (self.bytes, digits)
    }
}

/// What the ZIP writer has written and S3 has not got yet. Clones share it.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    /// The first `length` bytes, once there are so many.
    fn take(&self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() < length {
            return None;
        }
        let rest = bytes.split_off(length);
        Some(mem::replace(&mut bytes, rest))
    }

    fn rest(&self) -> Vec<u8> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
