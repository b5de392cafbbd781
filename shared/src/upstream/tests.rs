use std::{
    io,
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use super::*;

const LIMITS: Limits = Limits { timeout: Duration::from_secs(1), max_bytes: 16 };

/// A server that answers each connection with `answer`, or, without one, never.
async fn server(answer: Option<&'static str>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                match answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                    None => tokio::time::sleep(Duration::from_secs(60)).await,
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn answers_come_whole_and_redirects_are_not_followed() {
    let url = server(Some(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 2\r\n\r\nhi",
    ))
    .await;
    let answer = Client::new().get(&url, LIMITS).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (302, &b"hi"[..]));
}

#[tokio::test]
async fn each_failure_has_its_kind() {
    let client = Client::new();
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n12345678901234567";
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234";
    for (url, error) in [
        (server(None).await, Error::Timeout),
        (server(Some(endless)).await, Error::Protocol),
        (server(Some(long)).await, Error::TooLarge),
        (server(Some("SSH-2.0-OpenSSH\r\n")).await, Error::Protocol),
        ("http://127.0.0.1:1/".parse().unwrap(), Error::Connect),
    ] {
        assert_eq!(client.get(&url, LIMITS).await.unwrap_err(), error, "{url}");
    }
}

#[tokio::test]
async fn the_head_comes_without_the_body() {
    let endless = "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 9999999\r\n\r\n1234";
    let url = server(Some(endless)).await;
    let (status, headers) = Client::new().get_head(&url, LIMITS.timeout).await.unwrap();
    assert_eq!((status.as_u16(), headers["location"].as_bytes()), (302, &b"/x"[..]));
    let silent = server(None).await;
    let error = Client::new().get_head(&silent, LIMITS.timeout).await.unwrap_err();
    assert_eq!(error, Error::Timeout);
}

#[tokio::test]
async fn only_tls_leaves_this_machine() {
    for url in [
        "http://example.com/",
        "http://localhost.example.com/",
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[fd00:ec2::254]/",
        "https://1.1.1.1/",
        "ftp://127.0.0.1/",
        "file:///",
    ] {
        let url: Url = url.parse().unwrap();
        assert!(!may_be_asked(&url), "{url}");
        assert_eq!(Client::new().get(&url, LIMITS).await.unwrap_err(), Error::Forbidden);
        assert_eq!(
            Client::new().get_head(&url, LIMITS.timeout).await.unwrap_err(),
            Error::Forbidden
        );
    }
    assert!(may_be_asked(&"https://example.com/".parse().unwrap()));
    assert!(may_be_asked(&"http://[::1]:8080/".parse().unwrap()));
    assert!(may_be_asked(&"http://localhost:8080/".parse().unwrap()));
}

/// A client whose names answer what `answer` says to the how-manieth question it is.
fn client(answer: impl Fn(usize) -> Vec<&'static str> + Send + Sync + 'static) -> Client {
    let asked = AtomicUsize::new(0);
    let look_up = move |_: Name| {
        let addresses = answer(asked.fetch_add(1, Ordering::SeqCst));
        let parse = |it: &str| it.parse::<IpAddr>().map_err(io::Error::other);
        std::future::ready(addresses.into_iter().map(parse).collect())
    };
    Client(Arc::new(Inner { pool: OnceLock::new(), resolver: PublicOnly::new(look_up) }))
}

/// A listener on loopback, on IPv4, and the address of `host` at its port.
async fn trap(host: &str) -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("https://{host}:{port}/").parse().unwrap())
}

async fn is_untouched(listener: &TcpListener) -> bool {
    timeout(Duration::from_millis(20), listener.accept()).await.is_err()
}

/// An address that is public, and that throws away what it is sent: AS112, RFC 7534.
const SINK: &str = "192.175.48.1";

#[tokio::test]
async fn names_that_lead_inside_are_refused_before_any_connection() {
    let (listener, url) = trap("inside.example.com").await;
    for answer in [
        vec!["127.0.0.1"],
        vec!["10.0.0.1"],
        vec!["192.168.1.1"],
        vec!["172.16.0.1"],
        vec!["169.254.169.254"],
        vec!["100.64.0.1"],
        vec!["0.0.0.0"],
        vec!["::1"],
        vec!["fe80::1"],
        vec!["fd00::1"],
        vec!["::ffff:127.0.0.1"],
        vec!["64:ff9b::127.0.0.1"],
        vec!["127.0.0.1", SINK],
        vec![SINK, "127.0.0.1"],
        vec![SINK, "::1"],
    ] {
        let shown = answer.clone();
        let client = client(move |_| answer.clone());
        assert_eq!(client.get(&url, LIMITS).await.unwrap_err(), Error::Forbidden, "{shown:?}");
        assert!(is_untouched(&listener).await, "{shown:?}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_reaches_nothing_inside() {
    let (listener, url) = trap("rebinding.example.com").await;
    let client = client(|question| vec![if question == 0 { SINK } else { "127.0.0.1" }]);
    // The connection goes to the address that was checked, wherever the name leads by then.
    let first = client.get(&url, LIMITS).await.unwrap_err();
    assert!(matches!(first, Error::Timeout | Error::Connect), "{first:?}");
    assert!(is_untouched(&listener).await);
    assert_eq!(client.get(&url, LIMITS).await.unwrap_err(), Error::Forbidden);
    assert!(is_untouched(&listener).await);
}

#[tokio::test]
async fn localhost_is_this_machine_and_nothing_else() {
    let mut url = server(Some("HTTP/1.1 204 No Content\r\n\r\n")).await;
    url.set_host(Some("localhost")).unwrap();
    let answer = client(|_| vec!["127.0.0.1"]).get(&url, LIMITS).await.unwrap();
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    for elsewhere in [SINK, "10.0.0.1", "169.254.169.254"] {
        let error = client(move |_| vec![elsewhere]).get(&url, LIMITS).await.unwrap_err();
        assert_eq!(error, Error::Forbidden, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_no_connection() {
    let url = "https://nowhere.example.com/".parse().unwrap();
    assert_eq!(client(|_| vec![]).get(&url, LIMITS).await.unwrap_err(), Error::Connect);
    // The fake fails on what is no address, as the system does on a name that it does not know.
    let unknown = client(|_| vec!["unknown"]).get(&url, LIMITS).await.unwrap_err();
    assert_eq!(unknown, Error::Connect);
}
