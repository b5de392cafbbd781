use proptest::{prelude::*, test_runner::TestCaseResult};

use super::{InvalidAddress::*, *};

const ID: &str = "7301234567890123456";

fn id() -> VideoAddress {
    VideoAddress::Video(ID.parse().unwrap())
}

/// Every form in which an id stands, with `ID` in its place.
const FORMS: [&str; 67] = [
    "ID",
    "  ID\n",
    "https://www.tiktok.com/@made.up/video/ID",
    "https://www.tiktok.com/@made-up_2/video/ID",
    "https://www.tiktok.com/@/video/ID",
    "https://www.tiktok.com/@_/video/ID",
    "https://www.tiktok.com/@MS4wLjABAAAAmade-up_secUid/video/ID",
    "https://www.tiktok.com/%40made.up/video/ID",
    "https://www.tiktok.com/@made.up/photo/ID",
    "https://www.tiktok.com/@made.up/video/ID/",
    "https://www.tiktok.com/@made.up/video/ID///",
    "https://www.tiktok.com/@made.up/video/ID?is_from_webapp=1&sender_device=pc",
    "https://www.tiktok.com/@made.up/video/ID/?lang=en#comments",
    "https://www.tiktok.com/@made.up/video/ID#?item_id=1",
    "https://www.tiktok.com/@made.up/video/ID?item_id=1",
    "https://www.tiktok.com/@made.up/video/ID?to=https://evil.example/@x",
    "https://www.tiktok.com/embed/ID",
    "https://www.tiktok.com/embed/v2/ID",
    "https://www.tiktok.com/embed/v2/ID?lang=en-US&referrer=https%3A%2F%2Fexample.com",
    "https://www.tiktok.com/player/v1/ID",
    "https://www.tiktok.com/player/v1/ID?music_info=1",
    "https://www.tiktok.com/share/video/ID",
    "https://www.tiktok.com/i18n/share/video/ID/",
    "https://www.tiktokv.com/share/video/ID",
    "https://www.tiktokv.com/share/video/ID/?share_app_id=1",
    "https://tiktokv.com/share/video/ID",
    "https://www.tiktokv.com/i18n/share/video/ID",
    "https://m.tiktok.com/v/ID",
    "https://m.tiktok.com/v/ID.html",
    "https://m.tiktok.com/v/ID.html?u_code=0",
    "https://m.tiktok.com/@made.up/video/ID",
    "https://www.tiktok.com/v/ID",
    "https://www.tiktok.com/v/ID.html",
    "https://tiktok.com/@made.up/video/ID",
    "https://us.tiktok.com/@made.up/video/ID",
    "https://vm.tiktok.com/@made.up/video/ID",
    "https://www.tiktok.com/?item_id=ID",
    "https://www.tiktok.com?item_id=ID",
    "https://www.tiktok.com/foryou?is_copy_url=1&item_id=ID&item_id=ID",
    "https://www.tiktok.com/trending?shareId=ID",
    "https://m.tiktok.com/share?item_id=ID&shareId=ID#top",
    "HTTPS://WWW.TikTok.COM/@made.up/video/ID",
    "http://www.tiktok.com/@made.up/video/ID",
    "http://www.tiktok.com:80/@made.up/video/ID",
    "https://www.tiktok.com:443/@made.up/video/ID",
    "www.tiktok.com/@made.up/video/ID",
    "www.tiktok.com:443/@made.up/video/ID",
    "WWW.TIKTOK.COM/@made.up/video/ID?to=https://evil.example/",
    "tiktok.com/@made.up/video/ID",
    "m.tiktok.com/v/ID.html",
    "\u{3000}https://www.tiktok.com/@made.up/video/ID\r\n",
    // Of TikTok Lite.
    "https://t.tiktok.com/i18n/share/video/ID",
    "https://t.tiktok.com/i18n/share/video/ID/?_d=0&share_item_id=ID",
    "https://t.tiktok.com/@made.up/video/ID",
    "https://lite.tiktok.com/@made.up/video/ID",
    "https://lite.tiktok.com/share/video/ID",
    "https://lite.tiktok.com/i18n/share/video/ID/?share_item_id=1",
    "lite.tiktok.com/v/ID.html",
    // As they are pasted out of sentences and mails.
    "<https://www.tiktok.com/@made.up/video/ID>",
    "(https://www.tiktok.com/@made.up/video/ID).",
    "https://www.tiktok.com/@made.up/video/ID).",
    "https://www.tiktok.com/@made.up/video/ID/.",
    "\"https://www.tiktok.com/@made.up/video/ID?lang=en\",",
    "“https://m.tiktok.com/v/ID.html”!",
    "[https://t.tiktok.com/i18n/share/video/ID/];",
    "<ID>",
    "ID.",
];

#[test]
fn every_form_names_its_video() {
    for form in FORMS {
        assert_eq!(form.replace("ID", ID).parse(), Ok(id()), "{form}");
    }
}

#[test]
fn short_links_have_one_address() {
    for (text, address, name) in [
        ("https://vm.tiktok.com/ZMaB-c_9", "https://vm.tiktok.com/ZMaB-c_9", "vm.ZMaB-c_9"),
        ("https://vm.tiktok.com/ZMabc/?k=1#x", "https://vm.tiktok.com/ZMabc", "vm.ZMabc"),
        ("http://VM.tiktok.com/ZMabc", "https://vm.tiktok.com/ZMabc", "vm.ZMabc"),
        ("vm.tiktok.com/zmABC", "https://vm.tiktok.com/zmABC", "vm.zmABC"),
        ("https://vt.tiktok.com/ZSabc/", "https://vt.tiktok.com/ZSabc", "vt.ZSabc"),
        ("https://vt.tiktok.com:443/7301", "https://vt.tiktok.com/7301", "vt.7301"),
        ("https://www.tiktok.com/t/ZTabc/", "https://www.tiktok.com/t/ZTabc", "t.ZTabc"),
        ("https://tiktok.com/t/ZTabc?x", "https://www.tiktok.com/t/ZTabc", "t.ZTabc"),
        (" m.tiktok.com/t/ZTabc", "https://www.tiktok.com/t/ZTabc", "t.ZTabc"),
        ("https://lite.tiktok.com/t/ZSabc/", "https://lite.tiktok.com/t/ZSabc", "lite.ZSabc"),
        ("<https://vm.tiktok.com/ZMabc/>", "https://vm.tiktok.com/ZMabc", "vm.ZMabc"),
        ("(lite.tiktok.com/t/ZSabc).", "https://lite.tiktok.com/t/ZSabc", "lite.ZSabc"),
    ] {
        let Ok(VideoAddress::ShortLink(link)) = text.parse() else { panic!("{text}") };
        assert_eq!((&*link.to_string(), &*link.cache_name()), (address, name), "{text}");
        assert_eq!(link.to_string().parse(), Ok(VideoAddress::ShortLink(link)), "{text}");
    }
}

#[test]
fn what_is_no_address_of_tiktoks_is_refused() {
    for (texts, error) in [
        (
            &[
                "",
                " ",
                "0",
                "07301234567890123456",
                "+7301234567890123456",
                "99999999999999999999",
                "٧٣٠١",
                "hello",
                "example.com/@made.up/video/ID",
                "eviltiktok.com/@made.up/video/ID",
                "@made.up/video/ID",
                "/@made.up/video/ID",
                "//www.tiktok.com/@made.up/video/ID",
                // Other schemes, and none.
                "ftp://www.tiktok.com/@made.up/video/ID",
                "file:///www.tiktok.com/@made.up/video/ID",
                "javascript://www.tiktok.com/@made.up/video/ID",
                "javascript:alert(1)//www.tiktok.com/@made.up/video/ID",
                "data:text/html,www.tiktok.com/@made.up/video/ID",
                "www.tiktok.com://x/@made.up/video/ID",
                "://www.tiktok.com/@made.up/video/ID",
                "https:www.tiktok.com/@made.up/video/ID",
                "https:/www.tiktok.com/@made.up/video/ID",
                // What browsers read over or turn round.
                "https:\\\\www.tiktok.com\\@made.up\\video\\ID",
                "https://www.tiktok.com\\@evil.example/video/ID",
                "https://evil.example\\@www.tiktok.com/@made.up/video/ID",
                "https://www.tiktok.com/@made.up\\video\\ID",
                "https://www.tik\ttok.com/@made.up/video/ID",
                "ht\ntps://www.tiktok.com/@made.up/video/ID",
                "https://www.tiktok.com/@made.up/video/\r\nID",
                "https://www.tiktok.com/@made.up/video/ID\0",
                "\u{1}https://www.tiktok.com/@made.up/video/ID",
                "https://www.tiktok.com/@made up/video/ID",
                "https://www.tiktok.com/@made.up/video/ID https://example.com/",
                "https://www.tiktok.com/@made.up/video/ID\u{85}x",
            ][..],
            NotAnAddress,
        ),
        (
            &[
                "https://example.com/@made.up/video/ID",
                "https:///@made.up/video/ID",
                "https:////www.tiktok.com/@made.up/video/ID",
                "https://eviltiktok.com/@made.up/video/ID",
                "https://tiktok.com.attacker.net/@made.up/video/ID",
                "https://www.tiktok.com.attacker.net/@made.up/video/ID",
                "https://tiktok.com-attacker.net/@made.up/video/ID",
                "https://attacker.net/www.tiktok.com/@made.up/video/ID",
                "https://www.eviltiktok.com/@made.up/video/ID",
                "https://usa.tiktok.com/@made.up/video/ID",
                "https://1a.tiktok.com/@made.up/video/ID",
                "https://x.tiktok.com/@made.up/video/ID",
                "https://evillite.tiktok.com/@made.up/video/ID",
                "https://lite.tiktok.com.evil.example/t/ZSabc",
                "https://www.lite.tiktok.com/t/ZSabc",
                "https://lite.tiktok.com@evil.example/t/ZSabc",
                "<https://evil.example/@made.up/video/ID>",
                "(https://www.tiktok.com)@evil.example/@made.up/video/ID",
                "https://(www.tiktok.com/@made.up/video/ID",
                "https://.tiktok.com/@made.up/video/ID",
                "https://www.us.tiktok.com/@made.up/video/ID",
                "https://us.tiktokv.com/share/video/ID",
                "https://tiktok/@made.up/video/ID",
                // A user before the host.
                "https://www.tiktok.com@evil.example/@made.up/video/ID",
                "https://user@www.tiktok.com/@made.up/video/ID",
                "https://user:secret@www.tiktok.com/@made.up/video/ID",
                "https://@www.tiktok.com/@made.up/video/ID",
                "https://www.tiktok.com:443@evil.example/@made.up/video/ID",
                "https://www.tiktok.com&@evil.example/@made.up/video/ID",
                // Ports.
                "https://www.tiktok.com:80/@made.up/video/ID",
                "http://www.tiktok.com:443/@made.up/video/ID",
                "https://www.tiktok.com:8443/@made.up/video/ID",
                "https://www.tiktok.com:0443/@made.up/video/ID",
                "https://www.tiktok.com:/@made.up/video/ID",
                "https://www.tiktok.com:443:443/@made.up/video/ID",
                // Addresses for names.
                "https://127.0.0.1/@made.up/video/ID",
                "https://2130706433/@made.up/video/ID",
                "https://[::1]/@made.up/video/ID",
                "http://169.254.169.254/@made.up/video/ID",
                "https://localhost/@made.up/video/ID",
                // Names that are only nearly the same.
                "https://www.tiktok.com./@made.up/video/ID",
                "https://www..tiktok.com/@made.up/video/ID",
                "https://www.tikt\u{43e}k.com/@made.up/video/ID",
                "https://www.t\u{131}ktok.com/@made.up/video/ID",
                "https://www.ti\u{212a}tok.com/@made.up/video/ID",
                "https://ｗｗｗ.tiktok.com/@made.up/video/ID",
                "https://www。tiktok。com/@made.up/video/ID",
                "https://www.tik\u{ad}tok.com/@made.up/video/ID",
                "https://www.tik\u{200b}tok.com/@made.up/video/ID",
                "https://www.xn--tiktk-jye.com/@made.up/video/ID",
                "https://www%2Etiktok.com/@made.up/video/ID",
                "https://www.tiktok.com%2F@evil.example/@made.up/video/ID",
                "https://www.tiktok.com;evil.example/@made.up/video/ID",
                "https://vm.tiktok.com.evil.example/ZMabc",
                "https://evilvm.tiktok.com/ZMabc",
            ],
            NotTikTok,
        ),
    ] {
        for text in texts {
            assert_eq!(text.replace("ID", ID).parse::<VideoAddress>(), Err(error), "{text:?}");
        }
    }
}

#[test]
fn other_pages_of_tiktok_are_refused() {
    for (texts, error) in [
        (
            &[
                "https://www.tiktok.com",
                "https://www.tiktok.com/",
                "https://www.tiktok.com/foryou",
                "https://www.tiktok.com/?item_id=",
                "https://www.tiktok.com/?item_id=abc",
                "https://www.tiktok.com/?item_id=0",
                "https://www.tiktok.com/?item_id=1&item_id=2",
                "https://www.tiktok.com/?item_id=1&shareId=2",
                "https://www.tiktok.com/?ITEM_ID=ID",
                "https://www.tiktok.com/#/@made.up/video/ID",
                "https://www.tiktok.com/@made.up/video/ID.html",
                "https://www.tiktok.com/@made.up/video/0ID",
                "https://www.tiktok.com/@made.up/video/-1",
                "https://www.tiktok.com/@made.up/video/+ID",
                "https://www.tiktok.com/@made.up/video/99999999999999999999",
                "https://www.tiktok.com/@made.up/video/%37301234567890123456",
                "https://www.tiktok.com/@made.up/video/ID%20",
                "https://www.tiktok.com/@made.up/video/ID&x",
                "https://www.tiktok.com/@made.up/video/..",
                "https://www.tiktok.com/v/%37301234567890123456",
                "https://www.tiktok.com/?item_id=%37301234567890123456",
                "https://www.tiktok.com//@made.up/video/ID",
                "https://www.tiktok.com/made.up/video/ID",
                "https://www.tiktok.com/../@made.up/video/ID",
                "https://www.tiktok.com/embed/v3/ID",
                "https://www.tiktok.com/VIDEO/ID",
                "https://www.tiktok.com/t/",
                "https://www.tiktok.com/t/a.b",
                "https://us.tiktok.com/t/ZTabc",
                "https://t.tiktok.com/t/ZTabc",
                "https://t.tiktok.com/ZTabc",
                "https://lite.tiktok.com/ZSabc",
                "https://lite.tiktok.com/t/",
                "https://lite.tiktok.com",
                "https://vm.tiktok.com",
                "https://vm.tiktok.com/",
                "https://vm.tiktok.com/..",
                "https://vm.tiktok.com/ZM%61bc",
                "https://vm.tiktok.com/ZMäbc",
                "https://vm.tiktok.com/a/b",
                "https://www.tiktokv.com/@made.up/video/ID",
                "https://www.tiktokv.com/?item_id=ID",
                "https://www.tiktokv.com/t/ZTabc",
            ][..],
            NotAVideo,
        ),
        (
            &[
                "https://www.tiktok.com/@made.up",
                "https://www.tiktok.com/@made.up/",
                "https://www.tiktok.com/@made.up?item_id=ID",
                "https://www.tiktok.com/@ID",
                "https://www.tiktok.com/@made.up/live",
                "https://www.tiktok.com/@made.up/video/",
                "https://www.tiktok.com/@made.up/video/ID/x",
                "https://www.tiktok.com/@made.up/../video/ID",
                "https://www.tiktok.com/@made.up/playlist/made-up-ID",
                "https://www.tiktok.com/share/user/ID",
                "https://www.tiktok.com/share/user/ID?item_id=ID",
                "https://m.tiktok.com/h5/share/usr/ID.html",
                "https://www.tiktok.com/music/Made-up-ID",
                "https://www.tiktok.com/music/Made-up-ID?item_id=ID",
                "https://www.tiktok.com/tag/madeup",
                "https://www.tiktok.com/search?q=ID",
                "www.tiktok.com/discover/made-up",
            ],
            OtherPage,
        ),
    ] {
        for text in texts {
            assert_eq!(text.replace("ID", ID).parse::<VideoAddress>(), Err(error), "{text:?}");
        }
    }
}

#[test]
fn text_has_a_length_and_codes_too() {
    let address = |query: usize| format!("https://www.tiktok.com/v/{ID}?{}", "x".repeat(query));
    let fits = 2_048 - address(0).len();
    assert_eq!(address(fits).parse(), Ok(id()));
    assert_eq!(address(fits + 1).parse::<VideoAddress>(), Err(NotAnAddress));
    assert_eq!(VideoAddress::read(&address(fits + 1)), Ok(id()));
    let link = |code: usize| format!("https://vm.tiktok.com/{}", "x".repeat(code));
    assert!(link(64).parse::<VideoAddress>().is_ok());
    assert_eq!(link(65).parse::<VideoAddress>(), Err(NotAVideo));
}

#[test]
fn errors_say_what_is_accepted() {
    for error in [NotAnAddress, NotTikTok, NotAVideo, OtherPage] {
        assert!(error.to_string().starts_with("must be"), "{error}");
    }
}

/// Whatever is accepted is an id, or a link whose one address says the same and holds nothing else.
fn is_sound(text: &str) -> TestCaseResult {
    let Ok(VideoAddress::ShortLink(link)) = text.parse() else { return Ok(()) };
    let address = link.to_string();
    let code = [
        "https://vm.tiktok.com/",
        "https://vt.tiktok.com/",
        "https://www.tiktok.com/t/",
        "https://lite.tiktok.com/t/",
    ]
    .iter()
    .find_map(|it| address.strip_prefix(it));
    let code = code.ok_or_else(|| TestCaseError::fail(address.clone()))?;
    prop_assert!(text.contains(code));
    let url = url::Url::parse(&address).unwrap();
    prop_assert_eq!(url.as_str(), &address);
    prop_assert!(
        link.cache_name().bytes().all(|it| it.is_ascii_alphanumeric() || b".-_".contains(&it))
    );
    prop_assert_eq!(address.parse(), Ok(VideoAddress::ShortLink(link)));
    Ok(())
}

/// How a browser reads the address, for comparison: the host of what is accepted must be the same.
fn agrees_with_browsers(text: &str) -> TestCaseResult {
    if text.parse::<VideoAddress>().is_ok()
        && let Ok(url) = url::Url::parse(text.trim())
        && matches!(url.scheme(), "http" | "https")
    {
        let host = url.host_str().unwrap_or_default();
        prop_assert!(
            host == "tiktok.com" || host.ends_with(".tiktok.com") || host.ends_with("tiktokv.com")
        );
        prop_assert_eq!((url.username(), url.password(), url.port()), ("", None, None));
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_form_names_any_video(id in 1..=u64::MAX, form in 0..FORMS.len()) {
        let id = VideoId::new(id).unwrap();
        let text = FORMS[form].replace("ID", &id.to_string());
        prop_assert_eq!(text.parse(), Ok(VideoAddress::Video(id)));
    }

    #[test]
    fn any_user_may_have_made_it(user in "[A-Za-z0-9._-]{0,80}", id in 1..=u64::MAX, photo: bool) {
        let kind = if photo { "photo" } else { "video" };
        let text = format!("https://www.tiktok.com/@{user}/{kind}/{id}");
        prop_assert_eq!(text.parse(), Ok(VideoAddress::Video(VideoId::new(id).unwrap())));
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        is_sound(&text)?;
        agrees_with_browsers(&text)?;
    }

    #[test]
    fn pieces_in_any_order_are_survived(
        text in "(https://|http://|//|www\\.|vm\\.|m\\.|t\\.|lite\\.|us\\.|<|>|\\)|tiktok\\.com|tiktokv\\.com|:443|@|/|\\\\|\\?|#|video|v|t|share|item_id=|&|%2F|\\.|ZMabc|73012345|\t|o|evil\\.example){0,12}"
    ) {
        is_sound(&text)?;
        agrees_with_browsers(&text)?;
    }

    #[test]
    fn nothing_before_or_after_the_host_is_overlooked(
        before in "[a-z0-9.@:%\\-]{1,12}", after in "[a-z0-9.@:%;\\-]{1,12}",
    ) {
        prop_assume!(after != ":443");
        for text in [
            format!("https://{before}www.tiktok.com/v/{ID}"),
            format!("https://www.tiktok.com{after}/v/{ID}"),
        ] {
            prop_assert_eq!(text.parse::<VideoAddress>(), Err(NotTikTok), "{}", text);
        }
    }
}
