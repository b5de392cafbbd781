//! Paging, the daily allowance, and faults of the Research API.

use std::collections::BTreeSet;

use time::{Date, macros::date};

use super::*;

const DAYS: i64 = 30;

fn day(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
}

/// A query for everything in the window that begins on `start`.
fn everything(start: Date, max_count: usize) -> Value {
    json!({
        "query": {"and": [
            {"operation": "GTE", "field_name": "create_date", "field_values": ["20240101"]},
        ]},
        "start_date": day(start),
        "end_date": day(start + time::Duration::days(DAYS)),
        "max_count": max_count,
    })
}

fn id(video: &Value) -> u64 {
    video["id"].as_u64().or_else(|| video["video_id"].as_u64()).unwrap()
}

/// Every page of a query, in order; a refused search id is sent once more.
async fn pages(tiktok: &TikTok, bearer: &str, mut query: Value) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    loop {
        let (mut status, mut answer) = search(tiktok, "id", bearer, &query).await;
        if status == 400 {
            let stale =
                format!("Search Id {} is invalid or expired", query["search_id"].as_str().unwrap());
            assert_eq!(answer["error"]["message"], stale);
            (status, answer) = search(tiktok, "id", bearer, &query).await;
        }
        assert_eq!(status, 200, "{answer}");
        let data = &answer["data"];
        assert_eq!(keys(data), ["cursor", "has_more", "search_id", "videos"]);
        let cursor = query["cursor"].as_u64().unwrap_or(0) + query["max_count"].as_u64().unwrap();
        assert_eq!(data["cursor"], cursor);
        pages.push(data["videos"].as_array().unwrap().iter().map(id).collect());
        if data["has_more"] == false {
            return pages;
        }
        query["cursor"] = data["cursor"].clone();
        query["search_id"] = data["search_id"].clone();
    }
}

#[tokio::test]
async fn every_video_is_reached_whatever_the_pages_are_like() {
    let tiktok = tiktok();
    tiktok.set_allowance(u64::MAX, u64::MAX);
    let bearer = bearer(&tiktok).await;
    let known: BTreeSet<u64> = tiktok.researched().map(|it| it.id).collect();
    assert_eq!(known.len(), 270);
    for fault in [Fault::None, Fault::ShortPages, Fault::StaleSearchId] {
        tiktok.fault(Endpoint::Research, fault);
        for max_count in [100, 3, 1] {
            let mut found = Vec::new();
            let mut start = date!(2024 - 02 - 01);
            while start < NOW.date() {
                let pages = pages(&tiktok, &bearer, everything(start, max_count)).await;
                let full = pages.iter().all(|page| page.len() == max_count);
                assert!(fault != Fault::ShortPages || max_count == 1 || !full);
                let several = pages.len() > 1;
                assert_eq!(several && pages[1].is_empty(), several && fault == Fault::ShortPages);
                found.extend(pages.into_iter().flatten());
                start += time::Duration::days(DAYS + 1);
            }
            let unique: BTreeSet<u64> = found.iter().copied().collect();
            assert_eq!(unique, known, "{fault:?} {max_count}");
        }
    }
}

#[tokio::test]
async fn short_pages_are_not_full_and_one_is_empty() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    let query = everything(date!(2026 - 06 - 01), 4);
    let whole = pages(&tiktok, &bearer, query.clone()).await;
    tiktok.fault(Endpoint::Research, Fault::ShortPages);
    let short = pages(&tiktok, &bearer, query).await;
    assert!(whole[..whole.len() - 1].iter().all(|page| page.len() == 4));
    assert!(short.len() > whole.len() && short.iter().all(|page| page.len() < 4));
    assert_eq!(short.iter().filter(|page| page.is_empty()).count(), 1);
    assert_eq!(short.concat(), whole.concat());
}

#[tokio::test]
async fn a_good_search_id_may_be_refused_once_and_an_unknown_one_always_is() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    tiktok.fault(Endpoint::Research, Fault::StaleSearchId);
    let mut query = everything(date!(2026 - 06 - 01), 2);
    let first = search(&tiktok, "id", &bearer, &query).await.1;
    query["cursor"] = json!(2);
    query["search_id"] = first["data"]["search_id"].clone();
    let statuses = [400, 200, 200];
    for status in statuses {
        assert_eq!(search(&tiktok, "id", &bearer, &query).await.0, status);
    }
    query["search_id"] = json!("7300000000000009999");
    let message = "Search Id 7300000000000009999 is invalid or expired";
    for _ in 0..2 {
        let refused = refusal(search(&tiktok, "id", &bearer, &query).await);
        assert_eq!(refused, (400, "invalid_params".to_owned(), message.to_owned()));
    }
}

/// The first page of a query, and the query of the second.
async fn begun(tiktok: &TikTok, bearer: &str) -> (Value, Value) {
    let mut query = everything(date!(2026 - 06 - 01), 2);
    let first = search(tiktok, "id", bearer, &query).await.1["data"].take();
    query["cursor"] = first["cursor"].clone();
    query["search_id"] = first["search_id"].clone();
    (first, query)
}

#[tokio::test]
async fn the_second_page_may_take_its_time() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    tiktok.fault(Endpoint::Research, Fault::StaleFor(std::time::Duration::from_secs(90)));
    let (_, query) = begun(&tiktok, &bearer).await;
    for seconds in [0, 30, 89] {
        tiktok.0.clock.set(NOW + time::Duration::seconds(seconds));
        let message = refusal(search(&tiktok, "id", &bearer, &query).await).2;
        assert!(message.starts_with("Search Id "), "{message}");
    }
    tiktok.0.clock.set(NOW + time::Duration::seconds(90));
    assert_eq!(search(&tiktok, "id", &bearer, &query).await.0, 200);
    tiktok.fault(Endpoint::Research, Fault::InvalidCursor(1));
    let (_, query) = begun(&tiktok, &bearer).await;
    let refused = refusal(search(&tiktok, "id", &bearer, &query).await);
    assert_eq!(refused.2, "Invalid count or cursor");
    assert_eq!(search(&tiktok, "id", &bearer, &query).await.0, 200);
}

#[tokio::test]
async fn search_ids_may_change_with_each_page_or_be_left_out() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    tiktok.fault(Endpoint::Research, Fault::NewSearchIds);
    let (first, mut query) = begun(&tiktok, &bearer).await;
    let second = search(&tiktok, "id", &bearer, &query).await.1["data"].take();
    assert_ne!(first["search_id"], second["search_id"]);
    query["cursor"] = second["cursor"].clone();
    assert_eq!(search(&tiktok, "id", &bearer, &query).await.0, 400, "that was of another page");
    query["search_id"] = second["search_id"].clone();
    assert_eq!(search(&tiktok, "id", &bearer, &query).await.0, 200);
    tiktok.fault(Endpoint::Research, Fault::DropFields);
    assert_eq!(keys(&begun(&tiktok, &bearer).await.0), ["cursor", "has_more", "videos"]);
}

#[tokio::test]
async fn the_last_day_counts_or_does_not() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    let video = tiktok.researched().last().unwrap();
    let created = OffsetDateTime::from_unix_timestamp(video.create_time).unwrap().date();
    for (is_inclusive, end, is_found) in
        [(true, created, true), (false, created, false), (false, created.next_day().unwrap(), true)]
    {
        tiktok.set_end_inclusive(is_inclusive);
        let mut query = everything(created - time::Duration::days(3), 100);
        query["end_date"] = json!(day(end));
        let videos = search(&tiktok, "id", &bearer, &query).await.1["data"]["videos"].take();
        let found = videos.as_array().unwrap().iter().map(id).any(|it| it == video.id);
        assert_eq!(found, is_found, "{is_inclusive} {end}");
    }
}

#[tokio::test]
async fn refusals_may_be_spelt_otherwise_and_a_token_may_end_the_one_before() {
    let tiktok = tiktok();
    let (first, query) = (bearer(&tiktok).await, everything(date!(2026 - 06 - 01), 2));
    tiktok.set_refusal_code("invalid_request");
    assert_eq!(refusal(search(&tiktok, "nope", &first, &query).await).1, "invalid_request");
    tiktok.set_one_token(true);
    let second = bearer(&tiktok).await;
    assert_eq!(search(&tiktok, "id", &first, &query).await.0, 401);
    assert_eq!(search(&tiktok, "id", &second, &query).await.0, 200);
}

#[tokio::test]
async fn a_hundred_ids_are_asked_for_at_once() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    let ids: Vec<u64> = tiktok.catalogue()[..100].iter().map(|it| it.id).collect();
    let mut query = everything(date!(2024 - 02 - 01), 100);
    let values: Vec<String> = ids.iter().map(u64::to_string).collect();
    query["query"] = json!({"and": [
        {"operation": "IN", "field_name": "video_id", "field_values": values},
    ]});
    let fields = "hashtag_names,region_code,create_time,effect_ids,id,music_id,video_description,\
                  view_count,comment_count";
    let (status, answer) = search(&tiktok, fields, &bearer, &query).await;
    let end = datetime!(2024-03-03 00:00 UTC).unix_timestamp();
    let mut expected: Vec<u64> =
        tiktok.researched().filter(|it| it.create_time < end).map(|it| it.id).collect();
    expected.reverse();
    let videos = answer["data"]["videos"].as_array().unwrap();
    assert_eq!((status, videos.iter().map(id).collect::<Vec<_>>()), (200, expected));
    assert!(videos.len() > 3);
    // The fields of the documents' sample; its `video_id` is the schema's `id`.
    let mut sample: Vec<&str> = fields.split(',').collect();
    sample.sort_unstable();
    let first = videos.iter().find(|it| id(it) == ids[0]).unwrap();
    let renamed: BTreeSet<&str> =
        keys(first).into_iter().map(|it| if it == "video_id" { "id" } else { it }).collect();
    assert_eq!(renamed, sample.into_iter().collect());
    assert_eq!(keys(&answer), ["data", "error"]);
    assert_eq!(keys(&answer["error"]), ["code", "log_id", "message"]);
}

#[tokio::test]
async fn the_allowance_is_shared_counted_and_renewed_at_midnight() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    let spent = |calls, records, refused| Spent { calls, records, refused };
    let quota = (429, "daily_quota_limit_exceeded".to_owned(), String::new());
    let query = everything(date!(2026 - 06 - 01), 100);
    let user = json!({"username": "alba.bakes"});
    let comments = json!({"video_id": tiktok.catalogue()[0].id});
    assert_eq!(tiktok.spent(), Spent::default());
    let answer = search(&tiktok, "id", &bearer, &query).await.1;
    let videos = answer["data"]["videos"].as_array().unwrap().len() as u64;
    assert_eq!(tiktok.spent(), spent(1, videos, 0));
    assert_eq!(ask(&tiktok, "user/info", "bio_url", &bearer, &user).await.0, 200);
    let answer = ask(&tiktok, "video/comment/list", "id", &bearer, &comments).await.1;
    let records = videos + 1 + answer["data"]["comments"].as_array().unwrap().len() as u64;
    assert_eq!(tiktok.spent(), spent(3, records, 0));
    // Failures count as calls, also those inside; tokens and pages of other kinds do not.
    tiktok.fault(Endpoint::Users, Fault::Status(500));
    assert_eq!(ask(&tiktok, "user/info", "bio_url", &bearer, &user).await.0, 500);
    tiktok.fault(Endpoint::Users, Fault::None);
    assert_eq!(ask(&tiktok, "user/info", "nothing", &bearer, &user).await.0, 400);
    assert_eq!(show(&tiktok, "url=").await.0, 400);
    assert_eq!(tiktok.spent(), spent(5, records, 0));
    // No more calls.
    tiktok.set_allowance(6, 100_000);
    assert_eq!(ask(&tiktok, "user/info", "bio_url", &bearer, &user).await.0, 200);
    assert_eq!(refusal(search(&tiktok, "id", &bearer, &query).await), quota);
    let refused = ask(&tiktok, "video/comment/list", "id", &bearer, &comments).await;
    assert_eq!(refusal(refused), quota);
    assert_eq!(tiktok.spent(), spent(6, records + 1, 2));
    // Room for one record, then for none.
    tiktok.set_allowance(1_000, records + 2);
    assert_eq!(refusal(search(&tiktok, "id", &bearer, &query).await), quota);
    assert_eq!(tiktok.spent(), spent(7, records + 1, 3));
    assert_eq!(ask(&tiktok, "user/info", "bio_url", &bearer, &user).await.0, 200);
    let refused = ask(&tiktok, "user/info", "bio_url", &bearer, &user).await;
    assert_eq!(refusal(refused), quota);
    assert_eq!(tiktok.spent(), spent(8, records + 2, 4));
    tiktok.0.clock.set(datetime!(2026-11-25 00:00 UTC));
    assert_eq!(tiktok.spent(), Spent::default());
    let bearer = super::bearer(&tiktok).await;
    assert_eq!(search(&tiktok, "id", &bearer, &query).await.0, 200);
    assert_eq!(tiktok.spent(), spent(1, videos, 0));
}

#[tokio::test]
async fn the_allowance_is_a_thousand_calls_at_first() {
    let tiktok = tiktok();
    let user = json!({"username": "alba.bakes"});
    for _ in 0..1_000 {
        assert_eq!(ask(&tiktok, "user/info", "bio_url", "clt.wrong", &user).await.0, 401);
    }
    assert_eq!(ask(&tiktok, "user/info", "bio_url", "clt.wrong", &user).await.0, 429);
    assert_eq!(tiktok.spent(), Spent { calls: 1_000, records: 0, refused: 1 });
}

#[tokio::test]
async fn faults_are_those_of_the_interface_they_are_set_for() {
    let tiktok = tiktok();
    let bearer = bearer(&tiktok).await;
    let video = json!({"video_id": tiktok.catalogue()[0].id});
    let creator = json!({"username": "alba.bakes"});
    let (comments, users) = ("video/comment/list", "user/info");
    for (endpoint, interface, fields, body) in [
        (Endpoint::Comments, comments, "id,like_count,reply_count", &video),
        (Endpoint::Users, users, "display_name,follower_count,likes_count", &creator),
    ] {
        let ask = || ask(&tiktok, interface, fields, &bearer, body);
        let whole = ask().await.1["data"].to_string();
        assert!(whole.contains("_count"));
        for (fault, status, code) in [
            (Fault::Status(500), 500, "internal_error"),
            (Fault::Status(403), 403, "invalid_params"),
            (Fault::RateLimited, 429, "rate_limit_exceeded"),
            (Fault::QuotaExceeded, 429, "daily_quota_limit_exceeded"),
        ] {
            tiktok.fault(endpoint, fault);
            assert_eq!(refusal(ask().await), (status, code.to_owned(), String::new()));
            let other = if interface == users {
                (comments, "id", &video)
            } else {
                (users, "bio_url", &creator)
            };
            assert_eq!(super::ask(&tiktok, other.0, other.1, &bearer, other.2).await.0, 200);
        }
        tiktok.fault(endpoint, Fault::DropFields);
        let (status, answer) = ask().await;
        assert_eq!((status, answer.to_string().contains("_count")), (200, false));
        tiktok.fault(endpoint, Fault::None);
        assert_eq!(ask().await.1["data"].to_string(), whole);
    }
    tiktok.fault(Endpoint::Comments, Fault::TokenInvalidOnce);
    assert_eq!(ask(&tiktok, comments, "id", &bearer, &video).await.0, 401);
    let renewed = super::bearer(&tiktok).await;
    assert_eq!(ask(&tiktok, comments, "id", &renewed, &video).await.0, 200);
    let counts = tiktok.counts();
    assert_eq!((counts.comments, counts.users, counts.research, counts.token), (13, 11, 0, 2));
}

#[test]
fn cutting_and_spreading_lose_nothing() {
    for (len, max_count) in (0..40).flat_map(|len| (1..12).map(move |max_count| (len, max_count))) {
        let items: Vec<usize> = (0..len).collect();
        let mut window = page::Window { cursor: 0, max_count };
        let slots = window.spread(items.clone());
        let (mut pages, mut has_more) = (Vec::new(), true);
        while has_more {
            let page = window.cut(slots.clone());
            assert_eq!(page.end, window.cursor + max_count);
            (window.cursor, has_more) = (page.end, page.has_more);
            pages.push(page.items);
        }
        assert_eq!(pages.concat(), items);
        assert!(max_count == 1 || pages.iter().all(|page| page.len() < max_count));
        // Anything that two pages can be made of has the empty one between them.
        let lens: Vec<usize> = pages.iter().map(Vec::len).collect();
        match lens[..] {
            [only] => assert_eq!(only, len.min(1)),
            [first, 0, ref rest @ ..] => assert!(first > 0 && rest.iter().all(|it| *it > 0)),
            _ => panic!("{len} by {max_count}: {lens:?}"),
        }
    }
}
