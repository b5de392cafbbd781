//! Whatever is searched for, in worlds that differ only in the videos of a creator who objected everything that
//! is answered is the same, to the letter: pages and their lengths, whether there are more, what is counted,
//! what is charged, what is said to be of the cache. Only what cursors hold is not compared; their length is.

use std::{collections::BTreeSet, time::Duration as Wait};

use local::{
    http::Response,
    standins::tiktok::{Endpoint, Fault},
};
use serde_json::{Value, json};
use time::Duration;

use crate::util::{
    Customer, World, assert_problem,
    catalogue::{Made, ids_in},
    objections::{CREATOR, own_list, with_research},
    research::{spent, with_cursor},
};

const SEARCH: &str = "/v1/videos/search";
const OTHERS: [&str; 3] = ["moss.maps", "tiny.trains", "hilltop.hens"];

/// How many videos may be shown.
const SHOWN: u64 = 150;

/// A world in which others made the same videos, and the creator who objected some: every `hours`, which
/// begin `shift` seconds later, none where `count` is zero.
async fn with_theirs(count: u64, hours: u64, shift: u64) -> (World, Customer) {
    let world = with_research().await;
    let made = Made::default();
    for (n, mut video) in made.of(OTHERS[0], SHOWN, 3).enumerate() {
        video.username = OTHERS[n % 3];
        world.add(video);
    }
    for video in (Made { shift }).of(CREATOR, count, hours) {
        world.add(video);
    }
    let ada = world.paying("ada@example.com").await;
    (world, ada)
}

/// A world with many of theirs, one with some at other times and so with other values, and one with none.
async fn worlds() -> [(World, Customer); 3] {
    let worlds = futures_util::join!(
        with_theirs(80, 6, 1_800),
        with_theirs(47, 9, 5_000),
        with_theirs(0, 1, 0)
    );
    worlds.into()
}

async fn object(worlds: &[(World, Customer); 3]) {
    for (world, _) in worlds {
        let list = own_list(world).await;
        list.object(CREATOR, world.cloud.clock.now()).await.expect("objected");
    }
}

/// A search that finds all that was made.
fn plain(limit: u64) -> Value {
    json!({
        "and": [{ "field": "hashtag", "values": ["made"] }],
        "from": Made::DAYS.0.to_string(), "to": Made::DAYS.1.to_string(), "limit": limit,
    })
}

/// What an answer tells, with nothing of a cursor but its length.
fn told(answer: &Response) -> Value {
    let mut body = answer.json();
    if let Some(object) = body.as_object_mut() {
        object.remove("request_id");
        // Each world has an address of its own.
        object
            .entry("type")
            .and_modify(|it| *it = it.as_str().and_then(|it| it.rsplit('/').next()).into());
        if let Some(cursor) = object.get_mut("next_cursor").filter(|it| it.is_string()) {
            *cursor = json!({ "length": cursor.as_str().map(str::len) });
        }
    }
    let limits = answer.header("ratelimit").map(str::to_owned);
    let wait = answer.header("retry-after").map(str::to_owned);
    json!({ "status": answer.status.as_u16(), "limits": limits, "wait": wait, "body": body })
}

/// Asks without forgetting what other tests' endpoints have counted: there are many searches here, and many keys.
async fn ask(world: &World, customer: &Customer, search: &Value) -> Response {
    let client = world.cloud.client();
    client.post(SEARCH, search).key(&customer.key).send().await.expect("an answer")
}

/// Everything that can be told from paging through `search`, and from asking for its first page once more.
async fn walk(world: &World, customer: &Customer, search: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let mut page = search.clone();
    for n in 0..6 {
        let answer = ask(world, customer, &page).await;
        all.push(told(&answer));
        // So that blocks are fetched at different times.
        world.wait(Duration::seconds(20 + n));
        match answer.json()["next_cursor"].take() {
            Value::String(cursor) => page["cursor"] = cursor.into(),
            _ => break,
        }
    }
    let again = ask(world, customer, search).await;
    all.push(told(&again));
    world.wait(Duration::minutes(1));
    all
}

/// Fails where the first two worlds tell anything else than the last one.
fn assert_same(told: &[Vec<Value>], what: &str) {
    for other in &told[..2] {
        for (n, (here, there)) in other.iter().zip(&told[2]).enumerate() {
            assert_eq!(here, there, "answer {n} of {what}");
        }
        assert_eq!(other.len(), told[2].len(), "{what}");
    }
}

/// One condition of each kind: each field, each operation that it has.
fn conditions() -> Vec<Value> {
    let one = |field: &str, operation: &str, values: &[&str]| json!({ "field": field, "operation": operation, "values": values });
    let mut all = vec![
        one("keyword", "in", &["alpha", "gamma"]),
        one("keyword", "eq", &["number 3"]),
        one("hashtag", "in", &["mod1", "mod2", "mod3"]),
        one("hashtag", "eq", &["made"]),
        one("creator", "in", &[OTHERS[0], OTHERS[1]]),
        one("creator", "eq", &[OTHERS[2]]),
        one("region", "in", &["DE", "IE"]),
        one("region", "eq", &["FR"]),
        one("sound", "in", &["1000", "1001"]),
        one("sound", "eq", &["1002"]),
        one("effect", "in", &["500", "501"]),
        one("effect", "eq", &["502"]),
        one("length", "in", &["short", "long"]),
        one("length", "eq", &["mid"]),
    ];
    for (field, value) in [("views", "3000"), ("comments", "20")] {
        let operations = ["in", "eq", "gt", "gte", "lt", "lte"];
        all.extend(operations.map(|operation| one(field, operation, &[value])));
    }
    all
}

/// Each condition as one that must hold, one that must not, and with others.
fn searches() -> Vec<Value> {
    let limits = [50, 40, 49, 33, 7];
    let theirs =
        json!({ "field": "creator", "operation": "in", "values": [CREATOR, "nobody.at.all"] });
    let (tag, many) = (
        json!({ "field": "hashtag", "values": ["mod5", "mod6"] }),
        json!({ "field": "views", "operation": "gte", "values": ["6000"] }),
    );
    let mut searches = vec![
        json!({ "not": [theirs] }),
        json!({ "and": [{ "field": "hashtag", "values": ["made"] }], "not": [theirs, tag] }),
    ];
    for condition in conditions() {
        searches.extend([
            json!({ "and": [condition] }),
            json!({ "not": [condition] }),
            json!({ "and": [many], "or": [condition, tag] }),
            json!({ "and": [condition], "not": [theirs, tag] }),
        ]);
    }
    for (n, search) in searches.iter_mut().enumerate() {
        search["from"] = Made::DAYS.0.to_string().into();
        search["to"] = Made::DAYS.1.to_string().into();
        search["limit"] = limits[n % limits.len()].into();
    }
    searches
}

#[test]
fn every_field_and_operation_is_among_the_conditions() {
    let document: Value =
        serde_json::from_str(&vidintel::openapi::json("support@example.com")).expect("JSON");
    let described = |schema: &str| {
        let each = document["components"]["schemas"][schema]["enum"].as_array().expect("choices");
        each.iter().map(|it| it.as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>()
    };
    let used = |of: &str| {
        let all = conditions();
        all.iter().map(|it| it[of].as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(used("field"), described("SearchField"));
    assert_eq!(used("operation"), described("Operation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_search_tells_anything_of_the_videos_of_who_objected() {
    let worlds = worlds().await;
    // Without the objection they do differ.
    let mut before = Vec::new();
    for (world, ada) in &worlds {
        let page = world.post(SEARCH, &plain(30), ada).await.json();
        before.push(ids_in(&page["videos"]));
    }
    object(&worlds).await;
    assert!(before[0] != before[1] && before[1] != before[2] && before[0] != before[2]);
    for search in searches() {
        let told = futures_util::future::join_all(
            worlds.iter().map(|(world, ada)| walk(world, ada, &search)),
        )
        .await;
        assert_same(&told, &search.to_string());
    }
    // Pages are full, and end where there is nothing more.
    let whole = plain(50);
    for (world, ada) in &worlds {
        let (mut page, mut lengths) = (whole.clone(), Vec::new());
        while !page["cursor"].is_null() || lengths.is_empty() {
            let answer = world.post(SEARCH, &page, ada).await.json();
            lengths.push(answer["videos"].as_array().map_or(0, Vec::len));
            page = with_cursor(&whole, &answer);
        }
        assert_eq!(lengths, [50, 50, SHOWN as usize - 100]);
    }
    // Whoever objects themselves, which changes what is cached, sees nothing by it either.
    let mut told = Vec::new();
    for (world, ada) in &worlds {
        world.wait(Duration::minutes(5));
        let list = own_list(world).await;
        list.object("somebody.else", world.cloud.clock.now()).await.expect("objected");
        told.push(walk(world, ada, &whole).await);
    }
    assert!(told[0] == told[2] && told[1] == told[2], "{told:#?}");
    // Nor do lists of other kinds, nor what is counted.
    for path in [
        "/v1/hashtags/made".to_owned(),
        "/v1/hashtags/mod3".to_owned(),
        format!("/v1/creators/{}", OTHERS[0]),
        format!("/v1/creators/{}/videos?limit=20", OTHERS[0]),
        "/v1/usage".to_owned(),
    ] {
        let mut told = Vec::new();
        for (world, ada) in &worlds {
            world.run_job("RollUpUsageFunction").await;
            for _ in 0..2 {
                let mut answer = world.get(&path, ada).await.json();
                // How long requests took is no answer of the search; see docs/ARCHITECTURE.md.
                if let Some(days) = answer["days"].as_array_mut() {
                    days.iter_mut().for_each(|day| drop(day["latency_ms"].take()));
                }
                if answer["next_cursor"].is_string() {
                    answer["next_cursor"] = true.into();
                }
                told.push(answer);
            }
        }
        assert!(told[0] == told[4] && told[2] == told[4], "{path}: {told:#?}");
        assert!(told[1] == told[5] && told[3] == told[5], "{path}: {told:#?}");
    }
}

/// Why there is no more of a search.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// At the source.
    Source(Fault),
    /// The service has asked as often as it may in a day.
    UsedUp,
}

impl Trouble {
    async fn begin(self, world: &World) {
        match self {
            Self::Source(fault) => world.cloud.tiktok.fault(Endpoint::Research, fault),
            Self::UsedUp => spent(world, "research", 1_000, 3).await,
        }
    }
}

/// A page needs another block of the source the sooner the more is left out of one: that it is not given must
/// not show how much that is, by the pages before it, by when it comes to that or by what it costs.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_source_gives_no_more_nothing_of_theirs_can_be_told_from_where_it_ends() {
    let worlds = worlds().await;
    object(&worlds).await;
    let troubles = [
        Trouble::Source(Fault::StaleFor(Wait::from_secs(3_000))),
        Trouble::Source(Fault::Status(500)),
        Trouble::Source(Fault::QuotaExceeded),
        Trouble::UsedUp,
    ];
    for (n, trouble) in troubles.into_iter().enumerate() {
        for limit in [50, 49, 30, 7] {
            let mut each = Vec::new();
            for (world, ada) in &worlds {
                world.cloud.tiktok.fault(Endpoint::Research, Fault::None);
                let mut search = plain(limit);
                // A search of its own, of which no block is there yet.
                let word = format!("none {n} {limit}");
                search["not"] = json!([{ "field": "keyword", "values": [word] }]);
                let mut all = Vec::new();
                let mut page = search.clone();
                for pages in 0..30 {
                    let answer = ask(world, ada, &page).await;
                    all.push(told(&answer));
                    if pages == 0 {
                        trouble.begin(world).await;
                    }
                    match answer.json()["next_cursor"].take() {
                        Value::String(cursor) => page["cursor"] = cursor.into(),
                        _ => break,
                    }
                }
                for seconds in [0, 1, 5, 60] {
                    world.wait(Duration::seconds(seconds));
                    all.push(told(&ask(world, ada, &page).await));
                }
                let health = world.send(world.cloud.client().get("/health")).await;
                all.push(told(&health));
                all.push(world.cloud.tiktok.counts().research.into());
                // Another hour of the cache, or another day of the service.
                let used_up = matches!(trouble, Trouble::UsedUp);
                world.wait(Duration::hours(if used_up { 24 } else { 2 }));
                each.push(all);
            }
            assert!(
                each[0].iter().any(|it| it["status"].as_u64() > Some(200)),
                "{trouble:?} by {limit}"
            );
            assert_same(&each, &format!("{trouble:?} by {limit}"));
        }
    }
}

/// That a creator objected is no secret: the creator's own address says so. All else that a search for them
/// could tell is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_who_objected_is_refused_whatever_they_made() {
    for count in [30, 0] {
        let (world, ada) = with_theirs(count, 5, 1_800).await;
        let list = own_list(&world).await;
        list.object(CREATOR, world.cloud.clock.now()).await.expect("objected");
        let theirs = json!({ "field": "creator", "values": [OTHERS[0], CREATOR] });
        for list in ["and", "or"] {
            let search = json!({
                list: [theirs], "not": [{ "field": "keyword", "values": ["alpha"] }],
                "from": Made::DAYS.0.to_string(), "to": Made::DAYS.1.to_string(),
            });
            let answer = world.post(SEARCH, &search, &ada).await;
            assert_problem(&answer, 451, "creator-objected");
        }
        assert_problem(
            &world.get(&format!("/v1/creators/{CREATOR}"), &ada).await,
            451,
            "creator-objected",
        );
        assert_eq!(world.used(&ada).await, 0);
    }
}
