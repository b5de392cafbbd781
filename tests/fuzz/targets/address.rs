//! What a caller may name a video by. Whatever is accepted is an id, or a link with one address that
//! says the same and holds nothing else of the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;
use vidintel::video::{VideoAddress, VideoId};

fuzz_target!(|text: &str| {
    let address = match text.parse::<VideoAddress>() {
        Ok(address) => address,
        Err(error) => {
            assert!(error.to_string().starts_with("must be"), "it says what is accepted");
            return;
        }
    };
    match &address {
        VideoAddress::Video(id) => {
            let written = id.to_string();
            assert!(text.contains(&written), "an id is never made up");
            assert_eq!(written.parse::<VideoId>(), Ok(*id));
            assert_eq!(written.parse::<VideoAddress>().as_ref(), Ok(&address));
        }
        VideoAddress::ShortLink(link) => {
            let written = link.to_string();
            assert_eq!(written.parse::<VideoAddress>().as_ref(), Ok(&address));
            let url = Url::parse(&written).expect("an address");
            assert_eq!(url.as_str(), written, "it is as a browser would write it");
            let host = url.host_str().expect("a host");
            assert!(["vm.tiktok.com", "vt.tiktok.com", "www.tiktok.com"].contains(&host));
            let code = url.path().rsplit('/').next().expect("a code");
            assert!(!code.is_empty() && code.len() <= 64 && text.contains(code));
            let plain = |it: u8| it.is_ascii_alphanumeric() || b".-_".contains(&it);
            assert!(link.cache_name().bytes().all(plain), "{}", link.cache_name());
        }
    }
    // Where a browser would read it as an address, it is TikTok's there too.
    if let Ok(url) = Url::parse(text.trim())
        && matches!(url.scheme(), "http" | "https")
    {
        let host = url.host_str().unwrap_or_default();
        let is_tiktok =
            |it: &str| host.strip_suffix(it).is_some_and(|it| it.is_empty() || it.ends_with('.'));
        assert!(is_tiktok("tiktok.com") || is_tiktok("tiktokv.com"), "{host}");
        assert_eq!((url.username(), url.password(), url.port()), ("", None, None));
    }
});
