//! S3: a real implementation of its interface over a folder, signatures checked, and each call held
//! against the caller's policy.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use anyhow::{Context, Result};
use axum::{Router, error_handling::HandleError};
use http::StatusCode;
use s3s::{
    HttpError, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    dto,
    path::S3Path,
    s3_error,
    service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot};

use crate::access::{Access, FUNCTION_KEY_PREFIX, LIBRARY_KEY, OPERATOR_KEY};

/// The secret access key that belongs to every access key id here.
pub const SECRET_KEY: &str = "local";

/// The running service; it ends with its last clone. Buckets are folders, addressed by path.
#[derive(Clone, Debug)]
pub struct S3 {
    endpoint: String,
    folder: PathBuf,
    /// Calls that are still answered.
    answers: Arc<AtomicI64>,
    _running: Arc<(oneshot::Sender<()>, Option<TempDir>)>,
}

impl S3 {
    /// Serves `folder`, which is created where it is missing, or one that ends with the service, on a
    /// free port of this machine. The `buckets` are made.
    pub async fn start(
        folder: Option<PathBuf>,
        buckets: &[String],
        access: &Access,
    ) -> Result<Self> {
        let thrown_away = match folder {
            None => Some(tempfile::tempdir().context("no folder for S3")?),
            Some(_) => None,
        };
        let folder = folder
            .or_else(|| thrown_away.as_ref().map(|it| it.path().to_owned()))
            .unwrap_or_default();
        for path in [folder.clone()].into_iter().chain(buckets.iter().map(|it| folder.join(it))) {
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        let files = FileSystem::new(&folder)
            .map_err(|error| anyhow::anyhow!("S3 cannot use {}: {error:?}", folder.display()))?;
        let answers = Arc::new(AtomicI64::new(i64::MAX));
        let mut service = S3ServiceBuilder::new(Shell(files));
        service.set_auth(Keys);
        service.set_access(Gatekeeper { access: access.clone(), answers: Arc::clone(&answers) });
        let router =
            Router::new().fallback_service(HandleError::new(service.build(), broken_request));

        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for S3")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let (running, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(async {
                // Nothing is ever sent: the sender's end is the signal.
                let _ = stopped.await;
            });
            if let Err(error) = server.await {
                tracing::error!(%error, "S3 has stopped");
            }
        });
        Ok(Self { endpoint, folder, answers, _running: Arc::new((running, thrown_away)) })
    }

    /// Base URL, for clients that address buckets by path.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// After so many calls every other one fails, as when S3 has an outage. `None`: none does.
    pub fn fail_after(&self, calls: Option<u32>) {
        self.answers.store(calls.map_or(i64::MAX, i64::from), Ordering::Relaxed);
    }

    /// Every file on the disk, parts of unfinished uploads too.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        Ok(found)
    }
}

/// The implementation underneath, with two things as S3 has them: an upload belongs to the bucket and not
/// to whoever began it, and one that is not there is said to be not there.
struct Shell(FileSystem);

macro_rules! operations {
    ($($name:ident: $input:ident -> $output:ident),+ $(,)?) => {
        #[async_trait::async_trait]
        impl s3s::S3 for Shell {
            $(async fn $name(
                &self,
                mut request: S3Request<dto::$input>,
            ) -> S3Result<S3Response<dto::$output>> {
                if let Some(credentials) = &mut request.credentials {
                    credentials.access_key = OPERATOR_KEY.to_owned();
                }
                self.0.$name(request).await.map_err(as_s3_says)
            })+
        }
    };
}

operations! {
    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput,
    upload_part: UploadPartInput -> UploadPartOutput,
    complete_multipart_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput,
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput,
    get_object: GetObjectInput -> GetObjectOutput,
    head_object: HeadObjectInput -> HeadObjectOutput,
    put_object: PutObjectInput -> PutObjectOutput,
    delete_object: DeleteObjectInput -> DeleteObjectOutput,
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output,
}

/// Callers who may not do something have been refused before.
fn as_s3_says(error: S3Error) -> S3Error {
    match error.code() {
        S3ErrorCode::AccessDenied => s3_error!(NoSuchUpload),
        _ => error,
    }
}

/// Every function and the operator have a key.
struct Keys;

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let is_ours = [OPERATOR_KEY, LIBRARY_KEY].contains(&access_key);
        if is_ours || access_key.starts_with(FUNCTION_KEY_PREFIX) {
            return Ok(SECRET_KEY.into());
        }
        Err(s3_error!(InvalidAccessKeyId))
    }
}

struct Gatekeeper {
    access: Access,
    answers: Arc<AtomicI64>,
}

#[async_trait::async_trait]
impl S3Access for Gatekeeper {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if self.answers.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(s3_error!(ServiceUnavailable));
        }
        let credentials = context.credentials().ok_or_else(|| s3_error!(AccessDenied))?;
        let resource = match context.s3_path() {
            S3Path::Root => "*".to_owned(),
            S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
            S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
        };
        let action = action(context.s3_op().name());
        self.access
            .check_key(&credentials.access_key, &format!("s3:{action}"), &resource)
            .map_err(|denied| s3_error!(AccessDenied, "{}", denied.0))
    }
}

/// The permission that an operation needs, where it is not called the same.
fn action(operation: &str) -> &str {
    match operation {
        "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "PutObject",
        "HeadObject" => "GetObject",
        "ListObjectsV2" => "ListBucket",
        other => other,
    }
}

/// What is not HTTP enough to be answered as S3 answers errors.
async fn broken_request(error: HttpError) -> StatusCode {
    tracing::warn!(?error, "S3 could not answer");
    StatusCode::INTERNAL_SERVER_ERROR
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    async fn get(endpoint: &str, path: &str) -> std::io::Result<String> {
        let host = endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn strangers_are_refused_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let buckets = ["exports".to_owned()];
        let access = Access::default();
        let s3 = S3::start(Some(folder.path().to_owned()), &buckets, &access).await.expect("S3");
        let endpoint = s3.endpoint().to_owned();
        let answer = get(&endpoint, "/exports/one").await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("AccessDenied"), "{answer}");
        // A signature is not enough; it must be by the key's secret.
        let forged = "/exports/one?X-Amz-Algorithm=AWS4-HMAC-SHA256\
                      &X-Amz-Credential=OPERATOR%2F20261124%2Feu-west-1%2Fs3%2Faws4_request\
                      &X-Amz-Date=20261124T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
                      &X-Amz-Signature=0000000000000000000000000000000000000000000000000000000000000000";
        assert!(get(&endpoint, forged).await.expect("an answer").starts_with("HTTP/1.1 403"));
        drop(s3);
        while get(&endpoint, "/").await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
