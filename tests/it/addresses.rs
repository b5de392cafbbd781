//! `GET /v1/videos?url=…`: every form of a video's address leads to the one video, and nothing else is
//! asked.

use local::standins::tiktok::{Endpoint, Fault};
use tokio::net::TcpListener;
use vidintel::plans::Plan;

use crate::util::{Customer, World, assert_problem, rate_limit};

const FUNCTION: &str = "FindVideoFunction";

/// Every form in which an id stands, with `ID` in its place and `NAME` in its creator's.
const FORMS: [&str; 48] = [
    "ID",
    " ID\n",
    "https://www.tiktok.com/@NAME/video/ID",
    // A user may be any, a secUid, `_`, or none.
    "https://www.tiktok.com/@made-up.2/video/ID",
    "https://www.tiktok.com/@MS4wLjABAAAAmade-up_secUid/video/ID",
    "https://www.tiktok.com/@_/video/ID",
    "https://www.tiktok.com/@/video/ID",
    "https://www.tiktok.com/%40NAME/video/ID",
    "https://www.tiktok.com/@NAME/photo/ID",
    "https://www.tiktok.com/@NAME/video/ID/",
    "https://www.tiktok.com/@NAME/video/ID?is_from_webapp=1&sender_device=pc",
    "https://www.tiktok.com/@NAME/video/ID/?lang=en#comments",
    "https://www.tiktok.com/@NAME/video/ID?item_id=1",
    "https://www.tiktok.com/@NAME/video/ID?to=https://evil.example/@x",
    "https://www.tiktok.com/embed/ID",
    "https://www.tiktok.com/embed/v2/ID",
    "https://www.tiktok.com/embed/v2/ID?lang=en-US&referrer=https%3A%2F%2Fexample.com",
    "https://www.tiktok.com/player/v1/ID",
    "https://www.tiktok.com/share/video/ID",
    "https://www.tiktok.com/i18n/share/video/ID/",
    "https://www.tiktokv.com/share/video/ID",
    "https://tiktokv.com/share/video/ID?share_app_id=1",
    "https://m.tiktok.com/v/ID",
    "https://m.tiktok.com/v/ID.html",
    "https://m.tiktok.com/v/ID.html?u_code=0",
    "https://m.tiktok.com/@NAME/video/ID",
    "https://www.tiktok.com/v/ID",
    "https://www.tiktok.com/v/ID.html",
    "https://tiktok.com/@NAME/video/ID",
    "https://us.tiktok.com/@NAME/video/ID",
    "https://vm.tiktok.com/@NAME/video/ID",
    "https://www.tiktok.com/?item_id=ID",
    "https://www.tiktok.com?item_id=ID",
    "https://www.tiktok.com/foryou?is_copy_url=1&item_id=ID",
    "https://www.tiktok.com/trending?shareId=ID",
    "HTTPS://WWW.TikTok.COM/@NAME/video/ID",
    "http://www.tiktok.com/@NAME/video/ID",
    "https://www.tiktok.com:443/@NAME/video/ID",
    "www.tiktok.com/@NAME/video/ID",
    "tiktok.com/@NAME/video/ID",
    "m.tiktok.com/v/ID.html",
    "\u{3000}https://www.tiktok.com/@NAME/video/ID\r\n",
    // Of TikTok Lite.
    "https://t.tiktok.com/i18n/share/video/ID/?_d=0&share_item_id=ID",
    "https://lite.tiktok.com/@NAME/video/ID",
    // As they are pasted.
    "<https://www.tiktok.com/@NAME/video/ID>",
    "(https://www.tiktok.com/@NAME/video/ID).",
    "“https://www.tiktok.com/@NAME/video/ID/”,",
    "<ID>.",
];

/// What is no video's address, with `ID` for a real video's id.
const REFUSED: [&str; 45] = [
    "",
    "hello",
    "0",
    "0ID",
    "-ID",
    "99999999999999999999",
    // Pages of something else.
    "https://www.tiktok.com/",
    "https://www.tiktok.com/@made.up",
    "https://www.tiktok.com/@made.up/live",
    "https://www.tiktok.com/share/user/ID",
    "https://www.tiktok.com/share/user/ID?item_id=ID",
    "https://m.tiktok.com/h5/share/usr/ID.html",
    "https://www.tiktok.com/music/made-up-ID",
    "https://www.tiktok.com/tag/made.up?item_id=ID",
    "https://www.tiktok.com/@made.up/video/ID.html",
    "https://www.tiktok.com/?item_id=1&item_id=2",
    "https://vm.tiktok.com/",
    "https://vm.tiktok.com/..",
    "https://vm.tiktok.com/ZM%61bc",
    "https://www.tiktok.com/t/",
    // Somebody else's.
    "https://example.com/@made.up/video/ID",
    "https://eviltiktok.com/@made.up/video/ID",
    "https://tiktok.com.attacker.net/@made.up/video/ID",
    "https://attacker.net/www.tiktok.com/@made.up/video/ID",
    "https://www.tikt\u{43e}k.com/@made.up/video/ID",
    "<https://evil.example/@made.up/video/ID>",
    "(https://www.tiktok.com)@evil.example/@made.up/video/ID",
    "https://lite.tiktok.com.evil.example/t/ZL1",
    "https://evillite.tiktok.com/t/ZL1",
    "https://t.tiktok.com/t/ZL1",
    "https://www.tiktok.com./@made.up/video/ID",
    "https://www%2Etiktok.com/@made.up/video/ID",
    "https://127.0.0.1/@made.up/video/ID",
    "http://169.254.169.254/@made.up/video/ID",
    // Somebody before the host, and another port.
    "https://www.tiktok.com@evil.example/@made.up/video/ID",
    "https://user:secret@www.tiktok.com/@made.up/video/ID",
    "https://www.tiktok.com:8443/@made.up/video/ID",
    // Other schemes, and what browsers turn round.
    "file:///www.tiktok.com/@made.up/video/ID",
    "ftp://www.tiktok.com/@made.up/video/ID",
    "javascript://www.tiktok.com/@made.up/video/ID",
    "//www.tiktok.com/@made.up/video/ID",
    "https:\\\\www.tiktok.com\\@made.up\\video\\ID",
    "https://www.tiktok.com\\@evil.example/video/ID",
    "https://www.tik\ttok.com/@made.up/video/ID",
    "https://www.tiktok.com/@made.up/video/ID\0",
];

/// Where a short link may not lead. `PORT` is that of a server that must not hear of it.
const TRAPS: [&str; 33] = [
    // This machine.
    "http://127.0.0.1:PORT/trap",
    "https://127.0.0.1:PORT/trap",
    "http://localhost:PORT/trap",
    "http://2130706433:PORT/trap",
    "http://0x7f.1:PORT/trap",
    "http://0.0.0.0:PORT/trap",
    "http://[::1]:PORT/trap",
    "http://[::ffff:127.0.0.1]:PORT/trap",
    "//127.0.0.1:PORT/trap",
    // Private ranges, and where clouds keep their credentials.
    "http://10.0.0.1/trap",
    "https://172.16.0.1/trap",
    "https://192.168.1.1/trap",
    "https://100.64.0.1/trap",
    "http://169.254.169.254/latest/meta-data/trap",
    "http://[fd00:ec2::254]/latest/meta-data/trap",
    "https://[fe80::1]/trap",
    // Other schemes.
    "http://vm.tiktok.com/ZM0?trap",
    "javascript:alert('trap')",
    "file:///etc/passwd-trap",
    "ftp://www.tiktok.com/trap",
    "gopher://127.0.0.1:PORT/trap",
    "snssdk1233://aweme/detail/trap",
    // Somebody before the host.
    "https://www.tiktok.com@127.0.0.1:PORT/trap",
    "https://www.tiktok.com:443@evil.example/trap",
    "https://trap:secret@vm.tiktok.com/ZM0",
    "https://www.tiktok.com\\@evil.example/trap",
    "/\\evil.example/trap",
    "//evil.example/trap",
    // Those who look alike, and another port.
    "https://evil.example/@trap/video/ID",
    "https://eviltiktok.com/@trap/video/ID",
    "https://tiktok.com.attacker.net/@trap/video/ID",
    "https://www.tiktok.com./@trap/video/ID",
    "https://www.tiktok.com:PORT/@trap/video/ID",
];

async fn business(world: &World) -> Customer {
    let ada = world.customer("ada@example.com").await;
    world.upgrade(&ada, Plan::Business).await;
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_leads_to_the_video_and_the_source_is_asked_once() {
    let world = World::start().await;
    let ada = business(&world).await;
    let video = &world.cloud.tiktok.catalogue()[2];
    let (id, name) = (video.id.to_string(), video.username);
    let mut asked = 0;
    for form in FORMS {
        let url = form.replace("ID", &id).replace("NAME", name);
        let answer = world.find(&url, &ada).await;
        assert_eq!(answer.status, 200, "{form}: {}", answer.text());
        let found = answer.json();
        assert_eq!((found["id"].as_str(), &found["cached"]), (Some(&*id), &(asked > 0).into()));
        assert_eq!(found["url"], format!("https://www.tiktok.com/@{name}/video/{id}"));
        asked += 1;
    }
    // By its id it is the same entry of the cache too.
    assert_eq!(world.video(2, &ada).await.json()["cached"], true);
    let counts = world.cloud.tiktok.counts();
    assert_eq!((counts.oembed, counts.links), (1, 0));
    assert_eq!(world.rolled_up(&ada).await, (asked + 1, asked + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn short_links_are_followed_once_and_share_the_videos_answer() {
    let world = World::start().await;
    let ada = business(&world).await;
    let id = world.video_id(2).to_string();
    // The first leads to the address of the phones' site: its id is all that is needed.
    for (n, link) in
        ["https://vm.tiktok.com/ZM2/", "https://vt.tiktok.com/ZS2", "https://www.tiktok.com/t/ZT2/"]
            .into_iter()
            .enumerate()
    {
        let answer = world.find(link, &ada).await;
        assert_eq!(answer.json()["id"], *id, "{link}: {}", answer.text());
        assert_eq!(world.cloud.tiktok.counts().links, n as u64 + 1, "{link}");
    }
    // Over a page of TikTok's that is no video's.
    world.cloud.tiktok.link("vm.tiktok.com", "/ZMtwo", "https://www.tiktok.com/made-up/share");
    let to_video = format!("https://www.tiktok.com/@_/video/{id}?_r=1");
    world.cloud.tiktok.link("www.tiktok.com", "/made-up/share", &to_video);
    assert_eq!(world.find("vm.tiktok.com/ZMtwo", &ada).await.json()["id"], *id);
    let before = world.cloud.tiktok.counts();
    assert_eq!((before.links, before.oembed), (5, 1));
    // However it is written, a link that was followed is known, also while TikTok is away.
    world.cloud.tiktok.fault(Endpoint::Links, Fault::Status(500));
    for link in [
        "https://vm.tiktok.com/ZM2?k=1#x",
        "http://VT.tiktok.com/ZS2/",
        "tiktok.com/t/ZT2",
        "https://m.tiktok.com/t/ZT2",
        "https://vm.tiktok.com/ZMtwo",
    ] {
        let answer = world.find(link, &ada).await;
        assert_eq!(answer.json()["id"], *id, "{link}: {}", answer.text());
        assert_eq!(answer.json()["cached"], true, "{link}");
    }
    assert_eq!(world.cloud.tiktok.counts(), before);
    assert_eq!(world.rolled_up(&ada).await, (9, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_videos_address_is_refused_and_costs_nothing() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let id = world.video_id(2).to_string();
    for form in REFUSED {
        let answer = world.find(&form.replace("ID", &id), &ada).await;
        assert_eq!(answer.status, 400, "{form}: {}", answer.text());
        assert_problem(&answer, 400, "invalid-value");
        let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
        assert!(detail.starts_with("`url` must be"), "{form}: {detail}");
        for part in ["evil", "secret", "attacker", "169.254"] {
            assert!(!detail.contains(part), "{form} is repeated: {detail}");
        }
    }
    assert_problem(&world.get("/v1/videos", &ada).await, 400, "invalid-value");
    let counts = world.cloud.tiktok.counts();
    assert_eq!((counts.oembed, counts.links), (0, 0));
    assert_eq!(world.rolled_up(&ada).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leads_nowhere_is_not_found_and_costs_nothing() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let tiktok = &world.cloud.tiktok;
    tiktok.link("vm.tiktok.com", "/ZMuser", "https://www.tiktok.com/@alba.bakes");
    tiktok.link("vm.tiktok.com", "/ZMcircle", "https://vm.tiktok.com/ZMcircle");
    tiktok.link("vm.tiktok.com", "/ZMgone", "https://www.tiktok.com/@_/video/7000000000000000001");
    for (link, kind, hops) in [
        // TikTok sends whoever has an unknown code to its start page.
        ("https://vm.tiktok.com/ZMunknown", "link-leads-nowhere", 1),
        ("https://www.tiktok.com/t/ZTunknown", "link-leads-nowhere", 1),
        ("https://vm.tiktok.com/ZMuser", "link-leads-nowhere", 1),
        ("https://vm.tiktok.com/ZMcircle", "link-leads-nowhere", 5),
        ("https://vm.tiktok.com/ZMgone", "video-not-found", 1),
    ] {
        let before = tiktok.counts().links;
        let answer = world.find(link, &ada).await;
        assert_problem(&answer, 404, kind);
        assert_eq!(rate_limit(&answer, "month", 'r'), 50, "{link}");
        assert_eq!(tiktok.counts().links, before + hops, "{link}");
    }
    for (fault, status, kind) in [
        (Fault::Status(500), 502, "source-failed"),
        (Fault::RateLimited, 503, "source-busy"),
        (Fault::Hang, 504, "source-timeout"),
    ] {
        tiktok.fault(Endpoint::Links, fault);
        let link = format!("https://vm.tiktok.com/ZM{status}");
        assert_problem(&world.find(&link, &ada).await, status, kind);
    }
    assert_eq!(world.rolled_up(&ada).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leads_elsewhere_is_refused_and_nobody_there_hears_of_it() {
    let world = World::start().await;
    let ada = business(&world).await;
    let trap = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = trap.local_addr().expect("an address").port().to_string();
    let id = world.video_id(2).to_string();
    for (n, location) in TRAPS.into_iter().enumerate() {
        let location = location.replace("PORT", &port).replace("ID", &id);
        let code = format!("EVIL{n}");
        world.cloud.tiktok.link("vm.tiktok.com", &code, &location);
        let answer = world.find(&format!("https://vm.tiktok.com/{code}/"), &ada).await;
        assert_eq!(answer.status, 404, "{location}: {}", answer.text());
        assert_problem(&answer, 404, "link-leads-nowhere");
        let counts = world.cloud.tiktok.counts();
        assert_eq!((counts.links, counts.oembed), (n as u64 + 1, 0), "{location}");
        for shown in [answer.text(), world.logs(FUNCTION)] {
            assert!(!shown.contains("trap") && !shown.contains(&location), "{location}: {shown}");
        }
    }
    // Who had connected would wait to be accepted.
    let connected = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(connected.is_err(), "{connected:?}");
    assert_eq!(world.rolled_up(&ada).await, (0, 0));
}
