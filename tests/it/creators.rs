//! `GET /v1/creators/{username}`, its videos, and `GET /v1/videos/{video_id}/comments`, held against the
//! stand-in's catalogue.

use std::collections::BTreeSet;

use local::standins::tiktok::{CatalogueVideo, Endpoint, Fault};
use serde_json::{Value, json};
use time::OffsetDateTime;
use vidintel::video::recent_days;

use crate::util::{
    Customer, World, assert_problem,
    catalogue::{ids, ids_in, median_views, sums},
    objections::with_research,
};

/// The stand-in's Research does not speak of this one…
const WITHHELD: &str = "ebb_and_tide";
/// …leaves most out of the answer about this one…
const SPARSE: &str = "grid.runner";
/// …and this one has no followers.
const UNFOLLOWED: &str = "tiny.trains";

async fn creator(world: &World, customer: &Customer, name: &str) -> Value {
    let answer = world.get(&format!("/v1/creators/{name}"), customer).await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    answer.json()
}

fn videos_of<'a>(world: &'a World, name: &str) -> Vec<&'a CatalogueVideo> {
    world.searched(recent_days(world.cloud.clock.now()), &|it| it.username == name, &|_| true)
}

fn close_to(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|it| (it - expected).abs() <= expected.abs() * 1e-12)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_of_the_creators_own_recent_videos() {
    let world = with_research().await;
    let name = world.go_to_the_busiest(|it| it.username.to_owned());
    let ada = world.paying("ada@example.com").await;
    let now = world.cloud.clock.now();
    let days = recent_days(now);
    let expected = videos_of(&world, &name);
    assert!(expected.len() >= 3, "too few videos to show anything: {}", expected.len());
    let found = creator(&world, &ada, &name).await;
    let recent = &found["recent"];
    let sample = json!({
        "from": days.0.to_string(), "to": days.1.to_string(), "videos": expected.len(),
        "creators": 1, "is_whole": true,
    });
    assert_eq!(recent["sample"], sample);
    let median = median_views(&expected).expect("a median");
    assert_eq!(recent["median_views"]["value"], median);
    let [likes, comments, shares, views] = sums(&expected).expect("counts");
    let rate = &recent["engagement_rate_by_views"];
    assert!(close_to(&rate["value"], (likes + comments + shares) as f64 / views as f64), "{rate}");
    let inputs = json!({ "likes": likes, "comments": comments, "shares": shares, "views": views });
    assert_eq!(rate["inputs"], inputs);
    let (mut hours, mut weekdays) = (vec![0; 24], vec![0; 7]);
    for video in &expected {
        let at = OffsetDateTime::from_unix_timestamp(video.create_time).expect("in range");
        hours[usize::from(at.hour())] += 1;
        weekdays[usize::from(at.weekday().number_days_from_monday())] += 1;
    }
    let times = json!({ "by_hour": hours, "by_weekday": weekdays });
    assert_eq!(recent["posting_times"]["value"], times);
    // The profile is live: it knows what Research does not show yet, or ever.
    let own = world.cloud.tiktok.catalogue().iter().filter(|it| it.username == name);
    let own: Vec<_> = own.filter(|it| it.create_time <= now.unix_timestamp()).collect();
    assert_eq!(found["videos"]["value"], own.len());
    let likes: u64 = own.iter().filter_map(|it| it.statistics).map(|it| it.likes).sum();
    assert_eq!(found["likes"]["value"], likes);
    assert_eq!(found["display_name"]["value"], own[0].display_name);
    assert!(found["followers"]["value"].as_u64().is_some_and(|it| it >= 200));
    assert_eq!(found["followers"]["lag_seconds_max"], 0);

    let page = world.get(&format!("/v1/creators/{name}/videos?limit=50"), &ada).await.json();
    assert_eq!(ids_in(&page["videos"]), ids(&expected));
    for (video, expected) in page["videos"].as_array().expect("videos").iter().zip(&expected) {
        let engagement = &video["engagement"];
        let Some(it) = expected.statistics else {
            assert_eq!(engagement["outlier_multiple"]["reason"], "missing_input");
            continue;
        };
        let followers = found["followers"]["value"].as_f64().expect("followers");
        let of = |figure: &str| &engagement[figure]["value"];
        assert!(close_to(of("views_to_followers"), it.views as f64 / followers));
        assert!(close_to(of("outlier_multiple"), it.views as f64 / median as f64));
        if !expected.id.is_multiple_of(30) {
            let interactions = (it.likes + it.comments + it.shares) as f64;
            assert!(close_to(of("engagement_rate_by_followers"), interactions / followers));
        }
    }
    // One video asked for with its creator is held against the same.
    let one = expected.iter().find(|it| it.statistics.is_some()).expect("one with counts");
    let shown = world.get(&format!("/v1/videos/{}?include=creator", one.id), &ada).await.json();
    assert_eq!(shown["engagement"]["outlier_multiple"]["inputs"]["median_views"], median);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creators_videos_are_paged_within_the_days_asked_for() {
    let world = with_research().await;
    let name = world.go_to_the_busiest(|it| it.username.to_owned());
    let days = recent_days(world.cloud.clock.now());
    let expected = ids(&videos_of(&world, &name));
    // From later on the same days are no longer the recent ones.
    world.cloud.clock.set(time::macros::datetime!(2026-11-24 12:00 UTC));
    let ada = world.paying("ada@example.com").await;
    let path = format!("/v1/creators/{name}/videos?limit=1&from={}&to={}", days.0, days.1);
    let (mut found, mut next) = (Vec::new(), path.clone());
    for _ in 0..20 {
        let answer = world.get(&next, &ada).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        found.append(&mut ids_in(&page["videos"]));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found, expected);
    let other = next.replace(&name, "moss.maps");
    assert_problem(&world.get(&other, &ada).await, 400, "invalid-value");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_profile_lacks_is_null_with_its_reason() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let sparse = creator(&world, &ada, SPARSE).await;
    for figure in ["bio", "following", "likes", "videos"] {
        assert_eq!(sparse[figure]["value"], Value::Null, "{figure}");
        assert_eq!(sparse[figure]["reason"], "absent_in_answer", "{figure}");
    }
    assert!(sparse["followers"]["value"].is_u64());

    let nobody_follows = creator(&world, &ada, UNFOLLOWED).await;
    assert_eq!(nobody_follows["followers"]["value"], 0);
    let of = |it: &&&CatalogueVideo| it.username == UNFOLLOWED && it.statistics.is_some();
    let researched = world.researched();
    let video = researched.iter().rev().find(of).expect("a video with counts");
    let day = crate::util::catalogue::day_of(video);
    let path = format!("/v1/creators/{UNFOLLOWED}/videos?from={day}&to={day}");
    let page = world.get(&path, &ada).await.json();
    assert_eq!(ids_in(&page["videos"]), [video.id.to_string()]);
    for figure in ["views_to_followers", "engagement_rate_by_followers"] {
        let figure = &page["videos"][0]["engagement"][figure];
        assert_eq!(
            (&figure["value"], &figure["reason"]),
            (&Value::Null, &json!("zero_denominator"))
        );
        assert_eq!(figure["inputs"]["followers"], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creator_who_is_not_shown_is_not_found_at_no_cost() {
    let world = with_research().await;
    let ada = world.customer("ada@example.com").await;
    for name in [WITHHELD, "nobody.known"] {
        let answer = world.get(&format!("/v1/creators/{name}"), &ada).await;
        assert_problem(&answer, 404, "creator-not-found");
    }
    // Both are remembered for a minute.
    let calls = world.cloud.tiktok.counts();
    let again = world.get(&format!("/v1/creators/{WITHHELD}"), &ada).await;
    assert_problem(&again, 404, "creator-not-found");
    assert_eq!(world.cloud.tiktok.counts(), calls);
    assert_eq!(calls.research, 0, "who is not there is not searched for");
    let long = "a".repeat(65);
    for name in ["a%20b", "%40", &long, "a%2Fb"] {
        let answer = world.get(&format!("/v1/creators/{name}"), &ada).await;
        assert_problem(&answer, 400, "invalid-value");
    }
    assert_eq!(world.used(&ada).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_handle_in_any_letters_is_asked_for_once() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let first = creator(&world, &ada, "Alba.Bakes").await;
    assert_eq!((&first["username"], &first["cached"]), (&json!("alba.bakes"), &json!(false)));
    let calls = world.cloud.tiktok.counts();
    for name in ["alba.bakes", "@alba.bakes", "%40ALBA.BAKES"] {
        let mut again = creator(&world, &ada, name).await;
        assert_eq!(again["cached"], true, "{name}");
        again["cached"] = json!(false);
        assert_eq!(again, first, "{name}");
        let videos = world.get(&format!("/v1/creators/{name}/videos?limit=50"), &ada).await.json();
        assert_eq!(videos["cached"], true, "{name}");
    }
    assert_eq!(world.cloud.tiktok.counts(), calls);
}

/// A video with more comments than can be reached.
fn discussed(world: &World) -> u64 {
    let comments = |it: &&CatalogueVideo| it.statistics.map_or(0, |it| it.comments);
    let most = world.researched().into_iter().max_by_key(comments).expect("a video");
    assert!(comments(&most) > 1_200, "too few comments to page through");
    most.id
}

/// Every comment of every page of a video, `limit` at a time.
async fn comments(world: &World, customer: &Customer, id: u64, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), json!("0"));
    while let Some(from) = cursor.as_str() {
        let path = format!("/v1/videos/{id}/comments?limit={limit}&cursor={from}");
        let answer = world.get(&path, customer).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut page = answer.json();
        assert_eq!(page["video_id"], id.to_string());
        let comments = page["comments"].as_array_mut().expect("comments");
        assert!(comments.len() <= limit);
        all.append(comments);
        cursor = page["next_cursor"].take();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_paged_to_the_last_one_that_can_be_reached() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let id = discussed(&world);
    let all = comments(&world, &ada, id, 100).await;
    // One in 13 was removed.
    assert_eq!(all.len(), (0..1_000).filter(|it| it % 13 != 7).count());
    let different: BTreeSet<_> = all.iter().map(|it| it["id"].as_str().expect("an id")).collect();
    assert_eq!(different.len(), all.len());
    let texts: BTreeSet<_> = all.iter().filter_map(|it| it["text"].as_str()).collect();
    for text in ["call me at 40******30", "write to j****@e******.com for a <b>free</b> one"] {
        assert!(texts.contains(text), "{text} is not passed on as it is");
    }
    assert!(!texts.iter().any(|it| it.contains('\0')));
    // What the source left out is `null`, and so is an empty text.
    let lacking = |name: &str| all.iter().filter(|it| it[name].is_null()).count();
    for name in ["text", "likes", "replies"] {
        assert!((1..all.len() / 2).contains(&lacking(name)), "{name}: {}", lacking(name));
    }
    assert_eq!(lacking("parent_id"), all.len(), "these are comments on the video itself");
    assert_eq!(lacking("created_at"), 0);

    let path = format!("/v1/videos/{id}/comments");
    let calls = world.cloud.tiktok.counts().comments;
    for wrong in [
        "cursor=1000",
        "cursor=1001",
        "cursor=18446744073709551615",
        "cursor=x",
        "cursor=-1",
        "limit=0",
        "limit=101",
        "limit=x",
    ] {
        let answer = world.get(&format!("{path}?{wrong}"), &ada).await;
        assert_problem(&answer, 400, "invalid-value");
    }
    assert_eq!(world.cloud.tiktok.counts().comments, calls, "what cannot be had costs no call");
    // By a number that does not divide the thousand, the last page is shorter.
    world.cloud.tiktok.fault(Endpoint::Comments, Fault::None);
    for limit in [64, 33] {
        let by = comments(&world, &ada, id, limit).await;
        assert_eq!(by, all, "{limit} at a time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_pages_of_comments_lose_none_and_the_next_time_they_are_cached() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let few =
        |it: &&CatalogueVideo| it.statistics.is_some_and(|it| (20..60).contains(&it.comments));
    let id = world.researched().into_iter().find(few).expect("a video with some comments").id;
    let ids = |all: &[Value]| all.iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    let all = ids(&comments(&world, &ada, id, 100).await);
    assert!(all.len() > 15);
    world.cloud.tiktok.fault(Endpoint::Comments, Fault::ShortPages);
    assert_eq!(ids(&comments(&world, &ada, id, 7).await), all);
    let calls = world.cloud.tiktok.counts();
    assert_eq!(ids(&comments(&world, &ada, id, 7).await), all);
    assert_eq!(world.cloud.tiktok.counts(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_of_no_video_are_not_found_at_no_cost() {
    let world = with_research().await;
    let ada = world.customer("ada@example.com").await;
    let answer = world.get("/v1/videos/7000000000000000001/comments", &ada).await;
    assert_problem(&answer, 404, "video-not-found");
    let answer = world.get("/v1/videos/x/comments", &ada).await;
    assert_problem(&answer, 400, "invalid-value");
    assert_eq!(world.cloud.tiktok.counts().comments, 0);
    assert_eq!(world.used(&ada).await, 0);
}
