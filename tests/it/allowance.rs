//! What the service may ask of TikTok, and how it keeps to it: the daily allowance of Research, the one
//! token, and the rests that a source is given.

use std::{collections::BTreeMap, time::Duration as Wait};

use futures_util::future::join_all;
use local::{
    http::Response,
    standins::tiktok::{Endpoint, Fault},
};
use serde_json::{Value, json};
use time::Duration;
use vidintel::plans::Plan;

use crate::util::{
    Customer, World, assert_problem,
    objections::with_research,
    research::{spent, spent_of_it},
};

/// Calls in a day, as TikTok's documents say.
const CALLS: u64 = 1_000;

/// From noon, where the clock stands, to midnight.
const HALF_A_DAY: &str = "43200";

/// A search that nobody else asks for: each costs a call.
async fn search(world: &World, customer: &Customer, n: usize) -> Response {
    let tags = json!([{ "field": "hashtag", "values": [format!("of-{n}")] }]);
    let body = json!({ "and": tags, "from": "2026-10-01", "to": "2026-10-28" });
    world.post("/v1/videos/search", &body, customer).await
}

fn kind(answer: &Response) -> String {
    let body = answer.json();
    let kind = body["type"].as_str().and_then(|it| it.rsplit('/').next()).unwrap_or("none");
    format!("{} {kind}", answer.status.as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_is_never_exceeded_however_many_ask_at_once() {
    let world = with_research().await;
    // The calls themselves keep nobody waiting, whoever else makes one.
    world.cloud.dynamodb.slow_transactions(Wait::from_millis(100));
    let (planted, customers) = (994, 12);
    spent(&world, "research", planted, 1).await;
    // At TikTok only the rest is left: one more would be refused.
    world.cloud.tiktok.set_allowance(CALLS - planted, 100_000);
    let crowd = world.crowd(customers, Plan::Basic).await;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..3 {
        // By two functions, each in many environments.
        let asks = crowd.iter().enumerate().map(async |(n, it)| match n % 2 {
            0 => search(&world, it, round * 100 + n).await,
            _ => world.get(&format!("/v1/hashtags/of-{round}-{n}"), it).await,
        });
        for answer in join_all(asks).await {
            *kinds.entry(kind(&answer)).or_default() += 1;
        }
        world.wait(Duration::minutes(1));
    }
    let spent = world.cloud.tiktok.spent();
    assert_eq!((spent.calls + planted, spent.refused), (CALLS, 0), "{kinds:?}");
    assert_eq!(kinds.get("200 none"), Some(&6), "{kinds:?}");
    assert!(kinds.contains_key("503 source-allowance-used"), "{kinds:?}");
    let known = ["200 none", "503 source-allowance-used"];
    assert!(kinds.keys().all(|it| known.contains(&it.as_str())), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_the_share_of_the_others_and_tomorrow_is_another_day() {
    let world = with_research().await;
    let (ada, bob) = (world.paying("ada@example.com").await, world.paying("bob@example.com").await);
    // Alone so far, she has all but one of the half that she may have.
    spent(&world, "research", 499, 1).await;
    spent(&world, &ada.account_id, 499, 0).await;
    assert_eq!(search(&world, &ada, 0).await.status, 200);
    let used = world.used(&ada).await;
    let calls = world.cloud.tiktok.counts().research;
    for n in 1..4 {
        let answer = search(&world, &ada, n).await;
        assert_problem(&answer, 503, "source-allowance-used");
        assert_eq!(answer.header("retry-after"), Some(HALF_A_DAY));
    }
    let creator = world.get("/v1/creators/alba.bakes", &ada).await;
    assert_problem(&creator, 503, "source-allowance-used");
    assert_eq!(world.cloud.tiktok.counts().research, calls);
    assert_eq!(world.used(&ada).await, used);
    // The next one gets what is theirs, also of what she was refused just now.
    for n in [3, 10, 11, 12] {
        assert_eq!(search(&world, &bob, n).await.status, 200);
    }
    // What was fetched for another one costs nothing.
    let shared = search(&world, &ada, 10).await;
    assert_eq!((shared.status.as_u16(), &shared.json()["cached"]), (200, &json!(true)));
    // oEmbed still tells what it knows; the rest says why it is missing.
    let answer = world.video(0, &ada).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let video = answer.json();
    assert!(video["caption"]["value"].is_string());
    assert_eq!(video["statistics"]["views"]["value"], Value::Null);
    assert_eq!(video["statistics"]["views"]["reason"], "source_busy");
    // What is missing is asked for again soon, by whoever may.
    world.wait(Duration::minutes(1));
    assert!(world.video(0, &bob).await.json()["statistics"]["views"]["value"].is_u64());

    world.wait(Duration::hours(12) - Duration::minutes(1) - Duration::seconds(1));
    let late = search(&world, &ada, 20).await;
    assert_problem(&late, 503, "source-allowance-used");
    assert_eq!(late.header("retry-after"), Some("1"));
    world.wait(Duration::seconds(1));
    assert_eq!(search(&world, &ada, 20).await.status, 200);
    assert!(world.video(1, &ada).await.json()["statistics"]["views"]["value"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_free_accounts_takes_a_fifth_of_the_day_and_no_more() {
    let world = with_research().await;
    let (planted, free, accounts) = (400, 190, 16);
    spent_of_it(&world, "research", planted, 1, free).await;
    let crowd = world.crowd(accounts, Plan::Free).await;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..3 {
        let asks = crowd.iter().enumerate().map(async |(n, it)| match n % 2 {
            0 => search(&world, it, round * 100 + n).await,
            _ => world.get(&format!("/v1/hashtags/of-{round}-{n}"), it).await,
        });
        for answer in join_all(asks).await {
            *kinds.entry(kind(&answer)).or_default() += 1;
        }
        world.wait(Duration::minutes(1));
    }
    // Two hundred in all, ten of them just now.
    assert_eq!(kinds.get("200 none"), Some(&10), "{kinds:?}");
    assert_eq!(world.cloud.tiktok.spent().calls, 10);
    assert!(kinds.contains_key("503 source-allowance-used"), "{kinds:?}");
    // Who pays has the rest.
    let ada = world.paying("ada@example.com").await;
    for n in 0..3 {
        assert_eq!(search(&world, &ada, 1_000 + n).await.status, 200);
    }
    // Tomorrow each of them has two, however many there are.
    world.wait(Duration::hours(12));
    let mut served = vec![0; 3];
    for customer in &crowd[..3] {
        let n = 2_000 + 10 * served.iter().sum::<usize>();
        let answers = join_all((0..5).map(|more| search(&world, customer, n + more))).await;
        for answer in &answers {
            let is_told = ["200 none", "503 source-allowance-used", "503 source-busy"];
            assert!(is_told.contains(&kind(answer).as_str()), "{}", answer.text());
        }
        served.push(answers.iter().filter(|it| it.status == 200).count());
    }
    assert_eq!(served[3..], [2, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_free_account_may_not_ask_any_more_is_asked_for_those_who_pay() {
    let world = with_research().await;
    let bob = world.customer("bob@example.com").await;
    let ada = world.paying("ada@example.com").await;
    for n in 0..2 {
        assert_eq!(search(&world, &bob, n).await.status, 200);
    }
    let views = |answer: &Response| answer.json()["statistics"]["views"]["value"].clone();
    // oEmbed alone has answered; others like him get that from the cache.
    for _ in 0..2 {
        let answer = world.video(0, &bob).await;
        assert_eq!(
            (answer.status.as_u16(), views(&answer)),
            (200, Value::Null),
            "{}",
            answer.text()
        );
    }
    assert_eq!(world.cloud.tiktok.counts().oembed, 1);
    let answer = world.video(0, &ada).await;
    assert!(views(&answer).is_u64(), "{}", answer.text());
    let answer = world.video(0, &bob).await;
    assert!(views(&answer).is_u64(), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_did_not_come_are_given_back() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    for n in 0..3 {
        assert_eq!(search(&world, &ada, n).await.status, 200);
    }
    let everything = json!({
        "not": [{ "field": "hashtag", "values": ["none"] }],
        "from": "2026-10-01", "to": "2026-10-28", "limit": 50,
    });
    assert_eq!(world.post("/v1/videos/search", &everything, &ada).await.status, 200);
    let spent = world.cloud.tiktok.spent();
    assert!(spent.records > 0);
    let items = world.cloud.dynamodb.items("quotas").await.expect("the items");
    let of = |who: &str| {
        let is_theirs = |it: &&Value| {
            let period = it["period"]["S"].as_str().expect("a period");
            it["account"]["S"] == who && period.starts_with("research#")
        };
        let item = items.iter().find(is_theirs).expect("an item");
        let number = |name: &str| item[name]["N"].as_str().expect("a number").to_owned();
        (number("calls"), number("records"))
    };
    let expected = (spent.calls.to_string(), spent.records.to_string());
    assert_eq!(of("research"), expected);
    assert_eq!(of(&ada.account_id), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_does_for_all_functions_and_lies_sealed() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let of_this_round = |round: usize| {
        let (world, ada) = (&world, &ada);
        async move {
            let id = |n: usize| world.video_id(round * 20 + n);
            let batch = json!({ "videos": [id(1).to_string(), id(2).to_string()] });
            let paths = [
                format!("/v1/videos/{}", id(3)),
                format!("/v1/videos/{}", id(5)),
                format!("/v1/videos?url=https://www.tiktok.com/@any/video/{}", id(6)),
                format!("/v1/videos/{}/comments", id(7)),
                format!("/v1/creators/{}", ["alba.bakes", "fold.paper", "ink_lines"][round]),
                format!("/v1/creators/moss.maps/videos?limit={}", round + 1),
                format!("/v1/hashtags/madeup{round}"),
            ];
            let many = join_all(paths.iter().map(|path| world.get(path, ada)));
            let (many, found, batch) = futures_util::join!(
                many,
                search(world, ada, round),
                world.post("/v1/videos/batch", &batch, ada)
            );
            many.into_iter().chain([found, batch]).for_each(|answer| {
                assert_eq!(answer.status, 200, "{}", answer.text());
            });
        }
    };
    of_this_round(0).await;
    for function in ["GetVideoFunction", "SearchVideosFunction", "GetCreatorFunction"] {
        assert!(world.cloud.kill(function).await.expect("killed") > 0, "{function}");
    }
    of_this_round(1).await;
    assert_eq!(world.cloud.tiktok.counts().token, 1);

    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let get = redis::cmd("GET").arg("token:research").to_owned();
    let sealed: Vec<u8> = get.query_async(&mut redis).await.expect("a token");
    assert!(sealed.len() > 50);
    let clear = String::from_utf8_lossy(&sealed);
    assert!(!clear.contains("clt.") && !clear.contains("local"), "{clear}");
    // One that stops working is replaced by the first who notices, for all.
    world.cloud.tiktok.fault(Endpoint::Research, Fault::TokenInvalidOnce);
    assert_eq!(search(&world, &ada, 100).await.status, 200);
    of_this_round(2).await;
    assert_eq!(world.cloud.tiktok.counts().token, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_five_times_in_a_row_is_left_alone_for_half_a_minute() {
    let world = World::start().await;
    let ada = world.paying("ada@example.com").await;
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Status(500));
    for n in 0..5 {
        assert_problem(&world.video(n, &ada).await, 502, "source-failed");
    }
    let calls = world.cloud.tiktok.counts().oembed;
    assert!(calls >= 5);
    world.wait(Duration::seconds(10));
    let by_address =
        format!("/v1/videos?url=https://www.tiktok.com/@any/video/{}", world.video_id(6));
    for answer in [world.video(5, &ada).await, world.get(&by_address, &ada).await] {
        assert_problem(&answer, 503, "source-busy");
        assert_eq!(answer.header("retry-after"), Some("20"));
    }
    let batch = json!({ "videos": [world.video_id(7).to_string()] });
    let batch = world.post("/v1/videos/batch", &batch, &ada).await.json();
    assert_eq!(batch["items"][0]["status"], "failed");
    world.wait(Duration::seconds(19));
    assert_problem(&world.video(8, &ada).await, 503, "source-busy");
    assert_eq!(world.cloud.tiktok.counts().oembed, calls, "nothing was asked meanwhile");
    // Then the next question decides: it fails…
    world.wait(Duration::seconds(1));
    assert_problem(&world.video(9, &ada).await, 502, "source-failed");
    let calls = world.cloud.tiktok.counts().oembed;
    assert_problem(&world.video(10, &ada).await, 503, "source-busy");
    assert_eq!(world.cloud.tiktok.counts().oembed, calls);
    // …or is answered, and all is as before.
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::None);
    world.wait(Duration::seconds(30));
    for n in 11..14 {
        assert_eq!(world.video(n, &ada).await.status, 200);
    }
    assert_eq!(world.used(&ada).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_between_answers_do_no_harm() {
    let world = World::start().await;
    let ada = world.paying("ada@example.com").await;
    for n in 0..3 {
        world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Status(500));
        for m in 0..4 {
            assert_problem(&world.video(10 * n + m, &ada).await, 502, "source-failed");
        }
        world.cloud.tiktok.fault(Endpoint::Oembed, Fault::None);
        assert_eq!(world.video(10 * n + 5, &ada).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_wants_to_be_left_alone_is_by_every_function() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    world.cloud.tiktok.fault(Endpoint::Research, Fault::RateLimited);
    let answer = search(&world, &ada, 0).await;
    assert_problem(&answer, 503, "source-busy");
    let wait: i64 = answer.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((1..=3_600).contains(&wait), "{wait}");
    // Also by those that ask another interface of the source, whose limit is the same.
    let calls = world.cloud.tiktok.counts();
    world.wait(Duration::seconds(wait - 1));
    for path in [
        "/v1/creators/alba.bakes".to_owned(),
        "/v1/creators/alba.bakes/videos".to_owned(),
        "/v1/hashtags/hens".to_owned(),
        format!("/v1/videos/{}/comments", world.video_id(3)),
    ] {
        let answer = world.get(&path, &ada).await;
        assert_problem(&answer, 503, "source-busy");
        assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
    }
    let video = world.video(0, &ada).await;
    assert_eq!(video.status, 200, "the other source is asked: {}", video.text());
    assert_eq!(video.json()["statistics"]["views"]["reason"], "source_busy");
    let now = world.cloud.tiktok.counts();
    assert_eq!(
        (now.research, now.users, now.comments),
        (calls.research, calls.users, calls.comments)
    );
    world.cloud.tiktok.fault(Endpoint::Research, Fault::None);
    world.wait(Duration::seconds(1));
    // Another one: of a failure those are told too who ask for the same within a second.
    assert_eq!(search(&world, &ada, 1).await.status, 200);
    assert_eq!(world.get("/v1/creators/moss.maps", &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_an_hour_is_not_served_even_if_there_is_nothing_else() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let id = world.video_id(0);
    let paths = [
        format!("/v1/videos/{id}"),
        format!("/v1/videos/{id}/comments"),
        "/v1/creators/alba.bakes".to_owned(),
        "/v1/creators/alba.bakes/videos".to_owned(),
        "/v1/hashtags/hens".to_owned(),
    ];
    for path in &paths {
        assert_eq!(world.get(path, &ada).await.status, 200, "{path}");
    }
    assert_eq!(search(&world, &ada, 0).await.status, 200);
    for endpoint in [Endpoint::Oembed, Endpoint::Research, Endpoint::Users, Endpoint::Comments] {
        world.cloud.tiktok.fault(endpoint, Fault::Status(500));
    }
    world.wait(Duration::minutes(60) - Duration::seconds(1));
    for path in &paths {
        let answer = world.get(path, &ada).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.json()["cached"], true, "{path}");
        assert_eq!(answer.json()["age_seconds"], 3_599, "{path}");
    }
    assert_eq!(search(&world, &ada, 0).await.json()["cached"], true);
    world.wait(Duration::seconds(1));
    for path in &paths {
        let answer = world.get(path, &ada).await;
        assert!([502, 503].contains(&answer.status.as_u16()), "{path}: {}", answer.text());
    }
    assert!([502, 503].contains(&search(&world, &ada, 0).await.status.as_u16()));
}
