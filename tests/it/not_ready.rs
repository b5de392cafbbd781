//! Pages that TikTok refuses at first although they are there: they come later, and until then nobody is
//! told anything else.

use std::time::Duration as Wait;

use local::{
    http::Response,
    standins::tiktok::{Endpoint, Fault},
};
use serde_json::{Value, json};
use time::Duration;

use crate::util::{
    Customer, World, assert_problem,
    catalogue::{Made, ids, ids_in},
    objections::with_research,
    research::with_cursor,
};

const SEARCH: &str = "/v1/videos/search";

fn everything() -> Value {
    let made = json!([{ "field": "hashtag", "values": ["made"] }]);
    let (from, to) = (Made::DAYS.0.to_string(), Made::DAYS.1.to_string());
    json!({ "and": made, "from": from, "to": to, "limit": 50 })
}

/// Adds more videos than TikTok gives at once; their ids, newest first.
fn add_many(world: &World) -> Vec<String> {
    let made = Made::default();
    let mut ids: Vec<String> = made.of("moss.maps", 130, 3).map(|it| world.add(it)).collect();
    ids.reverse();
    ids
}

/// The search for the page after the first one, which was fetched just now. TikTok's first block has enough for
/// it, and yet the second one must be there: what is left of a block must not show.
async fn begun(world: &World, customer: &Customer) -> Value {
    let mut search = everything();
    let first = world.post(SEARCH, &search, customer).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.json()["videos"].as_array().map(Vec::len), Some(50));
    search["cursor"] = first.json()["next_cursor"].clone();
    assert!(search["cursor"].is_string(), "{}", first.text());
    search
}

fn retry_after(answer: &Response) -> i64 {
    assert_problem(answer, 503, "source-busy");
    let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
    assert!(detail.contains("`cursor` included"), "{detail}");
    answer.header("retry-after").expect("a time").parse().expect("seconds")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_ready_keeps_its_cursor_and_costs_nothing_until_it_is() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let expected = add_many(&world);
    world.cloud.tiktok.fault(Endpoint::Research, Fault::StaleFor(Wait::from_secs(60)));
    let search = begun(&world, &ada).await;
    let (used, before) = (world.used(&ada).await, world.cloud.tiktok.counts().research);
    let started = world.cloud.clock.now();
    let first = world.post(SEARCH, &search, &ada).await;
    assert_eq!(retry_after(&first), 5);
    assert_eq!(world.cloud.tiktok.counts().research, before + 2, "asked twice, and no more");
    // The source is well: others are not kept from it.
    let health = world.send(world.cloud.client().get("/health")).await.json();
    assert!(!health.to_string().contains("failing"), "{health}");
    assert_eq!(world.get("/v1/hashtags/hens", &ada).await.status, 200);
    // Until then nobody is asked.
    world.wait(Duration::seconds(2));
    assert_eq!(retry_after(&world.post(SEARCH, &search, &ada).await), 3);
    assert_eq!(world.cloud.tiktok.counts().research, before + 3, "the hashtag's");
    // It waits as long again as it has waited.
    world.wait(Duration::seconds(10));
    assert_eq!(retry_after(&world.post(SEARCH, &search, &ada).await), 12);
    world.wait(Duration::seconds(40));
    assert_eq!(retry_after(&world.post(SEARCH, &search, &ada).await), 30);
    assert_eq!(world.used(&ada).await, used + 1, "only the hashtag was charged");
    world.cloud.clock.set(started + Duration::seconds(90));
    let second = world.post(SEARCH, &search, &ada).await;
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(ids_in(&second.json()["videos"]), expected[50..100]);
    assert_eq!(world.used(&ada).await, used + 2);
    // The rest has been fetched with it.
    let calls = world.cloud.tiktok.counts().research;
    let third = world.post(SEARCH, &with_cursor(&search, &second.json()), &ada).await;
    assert_eq!(ids_in(&third.json()["videos"]), expected[100..]);
    assert_eq!(world.cloud.tiktok.counts().research, calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_cursor_that_is_right_is_no_fault_of_the_conditions() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    add_many(&world);
    world.cloud.tiktok.fault(Endpoint::Research, Fault::InvalidCursor(3));
    let mut search = everything();
    let first = world.post(SEARCH, &search, &ada).await;
    assert_eq!(first.status, 200, "{}", first.text());
    search["cursor"] = first.json()["next_cursor"].clone();
    let calls = world.cloud.tiktok.counts().research;
    assert_eq!(retry_after(&world.post(SEARCH, &search, &ada).await), 5);
    assert_eq!(world.cloud.tiktok.counts().research, calls + 2);
    // Each time it gets further: TikTok's blocks are short, and this page needs two more.
    let mut wait = 5;
    for _ in 0..2 {
        world.wait(Duration::seconds(wait));
        let answer = world.post(SEARCH, &search, &ada).await;
        if answer.status == 200 {
            return;
        }
        wait = retry_after(&answer);
    }
    world.wait(Duration::seconds(wait));
    assert_eq!(world.post(SEARCH, &search, &ada).await.status, 200);
}

/// Begun once more, it would be another search that is not ready.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_cannot_be_gone_on_with_is_not_begun_again() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let latest = world.researched().into_iter().next_back().expect("a video");
    world.cloud.tiktok.fault(Endpoint::Research, Fault::InvalidCursor(3));
    let mut search = json!({
        "and": [{ "field": "hashtag", "values": [latest.hashtags[0]] }],
        "from": "2026-09-29", "to": "2026-10-28", "limit": 1,
    });
    let mut found = Vec::new();
    for _ in 0..20 {
        let answer = world.post(SEARCH, &search, &ada).await;
        if answer.status == 503 {
            world.wait(Duration::seconds(retry_after(&answer)));
            continue;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        found.append(&mut ids_in(&answer.json()["videos"]));
        match answer.json()["next_cursor"].take() {
            Value::Null => break,
            cursor => search["cursor"] = cursor,
        }
    }
    let days = (time::macros::date!(2026 - 09 - 29), time::macros::date!(2026 - 10 - 28));
    let has = |it: &local::standins::tiktok::CatalogueVideo| {
        it.hashtags.iter().any(|tag| *tag == latest.hashtags[0])
    };
    assert_eq!(found, ids(&world.searched(days, &has, &|_| true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_that_are_not_ready_are_not_said_to_have_ended() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let comments =
        |it: &&local::standins::tiktok::CatalogueVideo| it.statistics.map_or(0, |it| it.comments);
    let id = world.researched().into_iter().max_by_key(comments).expect("a video").id;
    let path = format!("/v1/videos/{id}/comments?limit=50&cursor=50");
    let expected = world.get(&path, &ada).await.json()["comments"].clone();
    assert!(expected.as_array().is_some_and(|it| it.len() > 20));
    // Nothing of the cache helps.
    world.wait(Duration::hours(1));
    world.cloud.tiktok.fault(Endpoint::Comments, Fault::InvalidCursor(3));
    let (used, calls) = (world.used(&ada).await, world.cloud.tiktok.counts().comments);
    assert_eq!(retry_after(&world.get(&path, &ada).await), 10);
    assert_eq!(world.cloud.tiktok.counts().comments, calls + 2);
    assert_eq!(world.used(&ada).await, used, "what is not ready is not charged");
    world.wait(Duration::seconds(10));
    let page = world.get(&path, &ada).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.json()["next_cursor"].is_string(), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_understood_under_each_of_its_codes() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    for (n, code) in ["invalid_params", "invalid_param", "invalid_request"].into_iter().enumerate()
    {
        world.cloud.tiktok.set_refusal_code(code);
        let answer = world.get(&format!("/v1/creators/nobody.{n}"), &ada).await;
        assert_problem(&answer, 404, "creator-not-found");
    }
}
