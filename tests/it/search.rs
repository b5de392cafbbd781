//! `POST /v1/videos/search` and `GET /v1/hashtags/{name}`, held against the stand-in's catalogue.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use local::standins::tiktok::{CatalogueVideo, Counts, Endpoint, Fault};
use serde_json::{Value, json};
use time::{Date, Duration, macros::date};
use vidintel::{
    plans::Plan,
    video::{Position, SearchRequest, recent_days},
};

use crate::util::{
    Customer, World, app_of, assert_problem,
    catalogue::{Holds, Made, day_of, hashtags, ids, ids_in, median_views, sums},
    endpoints::ask,
    objections::with_research,
};

const SEARCH: &str = "/v1/videos/search";

/// The last days of the catalogue, as many as a search may cover.
const DAYS: (Date, Date) = (date!(2026 - 09 - 29), date!(2026 - 10 - 28));

/// A search that finds every video of `days`.
fn everything(days: (Date, Date)) -> Value {
    let all = json!([{ "field": "creator", "values": ["nobody.at.all"] }]);
    json!({ "not": all, "from": days.0.to_string(), "to": days.1.to_string(), "limit": 50 })
}

fn with(mut search: Value, name: &str, value: impl Into<Value>) -> Value {
    search[name] = value.into();
    search
}

async fn page(world: &World, customer: &Customer, search: &Value) -> Value {
    let answer = world.post(SEARCH, search, customer).await;
    assert_eq!(answer.status, 200, "{search}: {}", answer.text());
    answer.json()
}

/// The videos of every page, and how many pages there were.
async fn pages(world: &World, customer: &Customer, search: &Value) -> (Vec<Value>, usize) {
    let (mut videos, mut count, mut search) = (Vec::new(), 0, search.clone());
    loop {
        let mut page = page(world, customer, &search).await;
        videos.append(page["videos"].as_array_mut().expect("videos"));
        count += 1;
        assert!(count < 100, "the pages never end");
        match page["next_cursor"].take() {
            Value::Null => return (videos, count),
            cursor => search["cursor"] = cursor,
        }
    }
}

/// Eleven windows over the catalogue, from its last days backwards.
fn windows() -> Vec<(Date, Date)> {
    (0..11).map(|n| Duration::days(90 * n)).map(|it| (DAYS.0 - it, DAYS.1 - it)).collect()
}

/// Searches with conditions.
struct Conditions<'a> {
    world: &'a World,
    customer: &'a Customer,
}

impl Conditions<'_> {
    /// Checks what is found: `told` is what the answer tells of them, `other` what only TikTok can tell.
    async fn find(&self, conditions: Value, told: Holds<'_>, other: Holds<'_>) {
        let (mut found, mut all) = (0, 0);
        for days in windows() {
            let mut search = everything(days);
            search.as_object_mut().expect("an object").remove("not");
            for (name, list) in conditions.as_object().expect("an object") {
                search[name] = list.clone();
            }
            let expected = self.world.searched(days, told, other);
            let answer = page(self.world, self.customer, &search).await;
            assert_eq!(ids_in(&answer["videos"]), ids(&expected), "{search}");
            assert_eq!(answer["hashtags"], hashtags(&expected, None), "{search}");
            assert_eq!(answer["next_cursor"], Value::Null);
            found += expected.len();
            all += self.world.searched(days, &|_| true, &|_| true).len();
        }
        assert!(
            0 < found && found < all,
            "{conditions} finds {found} of {all}: that shows nothing"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_is_what_the_conditions_say() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    // Nobody has more than half of a day's calls, so what is asked for is not too much.
    let one = |field: &str, values: Value| json!({ "field": field, "values": values });
    let compared = |field: &str, operation: &str, value: &str| json!({ "field": field, "operation": operation, "values": [value] });
    let any: Holds<'_> = &|_| true;
    let known = world.researched();
    let sound = known[known.len() - 5].music_id;
    // In any letters, with the marks or without.
    let creators = one("creator", json!(["@Alba.Bakes", "tiny.trains", "moss.maps"]));
    let is_theirs =
        |it: &CatalogueVideo| ["alba.bakes", "tiny.trains", "moss.maps"].contains(&it.username);
    let tags = one("hashtag", json!(["#sourdough", "hens"]));
    let is_tagged = |it: &CatalogueVideo| has(it, "sourdough") || has(it, "hens");
    let search = Conditions { world: &world, customer: &ada };
    let and = |condition: Value| json!({ "and": [condition] });
    search.find(and(creators.clone()), &is_theirs, any).await;
    search.find(and(tags.clone()), &is_tagged, any).await;
    search.find(and(compared("hashtag", "eq", "スープ")), &|it| has(it, "スープ"), any).await;
    search.find(json!({ "or": [creators, tags] }), &|it| is_theirs(it) || is_tagged(it), any).await;
    let words = "before breakfast";
    search.find(and(one("keyword", json!([words]))), any, &|it| it.caption.contains(words)).await;
    let regions = one("region", json!(["de", "IE"]));
    search.find(and(regions), any, &|it| matches!(it.region, Some("DE" | "IE"))).await;
    let sounds = one("sound", json!([sound.to_string()]));
    search.find(and(sounds), any, &|it| it.music_id == sound).await;
    search.find(and(one("length", json!(["short"]))), any, &|it| it.duration < 15).await;
    let lengths = one("length", json!(["mid", "extra_long"]));
    let is_as_long = |it: &CatalogueVideo| (15..=60).contains(&it.duration) || it.duration > 300;
    search.find(and(lengths), any, &is_as_long).await;
    let more_than = |it: &CatalogueVideo, than| views(it).is_some_and(|views| views > than);
    let popular = compared("views", "gt", "2500000");
    search.find(and(popular.clone()), any, &|it| more_than(it, 2_500_000)).await;
    search.find(and(compared("views", "lte", "0")), any, &|it| views(it) == Some(0)).await;
    // All three lists together.
    let all = json!({
        "and": [compared("views", "gte", "1")],
        "or": [tags, popular],
        "not": [creators, one("length", json!(["extra_long"]))],
    });
    let holds = |it: &CatalogueVideo| {
        let is_one = is_tagged(it) || more_than(it, 2_500_000);
        more_than(it, 0) && is_one && it.duration <= 300
    };
    search.find(all, &|it| !is_theirs(it), &holds).await;
}

fn has(video: &CatalogueVideo, tag: &str) -> bool {
    video.hashtags.iter().any(|it| it == tag)
}

fn views(video: &CatalogueVideo) -> Option<u64> {
    video.statistics.map(|it| it.views)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_days_are_those_of_the_search_both_included() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let video = *world.researched().last().expect("a video");
    let day = day_of(video);
    let calls = world.cloud.tiktok.counts().research;
    // Whichever way TikTok counts the last day.
    for is_inclusive in [true, false] {
        world.cloud.tiktok.set_end_inclusive(is_inclusive);
        for (days, is_in) in [
            ((day, day), true),
            ((day - Duration::days(29), day), true),
            ((day - Duration::days(29), day - Duration::days(1)), false),
            ((day + Duration::days(1), day + Duration::days(20)), false),
        ] {
            // One a page: none of the day after is stepped over on the way.
            let search = with(everything(days), "limit", 1);
            let found = page(&world, &ada, &search).await;
            let found = ids_in(&found["videos"]).contains(&video.id.to_string());
            assert_eq!(found, is_in, "{days:?} {is_inclusive}");
        }
        world.wait(Duration::hours(1));
    }
    assert_eq!(world.cloud.tiktok.counts().research, calls + 8);
    let too_long = everything((day - Duration::days(30), day));
    assert_problem(&world.post(SEARCH, &too_long, &ada).await, 400, "invalid-value");
    let from_tomorrow = json!({
        "not": everything(DAYS)["not"], "from": "2026-11-25", "to": "2026-11-26",
    });
    assert_problem(&world.post(SEARCH, &from_tomorrow, &ada).await, 400, "invalid-value");
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_leads_through_every_video_once_whatever_the_source_does() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let expected = world.searched(DAYS, &|_| true, &|_| true);
    assert!(expected.len() >= 7, "too few videos to page through: {}", expected.len());
    let faults = [
        Fault::None,
        Fault::StaleSearchId,
        Fault::ShortPages,
        Fault::DropFields,
        Fault::NewSearchIds,
        Fault::InvalidCursor(1),
    ];
    for fault in faults {
        world.cloud.tiktok.fault(Endpoint::Research, fault);
        let limits: &[usize] = match fault {
            // Each page takes its time.
            Fault::InvalidCursor(_) => &[3],
            _ => &[1, 2, 3, 5, 50],
        };
        for &limit in limits {
            let search = with(everything(DAYS), "limit", limit);
            let (videos, count) = pages(&world, &ada, &search).await;
            assert_eq!(ids_in(&json!(videos)), ids(&expected), "{fault:?} by {limit}");
            assert!(count >= expected.len().div_ceil(limit), "{fault:?} by {limit}: {count} pages");
            let views = videos.iter().filter(|it| !it["statistics"]["views"]["value"].is_null());
            let known = expected.iter().filter(|it| it.statistics.is_some()).count();
            let is_dropped = fault == Fault::DropFields;
            assert_eq!(views.count(), if is_dropped { 0 } else { known }, "{fault:?}");
            for video in videos.iter().filter(|_| is_dropped) {
                assert_eq!(video["statistics"]["views"]["reason"], "absent_in_answer");
                assert_eq!(video["engagement"]["share_rate"]["reason"], "missing_input");
            }
        }
        // Nothing of the cache helps the next one.
        world.wait(Duration::hours(1));
    }
}

/// More videos than TikTok gives at once, in pages that end elsewhere than TikTok's.
#[tokio::test(flavor = "multi_thread")]
async fn paging_goes_on_where_the_source_s_own_pages_end() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let made = Made::default();
    let mut expected: Vec<String> = made.of("moss.maps", 230, 2).map(|it| world.add(it)).collect();
    expected.reverse();
    let hens = json!([{ "field": "hashtag", "values": ["made"] }]);
    for fault in [Fault::None, Fault::NewSearchIds, Fault::ShortPages, Fault::StaleSearchId] {
        world.cloud.tiktok.fault(Endpoint::Research, fault);
        for limit in [50, 35, 23] {
            let days = (Made::DAYS.0.to_string(), Made::DAYS.1.to_string());
            let search = json!({ "and": hens, "from": days.0, "to": days.1, "limit": limit });
            let calls = world.cloud.tiktok.counts().research;
            let (videos, count) = pages(&world, &ada, &search).await;
            assert_eq!(ids_in(&json!(videos)), expected, "{fault:?} by {limit}");
            if fault == Fault::None {
                // Full, all but the last one, and no more calls than it takes.
                assert_eq!(count, expected.len().div_ceil(limit));
                let made = world.cloud.tiktok.counts().research - calls;
                assert_eq!(made, if limit == 50 { 3 } else { 0 }, "{limit}");
            }
        }
        world.wait(Duration::hours(1));
    }
    // A sample of them is of one call, and says that there are more.
    world.cloud.tiktok.fault(Endpoint::Research, Fault::None);
    world.cloud.clock.set(Made::AFTER);
    let calls = world.cloud.tiktok.counts().research;
    let found = world.get("/v1/hashtags/made", &ada).await.json();
    assert_eq!(
        (&found["sample"]["videos"], &found["sample"]["is_whole"]),
        (&json!(50), &json!(false))
    );
    assert_eq!(world.cloud.tiktok.counts().research, calls + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_belongs_to_its_search_and_ends_with_it() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let search = with(everything(DAYS), "limit", 2);
    let cursor = page(&world, &ada, &search).await["next_cursor"].clone();
    assert!(cursor.is_string());
    let calls = world.cloud.tiktok.counts().research;
    for other in [
        with(with(search.clone(), "cursor", cursor.clone()), "limit", 3),
        with(with(search.clone(), "cursor", cursor.clone()), "to", "2026-10-27"),
        with(
            with(search.clone(), "cursor", cursor.clone()),
            "and",
            json!([{ "field": "region", "values": ["DE"] }]),
        ),
        with(search.clone(), "cursor", "bm90IGEgY3Vyc29y"),
        with(search.clone(), "cursor", "…"),
    ] {
        let answer = world.post(SEARCH, &other, &ada).await;
        assert_problem(&answer, 400, "invalid-value");
        assert!(answer.text().contains("cursor"), "{}", answer.text());
    }
    assert_eq!(world.cloud.tiktok.counts().research, calls, "nothing was asked for these");

    let used = world.used(&ada).await;
    let request: SearchRequest = serde_json::from_value(search.clone()).expect("a search");
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let cursors = app.cursors().await.expect("the secret");
    let checked = request.check(&cursors, world.cloud.clock.now()).expect("a good one");
    // TikTok knows of no such search. One of an hour ago may still be on its way into its cache…
    let issued = |hours: i64| {
        let issued_at = (world.cloud.clock.now() - Duration::hours(hours)).unix_timestamp();
        let search_id = Some("7300000000000000777".to_owned());
        let begun_at = issued_at;
        let position =
            Position { cursor: 2, search_id, issued_at, begun_at, ..Position::default() };
        let cursor = checked.cursor(&cursors, &position).expect("sealed");
        with(search.clone(), "cursor", cursor)
    };
    let answer = world.post(SEARCH, &issued(1), &ada).await;
    assert_problem(&answer, 503, "source-busy");
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(world.cloud.tiktok.counts().research, calls + 2);
    // …and one of some hours ago has ended, which is not worth asking twice.
    world.wait(Duration::seconds(30));
    let answer = world.post(SEARCH, &issued(3), &ada).await;
    assert_problem(&answer, 410, "cursor-expired");
    assert_eq!(world.cloud.tiktok.counts().research, calls + 3);
    assert_problem(&world.post(SEARCH, &issued(-1), &ada).await, 400, "invalid-value");
    assert_eq!(world.used(&ada).await, used, "none of it was charged");
    assert_eq!(world.post(SEARCH, &with(search, "cursor", cursor), &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_search_is_asked_for_once_within_the_hour() {
    let world = with_research().await;
    let customers =
        [world.customer("ada@example.com").await, world.customer("bob@example.com").await];
    let search = |tag: &str, to: &str| {
        let tags = json!([{ "field": "hashtag", "values": [tag] }]);
        json!({ "and": tags, "from": "2026-10-01", "to": to })
    };
    let first = page(&world, &customers[0], &search("hens", "2026-10-28")).await;
    assert_eq!((&first["cached"], &first["age_seconds"]), (&json!(false), &json!(0)));
    let calls = world.cloud.tiktok.counts();
    world.wait(Duration::minutes(59));
    let again = page(&world, &customers[1], &search("#hens", "2026-10-28")).await;
    assert_eq!((&again["cached"], &again["age_seconds"]), (&json!(true), &json!(59 * 60)));
    assert_eq!(ids_in(&again["videos"]), ids_in(&first["videos"]));
    assert_eq!(world.cloud.tiktok.counts(), calls);
    // Another search is another one.
    let other = page(&world, &customers[1], &search("hens", "2026-10-27")).await;
    assert_eq!(other["cached"], false);
    world.wait(Duration::minutes(1));
    let late = page(&world, &customers[0], &search("hens", "2026-10-28")).await;
    assert_eq!((&late["cached"], &late["age_seconds"]), (&json!(false), &json!(0)));
    assert_eq!(world.cloud.tiktok.counts().research, calls.research + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_country_is_for_plans_that_include_it_whoever_asked_first() {
    let world = with_research().await;
    let expected = world.searched(DAYS, &|_| true, &|_| true);
    let country = |customer: Customer, path: &'static str| {
        let world = &world;
        async move {
            match path {
                SEARCH => page(world, &customer, &everything(DAYS)).await["videos"].clone(),
                path => world.get(path, &customer).await.json()["regions"].clone(),
            }
        }
    };
    // The one before has put it into the cache for the next one.
    for (n, plan) in [Plan::Pro, Plan::Free, Plan::Business, Plan::Basic].into_iter().enumerate() {
        let customer = world.customer(&format!("customer-{n}@example.com")).await;
        world.upgrade(&customer, plan).await;
        let videos = country(customer.clone(), SEARCH).await;
        let videos = videos.as_array().expect("videos");
        assert_eq!(videos.len(), expected.len());
        for (video, expected) in videos.iter().zip(&expected) {
            let country = &video["country"];
            if plan.includes_country() {
                assert_eq!(country["value"], json!(expected.region), "{plan:?}");
            } else {
                assert_eq!(country["reason"], "plan_does_not_include", "{plan:?}");
                assert!(country["value"].is_null(), "{plan:?}");
            }
        }
        let regions = country(customer, "/v1/hashtags/sourdough").await;
        let is_withheld = regions["reason"] == "plan_does_not_include";
        assert_eq!(is_withheld, !plan.includes_country(), "{plan:?}: {regions}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_the_region_are_for_plans_that_include_the_country() {
    let world = with_research().await;
    let customer = world.customer("ada@example.com").await;
    let region = json!([{ "field": "region", "values": ["DE"] }]);
    let (from, to) = (DAYS.0.to_string(), DAYS.1.to_string());
    let creator = json!([{ "field": "creator", "values": ["alba.bakes"] }]);
    let searches = [
        json!({ "and": region, "from": from, "to": to }),
        json!({ "and": creator, "or": region, "from": from, "to": to }),
        json!({ "and": creator, "not": region, "from": from, "to": to }),
    ];
    for plan in [Plan::Free, Plan::Basic] {
        world.upgrade(&customer, plan).await;
        let test = world.test_key(&customer).await;
        for search in &searches {
            for who in [&customer, &test] {
                let answer = world.post(SEARCH, search, who).await;
                assert_problem(&answer, 403, "plan-does-not-include");
                let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
                assert!(detail.contains("`region`") && detail.contains("/v1/plans"), "{detail}");
            }
        }
    }
    assert_eq!(world.cloud.tiktok.counts(), Counts::default(), "nothing was asked");
    assert_eq!(world.used(&customer).await, 0);
    for plan in [Plan::Pro, Plan::Business] {
        world.upgrade(&customer, plan).await;
        for search in &searches {
            assert_eq!(world.post(SEARCH, search, &customer).await.status, 200, "{search}");
        }
    }
    // What those found, the plans before are not told either.
    world.upgrade(&customer, Plan::Basic).await;
    for search in &searches {
        let answer = world.post(SEARCH, search, &customer).await;
        assert_problem(&answer, 403, "plan-does-not-include");
    }
}

/// No country in any answer, whatever it is called.
fn names_no_country(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().all(|(name, value)| match name.as_str() {
            "country" | "regions" => value.is_null() || value["value"].is_null(),
            _ => names_no_country(value),
        }),
        Value::Array(entries) => entries.iter().all(names_no_country),
        _ => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_endpoint_tells_a_smaller_plan_the_country() {
    let world = with_research().await;
    let (ada, bob) =
        (world.paying("ada@example.com").await, world.customer("bob@example.com").await);
    world.upgrade(&bob, Plan::Basic).await;
    let known = |n: &usize| {
        let it = &world.cloud.tiktok.catalogue()[*n];
        it.region.is_some() && it.in_research && it.in_oembed
    };
    let n = (0..).find(known).expect("a video");
    let mut told = 0;
    for request in crate::util::endpoints::metered(&world, n) {
        // From the sources and from the cache.
        let (whole, less) = (ask(&world, &ada, &request).await, ask(&world, &bob, &request).await);
        assert_eq!((whole.status.as_u16(), less.status.as_u16()), (200, 200), "{request:?}");
        told += usize::from(!names_no_country(&whole.json()));
        assert!(names_no_country(&less.json()), "{request:?}: {}", less.text());
        let (method, path, body) = &request;
        for more in ["fields=country", "fields=regions", "fields=videos.country", "trim=true"] {
            let path = format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' });
            let answer = ask(&world, &bob, &(*method, path, body.clone())).await;
            assert!([200, 400].contains(&answer.status.as_u16()), "{}", answer.text());
            assert!(names_no_country(&answer.json()), "{request:?} {more}: {}", answer.text());
        }
    }
    assert!(told >= 3, "only {told} answers name a country: that shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hashtag_is_told_from_its_newest_videos() {
    let world = with_research().await;
    let busiest = world.go_to_the_busiest(|it| it.hashtags[0].clone());
    let ada = world.paying("ada@example.com").await;
    let days = recent_days(world.cloud.clock.now());
    for name in [&busiest, "madeup1", "スープ", "nobody-uses-this"] {
        let expected = world.searched(days, &|it| has(it, name), &|_| true);
        let path: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = world.get(&format!("/v1/hashtags/{path}"), &ada).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let found = answer.json();
        assert_eq!(found["name"], name);
        let creators: BTreeSet<_> = expected.iter().map(|it| it.username).collect();
        let sample = json!({
            "from": days.0.to_string(), "to": days.1.to_string(), "videos": expected.len(),
            "creators": creators.len(), "is_whole": true,
        });
        assert_eq!(found["sample"], sample);
        assert_eq!(found["hashtags"], hashtags(&expected, Some(name)));
        let median = median_views(&expected);
        assert!(median.is_some() || name != busiest, "too few videos to show anything");
        assert_eq!(found["median_views"]["value"], json!(median), "{name}");
        if median.is_none() {
            assert_eq!(found["median_views"]["reason"], "too_few", "{name}");
        }
        let rate = &found["engagement_rate_by_views"];
        match sums(&expected) {
            Some([likes, comments, shares, views]) if views > 0 => {
                let expected = (likes + comments + shares) as f64 / views as f64;
                let value = rate["value"].as_f64().expect("a number");
                assert!((value - expected).abs() < 1e-12, "{name}: {value} is not {expected}");
            }
            Some(_) => assert_eq!(rate["reason"], "zero_denominator", "{name}"),
            None => assert_eq!(rate["reason"], "missing_input", "{name}"),
        }
        let mut regions = BTreeMap::new();
        for region in expected.iter().filter_map(|it| it.region) {
            *regions.entry(region).or_insert(0) += 1;
        }
        let listed = found["regions"]["value"].as_array().cloned().unwrap_or_default();
        assert!(listed.is_sorted_by_key(|it| Reverse(it["videos"].as_u64())));
        let listed = listed.iter().map(|it| {
            (it["country"].as_str().expect("a code"), it["videos"].as_i64().expect("a number"))
        });
        assert_eq!(listed.collect::<BTreeMap<_, _>>(), regions, "{name}");
    }
    let again = world.get("/v1/hashtags/madeup1", &ada).await.json();
    assert_eq!(again["cached"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_research_each_endpoint_that_needs_it_says_so_at_no_cost() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let id = world.video_id(0);
    for path in [
        "/v1/creators/alba.bakes".to_owned(),
        "/v1/creators/alba.bakes/videos".to_owned(),
        "/v1/hashtags/sourdough".to_owned(),
        format!("/v1/videos/{id}/comments"),
    ] {
        let answer = world.get(&path, &ada).await;
        assert_problem(&answer, 409, "source-not-enabled");
        assert!(answer.text().contains("TikTokResearch"), "{path}: {}", answer.text());
    }
    let answer = world.post(SEARCH, &everything(DAYS), &ada).await;
    assert_problem(&answer, 409, "source-not-enabled");
    assert!(answer.text().contains("TikTokResearch"), "{}", answer.text());
    assert_eq!(world.used(&ada).await, 0);
    assert_eq!(world.cloud.tiktok.counts(), Counts::default(), "nothing was asked");
    // What oEmbed knows is answered all the same.
    let video = world.get(&format!("/v1/videos/{id}?include=creator"), &ada).await.json();
    for figure in ["views_to_followers", "outlier_multiple", "engagement_rate_by_followers"] {
        assert_eq!(video["engagement"][figure]["reason"], "source_disabled");
    }
    assert_eq!(world.used(&ada).await, 1);
}
