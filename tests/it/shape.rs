//! `fields`, `trim`, `include` and `If-None-Match`: how an answer is wanted.

use local::{
    http::Response,
    standins::tiktok::{CatalogueVideo, Endpoint, Fault},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::util::{Customer, World, ask::BATCH, assert_problem, objections::with_research};

async fn look(world: &World, customer: &Customer, query: &str) -> Response {
    world.get(&format!("/v1/videos/{}?{query}", world.video_id(2)), customer).await
}

/// Asks again with what a tag says of an answer.
async fn again(world: &World, customer: &Customer, query: &str, tag: &str) -> Response {
    let client = world.cloud.client();
    let path = format!("/v1/videos/{}?{query}", world.video_id(2));
    world.send(client.get(path).key(&customer.key).header("if-none-match", tag)).await
}

fn tag(answer: &Response) -> String {
    assert!(matches!(answer.status.as_u16(), 200 | 304), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    answer.header("etag").expect("a tag").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_just_the_fields_that_are_wanted() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let whole = look(&world, &ada, "").await.json();
    let id = world.video_id(2).to_string();
    let some = look(&world, &ada, "fields=id,author.username,statistics.views").await.json();
    let expected = json!({
        "id": id,
        "author": { "username": whole["author"]["username"] },
        "statistics": { "views": whole["statistics"]["views"] },
    });
    assert_eq!(some, expected);
    let bare = look(&world, &ada, "fields=id,author.username,statistics.views&trim=true").await;
    let name = world.cloud.tiktok.catalogue()[2].username;
    let expected =
        json!({ "id": id, "author": { "username": name }, "statistics": { "views": null } });
    assert_eq!(bare.json(), expected);
    let trimmed = look(&world, &ada, "trim=true").await.json();
    assert_eq!(trimmed["author"]["username"], name);
    assert_eq!(trimmed["thumbnail"], whole["thumbnail"]["value"]);
    assert!(!trimmed.to_string().contains("\"basis\""), "{trimmed}");
    let keys = |it: &Value| it.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&trimmed), keys(&whole));
    assert_eq!(look(&world, &ada, "trim=false").await.json()["author"], whole["author"]);
    // By its address it is shaped alike.
    let found = world.get(&format!("/v1/videos?url={id}&fields=id&trim=true"), &ada).await;
    assert_eq!(found.json(), json!({ "id": id }));
    // And so are the videos of a batch.
    let client = world.cloud.client();
    let path = format!("{BATCH}?fields=charged,items.video.caption&trim=true");
    let body = json!({ "videos": [id, "made up"] });
    let batch = world.send(client.post(path, &body).key(&ada.key)).await;
    let caption = &whole["caption"]["value"];
    let expected =
        json!({ "charged": 1, "items": [{ "video": { "caption": caption } }, { "video": null }] });
    assert_eq!(batch.json(), expected);
    assert_eq!(batch.header("etag"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_there_is_not_is_refused_and_not_charged() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for query in [
        "fields=",
        "fields=ids",
        "fields=ID",
        "fields=id,",
        "fields=author..url",
        "fields=author.name",
        "trim=1",
        "trim=",
        "include=comments",
        "include=",
    ] {
        let answer = look(&world, &ada, query).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        assert_problem(&answer, 400, "invalid-value");
        let name = query.split('=').next().expect("a name");
        let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
        assert!(detail.starts_with(&format!("`{name}`")), "{query}: {detail}");
    }
    let client = world.cloud.client();
    let body = json!({ "videos": world.ids(0..2) });
    let path = format!("{BATCH}?fields=items.name");
    let answer = world.send(client.post(path, &body).key(&ada.key)).await;
    assert_problem(&answer, 400, "invalid-value");
    assert_eq!(world.rolled_up(&ada).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_has_already_is_not_sent_again_but_charged() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let first = look(&world, &ada, "").await;
    let known = tag(&first);
    assert!(known.starts_with("W/\""), "{known}");
    // It is now from the cache, and older: that changes nothing.
    world.wait(Duration::minutes(10));
    let aged = look(&world, &ada, "").await;
    assert_eq!(aged.json()["age_seconds"], 600);
    assert_eq!((aged.json()["cached"].clone(), tag(&aged)), (json!(true), known.clone()));
    let strong = known.trim_start_matches("W/");
    for given in [&known, strong, "*", &format!("\"made-up\", {known}")] {
        let answer = again(&world, &ada, "", given).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{given}");
        assert_eq!(tag(&answer), known);
        assert!(answer.header("ratelimit").is_some());
    }
    assert_eq!(again(&world, &ada, "", "\"made-up\"").await.status, 200);
    // Another shape is another answer.
    assert_eq!(again(&world, &ada, "trim=true", &known).await.status, 200);
    assert_eq!(world.rolled_up(&ada).await, (8, 8));
    assert_eq!(world.cloud.tiktok.counts().oembed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_changes_with_the_figures_that_are_wanted() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let (whole, caption, picture) = ("", "fields=caption&trim=true", "fields=thumbnail&trim=true");
    let mut tags = Vec::new();
    for query in [whole, caption, picture] {
        tags.push(tag(&look(&world, &ada, query).await));
    }
    // What is fetched anew tells when, and has lost its picture.
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::DropFields);
    world.wait(Duration::minutes(61));
    assert_eq!(again(&world, &ada, whole, &tags[0]).await.status, 200);
    assert_eq!(again(&world, &ada, caption, &tags[1]).await.status, 304);
    let changed = again(&world, &ada, picture, &tags[2]).await;
    assert_eq!(changed.json(), json!({ "thumbnail": null }));
    assert_ne!(tag(&changed), tags[2]);
    assert_eq!(world.cloud.tiktok.counts().oembed, 2);
}

const WITH_CREATOR: [&str; 3] =
    ["engagement_rate_by_followers", "views_to_followers", "outlier_multiple"];

/// The last of three recent videos of a creator; a time when all of them are known; their views.
fn of_a_busy_creator(world: &World) -> (&CatalogueVideo, OffsetDateTime, Vec<u64>) {
    // Of these the stand-in does not tell how many follow them.
    let is_followed = |it: &CatalogueVideo| {
        !["ebb_and_tide", "grid.runner", "tiny.trains"].contains(&it.username)
    };
    let tells_all = |it: &CatalogueVideo| {
        // Likes are left out of some answers.
        let is_whole = it.in_oembed && it.in_research && !it.id.is_multiple_of(30);
        is_whole && it.statistics.is_some_and(|it| it.views > 0) && is_followed(it)
    };
    let videos = world.cloud.tiktok.catalogue();
    let found = videos.iter().filter(|it| tells_all(it)).find_map(|video| {
        let created = OffsetDateTime::from_unix_timestamp(video.create_time).ok()?;
        // Research knows of a video two days later.
        let now = created + Duration::days(3);
        let first = (now - Duration::days(28)).unix_timestamp();
        let recent = videos.iter().filter(|it| {
            let is_there = (first..=video.create_time).contains(&it.create_time);
            it.username == video.username && it.in_research && is_there
        });
        let views: Vec<u64> = recent.filter_map(|it| Some(it.statistics?.views)).collect();
        (views.len() == 3).then_some((video, now, views))
    });
    found.expect("a creator of three recent videos")
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_creator_a_video_is_held_against_them() {
    let world = with_research().await;
    let (chosen, now, mut views) = of_a_busy_creator(&world);
    world.cloud.clock.set(now);
    let ada = world.paying("ada@example.com").await;
    let path = format!("/v1/videos/{}", chosen.id);
    let without = world.get(&path, &ada).await.json();
    for name in WITH_CREATOR {
        assert_eq!(without["engagement"][name]["reason"], "not_requested", "{name}");
    }
    assert_eq!(world.cloud.tiktok.counts().users, 0);
    let video = world.get(&format!("{path}?include=creator"), &ada).await.json();
    assert_eq!(video["cached"], true, "the video itself was there");
    let creator = world.get(&format!("/v1/creators/{}", chosen.username), &ada).await.json();
    let followers = creator["followers"]["value"].as_u64().unwrap_or_else(|| panic!("{creator}"));
    let counts = chosen.statistics.expect("statistics");
    let interactions = counts.likes + counts.comments + counts.shares;
    views.sort_unstable();
    let expected = [
        ("followers", followers, interactions),
        ("followers", followers, counts.views),
        ("median_views", views[1], counts.views),
    ];
    for (name, (input, below, above)) in WITH_CREATOR.into_iter().zip(expected) {
        let rate = &video["engagement"][name];
        assert_eq!(
            (&rate["inputs"][input], &rate["basis"]),
            (&below.into(), &"derived".into()),
            "{name}: {rate}"
        );
        let value = rate["value"].as_f64().unwrap_or_else(|| panic!("{name}: {rate}"));
        let wanted = above as f64 / below as f64;
        assert!((value - wanted).abs() <= wanted * 1e-3 + 1e-6, "{name}: {value} is not {wanted}");
    }
    // Each was one request, and the creator was asked about once.
    assert_eq!(world.get(&format!("{path}?include=creator"), &ada).await.status, 200);
    assert_eq!(world.cloud.tiktok.counts().users, 1);
    assert_eq!(world.rolled_up(&ada).await, (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_the_creator_cannot_be_had_says_why_and_fails_nothing() {
    let reasons = |answer: &Response| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        WITH_CREATOR.map(|name| body["engagement"][name]["reason"].clone())
    };
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let off = look(&world, &ada, "include=creator").await;
    assert_eq!(reasons(&off), ["source_disabled"; 3]);
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    world.cloud.tiktok.fault(Endpoint::Users, Fault::Status(500));
    // The creator's videos are another question: there are none of the last 30 days.
    let failed = look(&world, &ada, "include=creator").await;
    assert_eq!(reasons(&failed), ["source_failed", "source_failed", "too_few"]);
}
