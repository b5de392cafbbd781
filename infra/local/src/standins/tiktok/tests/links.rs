//! Short links and pages of the web hosts.

use http::{Method, header::LOCATION};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::*;

/// Status, location and body of `https://{address}`.
async fn open(tiktok: &TikTok, method: Method, address: &str) -> (u16, Option<String>, String) {
    let request = Request::builder().method(method).uri(format!("/web/{address}"));
    let request = request.body(Body::empty()).unwrap();
    let answer = TowerToHyperService::new(tiktok.router()).call(request).await.unwrap();
    let location = answer.headers().get(LOCATION);
    let location = location.map(|it| String::from_utf8(it.as_bytes().to_vec()).unwrap());
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, location, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(tiktok: &TikTok, address: &str) -> (u16, Option<String>, String) {
    open(tiktok, Method::GET, address).await
}

/// The addresses from `address` to the page it leads to.
async fn follow(tiktok: &TikTok, address: String) -> Vec<String> {
    let mut hops = vec![address];
    loop {
        let address = hops.last().unwrap();
        let (status, location, body) = get(tiktok, address).await;
        let Some(location) = location else {
            assert!(status == 200 && body.contains("<title>"), "{address}: {status}");
            return hops;
        };
        assert!(matches!(status, 301 | 302) && body.is_empty(), "{address}: {status}");
        hops.push(location.strip_prefix("https://").expect("an absolute address").to_owned());
    }
}

#[tokio::test]
async fn every_video_has_three_short_links() {
    let tiktok = tiktok();
    let mut links = 0;
    for (n, video) in tiktok.catalogue().iter().enumerate() {
        let page = format!("www.tiktok.com/@{}/video/{}", video.username, video.id);
        for (start, is_mobile) in [
            (format!("vm.tiktok.com/ZM{n}/"), n % 2 == 0),
            (format!("vt.tiktok.com/ZS{n}/"), false),
            (format!("www.tiktok.com/t/ZT{n}/"), false),
        ] {
            let hops = follow(&tiktok, start).await;
            links += hops.len() as u64;
            let (last, query) = hops.last().unwrap().split_once('?').unwrap();
            assert_eq!(last, page);
            assert!(query.starts_with("_r=1&_t="));
            assert_eq!(hops.len(), if is_mobile { 3 } else { 2 });
            if is_mobile {
                assert!(hops[1].starts_with(&format!("m.tiktok.com/v/{}.html?", video.id)));
            }
        }
    }
    assert_eq!(tiktok.counts(), Counts { links, ..Counts::default() });
}

#[tokio::test]
async fn links_of_tiktok_lite_lead_over_another_host() {
    let tiktok = tiktok();
    let video = &tiktok.catalogue()[3];
    let hops = follow(&tiktok, "lite.tiktok.com/t/ZL3/".to_owned()).await;
    assert_eq!(hops.len(), 3);
    assert!(hops[1].starts_with(&format!("t.tiktok.com/i18n/share/video/{}/?", video.id)));
    let page = format!("lite.tiktok.com/@{}/video/{}", video.username, video.id);
    assert_eq!(follow(&tiktok, page).await.len(), 2);
}

#[tokio::test]
async fn unknown_codes_lead_home_and_slashes_and_queries_do_not_matter() {
    let tiktok = tiktok();
    for address in [
        "vm.tiktok.com/ZM300/",
        "vm.tiktok.com/ZM",
        "vm.tiktok.com/ZS1",
        "vm.tiktok.com",
        "vm.tiktok.com/",
        "vt.tiktok.com/a/b",
        "www.tiktok.com/t/ZTx",
        "m.tiktok.com/v/1.html",
        "m.tiktok.com",
    ] {
        let (status, location, _) = get(&tiktok, address).await;
        assert!(matches!(status, 301 | 302), "{address}");
        assert_eq!(location.as_deref(), Some("https://www.tiktok.com/"), "{address}");
    }
    let known = get(&tiktok, "vt.tiktok.com/ZS7/").await;
    for address in ["vt.tiktok.com/ZS7", "VT.tiktok.com/ZS7/?k=1", "vt.tiktok.com//ZS7//"] {
        assert_eq!(get(&tiktok, address).await, known, "{address}");
    }
    let (status, location, body) = open(&tiktok, Method::HEAD, "vt.tiktok.com/ZS7/").await;
    assert_eq!((status, location, body.as_str()), (known.0, known.1, ""));
    // A link is there once its video is.
    let last = tiktok.catalogue().last().unwrap().create_time - 1;
    tiktok.0.clock.set(OffsetDateTime::from_unix_timestamp(last).unwrap());
    let (_, location, _) = get(&tiktok, "vt.tiktok.com/ZS299/").await;
    assert_eq!(location.as_deref(), Some("https://www.tiktok.com/"));
}

#[tokio::test]
async fn pages_are_html_where_there_is_something() {
    let tiktok = tiktok();
    let video = &tiktok.catalogue()[3];
    let address = format!("www.tiktok.com/@{}/video/{}", video.username, video.id);
    let (status, location, body) = get(&tiktok, &address).await;
    assert_eq!((status, location), (200, None));
    assert!(body.starts_with("<!DOCTYPE html>"));
    let head = open(&tiktok, Method::HEAD, &address).await;
    assert_eq!(head, (200, None, String::new()));
    assert_eq!(get(&tiktok, "www.tiktok.com/@alba.bakes").await.0, 200);
    for address in [
        "www.tiktok.com/@alba.bakes/video/1",
        "www.tiktok.com/@nobody.at.all",
        "www.tiktok.com/about",
        "www.example.com/",
    ] {
        assert_eq!(get(&tiktok, address).await, (404, None, String::new()), "{address}");
    }
    let moved = get(&tiktok, &format!("tiktok.com/@_/video/{}?a=1", video.id)).await;
    let whole = format!("https://www.tiktok.com/@_/video/{}?a=1", video.id);
    assert_eq!(moved, (301, Some(whole), String::new()));
    assert_eq!(open(&tiktok, Method::POST, &address).await.0, 405);
}

#[tokio::test]
async fn links_can_lead_anywhere() {
    let tiktok = tiktok();
    for location in [
        "https://www.tiktok.com/@a/video/1",
        "https://vm.tiktok.com/ZMloop/",
        "http://127.0.0.1:1/",
        "https://www.example.com/",
        "//www.example.com/a",
        "/a/b?c",
        "ftp://www.tiktok.com/",
        "javascript:alert(1)",
        "https://[",
        "https://www.tiktok.com/ä b",
        "",
    ] {
        tiktok.link("vm.tiktok.com", "/ZMloop/", location);
        let answer = get(&tiktok, "vm.tiktok.com/ZMloop/?a=b").await;
        assert_eq!(answer, (302, Some(location.to_owned()), String::new()));
    }
    tiktok.link("vm.tiktok.com", "ZMloop", "two\r\nlines: 1");
    assert_eq!(get(&tiktok, "vm.tiktok.com/ZMloop").await, (302, None, String::new()));
    // Those that there were can be changed, and a query can be told from another.
    tiktok.link("vt.tiktok.com", "ZS1", "https://www.example.com/");
    tiktok.link("M.example.com", "v?id=1", "https://www.example.com/1");
    let leads = async |address| get(&tiktok, address).await.1;
    assert_eq!(leads("vt.tiktok.com/ZS1/").await.unwrap(), "https://www.example.com/");
    assert_eq!(leads("m.example.com/v?id=1").await.unwrap(), "https://www.example.com/1");
    assert_eq!(leads("m.example.com/v?id=2").await, None);
    assert_eq!(leads("m.example.com/v").await, None);
}

#[tokio::test]
async fn web_hosts_fail_without_a_word() {
    let tiktok = tiktok();
    for (fault, status) in [
        (Fault::Status(500), 500),
        (Fault::Status(403), 403),
        (Fault::RateLimited, 429),
        (Fault::DropFields, 301),
    ] {
        tiktok.fault(Endpoint::Links, fault);
        let answer = get(&tiktok, "vt.tiktok.com/ZS1/").await;
        assert_eq!(answer, (status, None, String::new()), "{fault:?}");
    }
    tiktok.fault(Endpoint::Links, Fault::Html504);
    assert!(get(&tiktok, "vt.tiktok.com/ZS1/").await.2.contains("504"));
    tiktok.fault(Endpoint::Links, Fault::Hang);
    let begun = tokio::time::timeout(
        std::time::Duration::from_millis(50),
        get(&tiktok, "vt.tiktok.com/ZS1/"),
    );
    assert!(begun.await.is_err());
    assert_eq!(tiktok.counts().links, 6);
    assert_eq!(tiktok.spent(), Spent::default());
}
