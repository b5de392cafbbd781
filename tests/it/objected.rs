//! A creator who objected: no path leads to what they made, and nothing of it stays in the cache.

use std::time::Duration as Wait;

use local::{
    http::Response,
    standins::tiktok::{CatalogueVideo, Endpoint, Fault},
};
use redis::AsyncCommands;
use serde_json::{Value, json};
use tokio::time::sleep;
use vidintel::{
    flight::{Flights, Looked},
    lookup::profile_key,
    video::{FetchError, Profile, ProfileRecord},
};

use crate::util::{
    Customer, World, app_of, assert_problem,
    catalogue::{day_of, ids_in},
    objections::{CREATOR, ask, confirmed, form, own_list, with_research},
};

/// Somebody else, who is not to suffer.
const OTHER: &str = "moss.maps";

/// The creator's videos, with their positions in the catalogue. Both sources have them.
fn videos_of(world: &World, name: &str) -> Vec<(usize, CatalogueVideo)> {
    let all = world.cloud.tiktok.catalogue().iter().cloned().enumerate();
    all.filter(|(_, it)| it.username == name && it.in_research && it.in_oembed).collect()
}

async fn object(world: &World, name: &str) {
    own_list(world).await.object(name, world.cloud.clock.now()).await.expect("objected");
}

async fn withdraw(world: &World, name: &str) {
    own_list(world).await.withdraw(name).await.expect("withdrawn");
}

/// Every path to what the creator `name` made, each answered with it or refused.
fn paths(world: &World, name: &str) -> Vec<String> {
    let videos = videos_of(world, name);
    let (position, CatalogueVideo { id, .. }) = &videos[0];
    let (other_position, other) = &videos[1];
    let upper = name.to_uppercase();
    let day = day_of(other);
    vec![
        format!("/v1/videos/{id}"),
        format!("/v1/videos/{id}?include=creator"),
        format!("/v1/videos/{id}?fields=id,statistics.views"),
        format!("/v1/videos/{id}?fields=id&trim=true"),
        format!("/v1/videos?url=https://www.tiktok.com/@somebody.else/video/{id}"),
        format!("/v1/videos?url=https://m.tiktok.com/v/{id}.html&trim=true"),
        format!("/v1/videos?url=https://vm.tiktok.com/ZM{position}/"),
        format!("/v1/videos?url=https://vt.tiktok.com/ZS{other_position}/&include=creator"),
        format!("/v1/videos/{id}/comments"),
        format!("/v1/videos/{id}/comments?cursor=900"),
        format!("/v1/creators/{name}"),
        format!("/v1/creators/@{upper}?fields=followers&trim=true"),
        format!("/v1/creators/{name}/videos"),
        format!("/v1/creators/{upper}/videos?from={day}&to={day}&limit=7"),
    ]
}

/// Searches whose answers hold one of the creator's videos.
fn searches(world: &World, name: &str) -> Vec<Value> {
    let (_, video) = videos_of(world, name).swap_remove(0);
    let day = day_of(&video).to_string();
    let one = |field: &str, value: &str| json!([{ "field": field, "values": [value] }]);
    [one("hashtag", &video.hashtags[0]), one("sound", &video.music_id.to_string())]
        .map(|and| json!({ "and": and, "from": day, "to": day }))
        .to_vec()
}

/// A search for the creator by name, among others.
fn search_by_name(name: &str) -> Value {
    let or = json!([{ "field": "creator", "values": [OTHER, name] }]);
    json!({ "or": or, "from": "2026-10-01", "to": "2026-10-30" })
}

async fn search(world: &World, customer: &Customer, search: &Value) -> Value {
    let answer = world.post("/v1/videos/search", search, customer).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Every key and value of the cache in which `name` occurs. The log of requests is the customers' own, and
/// says what they asked for.
async fn left_in_redis(world: &World, name: &str) -> Vec<String> {
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let mut found = Vec::new();
    let (mut looked_at, mut cached) = (0, 0);
    for (key, _) in world.cloud.redis.keys().await.expect("the keys") {
        let kind: String =
            redis::cmd("TYPE").arg(&key).query_async(&mut redis).await.expect("read");
        let text = match kind.as_str() {
            "string" => {
                let get = redis::cmd("GET").arg(&key).to_owned();
                let value: Option<Vec<u8>> = get.query_async(&mut redis).await.expect("read");
                String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()
            }
            "hash" => {
                let all = redis::cmd("HGETALL").arg(&key).to_owned();
                let value: Vec<Vec<u8>> = all.query_async(&mut redis).await.expect("read");
                let fields = value.iter().map(|it| String::from_utf8_lossy(it));
                fields.collect::<Vec<_>>().join(" ")
            }
            "zset" => {
                let all = redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1).to_owned();
                let value: Vec<String> = all.query_async(&mut redis).await.expect("read");
                value.join(" ")
            }
            // One that has just ended, and the log of requests.
            "stream" | "none" => continue,
            other => panic!("{key} is a {other}, at which nobody has looked yet"),
        };
        looked_at += 1;
        cached += usize::from(key.starts_with("video:") || key.starts_with("search:"));
        if format!("{key} {text}").to_lowercase().contains(name) {
            found.push(format!("{key}: {text}"));
        }
    }
    assert!(looked_at > 0 && cached > 0, "there is nothing in the cache: that shows nothing");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_to_who_objected_and_none_is_charged() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let client = world.cloud.client();
    let (paths, searches) = (paths(&world, CREATOR), searches(&world, CREATOR));
    // All of it is looked up before, and so in the cache.
    let mut tags = Vec::new();
    for path in &paths {
        let answer = world.get(path, &ada).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        tags.push(answer.header("etag").expect("a tag").to_owned());
    }
    let mut before = Vec::new();
    for it in &searches {
        before.push(search(&world, &ada, it).await);
    }
    assert_eq!(world.get(&format!("/v1/creators/{OTHER}"), &ada).await.status, 200);
    assert!(!left_in_redis(&world, CREATOR).await.is_empty());

    search(&world, &ada, &search_by_name(CREATOR)).await;
    object(&world, CREATOR).await;
    let left = left_in_redis(&world, CREATOR).await;
    assert!(left.is_empty(), "{left:?}");
    let used = world.used(&ada).await;
    for (path, tag) in paths.iter().zip(&tags) {
        // Twice: fetched anew, and then as it is remembered.
        for _ in 0..2 {
            assert_problem(&world.get(path, &ada).await, 451, "creator-objected");
        }
        for known in [tag.as_str(), "*"] {
            let request = client.get(path.as_str()).key(&ada.key).header("if-none-match", known);
            assert_problem(&world.send(request).await, 451, "creator-objected");
        }
    }
    assert_eq!(world.used(&ada).await, used, "what is refused is not charged");
    let id = videos_of(&world, CREATOR)[0].1.id.to_string();
    // How many videos there are of theirs is nobody's business.
    let by_name = world.post("/v1/videos/search", &search_by_name(CREATOR), &ada).await;
    assert_problem(&by_name, 451, "creator-objected");
    for (it, before) in searches.iter().zip(&before) {
        let after = search(&world, &ada, it).await;
        let mut expected = ids_in(&before["videos"]);
        assert!(expected.contains(&id), "{it}");
        expected.retain(|it| *it != id);
        assert_eq!(ids_in(&after["videos"]), expected, "{it}");
        assert!(after.get("suppressed").is_none(), "{after}");
    }
    let left = left_in_redis(&world, CREATOR).await;
    assert!(left.is_empty(), "{left:?}");
    // Nobody else suffers.
    assert_eq!(world.get(&format!("/v1/creators/{OTHER}"), &ada).await.status, 200);

    withdraw(&world, CREATOR).await;
    for path in &paths {
        let answer = world.get(path, &ada).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    for (it, before) in searches.iter().zip(&before) {
        let after = search(&world, &ada, it).await;
        assert_eq!(ids_in(&after["videos"]), ids_in(&before["videos"]), "{it}");
    }
}

/// A creator has taken another handle: oEmbed says the new one, Research still the old one. Either may be the
/// one that is on the list.
#[tokio::test(flavor = "multi_thread")]
async fn every_handle_that_a_source_gives_is_held_against_the_list() {
    const NEW: &str = "alba.renamed";
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    world.cloud.tiktok.rename(CREATOR, NEW);
    let (position, video) = videos_of(&world, CREATOR).swap_remove(0);
    let id = video.id;
    let paths = [
        format!("/v1/videos/{id}"),
        format!("/v1/videos/{id}?include=creator"),
        format!("/v1/videos?url=https://www.tiktok.com/@{NEW}/video/{id}"),
        format!("/v1/videos?url=https://vm.tiktok.com/ZM{position}/"),
        format!("/v1/videos/{id}/comments"),
    ];
    let client = world.cloud.client();
    let batch = json!({ "videos": [id.to_string()] });
    for name in [NEW, CREATOR] {
        for is_cached in [true, false] {
            for path in paths.iter().filter(|_| is_cached) {
                let answer = world.get(path, &ada).await;
                assert_eq!(answer.status, 200, "{name} {path}: {}", answer.text());
            }
            object(&world, name).await;
            for path in &paths {
                assert_problem(&world.get(path, &ada).await, 451, "creator-objected");
                let known = client.get(path.as_str()).key(&ada.key).header("if-none-match", "*");
                assert_problem(&world.send(known).await, 451, "creator-objected");
            }
            let answer = world.post("/v1/videos/batch", &batch, &ada).await;
            assert_eq!(answer.json()["items"][0]["status"], "suppressed", "{}", answer.text());
            for name in [NEW, CREATOR] {
                let left = left_in_redis(&world, name).await;
                let of_video = left.iter().filter(|it| it.starts_with("video:"));
                assert_eq!(of_video.count(), 0, "{left:?}");
            }
            withdraw(&world, name).await;
            world.wait(time::Duration::hours(1));
        }
    }
    // Before what is under way has landed.
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Slow(SLOW));
    let list = own_list(&world).await;
    let objecting = async {
        sleep(Wait::from_millis(SURELY_BEFORE / 3)).await;
        list.object(NEW, world.cloud.clock.now()).await.expect("objected");
    };
    let (answer, ()) = futures_util::join!(world.get(&paths[0], &ada), objecting);
    assert_problem(&answer, 451, "creator-objected");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_each_of_theirs_is_suppressed_and_only_the_others_are_charged() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let theirs = videos_of(&world, CREATOR);
    let other = videos_of(&world, OTHER)[0].1.id.to_string();
    let videos = json!([
        theirs[0].1.id.to_string(),
        other,
        format!("https://vm.tiktok.com/ZM{}", theirs[1].0),
        format!("https://www.tiktok.com/@{OTHER}/video/{}", theirs[2].1.id),
    ]);
    let statuses = |answer: &Response| {
        let items = answer.json()["items"].as_array().expect("items").clone();
        let has_video = |it: &Value| !it["video"].is_null();
        let it =
            items.iter().map(|it| (it["status"].as_str().expect("one").to_owned(), has_video(it)));
        it.collect::<Vec<_>>()
    };
    let all = |name: &str| (name.to_owned(), name == "found");
    for is_cached in [true, false] {
        if is_cached {
            let body = json!({ "videos": videos });
            let answer = world.post("/v1/videos/batch", &body, &ada).await;
            assert_eq!(statuses(&answer), ["found"; 4].map(all), "{}", answer.text());
            assert_eq!(answer.json()["charged"], 4);
        }
        object(&world, CREATOR).await;
        let used = world.used(&ada).await;
        let body = json!({ "videos": videos });
        for path in ["/v1/videos/batch", "/v1/videos/batch?fields=items.video,items.status,charged"]
        {
            let answer = world.post(path, &body, &ada).await;
            let expected = ["suppressed", "found", "suppressed", "suppressed"].map(all);
            assert_eq!(statuses(&answer), expected, "{}", answer.text());
            assert_eq!(answer.json()["charged"], 1);
            assert!(!answer.text().contains(CREATOR), "{}", answer.text());
        }
        assert_eq!(world.used(&ada).await, used + 2);
        withdraw(&world, CREATOR).await;
        world.wait(time::Duration::hours(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hashtag_and_its_figures_leave_them_out() {
    let world = with_research().await;
    let name = world.go_to_the_busiest(|it| it.username.to_owned());
    let ada = world.paying("ada@example.com").await;
    let days = vidintel::video::recent_days(world.cloud.clock.now());
    let is_theirs = |it: &CatalogueVideo| it.username == name;
    let tag = world.searched(days, &is_theirs, &|_| true)[0].hashtags[0].clone();
    let tagged = |it: &CatalogueVideo| it.hashtags.contains(&tag);
    let all = world.searched(days, &tagged, &|_| true);
    let theirs = all.iter().filter(|it| is_theirs(it)).count();
    assert!(theirs > 0);
    let path = format!("/v1/hashtags/{tag}");
    let before = world.get(&path, &ada).await;
    assert_eq!(before.json()["sample"]["videos"], all.len());
    object(&world, &name).await;
    let client = world.cloud.client();
    let known = before.header("etag").expect("a tag");
    for _ in 0..2 {
        let request = client.get(path.as_str()).key(&ada.key).header("if-none-match", known);
        let after = world.send(request).await;
        assert_eq!(after.status, 200, "{}", after.text());
        let sample = &after.json()["sample"];
        assert_eq!(sample["videos"], all.len() - theirs);
        assert_eq!(sample["is_whole"], true);
        assert!(sample.get("suppressed").is_none(), "{sample}");
    }
    assert!(left_in_redis(&world, &name).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_objects_over_http_is_left_out_at_once_and_let_in_again_at_once() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let path = format!("/v1/videos/{}", videos_of(&world, CREATOR)[0].1.id);
    assert_eq!(world.get(&path, &ada).await.status, 200);
    for (kind, state, status) in [("object", "active", 451), ("withdraw", "withdrawn", 200)] {
        let asked = ask(&world, &form(CREATOR, "alba@example.com", kind)).await;
        confirmed(&world, &asked).await;
        let before = world.get(&path, &ada).await.status;
        assert_ne!(before, status, "{kind}: nothing is proven yet");
        world.cloud.tiktok.set_bio(CREATOR, &asked.code);
        assert_eq!(confirmed(&world, &asked).await["state"], state);
        for path in [path.as_str(), "/v1/creators/alba.bakes"] {
            let answer = world.get(path, &ada).await;
            assert_eq!(answer.status, status, "{kind} {path}: {}", answer.text());
        }
    }
}

/// Who objects between a request's look at the list and its place in the queue: what is fetched of them is
/// dropped, and nothing says beside their handle that they objected.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_fetched_for_who_objected_leaves_no_word_of_it() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    world.get(&format!("/v1/creators/{OTHER}"), &ada).await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let (list, now) = (own_list(&world).await, world.cloud.clock.now());
    let flights =
        Flights { redis: &app.redis, alone: &app.alone, objections: &list, is_paying: true, now };
    let at = now.unix_timestamp();
    let profile = ProfileRecord { username: CREATOR.to_owned(), profile: Profile::default(), at };
    let keys = [profile_key(CREATOR)];
    let land = async || {
        let fetch = |_| async { vec![Ok(profile.clone())] };
        let landed = flights.land(&keys, Looked::default(), fetch).await.expect("landed");
        landed.into_iter().next().expect("an outcome").map(|it| it.cached)
    };
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    assert_eq!(land().await, Ok(false));
    let kept: Vec<u8> = redis.get(&keys[0]).await.expect("kept");
    object(&world, CREATOR).await;
    // It was fetched; then it was in the cache since before.
    for _ in 0..2 {
        assert_eq!(land().await, Err(FetchError::Objected));
        let left = left_in_redis(&world, CREATOR).await;
        assert!(left.is_empty(), "{left:?}");
        let () = redis.set_ex(&keys[0], kept.clone(), 60).await.expect("planted");
    }
}

/// What is asked of the sources takes so long here…
const SLOW: Wait = Wait::from_millis(400);
/// …and somebody objects at these moments after a request.
const MOMENTS: [u64; 11] = [0, 30, 100, 250, 350, 390, 410, 430, 450, 500, 1_500];
/// Until then the source has surely not answered, so that what it says is still to be looked through.
const SURELY_BEFORE: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_under_way_while_somebody_objects_neither_serves_nor_leaves_anything() {
    let world = with_research().await;
    let ada = world.paying("ada@example.com").await;
    let videos = videos_of(&world, CREATOR);
    // Everything is there but the answers: environments, token, connections.
    let id = world.video_id(0);
    for path in ["comments", ""].map(|it| format!("/v1/videos/{id}/{it}")) {
        world.get(path.trim_end_matches('/'), &ada).await;
    }
    world.get(&format!("/v1/creators/{OTHER}"), &ada).await;
    search(&world, &ada, &searches(&world, OTHER)[0]).await;
    for endpoint in [Endpoint::Oembed, Endpoint::Research, Endpoint::Users, Endpoint::Comments] {
        world.cloud.tiktok.fault(endpoint, Fault::Slow(SLOW));
    }
    let list = own_list(&world).await;
    let mut served = 0;
    for (n, moment) in MOMENTS.into_iter().enumerate() {
        let (_, video) = &videos[n % videos.len()];
        let video_path = format!("/v1/videos/{}", video.id);
        let creator_path = format!("/v1/creators/{CREATOR}?fields=followers");
        let comments_path = format!("/v1/videos/{}/comments", videos[(n + 5) % videos.len()].1.id);
        let body = searches(&world, CREATOR).swap_remove(0);
        let objecting = async {
            sleep(Wait::from_millis(moment)).await;
            list.object(CREATOR, world.cloud.clock.now()).await.expect("objected");
        };
        let (video, creator, comments, found, ()) = futures_util::join!(
            world.get(&video_path, &ada),
            world.get(&creator_path, &ada),
            world.get(&comments_path, &ada),
            world.post("/v1/videos/search", &body, &ada),
            objecting
        );
        // What comes in two steps ends with the second one.
        let second = SURELY_BEFORE + SLOW.as_millis() as u64;
        for (answer, before) in [(&video, SURELY_BEFORE), (&creator, second), (&comments, second)] {
            assert!([200, 451].contains(&answer.status.as_u16()), "{moment}: {}", answer.text());
            let is_served = answer.status == 200;
            assert!(!is_served || moment > before, "served although they objected at {moment}");
            served += usize::from(is_served);
        }
        assert_eq!(found.status, 200, "{}", found.text());
        let is_in = found.text().contains(CREATOR);
        assert!(!is_in || moment > SURELY_BEFORE, "found although they objected at {moment}");
        // Whatever it was, nothing is left, and nothing is served any more.
        let left = left_in_redis(&world, CREATOR).await;
        assert!(left.is_empty(), "at {moment}: {left:?}");
        for path in [&video_path, &creator_path, &comments_path] {
            assert_problem(&world.get(path, &ada).await, 451, "creator-objected");
        }
        let found = search(&world, &ada, &body).await;
        assert!(!found.to_string().contains(CREATOR), "at {moment}");
        list.withdraw(CREATOR).await.expect("withdrawn");
        world.wait(time::Duration::hours(1));
    }
    assert!(served > 0, "no moment lies after the answers: the test shows too little");
}
