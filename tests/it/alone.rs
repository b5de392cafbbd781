//! While Redis is away each process has a small cache and single flight of its own: TikTok is not asked
//! for each request, and nobody who objected is shown.

use futures_util::future::join_all;
use local::{
    redis,
    standins::tiktok::{Endpoint, Fault},
};
use serde_json::{Value, json};
use time::Duration;

use crate::util::{
    Customer, World, assert_problem,
    endpoints::{ask, metered},
    objections::{own_list, with_research},
    patient,
};

/// Environments of a function: each is a process, and knows nothing of the others without Redis.
const PROCESSES: u64 = 8;

/// A cloud in which each function is one process.
async fn with_one_process() -> World {
    let mut options = patient();
    options.parameters.insert("TikTokResearch".to_owned(), "on".to_owned());
    options.max_environments = 1;
    World::start_with(options).await
}

/// Asks for a video so often, some at once; all are answered whole.
async fn many(world: &World, customer: &Customer, n: usize, times: usize) {
    for _ in 0..times / 5 {
        for answer in join_all((0..5).map(|_| world.video(n, customer))).await {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(
                answer.json()["statistics"]["views"]["source"] == "research",
                "{}",
                answer.text()
            );
        }
    }
}

/// Lets the functions find out that Redis is there again: their breakers are open for a second.
async fn redis_back(world: &World) {
    world.cloud.redis.fault(redis::Fault::None);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_research_is_asked_once_by_each_process_within_the_hour() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    for n in [0, 1] {
        assert_eq!(world.video(n, &ada).await.status, 200);
    }
    let before = world.cloud.tiktok.counts();
    world.cloud.redis.fault(redis::Fault::Refuse);
    many(&world, &ada, 0, 45).await;
    many(&world, &ada, 1, 45).await;
    let calls = world.cloud.tiktok.counts().research - before.research;
    assert!((1..=2 * PROCESSES).contains(&calls), "{calls} calls");
    assert_eq!(world.cloud.tiktok.spent().refused, 0);
    // Nothing is older than an hour.
    world.wait(Duration::minutes(59));
    many(&world, &ada, 0, 5).await;
    world.wait(Duration::minutes(1));
    let before = world.cloud.tiktok.counts().research;
    many(&world, &ada, 0, 40).await;
    let calls = world.cloud.tiktok.counts().research - before;
    assert!((1..=PROCESSES).contains(&calls), "{calls} calls after an hour");
    // All together again, they have one cache.
    redis_back(&world).await;
    many(&world, &ada, 1, 10).await;
    let before = world.cloud.tiktok.counts().research;
    many(&world, &ada, 1, 20).await;
    assert_eq!(world.cloud.tiktok.counts().research, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_no_endpoint_asks_for_each_request() {
    let world = with_one_process().await;
    let ada = world.paying("ada@example.com").await;
    world.cloud.redis.fault(redis::Fault::Refuse);
    for request in metered(&world, 0) {
        assert_eq!(ask(&world, &ada, &request).await.status, 200, "{request:?}");
        let before = world.cloud.tiktok.counts();
        for _ in 0..5 {
            let answer = ask(&world, &ada, &request).await;
            assert_eq!(answer.status, 200, "{request:?}: {}", answer.text());
        }
        assert_eq!(world.cloud.tiktok.counts(), before, "{request:?}");
    }
}

/// Whether one of some searches comes from a process's cache. They may go to different ones.
async fn is_served_from_a_process(search: &impl AsyncFn() -> Value) -> bool {
    for _ in 0..20 {
        if search().await["cached"] == true {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_who_objects_is_shown_by_no_process_any_more() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    world.cloud.redis.fault(redis::Fault::Refuse);
    let catalogue = world.cloud.tiktok.catalogue();
    // The stand-in tells nothing of the profile of that one.
    let video = catalogue.iter().find(|it| it.username != "ebb_and_tide" && it.in_research);
    let (id, name) = video.map(|it| (it.id, it.username)).expect("a video");
    let paths = [
        format!("/v1/videos/{id}"),
        format!("/v1/videos/{id}/comments"),
        format!("/v1/creators/{name}"),
        format!("/v1/creators/{name}/videos"),
    ];
    let all = json!([{ "field": "creator", "values": ["nobody.at.all"] }]);
    let everything = json!({ "not": all, "from": "2026-09-29", "to": "2026-10-28", "limit": 50 });
    let search = async || {
        let answer = world.post("/v1/videos/search", &everything, &ada).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let names = |page: &Value| {
        let videos = page["videos"].as_array().expect("videos").iter();
        videos.map(|it| it["author"]["username"]["value"].clone()).collect::<Vec<_>>()
    };
    // By as many processes as there may be.
    for path in &paths {
        for answer in join_all((0..6).map(|_| world.get(path, &ada))).await {
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
    }
    let found = search().await;
    let theirs = names(&found)[0].as_str().expect("a name").to_owned();
    assert!(is_served_from_a_process(&search).await);
    let list = own_list(&world).await;
    for name in [name, &theirs] {
        list.object(name, world.cloud.clock.now()).await.expect("objected");
    }
    for path in &paths {
        for answer in join_all((0..12).map(|_| world.get(path, &ada))).await {
            assert_problem(&answer, 451, "creator-objected");
        }
    }
    for _ in 0..2 {
        let left = search().await;
        assert!(!names(&left).contains(&json!(theirs)), "{left}");
    }
    assert!(is_served_from_a_process(&search).await);
    // Who lets themselves be shown again is, within a minute.
    for name in [name, &theirs] {
        list.withdraw(name).await.expect("withdrawn");
    }
    world.wait(Duration::minutes(1));
    for path in &paths {
        for answer in join_all((0..6).map(|_| world.get(path, &ada))).await {
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
    }
    // In lists within the hour: one that is asked for anew sooner than others would tell that it lacks some.
    world.wait(Duration::minutes(59));
    assert_eq!(names(&search().await), names(&found));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_source_that_wants_to_be_left_alone_is() {
    let world = with_one_process().await;
    let ada = world.paying("ada@example.com").await;
    world.cloud.redis.fault(redis::Fault::Refuse);
    world.cloud.tiktok.fault(Endpoint::Research, Fault::RateLimited);
    for n in 0..10 {
        let answer = world.video(n, &ada).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["statistics"]["views"]["reason"], "source_busy");
    }
    assert_eq!(world.cloud.tiktok.counts().research, 1);
    world.cloud.tiktok.fault(Endpoint::Research, Fault::None);
    world.wait(Duration::minutes(1));
    assert!(world.video(11, &ada).await.json()["statistics"]["views"]["value"].is_u64());
}
