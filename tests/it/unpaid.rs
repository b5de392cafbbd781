//! Requests that are not charged: they ask TikTok for nothing where that can be known before, and for a
//! limited number of calls where not.

use local::standins::tiktok::{Endpoint, Fault};
use serde_json::{Value, json};
use vidintel::inventory::Table;

use crate::util::{
    Customer, World, assert_problem,
    objections::{items, with_research},
};

/// From noon, where the clock stands, to midnight.
const HALF_A_DAY: &str = "43200";

/// Calls of the day that are left. Nobody but the operator is told: they tell what a search has left out.
async fn calls_left(world: &World) -> u64 {
    let of_all = |it: &Value| {
        let is_of_day = it["period"]["S"].as_str().is_some_and(|it| it.starts_with("research#"));
        it["account"]["S"] == "research" && is_of_day
    };
    let health = world.send(world.cloud.client().get("/health")).await;
    assert!(!health.text().contains("left"), "{}", health.text());
    let spent = items(world, Table::Quotas).await.into_iter().find(of_all);
    let calls =
        spent.map_or(0, |it| it["calls"]["N"].as_str().expect("a number").parse().expect("one"));
    1_000_u64 - calls
}

/// Calls for requests of `customer` that were not charged, as they are noted.
async fn unpaid(world: &World, customer: &Customer) -> Option<String> {
    let of_them = |it: &Value| {
        let is_of_day = it["period"]["S"].as_str().is_some_and(|it| it.starts_with("research#"));
        it["account"]["S"] == customer.account_id.as_str() && is_of_day
    };
    let item = items(world, Table::Quotas).await.into_iter().find(of_them)?;
    item["unpaid"]["N"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_known_to_be_wrong_is_refused_before_anything_is_asked_or_counted() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let id = world.video_id(0);
    for path in [
        format!("/v1/videos/{id}?fields=nope"),
        format!("/v1/videos/{id}?fields=statistics.nope&include=creator"),
        format!("/v1/videos/{id}?include=comments"),
        "/v1/videos/12x".to_owned(),
        format!("/v1/videos?url={id}&fields=id,nope"),
        "/v1/videos?url=https://example.com/@a/video/1".to_owned(),
        format!("/v1/videos/{id}/comments?fields=comments.author"),
        format!("/v1/videos/{id}/comments?cursor=1000"),
        format!("/v1/videos/{id}/comments?limit=101"),
        "/v1/creators/alba.bakes?fields=nope".to_owned(),
        "/v1/creators/alba.bakes?trim=yes".to_owned(),
        "/v1/creators/alba.bakes/videos?fields=videos.nope".to_owned(),
        "/v1/creators/alba.bakes/videos?cursor=made-up".to_owned(),
        "/v1/creators/alba.bakes/videos?from=2026-13-01".to_owned(),
        "/v1/creators/alba.bakes/videos?from=2026-10-01&to=2026-10-31".to_owned(),
        "/v1/creators/alba.bakes/videos?to=2026-10-31".to_owned(),
        "/v1/creators/a%2Fb".to_owned(),
        "/v1/hashtags/hens?fields=regions.nope".to_owned(),
        "/v1/hashtags/two%20words".to_owned(),
    ] {
        let answer = world.get(&path, &ada).await;
        assert_problem(&answer, 400, "invalid-value");
        assert_eq!(answer.header("ratelimit"), None, "{path} was counted");
    }
    let search = |field: &str, value: &str, from: &str| json!({ "and": [{ "field": field, "values": [value] }], "from": from, "to": "2026-10-28" });
    let good = search("hashtag", "hens", "2026-10-01");
    for (path, body) in [
        ("/v1/videos/batch?fields=items.nope", json!({ "videos": [id.to_string()] })),
        ("/v1/videos/search?fields=nope", good.clone()),
        ("/v1/videos/search?fields=videos.id.x", good),
        ("/v1/videos/search", search("region", "UK", "2026-10-01")),
        ("/v1/videos/search", search("hashtag", "hens", "2026-09-28")),
        ("/v1/videos/search", search("views", "many", "2026-10-01")),
    ] {
        let answer = world.post(path, &body, &ada).await;
        assert_problem(&answer, 400, "invalid-value");
        assert_eq!(answer.header("ratelimit"), None, "{path} was counted");
    }
    assert_eq!(calls_left(&world).await, 1_000);
    assert_eq!(world.cloud.tiktok.counts(), local::standins::tiktok::Counts::default());
    assert_eq!(world.used(&ada).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_charged_takes_a_twentieth_of_the_day_at_most() {
    let world = with_research().await;
    let (ada, bob) = (world.paying("ada@example.com").await, world.paying("bob@example.com").await);
    // Some of it at a time, so that it is noted in between.
    for n in 0..50 {
        let answer = world.get(&format!("/v1/creators/nobody.{n}"), &ada).await;
        assert_problem(&answer, 404, "creator-not-found");
    }
    assert_eq!(calls_left(&world).await, 950);
    assert_eq!(unpaid(&world, &ada).await.as_deref(), Some("50"));
    for path in ["/v1/creators/nobody.50", "/v1/creators/alba.bakes", "/v1/hashtags/hens"] {
        let answer = world.get(path, &ada).await;
        assert_problem(&answer, 503, "source-allowance-used");
        assert_eq!(answer.header("retry-after"), Some(HALF_A_DAY), "{path}");
    }
    assert_eq!(calls_left(&world).await, 950);
    assert_eq!(world.used(&ada).await, 0);
    // Others have theirs; what is charged counts for nothing here.
    assert_eq!(world.get("/v1/creators/alba.bakes", &bob).await.status, 200);
    assert_eq!(unpaid(&world, &bob).await, None);
    assert_eq!(calls_left(&world).await, 948);
    // Nor does what the source itself has failed at, or was not ready for; in a batch neither.
    world.cloud.tiktok.fault(Endpoint::Research, Fault::Status(500));
    assert_problem(&world.get("/v1/hashtags/repair", &bob).await, 502, "source-failed");
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Status(500));
    let answer = world.batch(&world.ids(0..3), &bob).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["charged"], 0, "{}", answer.text());
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::None);
    world.cloud.tiktok.fault(Endpoint::Research, Fault::RateLimited);
    let answer = world.get("/v1/hashtags/sourdough", &bob).await;
    assert_problem(&answer, 503, "source-busy");
    assert_eq!(unpaid(&world, &bob).await, None);
    world.cloud.tiktok.fault(Endpoint::Research, Fault::None);
    world.wait(time::Duration::hours(12));
    assert_eq!(world.get("/v1/hashtags/hens", &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_the_part_counts_that_is_not_charged() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    // Far from each other: a call each. Three of the four are known to nobody.
    let unknown = |n: usize| (world.video_id(n) + (1 << 20)).to_string();
    let videos = [world.video_id(0).to_string(), unknown(40), unknown(80), unknown(120)];
    let answer = world.batch(&videos, &ada).await;
    assert_eq!(answer.json()["charged"], 1, "{}", answer.text());
    assert_eq!(calls_left(&world).await, 996);
    assert_eq!(unpaid(&world, &ada).await.as_deref(), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_account_has_two_calls_whatever_comes_of_them() {
    let world = with_research().await;
    let ada = world.customer("ada@example.com").await;
    for n in 0..2 {
        let answer = world.get(&format!("/v1/creators/nobody.{n}"), &ada).await;
        assert_problem(&answer, 404, "creator-not-found");
    }
    for n in 2..5 {
        let answer = world.get(&format!("/v1/creators/nobody.{n}"), &ada).await;
        assert_problem(&answer, 503, "source-allowance-used");
    }
    assert_eq!(calls_left(&world).await, 998);
    // What others know is still told.
    let video = world.video(0, &ada).await.json();
    assert_eq!(video["statistics"]["views"]["reason"], "source_busy");
    assert!(video["caption"]["value"].is_string());
}
