//! What TikTok's interfaces may answer. Every reader gets the same bytes, whichever they were meant
//! for. Whatever is read keeps its limits, and an answer can be made of it that has every key.

#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};
use vidintel::secrets::{Pepper, Peppers};
use vidintel::video::{
    Comments, Creator, Cursors, Facts, Hashtag, Outcome, Position, ProfileRecord, Search, SearchPage,
    ShortLink, Source, Standing, Video, VideoAddress, VideoId, VideoPage, VideoRecord, View, fuzz,
    recent_days,
};

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

static ID: LazyLock<VideoId> = LazyLock::new(|| "7301234567890123456".parse().expect("an id"));

static LINK: LazyLock<ShortLink> =
    LazyLock::new(|| match "https://vm.tiktok.com/ZMmadeUp1/".parse() {
        Ok(VideoAddress::ShortLink(link)) => link,
        _ => panic!("not a short link"),
    });

/// The keys of an answer of which nothing is known.
static KEYS: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| keys(&answer(&VideoRecord::empty(*ID), Standing::not_requested())));

fuzz_target!(|body: &[u8]| {
    location(body);
    if let Some(facts) = fuzz::oembed(*ID, body) {
        check(&facts);
        video(&VideoRecord::empty(*ID).with(Source::Oembed, Outcome::Answered(now()), facts));
    }
    for status in [400, 401, 429, 500] {
        fuzz::research(status, body, NOW);
    }
    // With and without the envelope, so that what is in it need not be found twice.
    let whole = fuzz::research(200, body, NOW);
    for data in whole.into_iter().chain(serde_json::from_slice(body).ok()) {
        let page = videos(&data);
        comments(&data);
        profile(&data, &page);
    }
});

fn now() -> i64 {
    NOW.unix_timestamp()
}

fn view(standing: Standing) -> View {
    View { include_country: true, cached: false, now: NOW, standing }
}

/// Only a video, or a page of TikTok over TLS.
fn location(bytes: &[u8]) {
    match fuzz::location(&LINK, bytes) {
        Some(Ok(id)) => assert!(id.get() > 0),
        Some(Err(page)) => {
            let host = page.host_str().expect("a host");
            assert!(host == "tiktok.com" || host.ends_with(".tiktok.com"), "{page}");
            assert_eq!((page.scheme(), page.port()), ("https", None), "{page}");
            assert_eq!((page.username(), page.password()), ("", None), "{page}");
        }
        None => {}
    }
}

fn videos(data: &Value) -> SearchPage {
    let found = fuzz::videos(data).unwrap_or_default();
    let record = |(id, facts): (VideoId, Facts)| {
        check(&facts);
        VideoRecord::empty(id).with(Source::Research, Outcome::Answered(now()), facts)
    };
    let videos: Vec<_> = found.into_iter().map(record).collect();
    videos.iter().for_each(video);
    let page = SearchPage { videos, at: now(), fetched_at: now(), ..SearchPage::default() };
    let days = recent_days(NOW);
    let search = Search { query: Value::Null, days, from: Position::default(), count: 100 };
    let view = view(Standing::not_requested());
    let pepper = Pepper::new(1, [7; 32]);
    let peppers =
        Peppers { current: pepper, previous: None, next: None, retired: Vec::new() };
    json(&VideoPage::new(&search, &page, &Cursors::new(&peppers), &view));
    json(&Hashtag::new("madeup", &search, &page, &view));
    page
}

fn comments(data: &Value) {
    let Some(page) = fuzz::comments(data, *ID, 0, now()) else { return };
    for text in page.comments.iter().filter_map(|it| it.text.as_deref()) {
        lines(text, 4_000);
    }
    assert!(page.next.is_none_or(|it| it > 0 && it < 1_000), "paging moves on and ends");
    json(&Comments::new(*ID, &page, &view(Standing::not_requested())));
}

fn profile(data: &Value, page: &SearchPage) {
    let profile = fuzz::profile(data);
    profile.display_name.iter().for_each(|it| line(it, 200));
    profile.bio.iter().for_each(|it| lines(it, 500));
    let record = ProfileRecord { username: "made.up".to_owned(), profile, at: now() };
    json(&Creator::new(&record, page, recent_days(NOW), &view(Standing::not_requested())));
}

/// The answer to `record` has every key, and the cache gives back what it was given.
fn video(record: &VideoRecord) {
    let answer = answer(record, Standing::not_requested());
    assert_eq!(keys(&answer), *KEYS);
    let kept = serde_json::to_string(record).expect("JSON");
    assert_eq!(serde_json::from_str::<VideoRecord>(&kept).expect("a record"), *record);
}

fn answer(record: &VideoRecord, standing: Standing) -> Value {
    json(&Video::from_record(record, &view(standing)))
}

fn json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("JSON")
}

/// The paths of an answer; values and inputs have shapes of their own.
fn keys(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, into: &mut BTreeSet<String>) {
        match value.as_object() {
            Some(fields) if !at.ends_with(".value") && !at.ends_with(".inputs") => {
                fields.iter().for_each(|(key, value)| walk(value, &format!("{at}.{key}"), into));
            }
            _ => drop(into.insert(at.to_owned())),
        }
    }
    let mut found = BTreeSet::new();
    walk(value, "", &mut found);
    found
}

/// Whatever is known keeps to its form.
fn check(facts: &Facts) {
    facts.username.iter().for_each(|it| handle(&it.value));
    facts.display_name.iter().for_each(|it| line(&it.value, 200));
    facts.sound_title.iter().for_each(|it| line(&it.value, 200));
    facts.caption.iter().for_each(|it| lines(&it.value, 4_000));
    for tags in [&facts.hashtags, &facts.mentions].into_iter().flatten() {
        assert!(tags.value.len() <= 100);
        tags.value.iter().for_each(|it| line(it, 200));
    }
    facts.mentions.iter().flat_map(|it| &it.value).for_each(|it| handle(it));
    for label in facts.labels.iter().flat_map(|it| &it.value) {
        line(&label.kind, 32);
    }
    assert!(facts.labels.as_ref().is_none_or(|it| it.value.len() <= 100));
    if let Some(country) = &facts.country {
        let letters = country.value.bytes().all(|it| it.is_ascii_uppercase());
        assert!(country.value.len() == 2 && letters, "{}", country.value);
    }
    if let Some(thumbnail) = &facts.thumbnail {
        let url = url::Url::parse(&thumbnail.value.url).expect("an address");
        assert_eq!(url.scheme(), "https");
        assert!(url.host_str().is_some_and(|it| it.contains("tiktok")), "{url}");
    }
    assert!(facts.sound_id.as_ref().is_none_or(|it| it.value > 0));
    assert!(facts.created_at.as_ref().is_none_or(|it| it.value > 0));
}

fn handle(text: &str) {
    line(text, 200);
    assert!(text.bytes().all(|it| it.is_ascii_alphanumeric() || b"_.-".contains(&it)), "{text}");
}

fn line(text: &str, max: usize) {
    lines(text, max);
    assert!(!text.contains('\n'), "{text:?}");
}

fn lines(text: &str, max: usize) {
    assert!(!text.is_empty() && text.chars().count() <= max, "{text:?}");
    assert!(!text.contains(|it: char| it.is_control() && it != '\n'), "{text:?}");
}
