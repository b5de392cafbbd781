use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

const LINK: &str = "https://vm.tiktok.com/ZMabc";
const ID: &str = "7301234567890123456";

fn link(text: &str) -> ShortLink {
    match text.parse() {
        Ok(VideoAddress::ShortLink(link)) => link,
        other => panic!("{text}: {other:?}"),
    }
}

fn id() -> VideoId {
    ID.parse().unwrap()
}

fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

/// Stands in for every host of TikTok; keeps what it was asked for.
struct Stand {
    web: WebAddress,
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stand {
    /// Answers each path (`/HOST/PATH`) with what `answer` makes of it, after `delay`.
    async fn new(
        delay: Duration,
        answer: impl Fn(&str) -> String + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (seen, answer) = (seen.clone(), answer.clone());
                tokio::spawn(async move {
                    let mut request = [0; 16_384];
                    let length = stream.read(&mut request).await.unwrap();
                    let request = String::from_utf8_lossy(&request[..length]).into_owned();
                    assert!(request.starts_with("GET "), "{request}");
                    assert!(!request.to_lowercase().contains("cookie"), "{request}");
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    seen.lock().unwrap().push(path.clone());
                    tokio::time::sleep(delay).await;
                    // The other side may have given up.
                    let _ = stream.write_all(answer(&path).as_bytes()).await;
                });
            }
        });
        let web = WebAddress::new(Some(format!("http://127.0.0.1:{port}")));
        Self { web, port, asked }
    }

    /// Answers the link with `answer`, and anything else with an empty page.
    async fn at_once(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::new(Duration::ZERO, move |path| match path {
            "/vm.tiktok.com/ZMabc" => answer.clone(),
            _ => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
        })
        .await
    }

    async fn follow(&self, text: &str) -> Result<Option<VideoId>, FollowError> {
        follow(&upstream::Client::new(), &self.web, &link(text)).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn links_lead_to_videos() {
    for location in [
        "https://www.tiktok.com/@made.up/video/ID",
        "https://www.tiktok.com/@made.up/photo/ID?_r=1&sec_user_id=made-up",
        "https://www.tiktok.com/@/video/ID?_t=made-up#x",
        "https://m.tiktok.com/v/ID.html?u_code=0",
        "https://us.tiktok.com/@made.up/video/ID",
        "https://t.tiktok.com/i18n/share/video/ID/?_d=0&share_item_id=ID",
        "http://t.tiktok.com/i18n/share/video/ID",
        "https://lite.tiktok.com/@made.up/video/ID",
        "https://www.tiktokv.com/share/video/ID/",
        "https://www.tiktok.com/foryou?item_id=ID",
        "http://www.tiktok.com/@made.up/video/ID",
        "//www.tiktok.com/@made.up/video/ID",
        "/@made.up/video/ID",
        "../v/ID",
    ] {
        let stand = Stand::at_once(&redirect(&location.replace("ID", ID))).await;
        assert_eq!(stand.follow(LINK).await, Ok(Some(id())), "{location}");
        assert_eq!(stand.asked(), ["/vm.tiktok.com/ZMabc"], "{location}");
    }
}

#[tokio::test]
async fn every_kind_of_link_and_page_is_gone_through() {
    let stand = Stand::new(Duration::ZERO, |path| match path {
        "/lite.tiktok.com/t/ZSlite" => {
            redirect(&format!("https://t.tiktok.com/i18n/share/video/{ID}/?_d=0"))
        }
        "/vt.tiktok.com/ZSabc" => redirect("https://vm.tiktok.com/ZMabc/?k=1"),
        // The parameters of a short link are dropped.
        "/vm.tiktok.com/ZMabc" => redirect("https://tiktok.com/t/ZTabc?k=1"),
        "/www.tiktok.com/t/ZTabc" => redirect("https://m.tiktok.com/login?to=x#y"),
        // Those of another page are not.
        "/m.tiktok.com/login?to=x" => redirect("/link/made-up"),
        "/m.tiktok.com/link/made-up" => redirect(&format!("https://www.tiktok.com/v/{ID}")),
        other => panic!("{other}"),
    })
    .await;
    assert_eq!(stand.follow("https://vt.tiktok.com/ZSabc").await, Ok(Some(id())));
    assert_eq!(stand.asked().len(), 5);
    // What is on another host need not be asked.
    assert_eq!(stand.follow("https://lite.tiktok.com/t/ZSlite").await, Ok(Some(id())));
    assert_eq!(stand.asked().len(), 6);
}

#[tokio::test]
async fn links_that_lead_to_no_video() {
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    for (answer, asked) in [
        (page.to_owned(), 1),
        // A page that never ends is not read.
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\nhi".to_owned(), 1),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(), 1),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n".to_owned(), 1),
        ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".to_owned(), 1),
        (redirect("https://www.tiktok.com/"), 1),
        (redirect("https://www.tiktok.com?_r=1"), 1),
        (redirect("/"), 1),
        (redirect("https://www.tiktok.com/@made.up"), 1),
        (redirect("https://www.tiktok.com/music/Made-up-1"), 1),
        (redirect("https://m.tiktok.com/h5/share/usr/1.html"), 1),
        (redirect("https://www.tiktok.com/notfound"), 2),
    ] {
        let stand = Stand::at_once(&answer).await;
        assert_eq!(stand.follow(LINK).await, Ok(None), "{answer}");
        assert_eq!(stand.asked().len(), asked, "{answer}");
    }
}

/// Where a link may not lead. `PORT` is that of a server that must not hear of it.
const REFUSED: [&str; 51] = [
    "http://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
    "http://localhost:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f.1:PORT/",
    "http://0.0.0.0:PORT/",
    "http://[::1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "//127.0.0.1:PORT/",
    "http://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "https://[fe80::1]/",
    // Plain HTTP.
    "http://vm.tiktok.com/ZMnext",
    "http://www.tiktok.com/t/ZTnext",
    "http://www.tiktok.com/login",
    // Other schemes.
    "javascript:alert(1)",
    "javascript://www.tiktok.com/%0aalert(1)",
    "file:///etc/passwd",
    "file://www.tiktok.com/etc/passwd",
    "ftp://www.tiktok.com/login",
    "gopher://127.0.0.1:PORT/",
    "data:text/html,hi",
    "snssdk1233://aweme/detail/1",
    // Somebody before the host.
    "https://www.tiktok.com@127.0.0.1:PORT/",
    "https://www.tiktok.com:443@evil.example/",
    "https://user@www.tiktok.com/login",
    "https://user:secret@vm.tiktok.com/ZMnext",
    "https://www.tiktok.com\\@evil.example/",
    "https:\\\\evil.example\\login",
    "/\\evil.example/login",
    "/\t/evil.example/login",
    "//evil.example/login",
    // Somebody else.
    "https://evil.example/@made.up/video/1",
    "https://eviltiktok.com/login",
    "https://tiktok.com.attacker.net/login",
    "https://www.tiktok.com./login",
    "https://us.tiktok.com/login",
    // Pages there are by their ids only.
    "https://t.tiktok.com/login",
    "https://t.tiktok.com/ZTnext",
    "https://lite.tiktok.com.evil.example/t/ZSnext",
    "http://lite.tiktok.com/t/ZSnext",
    "https://evil.example/)https://www.tiktok.com/@made.up/video/1",
    "https://www.tiktokv.com/login",
    // Other ports.
    "https://www.tiktok.com:8443/login",
    "https://vm.tiktok.com:80/ZMnext",
    "https://www.tiktok.com:PORT/@made.up/video/1",
];

#[tokio::test]
async fn what_leads_elsewhere_is_refused_and_never_asked() {
    let trap = Stand::at_once("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let client = upstream::Client::new();
    for location in REFUSED {
        let location = location.replace("PORT", &trap.port.to_string());
        let stand = Stand::at_once(&redirect(&location)).await;
        let refused = follow(&client, &stand.web, &link(LINK)).await;
        assert_eq!(refused, Err(FollowError::RedirectRefused), "{location}");
        assert_eq!(stand.asked().len(), 1, "{location}");
    }
    assert_eq!(trap.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn an_address_without_end_is_refused() {
    let long = |length: usize| {
        let start = format!("https://www.tiktok.com/v/{ID}?");
        redirect(&format!("{start}{}", "x".repeat(length - start.len())))
    };
    assert_eq!(Stand::at_once(&long(8_192)).await.follow(LINK).await, Ok(Some(id())));
    let refused = Stand::at_once(&long(8_193)).await.follow(LINK).await;
    assert_eq!(refused, Err(FollowError::RedirectRefused));
}

#[tokio::test]
async fn a_circle_ends() {
    let stand = Stand::at_once(&redirect(LINK)).await;
    assert_eq!(stand.follow(LINK).await, Err(FollowError::RedirectRefused));
    assert_eq!(stand.asked().len(), 5);
}

#[tokio::test]
async fn the_sixth_page_is_not_asked() {
    let stand = Stand::new(Duration::ZERO, |path| {
        let hop: u32 = path.rsplit_once('/').unwrap().1.parse().unwrap();
        match hop {
            6 => redirect(&format!("https://www.tiktok.com/v/{ID}")),
            _ => redirect(&format!("https://vm.tiktok.com/{}", hop + 1)),
        }
    })
    .await;
    let refused = stand.follow("https://vm.tiktok.com/1").await;
    assert_eq!(refused, Err(FollowError::RedirectRefused));
    assert_eq!(stand.asked().last().unwrap(), "/vm.tiktok.com/5");
    assert_eq!(stand.follow("https://vm.tiktok.com/2").await, Ok(Some(id())));
}

#[tokio::test]
async fn slow_hops_end_in_time() {
    let ms = Duration::from_millis;
    let follow = async |delay, patience| {
        let stand = Stand::new(delay, |_| redirect(LINK)).await;
        let start = Instant::now();
        let answer = follow_for(patience, &upstream::Client::new(), &stand.web, &link(LINK)).await;
        assert_eq!(answer, Err(FollowError::Timeout));
        (start.elapsed(), stand.asked().len())
    };
    // Each is quick enough, all of them are not.
    let all = Patience { hops: 1_000, each: ms(5_000), total: ms(1_500) };
    let (took, asked) = follow(ms(500), all).await;
    assert!(took < ms(5_000) && (2..=4).contains(&asked), "{took:?}, {asked}");
    // One is not.
    let one = Patience { hops: 5, each: ms(1_000), total: ms(60_000) };
    let (took, asked) = follow(ms(30_000), one).await;
    assert!(took < ms(5_000) && asked == 1, "{took:?}, {asked}");
    assert!((PATIENCE.hops, PATIENCE.each, PATIENCE.total) == (5, ms(1_500), ms(3_000)));
}

#[tokio::test]
async fn failures_of_tiktok_are_told_apart_from_the_links() {
    let status = |line: &str| format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n");
    let limited = |seconds| FollowError::RateLimited { retry_after: Duration::from_secs(seconds) };
    for (answer, error) in [
        (status("429 Too Many Requests"), limited(60)),
        (status("429 Too Many Requests\r\nretry-after: 7"), limited(7)),
        (status("500 Internal Server Error"), FollowError::Upstream { retryable: true }),
        (status("503 Service Unavailable"), FollowError::Upstream { retryable: true }),
        (status("403 Forbidden"), FollowError::Upstream { retryable: false }),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), FollowError::Upstream { retryable: true }),
    ] {
        let stand = Stand::at_once(&answer).await;
        assert_eq!(stand.follow(LINK).await, Err(error), "{answer}");
    }
    // A stand-in may not be somewhere on the network, nor nowhere.
    for web_url in ["http://example.com", "", "nonsense"] {
        let web = WebAddress::new(Some(web_url.to_owned()));
        let answer = follow(&upstream::Client::new(), &web, &link(LINK)).await;
        assert_eq!(answer, Err(FollowError::Upstream { retryable: false }), "{web_url}");
    }
}

#[test]
fn without_a_stand_in_the_page_itself_is_asked() {
    let page: Url = "https://www.tiktok.com/link?a=b%20c#d".parse().unwrap();
    let asked = |web: WebAddress| web.of(&page).unwrap().to_string();
    assert_eq!(asked(WebAddress::default()), "https://www.tiktok.com/link?a=b%20c");
    let stand_in = WebAddress::new(Some("http://127.0.0.1:1/web/".to_owned()));
    assert_eq!(asked(stand_in), "http://127.0.0.1:1/web/www.tiktok.com/link?a=b%20c");
}

proptest! {
    /// Whatever an answer points to, only the hosts are asked, over TLS.
    #[test]
    fn only_the_hosts_are_ever_asked(
        any in "\\PC{0,60}",
        made in "(https:|http:|//|/|\\\\|@|:|443|8080|www\\.|vm\\.|tiktok\\.com|evil\\.example|127\\.0\\.0\\.1|\\[::1\\]|localhost|t|\\?|#|%2F|%40|\\.|x){0,10}",
    ) {
        let page: Url = LINK.parse().unwrap();
        for location in [any, made] {
            let Ok(location) = HeaderValue::from_str(&location) else { continue };
            if let Ok(Next::Page(to)) = next(&page, &location) {
                prop_assert_eq!(to.scheme(), "https");
                prop_assert!(HOSTS.contains(&to.host_str().unwrap()), "{}", to);
                prop_assert_eq!((to.port(), to.username(), to.password()), (None, "", None));
            }
        }
    }
}
