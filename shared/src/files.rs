//! The bucket of exports: files that are written in parts while they are made, fetched through links
//! that soon end, and deleted.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};

use crate::{
    aws::{s3, unavailable},
    config::AwsConfig,
    error::Error,
};

/// How large things become.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes in a part: S3 wants 5 MiB or more in each but the last one, and 10,000 parts at most.
    pub part: usize,
    /// Bytes in one file of an archive; what is more goes into another one. Nobody's tools should have to
    /// read gigabytes at once, and ZIP has its own form for files beyond 4 GiB, which not all of them know.
    pub file: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { part: 8 << 20, file: 512 << 20 }
    }
}

/// S3 may take minutes to make one file of thousands of parts.
const COMPLETION: Duration = Duration::from_secs(180);

/// The files. Cheap to clone; the client is built when it is first used.
#[derive(Clone)]
pub struct Files {
    config: AwsConfig,
    bucket: String,
    /// Smaller ones, where little data must be in many parts and files.
    pub sizes: Sizes,
    client: Arc<OnceLock<Client>>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl Files {
    /// The files in `bucket`.
    pub fn new(config: AwsConfig, bucket: String) -> Self {
        Self { config, bucket, sizes: Sizes::default(), client: Arc::default() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| s3(&self.config))
    }

    /// Begins to write `key`; the upload's id. Nothing is there before [`Files::complete`].
    pub async fn begin(&self, key: &str) -> Result<String, Error> {
        let request = self.client().create_multipart_upload().bucket(&self.bucket).key(key);
        // Each part's checksum is of this kind; S3 wants to know it from the beginning.
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let answer = request.content_type("application/zip").send().await.map_err(failed)?;
        answer.upload_id.ok_or_else(|| Error::internal("an upload without an id"))
    }

    /// Writes part `number`, from 1 on.
    pub async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        bytes: Vec<u8>,
    ) -> Result<CompletedPart, Error> {
        let request = self.client().upload_part().bucket(&self.bucket).key(key).upload_id(upload);
        let request = request.part_number(number).body(ByteStream::from(bytes));
        let answer = request.send().await.map_err(failed)?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            .set_checksum_crc32(answer.checksum_crc32)
            .build())
    }

    /// Makes a file of the parts, in place of any that is there.
    pub async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<(), Error> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client().complete_multipart_upload().bucket(&self.bucket).key(key);
        let request = request.upload_id(upload).multipart_upload(parts);
        let patient = TimeoutConfig::builder()
            .operation_attempt_timeout(COMPLETION)
            .operation_timeout(COMPLETION)
            .build();
        let patient = aws_sdk_s3::config::Builder::new().timeout_config(patient);
        request.customize().config_override(patient).send().await.map(drop).map_err(failed)
    }

    /// Drops the parts of an upload that was not completed. One that is over already is no error.
    pub async fn abort(&self, key: &str, upload: &str) -> Result<(), Error> {
        let request = self.client().abort_multipart_upload().bucket(&self.bucket).key(key);
        match request.upload_id(upload).send().await {
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            answer => answer.map(drop).map_err(failed),
        }
    }

    /// Deletes `key`; one that is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let request = self.client().delete_object().bucket(&self.bucket).key(key);
        request.send().await.map(drop).map_err(failed)
    }

    /// A link to `key` that works without credentials for `lifetime` of real time, and saves it as
    /// `name`. Made here; nothing is sent.
    pub async fn link(&self, key: &str, name: &str, lifetime: Duration) -> Result<String, Error> {
        let config = PresigningConfig::expires_in(lifetime).map_err(Error::internal)?;
        let request = self.client().get_object().bucket(&self.bucket).key(key);
        let request = request
            .response_content_type("application/zip")
            .response_cache_control("no-store")
            .response_content_disposition(format!("attachment; filename=\"{name}\""));
        let request = request.presigned(config).await.map_err(failed)?;
        Ok(request.uri().to_owned())
    }
}

fn failed<E, R>(error: SdkError<E, R>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: fmt::Debug + 'static,
{
    unavailable("S3", &error)
}
