//! The connections to the gateway. What a client has not percent-encoded in a query (`<`, `>`, `"`) reaches a function
//! as it was sent: AWS does not say that API Gateway refuses or changes it. hyper refuses it, so here it is encoded on
//! its way through hyper, and the gateway is told what it was. Only in the first request of a connection.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use axum::{Extension, Router, body::Bytes, extract::ConnectInfo};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use percent_encoding::{AsciiSet, percent_encode};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// What `http::Uri` refuses in a path, and in a query.
const IN_PATH: &AsciiSet = &AsciiSet::EMPTY.add(b'<').add(b'>').add(b'`');
const IN_QUERY: &AsciiSet = &AsciiSet::EMPTY.add(b'<').add(b'>').add(b'"');

/// Longest request line that is waited for; hyper refuses a longer one.
const MAX_LINE: usize = 64 * 1024;

/// The query of the first request as it was sent, where it had to be encoded for hyper.
#[derive(Clone, Debug, Default)]
pub(super) struct RawQuery(Arc<Mutex<Option<String>>>);

impl RawQuery {
    /// Takes it: what comes next on the connection is another request.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves `router` until aborted.
pub(super) fn serve(listener: TcpListener, router: Router) -> AbortHandle {
    let task = tokio::spawn(async move {
        loop {
            // Without a free file handle now, there may be one soon.
            let Ok((stream, peer)) = listener.accept().await else { continue };
            // Failing to switch delays off makes things slow, not wrong.
            let _ = stream.set_nodelay(true);
            let raw = RawQuery::default();
            let io =
                TokioIo::new(Front { stream, state: State::Line(Vec::new()), raw: raw.clone() });
            let router = router.clone().layer(Extension(ConnectInfo(peer))).layer(Extension(raw));
            tokio::spawn(async move {
                // An error is a connection that broke, or a request that is none.
                let service = TowerToHyperService::new(router);
                let _ = http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });
    task.abort_handle()
}

/// A connection whose first line hyper can read.
struct Front {
    stream: TcpStream,
    state: State,
    raw: RawQuery,
}

enum State {
    /// The first line is being read.
    Line(Vec<u8>),
    /// This is still to be passed on.
    Rest(Bytes),
    Through,
}

impl AsyncRead for Front {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Line(line) => {
                    let mut bytes = [0; 4096];
                    let mut read = ReadBuf::new(&mut bytes);
                    ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
                    line.extend_from_slice(read.filled());
                    if read.filled().is_empty() || line.contains(&b'\n') || line.len() > MAX_LINE {
                        let rest = match readable(line) {
                            Some((head, query)) => {
                                let mut raw =
                                    this.raw.0.lock().unwrap_or_else(PoisonError::into_inner);
                                *raw = Some(query);
                                head
                            }
                            None => std::mem::take(line),
                        };
                        this.state = State::Rest(rest.into());
                    }
                }
                State::Rest(rest) if rest.is_empty() => this.state = State::Through,
                State::Rest(rest) => {
                    buffer.put_slice(&rest.split_to(rest.len().min(buffer.remaining())));
                    return Poll::Ready(Ok(()));
                }
                State::Through => return Pin::new(&mut this.stream).poll_read(context, buffer),
            }
        }
    }
}

impl AsyncWrite for Front {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// The beginning of a request with its target encoded as far as hyper wants it, and what its query was. `None`: there
/// is nothing to encode, or it is no request line.
fn readable(head: &[u8]) -> Option<(Vec<u8>, String)> {
    let end = head.iter().position(|it| *it == b'\n')?;
    let (line, rest) = head.split_at(end);
    let mut parts = line.split(|it| *it == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let target = std::str::from_utf8(target).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = percent_encode(path.as_bytes(), IN_PATH).to_string();
    let encoded = percent_encode(query.as_bytes(), IN_QUERY).to_string();
    if target.len() == path.len() + 1 + encoded.len() || target == path {
        return None;
    }
    let mut readable = [method, b" ", path.as_bytes()].concat();
    if target.contains('?') {
        readable.extend([b"?", encoded.as_bytes()].concat());
    }
    readable.extend([b" ", version, rest].concat());
    Some((readable, query.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_refuses_is_encoded() {
        let of = |target: &str| {
            let head = format!("GET {target} HTTP/1.1\r\nHost: \"<>\"\r\n");
            let (head, query) = readable(head.as_bytes())?;
            let head = String::from_utf8(head).expect("text");
            let rest = head.strip_suffix(" HTTP/1.1\r\nHost: \"<>\"\r\n").expect("the rest");
            Some((rest.strip_prefix("GET ").expect("the method").to_owned(), query))
        };
        let some = |target: &str, query: &str| Some((target.to_owned(), query.to_owned()));
        assert_eq!(of("/a?b=<c>&d=%3C"), some("/a?b=%3Cc%3E&d=%3C", "b=<c>&d=%3C"));
        assert_eq!(of("/a?b=\"ä\"?"), some("/a?b=%22%C3%A4%22?", "b=\"ä\"?"));
        assert_eq!(of("/<a>`?b"), some("/%3Ca%3E%60?b", "b"));
        assert_eq!(of("/<a>"), some("/%3Ca%3E", ""));
        for as_it_is in ["/", "/a?", "/a?b={|}^`[]\\", "/a\"{}", "/a?b <c", "*"] {
            assert_eq!(of(as_it_is), None, "{as_it_is}");
        }
        assert_eq!(readable(b"GET /?<"), None);
        assert_eq!(readable(b"\n"), None);
    }
}
