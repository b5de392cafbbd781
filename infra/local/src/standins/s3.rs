//! S3: a real implementation of its interface over a folder, signatures checked.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use axum::{Router, error_handling::HandleError};
use http::StatusCode;
use s3s::{HttpError, auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, sync::oneshot};

use crate::access::OPERATOR_KEY;

/// The secret access key that belongs to [`OPERATOR_KEY`] here.
pub const SECRET_KEY: &str = "local";

/// The running service; it ends with its last clone. Buckets are folders, addressed by path.
#[derive(Clone, Debug)]
pub struct S3 {
    endpoint: String,
    _running: Arc<oneshot::Sender<()>>,
}

impl S3 {
    /// Serves `folder`, which is created where it is missing, on a free port of this machine.
    pub async fn start(folder: impl AsRef<Path>) -> anyhow::Result<Self> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let files = FileSystem::new(folder)
            .map_err(|error| anyhow::anyhow!("S3 cannot use {}: {error:?}", folder.display()))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(OPERATOR_KEY, SECRET_KEY));
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
        Ok(Self { endpoint, _running: Arc::new(running) })
    }

    /// Base URL, for clients that address buckets by path.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
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
        let s3 = S3::start(folder.path()).await.expect("S3");
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
