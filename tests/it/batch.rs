//! `POST /v1/videos/batch`.

use http::Method;
use local::{
    http::Response,
    redis,
    standins::tiktok::{Endpoint, Fault},
};
use time::Duration;
use vidintel::plans::Plan;

use crate::util::{
    Customer, World,
    ask::{BATCH, statuses},
    assert_problem,
    objections::{own_list, with_research},
    rate_limit,
};

const UNKNOWN_ID: &str = "7000000000000000001";

/// Places in the catalogue: three to be found, one whose creator objects, one that may not be embedded,
/// and two that are asked for while the source fails.
const FOUND: [usize; 3] = [0, 1, 2];
const HIDDEN: usize = 24;
const LATE: [usize; 2] = [10, 11];

/// A creator of none of those.
fn objecting(world: &World) -> (usize, &'static str) {
    let videos = world.cloud.tiktok.catalogue();
    let others: Vec<_> = FOUND.iter().chain(&LATE).map(|n| videos[*n].username).collect();
    let place = (30..).find(|n| videos[*n].in_oembed && !others.contains(&videos[*n].username));
    let place = place.expect("somebody else");
    (place, videos[place].username)
}

fn charged(answer: &Response) -> u64 {
    answer.json()["charged"].as_u64().expect("a number")
}

/// Uses up all of a Free account's month but `left`, as fast as its minutes allow.
async fn use_up_to(world: &World, customer: &Customer, left: u64) {
    let mut remaining = 50;
    while remaining > left {
        world.wait(Duration::minutes(2));
        let count = (remaining - left).min(10);
        let answer = world.batch(&world.ids(0..count as usize), customer).await;
        assert_eq!((charged(&answer), answer.status.as_u16()), (count, 200), "{}", answer.text());
        remaining -= count;
        assert_eq!(rate_limit(&answer, "month", 'r'), remaining);
    }
    world.wait(Duration::minutes(2));
}

/// Every kind of item, some of them twice, and what becomes of each.
fn mixed(world: &World, objected: usize) -> (Vec<String>, Vec<&'static str>) {
    let id = |n: usize| world.video_id(n).to_string();
    let [a, b, c] = FOUND;
    let items = [
        (id(a), "found"),
        (format!("https://www.tiktok.com/@made.up/video/{}", id(a)), "found"),
        ("made up".to_owned(), "invalid"),
        (format!("https://vm.tiktok.com/ZM{b}/"), "found"),
        (id(b), "found"),
        (UNKNOWN_ID.to_owned(), "not_found"),
        (id(HIDDEN), "not_found"),
        (id(objected), "suppressed"),
        ("https://vm.tiktok.com/ZMunknown".to_owned(), "not_found"),
        (format!("https://m.tiktok.com/v/{}.html", id(c)), "found"),
        (format!("https://evil.example/@made.up/video/{}", id(c)), "invalid"),
        (id(a), "found"),
    ];
    items.into_iter().unzip()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_answered_for_itself_and_only_different_found_videos_are_charged() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.upgrade(&ada, Plan::Business).await;
    let (objected, name) = objecting(&world);
    own_list(&world).await.object(name, world.cloud.clock.now()).await.expect("objected");
    let (items, expected) = mixed(&world, objected);
    let answer = world.batch(&items, &ada).await;
    assert_eq!(statuses(&answer), expected, "{}", answer.text());
    assert_eq!(charged(&answer), 3);
    assert_eq!(rate_limit(&answer, "month", 'r'), 100_000 - 3);
    assert_eq!(answer.json()["items"][3]["video"]["id"], world.video_id(FOUND[1]).to_string());
    assert!(!answer.text().contains(name), "{name} objected");
    let counts = world.cloud.tiktok.counts();
    assert_eq!((counts.oembed, counts.links), (6, 2), "each different one is asked for once");
    // While the source fails, what is known is known, and what is not has failed.
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Status(500));
    let mut items = world.ids([FOUND[0], LATE[0], objected]);
    items.extend([UNKNOWN_ID.to_owned(), format!("https://vt.tiktok.com/ZS{}", LATE[1])]);
    let answer = world.batch(&items, &ada).await;
    let expected = ["found", "failed", "suppressed", "not_found", "failed"];
    assert_eq!(statuses(&answer), expected, "{}", answer.text());
    assert_eq!(answer.json()["items"][0]["video"]["cached"], true);
    assert_eq!((charged(&answer), rate_limit(&answer, "month", 'r')), (1, 100_000 - 4));
    // Nothing found, nothing charged.
    let answer = world.batch(&["made up".to_owned(), UNKNOWN_ID.to_owned()], &ada).await;
    assert_eq!(statuses(&answer), ["invalid", "not_found"]);
    assert_eq!((charged(&answer), rate_limit(&answer, "month", 'r')), (0, 100_000 - 4));
    assert_eq!(world.rolled_up(&ada).await, (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_are_one_request_and_the_second_time_nobody_is_asked() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.upgrade(&ada, Plan::Business).await;
    let items = world.ids(0..100);
    let first = world.batch(&items, &ada).await;
    // Every twenty-fifth may not be embedded.
    let expected: Vec<_> =
        (0..100).map(|n| if n % 25 == 24 { "not_found" } else { "found" }).collect();
    assert_eq!(statuses(&first), expected);
    assert_eq!((charged(&first), rate_limit(&first, "month", 'r')), (96, 100_000 - 96));
    let asked = world.cloud.tiktok.counts();
    assert_eq!(asked.oembed, 100);
    let again = world.batch(&items, &ada).await;
    assert_eq!(statuses(&again), expected);
    assert_eq!(world.cloud.tiktok.counts(), asked);
    for item in again.json()["items"].as_array().expect("items") {
        assert!(item["video"].is_null() || item["video"]["cached"] == true, "{item}");
    }
    assert_eq!((charged(&again), rate_limit(&again, "month", 'r')), (96, 100_000 - 192));
    assert_eq!(world.rolled_up(&ada).await, (192, 192));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_minute_allows_is_refused_for_good_and_not_charged() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let answer = world.batch(&world.ids(0..11), &ada).await;
    assert_problem(&answer, 400, "too-many-at-once");
    assert!(answer.header("retry-after").is_none(), "waiting does not help");
    assert_eq!(world.cloud.tiktok.counts().oembed, 0);
    // It is different videos that count.
    let twice = [world.ids(0..10), world.ids(0..10)].concat();
    let answer = world.batch(&twice, &ada).await;
    assert_eq!((statuses(&answer).len(), charged(&answer)), (20, 10));
    assert_eq!(world.rolled_up(&ada).await, (10, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_the_month_serves_a_batch_whole_or_not_at_all() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    use_up_to(&world, &ada, 3).await;
    let refused = world.batch(&world.ids(0..5), &ada).await;
    assert_problem(&refused, 429, "quota-exceeded");
    assert_eq!(refused.json()["violated-policies"][0], "month");
    assert_eq!(rate_limit(&refused, "month", 'r'), 3);
    assert_eq!(world.rolled_up(&ada).await, (47, 47));
    let served = world.batch(&world.ids(0..3), &ada).await;
    assert_eq!((charged(&served), rate_limit(&served, "month", 'r')), (3, 0));
    assert_problem(&world.batch(&world.ids(0..1), &ada).await, 429, "quota-exceeded");
    assert_eq!(world.rolled_up(&ada).await, (50, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_can_be_used() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    use_up_to(&world, &ada, 5).await;
    let mut items = world.ids(0..2);
    items.extend([UNKNOWN_ID.to_owned(), world.video_id(HIDDEN).to_string()]);
    let answer = world.batch(&items, &ada).await;
    assert_eq!((charged(&answer), rate_limit(&answer, "month", 'r')), (2, 3));
    let answer = world.batch(&world.ids(0..3), &ada).await;
    assert_eq!((charged(&answer), rate_limit(&answer, "month", 'r')), (3, 0), "{}", answer.text());
    assert_eq!(world.rolled_up(&ada).await, (50, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_counts_every_item() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(charged(&world.batch(&world.ids(0..6), &ada).await), 6);
    let refused = world.batch(&world.ids(0..6), &ada).await;
    assert_problem(&refused, 429, "quota-exceeded");
    assert_eq!(refused.json()["violated-policies"][0], "minute");
    assert_eq!(rate_limit(&refused, "month", 'r'), 44);
    let wait: i64 = refused.header("retry-after").expect("a wait").parse().expect("seconds");
    world.wait(Duration::seconds(wait));
    assert_eq!(charged(&world.batch(&world.ids(0..6), &ada).await), 6, "after {wait} s");
    assert_eq!(world.rolled_up(&ada).await, (12, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn videos_of_one_month_are_one_question_to_research() {
    let world = with_research().await;
    let ada = world.customer("ada@example.com").await;
    // About three days lie between two of them; the fifth is unknown to Research.
    let items = world.ids(100..108);
    let answer = world.batch(&items, &ada).await;
    assert_eq!(statuses(&answer), ["found"; 8], "{}", answer.text());
    let counts = world.cloud.tiktok.counts();
    assert_eq!((counts.research, counts.oembed), (1, 8));
    let duration = |n: usize| answer.json()["items"][n]["video"]["duration_seconds"].clone();
    assert_eq!(duration(0)["value"], world.cloud.tiktok.catalogue()[100].duration);
    assert_eq!(duration(4)["reason"], "not_in_source");
    world.wait(Duration::minutes(2));
    let again = world.batch(&items, &ada).await;
    assert_eq!(statuses(&again), ["found"; 8]);
    assert_eq!(world.cloud.tiktok.counts(), counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_is_exact_too() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let (objected, name) = objecting(&world);
    own_list(&world).await.object(name, world.cloud.clock.now()).await.expect("objected");
    world.cloud.redis.fault(redis::Fault::Refuse);
    let (items, expected) = mixed(&world, objected);
    let answer = world.batch(&items, &ada).await;
    assert_eq!(statuses(&answer), expected, "{}", answer.text());
    assert_eq!((charged(&answer), rate_limit(&answer, "month", 'r')), (3, 47));
    // Eight of the minute's ten are used.
    let refused = world.batch(&world.ids(0..3), &ada).await;
    assert_problem(&refused, 429, "quota-exceeded");
    assert_eq!(refused.json()["violated-policies"][0], "minute");
    assert_problem(&world.batch(&world.ids(0..11), &ada).await, 400, "too-many-at-once");
    for left in [37, 27, 17, 7, 3] {
        // A minute, and the slot of five seconds that it begins in.
        world.wait(Duration::seconds(65));
        let count = if left > 3 { 10 } else { 4 };
        let answer = world.batch(&world.ids(0..count), &ada).await;
        assert_eq!(charged(&answer), count as u64, "{}", answer.text());
        assert_eq!(rate_limit(&answer, "month", 'r'), left);
    }
    world.wait(Duration::seconds(65));
    let refused = world.batch(&world.ids(0..5), &ada).await;
    assert_problem(&refused, 429, "quota-exceeded");
    assert_eq!(refused.json()["violated-policies"][0], "month");
    assert_eq!(rate_limit(&refused, "month", 'r'), 3);
    let served = world.batch(&world.ids(0..3), &ada).await;
    assert_eq!((charged(&served), rate_limit(&served, "month", 'r')), (3, 0));
    world.cloud.runtime.settled().await;
    let usage = world.get("/v1/usage", &ada).await.json();
    assert_eq!((&usage["used"], &usage["remaining"]), (&50.into(), &0.into()), "{usage}");
    assert_eq!(usage["days"][0]["charged"], 50, "{usage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_strictly_and_cost_nothing() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let client = world.cloud.client();
    let of = |count: usize| serde_json::json!({ "videos": vec!["7"; count] }).to_string();
    let long = serde_json::json!({ "videos": ["x".repeat(66_000)] }).to_string();
    let json = "application/json";
    for (media_type, body, status, kind) in [
        (json, of(0), 400, "invalid-value"),
        (json, of(101), 400, "invalid-value"),
        (json, String::new(), 400, "invalid-body"),
        (json, "{".to_owned(), 400, "invalid-body"),
        (json, "[\"7\"]".to_owned(), 400, "invalid-body"),
        (json, "{}".to_owned(), 400, "invalid-body"),
        (json, r#"{"videos":"7"}"#.to_owned(), 400, "invalid-body"),
        (json, r#"{"videos":[7]}"#.to_owned(), 400, "invalid-body"),
        (json, r#"{"videos":[null]}"#.to_owned(), 400, "invalid-body"),
        (json, r#"{"videos":["7"],"more":1}"#.to_owned(), 400, "invalid-body"),
        (json, long, 413, "body-too-large"),
        ("text/plain", of(1), 415, "unsupported-media-type"),
    ] {
        let request = client.request(Method::POST, BATCH).key(&ada.key);
        let shown: String = body.chars().take(40).collect();
        let answer = world.send(request.body(media_type, body)).await;
        assert_eq!(answer.status, status, "{shown}: {}", answer.text());
        assert_problem(&answer, status, kind);
    }
    let stranger = world.send(client.request(Method::POST, BATCH).body(json, of(1))).await;
    assert_problem(&stranger, 401, "invalid-api-key");
    assert_eq!(world.cloud.tiktok.counts().oembed, 0);
    assert_eq!(world.rolled_up(&ada).await, (0, 0));
}
