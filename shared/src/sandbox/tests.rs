use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use time::{Date, macros::datetime};

use super::*;
use crate::video::{
    Fact, FetchError, Outcome, Position, Search, SearchField, SearchPage, Source, VideoId,
    VideoRecord, median_views,
};

const NOW: OffsetDateTime = datetime!(2026-11-24 18:00 UTC);

/// All days on which the catalogue has videos: more than the API takes at once.
const DAYS: (Date, Date) = (Date::MIN, Date::MAX);

fn id(number: u64) -> VideoId {
    format!("75{number:02}{number:015}").parse().unwrap()
}

fn of(fact: &Option<Fact<u64>>) -> Option<u64> {
    fact.as_ref().map(|it| it.value)
}

fn find(query: Value) -> Result<SearchPage, Trouble> {
    search(&Search { query, days: DAYS, from: Position::default(), count: 100 }, NOW)
}

fn is(field: &str, value: &str) -> Value {
    json!({ "operation": "EQ", "field_name": field, "field_values": [value] })
}

/// Every page of a search.
fn pages(query: &Value, count: u64) -> Vec<SearchPage> {
    let mut pages: Vec<SearchPage> = Vec::new();
    let mut from = Some(Position::default());
    while let Some(position) = from {
        let page = Search { query: query.clone(), days: DAYS, from: position, count };
        pages.push(search(&page, NOW).unwrap());
        from = pages.last().unwrap().next.clone();
        assert!(pages.len() < 100, "paging comes to an end");
    }
    pages
}

#[test]
fn each_creator_has_recent_videos_enough_for_a_median() {
    for case in CREATORS.iter().filter(|it| it.answer.is_ok()) {
        let recent = Search::of(SearchField::Creator, case.key, recent_days(), 100);
        let page = search(&recent, NOW).unwrap();
        assert!(page.videos.len() >= 3, "{}: {}", case.key, page.videos.len());
        assert!(median_views(&page).value.is_some(), "{}", case.key);
    }
}

#[test]
fn ids_keep_to_the_rule_and_are_of_2025() {
    let mut seen = BTreeSet::new();
    for case in VIDEOS {
        let video: VideoId = case.key.parse().unwrap();
        assert_eq!(video, id(video.get() % 100), "{}", case.key);
        assert_eq!(video.created_at_from_id(NOW).unwrap().year(), 2025);
        // What a JavaScript program makes of it is another id, which is nobody's.
        let rounded = VideoId::new(video.get() as f64 as u64).unwrap();
        assert_eq!(super::video(rounded, NOW), Err(FetchError::NotFound.into()));
        assert!(seen.insert(case.key));
    }
    let keys = CREATORS.iter().map(|it| it.key).chain(WORDS.iter().map(|it| it.key));
    for key in keys {
        assert!(key.starts_with("sandbox") && seen.insert(key), "{key}");
    }
}

#[test]
fn every_video_answers_as_its_table_says() {
    for case in VIDEOS {
        let id: VideoId = case.key.parse().unwrap();
        let asked = video(id, NOW);
        match case.answer {
            Err(fault) => {
                assert_eq!(asked, Err(fault.trouble(NOW)));
                assert_eq!(comments(id, 0, 10, NOW), Err(fault.trouble(NOW)));
            }
            Ok(shape) => check(shape, case.about, &asked.unwrap()),
        }
    }
    assert_eq!(video(id(99), NOW), Err(FetchError::NotFound.into()));
}

/// Holds the record against what the shape and the words say.
fn check(shape: Shape, about: &str, record: &VideoRecord) {
    let (number, facts) = (record.id.get() % 100, &record.facts);
    let at = Outcome::Answered(NOW.unix_timestamp());
    let outcomes = match shape {
        Shape::OembedOnly => (at, Outcome::NotFound),
        Shape::ResearchOnly => (Outcome::NotFound, at),
        Shape::ResearchFailed => (at, Outcome::Failed),
        Shape::ResearchLeftAlone => (at, Outcome::LeftAlone),
        Shape::ResearchDisabled => (at, Outcome::Disabled),
        _ => (at, at),
    };
    assert_eq!((record.oembed, record.research), outcomes, "{about}");
    let has_research = outcomes.1 == at;
    let views = match shape {
        Shape::NoViews => Some(0),
        Shape::Popular => Some(9_007_199_254_740_993),
        Shape::NoCounts => None,
        _ => has_research.then_some(1_000 * number),
    };
    assert_eq!(of(&facts.views), views, "{about}");
    let missing: &[bool] = match shape {
        Shape::ResearchOnly => {
            &[facts.display_name.is_none(), facts.thumbnail.is_none(), facts.sound_title.is_none()]
        }
        Shape::NoCountry => &[facts.country.is_none()],
        Shape::NoCaption => {
            &[facts.caption.is_none(), facts.hashtags.is_none(), facts.mentions.is_none()]
        }
        Shape::NoCounts => {
            &[facts.likes.is_none(), facts.comments.is_none(), facts.shares.is_none()]
        }
        Shape::NoLikes => &[facts.likes.is_none()],
        Shape::NoSound => &[facts.sound_id.is_none(), facts.sound_title.is_none()],
        _ if !has_research => &[facts.likes.is_none(), facts.country.is_none()],
        _ => &[],
    };
    assert!(missing.iter().all(|it| *it), "{about}");
    let known = serde_json::to_value(facts).unwrap().as_object().unwrap().len();
    let expected = match shape {
        Shape::Complete | Shape::MadeWithAi | Shape::Branded => 17,
        // What only oEmbed knows.
        _ if !has_research => 8,
        // Without oEmbed an empty list of mentions is not said either.
        Shape::ResearchOnly => 17 - 5,
        Shape::NoCaption => 17 - 4,
        Shape::NoCounts => 17 - 6,
        Shape::NoCountry | Shape::NoLikes => 17 - 2,
        Shape::NoSound => 17 - 3,
        // No labels.
        _ => 17 - 1,
    };
    assert_eq!(known, expected, "{about}");
    let caption = facts.caption.as_ref().map(|it| it.value.as_str()).unwrap_or_default();
    for tag in facts.hashtags.iter().flat_map(|it| &it.value) {
        assert!(caption.contains(&format!("#{tag}")), "{tag}");
    }
    for handle in facts.mentions.iter().flat_map(|it| &it.value) {
        assert!(caption.contains(&format!("@{handle}")), "{handle}");
    }
    let mentions = facts.mentions.as_ref().map_or(0, |it| it.value.len());
    let labels = facts.labels.as_ref().map_or(0, |it| it.value.len());
    match shape {
        Shape::Complete => assert_eq!((labels, mentions), (1, 1)),
        Shape::MadeWithAi => assert_eq!(labels, 1),
        Shape::Branded => assert_eq!(labels, 2),
        Shape::Mentions => assert_eq!((mentions, caption.lines().count()), (2, 3)),
        Shape::LongCaption => assert_eq!(caption.chars().count(), 4_000),
        Shape::Scripts => assert!(caption.contains("#नान")),
        Shape::BareThumbnail => {
            let picture = &facts.thumbnail.as_ref().unwrap().value;
            assert_eq!((picture.width, picture.height, picture.expires_at), (None, None, None));
        }
        Shape::ManyComments => assert_eq!(of(&facts.comments), Some(250)),
        Shape::NoComments => assert_eq!(of(&facts.comments), Some(0)),
        _ => assert_eq!((labels, mentions), (0, 0), "{about}"),
    }
}

#[test]
fn every_creator_answers_as_its_table_says() {
    for case in CREATORS {
        for handle in [case.key.to_owned(), case.key.to_uppercase()] {
            let asked = profile(&handle, NOW);
            let found = find(json!({ "and": [is("username", &handle)] }));
            match case.answer {
                Ok(creator) => {
                    let profile = asked.unwrap().unwrap();
                    assert_eq!(profile.display_name.as_deref(), Some(creator.display_name));
                    assert!(found.unwrap().videos.len() >= 9);
                }
                Err(Fault::NoCreator) => {
                    assert_eq!((asked, found.unwrap().videos), (Ok(None), Vec::new()));
                }
                Err(fault) => {
                    assert_eq!(asked, Err(fault.trouble(NOW)));
                    assert_eq!(found, Err(fault.trouble(NOW)));
                }
            }
        }
    }
    assert_eq!(profile("example", NOW), Ok(None));
}

#[test]
fn every_creator_has_recent_videos() {
    for case in CREATORS.iter().filter(|it| it.answer.is_ok()) {
        let newest = Search::of(SearchField::Creator, case.key, recent_days(), 100);
        let found = search(&newest, NOW).unwrap();
        assert!(found.videos.len() >= 2, "{}: {}", case.key, found.videos.len());
    }
}

#[test]
fn every_word_does_what_its_table_says() {
    let plain: Vec<VideoId> = find(json!({})).unwrap().videos.iter().map(|it| it.id).collect();
    for (case, field) in WORDS.iter().flat_map(|it| [(it, "keyword"), (it, "hashtag_name")]) {
        let query = json!({ "and": [is(field, case.key)] });
        let excluding = json!({ "not": [is(field, case.key)] });
        assert_eq!(find(excluding).unwrap().videos.len(), plain.len(), "{}", case.key);
        let word = match case.answer {
            Ok(word) => word,
            Err(fault) => {
                assert_eq!(find(query), Err(fault.trouble(NOW)));
                continue;
            }
        };
        let first = find(query.clone()).unwrap();
        match word {
            Word::Expires => {
                let next = Search { query, days: DAYS, from: first.next.unwrap(), count: 7 };
                assert_eq!(first.videos.len(), plain.len());
                assert_eq!(search(&next, NOW), Err(FetchError::CursorExpired.into()));
            }
            Word::BeginsEmpty => {
                assert!(first.videos.is_empty() && first.next.is_some());
                let all = pages(&query, 7).into_iter().flat_map(|it| it.videos);
                assert_eq!(all.map(|it| it.id).collect::<Vec<_>>(), plain);
            }
            Word::Suppresses => {
                let pages = pages(&query, 7);
                let shown: usize = pages.iter().map(|it| it.videos.len()).sum();
                assert_eq!(shown, plain.len().div_ceil(2));
                // The pages are as full as if there were no others.
                assert_eq!(pages.len(), shown.div_ceil(7));
            }
        }
    }
}

#[test]
fn conditions_are_those_of_the_research_api() {
    let count = |query: Value| find(query).unwrap().videos.len();
    // 40 videos, of which one is known to oEmbed only.
    assert_eq!(count(json!({})), 39);
    assert_eq!(count(json!({ "and": [is("region_code", "de")] })), 9);
    assert_eq!(count(json!({ "and": [is("hashtag_name", "SandboxBread")] })), 10);
    assert_eq!(count(json!({ "and": [is("hashtag_name", "नान")] })), 1);
    assert_eq!(count(json!({ "and": [is("keyword", "ХЛЕБ")] })), 1);
    assert_eq!(count(json!({ "and": [is("video_id", "7501000000000000001")] })), 1);
    let two = json!([is("username", "sandbox.baker"), is("username", "sandbox.gardener")]);
    assert_eq!(count(json!({ "and": two })), 0);
    assert_eq!(count(json!({ "or": two })), 20);
    assert_eq!(count(json!({ "not": two })), 19);
    let either = json!({
        "operation": "IN", "field_name": "username",
        "field_values": ["sandbox.baker", "sandbox.gardener"],
    });
    assert_eq!(count(json!({ "and": [either], "not": [is("region_code", "JP")] })), 10);
    let many = json!({ "operation": "GTE", "field_name": "view_count", "field_values": ["39000"] });
    assert_eq!(count(json!({ "and": [many] })), 3);
    assert_eq!(count(json!({ "and": [is("video_length", "SHORT")] })), 1);
    assert_eq!(count(json!({ "and": [is("something_new", "1")] })), 0);
}

#[test]
fn a_search_keeps_to_its_days() {
    let find = |first, last| {
        let from = Position::default();
        search(&Search { query: json!({}), days: (first, last), from, count: 100 }, NOW).unwrap()
    };
    let day = |record: &VideoRecord| {
        let at = record.facts.created_at.as_ref().unwrap().value;
        OffsetDateTime::from_unix_timestamp(at).unwrap().date()
    };
    let all = find(Date::MIN, Date::MAX).videos;
    for record in &all {
        let found = find(day(record), day(record)).videos;
        assert_eq!(found, std::slice::from_ref(record));
    }
    let (newest, oldest) = (day(&all[0]), day(&all[38]));
    assert!(newest > oldest);
    assert_eq!(find(oldest.next_day().unwrap(), newest).videos.len(), 38);
    assert_eq!(find(newest, oldest).videos, []);
}

#[test]
fn comments_follow_the_video() {
    for case in VIDEOS.iter().filter(|it| it.answer.is_ok()) {
        let id: VideoId = case.key.parse().unwrap();
        let record = video(id, NOW).unwrap();
        let asked = comments(id, 0, 100, NOW);
        match record.outcome(Source::Research) {
            Outcome::Answered(_) => {
                let first = asked.unwrap().comments;
                let known = of(&record.facts.comments).unwrap_or(id.get() % 100);
                assert_eq!(first.len() as u64, known.min(100), "{}", case.key);
            }
            Outcome::NotFound => assert_eq!(asked, Err(FetchError::NotFound.into())),
            Outcome::Failed => assert_eq!(asked, Err(Fault::Failed.trouble(NOW))),
            Outcome::LeftAlone => assert_eq!(asked, Err(Fault::Busy.trouble(NOW))),
            Outcome::Disabled => assert_eq!(asked, Err(FetchError::NeedsResearch.into())),
        }
    }
    let page = comments(id(16), 0, 100, NOW).unwrap();
    assert_eq!(page.comments[24].id, 7_516_000_000_000_002_516);
    for comment in &page.comments {
        let Some(parent) = comment.parent else { continue };
        let parent = page.comments.iter().find(|it| it.id == parent).unwrap();
        assert_eq!(parent.replies, Some(1));
    }
}

#[test]
fn faults_come_to_the_errors_of_the_real_thing() {
    let at = |fault: Fault| (document::status(fault), fault.trouble(NOW));
    let wait = |seconds| std::time::Duration::from_secs(seconds);
    assert_eq!(at(Fault::Objected), (451, FetchError::Objected.into()));
    assert_eq!(at(Fault::Timeout), (504, FetchError::Timeout.into()));
    let busy = FetchError::RateLimited { retry_after: wait(60) };
    assert_eq!(at(Fault::Busy), (503, busy.into()));
    let exhausted = FetchError::Exhausted { retry_after: wait(6 * 3_600) };
    assert_eq!(at(Fault::Exhausted), (503, exhausted.into()));
    assert_eq!(at(Fault::Failed).0, 502);
    assert_eq!(at(Fault::Quota), (429, Trouble::QuotaUsedUp));
    assert_eq!(at(Fault::Minute), (429, Trouble::MinuteUsedUp));
}

#[test]
fn the_kept_document_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SANDBOX.md");
    let fresh = document();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == fresh, "run `BLESS=1 cargo test -p vidintel fresh` and commit docs/SANDBOX.md");
    let keys = VIDEOS.iter().map(|it| it.key).chain(CREATORS.iter().map(|it| it.key));
    for key in keys.chain(WORDS.iter().map(|it| it.key)) {
        assert!(fresh.contains(&format!("| `{key}` |")), "{key}");
    }
}

/// A condition, sensible or not.
fn any_condition() -> impl Strategy<Value = Value> {
    let field = prop_oneof![
        prop::sample::select(vec![
            "keyword",
            "hashtag_name",
            "username",
            "region_code",
            "create_date",
            "view_count",
            "video_length",
            "video_id",
        ])
        .prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let operation = prop::sample::select(vec!["EQ", "IN", "GT", "LTE", "??"]);
    let value = prop_oneof![
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["sandbox", "sandboxempty", "DE", "20250701", "MID", "99999999"])
            .prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::Null),
    ];
    (operation, field, prop::collection::vec(value, 0..4)).prop_map(|(operation, field, values)| {
        json!({ "operation": operation, "field_name": field, "field_values": values })
    })
}

fn any_query() -> impl Strategy<Value = Value> {
    let list = || prop::collection::vec(any_condition(), 0..3);
    prop_oneof![
        8 => (list(), list(), list())
            .prop_map(|(and, or, not)| json!({ "and": and, "or": or, "not": not })),
        1 => any_condition().prop_map(|it| json!({ "and": it, "or": [[it], 1] })),
        1 => prop_oneof![Just(Value::Null), Just(json!([1])), Just(json!("and"))],
    ]
}

/// An id of the catalogue or any other.
fn any_id() -> impl Strategy<Value = VideoId> {
    let other = (1..=u64::MAX).prop_map(|it| VideoId::new(it).unwrap());
    prop_oneof![(1..=99u64).prop_map(id), other]
}

proptest! {
    #[test]
    fn the_same_question_has_the_same_answer_and_none_panics(
        id in any_id(),
        query in any_query(),
        handle in "\\PC{0,20}",
        (from, count) in any::<(u64, u64)>(),
        seconds in any::<(i32, i32)>(),
    ) {
        let [now, later] = [seconds.0, seconds.1]
            .map(|it| OffsetDateTime::from_unix_timestamp(it.into()).unwrap());
        prop_assert_eq!(video(id, now), video(id, now));
        prop_assert_eq!(comments(id, from, count, now), comments(id, from, count, now));
        prop_assert_eq!(profile(&handle, now), Ok(None));
        for cursor in [from, from % 64] {
            let from = Position { cursor, ..Position::default() };
            let asked = Search { query: query.clone(), days: DAYS, from, count };
            let page = search(&asked, now);
            prop_assert_eq!(&page, &search(&asked, now));
            // Only the times depend on when it was asked.
            let ids = |page: Result<SearchPage, Trouble>| {
                page.map(|it| it.videos.iter().map(|it| it.id).collect::<Vec<_>>()).ok()
            };
            prop_assert_eq!(ids(page), ids(search(&asked, later)));
        }
    }

    #[test]
    fn paging_through_a_search_reaches_every_video_once(query in any_query(), count in 1..50u64) {
        let Ok(_) = find(query.clone()) else { return Ok(()) };
        let ids = |pages: Vec<SearchPage>| {
            pages.into_iter().flat_map(|it| it.videos).map(|it| it.id).collect::<Vec<_>>()
        };
        let paged = ids(pages(&query, count));
        let distinct: BTreeSet<_> = paged.iter().copied().collect();
        prop_assert_eq!(distinct.len(), paged.len());
        prop_assert_eq!(paged, ids(pages(&query, 100)));
    }

    #[test]
    fn paging_through_comments_reaches_every_one_once(
        number in (1..=40u64).prop_filter("known to Research", |it| *it != 2),
        count in 1..120u64,
    ) {
        let (mut ids, mut from) = (Vec::new(), Some(0));
        while let Some(position) = from {
            let page = comments(id(number), position, count, NOW).unwrap();
            ids.extend(page.comments.iter().map(|it| it.id));
            from = page.next;
        }
        let distinct: BTreeSet<_> = ids.iter().collect();
        prop_assert_eq!(distinct.len(), ids.len());
        let known = of(&video(id(number), NOW).unwrap().facts.comments).unwrap_or(number);
        prop_assert_eq!(ids.len() as u64, known);
    }
}
