//! Who has objected: found under every pepper, by everybody at once, whatever dies on the way.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use local::{redis::Fault, standins::tiktok::CatalogueVideo};
use serde_json::json;
use vidintel::{
    inventory::{CACHE_SECONDS, Table},
    objections::{Objections, STAMP_KEY},
    secrets::{Pepper, Peppers},
};

use crate::util::{
    World, app_of, assert_problem,
    objections::{
        CONFIRM, CREATOR, DECIDE, UNKNOWN, ask, assert_forgotten, confirm, confirmed, form,
        is_left_out, items, operate, own_list, state, with_research,
    },
};

/// The library's list, with peppers of these versions: the one in use first.
fn list(world: &World, versions: &[u8]) -> Objections {
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut peppers = versions.iter().map(|it| Pepper::new(u32::from(*it), [*it; 32]));
    let peppers = Peppers {
        current: peppers.next().expect("one"),
        previous: peppers.next(),
        next: None,
        retired: peppers.collect(),
    };
    Objections::new(app.store, app.redis, peppers)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_token_at_the_same_moment_is_one_objection() {
    let world = with_research().await;
    let asked = ask(&world, &form(CREATOR, "alba@example.com", "object")).await;
    world.cloud.tiktok.set_bio(CREATOR, &asked.code);
    for view in join_all((0..8).map(|_| confirmed(&world, &asked))).await {
        assert_eq!(view["state"], "active");
    }
    assert_eq!(items(&world, Table::Suppressions).await.len(), 1);
    assert_eq!(items(&world, Table::PrivacyRequests).await.len(), 1);
    assert!(items(&world, Table::Sessions).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_is_made_up_for_by_doing_it_again() {
    let world = with_research().await;
    let proven = ask(&world, &form(CREATOR, "alba@example.com", "object")).await;
    let queued = ask(&world, &form(UNKNOWN, "nobody@example.com", "object")).await;
    assert_eq!(confirmed(&world, &queued).await["state"], "queued");
    world.cloud.tiktok.set_bio(CREATOR, &proven.code);
    let accept = json!({ "id": queued.id, "decision": "accept" });
    let mails = world.cloud.ses.mails().len();

    // The table is written, then Redis cannot be told.
    world.cloud.redis.fault(Fault::Refuse);
    assert_problem(&confirm(&world, &proven).await, 503, "unavailable");
    assert!(operate(&world, &accept).await.is_err());
    for name in [CREATOR, UNKNOWN] {
        assert!(is_left_out(&world, name).await, "{name} waits for nobody's cache");
    }
    assert_eq!(state(&world, &queued).await, "queued");
    assert_eq!(world.cloud.ses.mails().len(), mails, "nothing is said that is not done");
    let keys = world.cloud.redis.keys().await.expect("the keys");
    assert!(keys.iter().all(|(key, _)| key != STAMP_KEY), "{keys:?}");

    world.cloud.redis.fault(Fault::None);
    for function in [CONFIRM, DECIDE] {
        world.cloud.kill(function).await.expect("killed");
    }
    assert_eq!(confirmed(&world, &proven).await["state"], "active");
    assert_eq!(operate(&world, &accept).await.expect("decided")["state"], "active");
    assert_eq!(items(&world, Table::Suppressions).await.len(), 2);
    let keys = world.cloud.redis.keys().await.expect("the keys");
    assert!(keys.iter().any(|(key, _)| key == STAMP_KEY), "{keys:?}");
    assert_forgotten(&world, &[CREATOR, UNKNOWN, "alba@", "nobody@"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_answers_of_the_creator_are_dropped_and_no_others() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let catalogue = world.cloud.tiktok.catalogue();
    let video_of = |is_creator: bool| {
        let fits = |it: &CatalogueVideo| (it.username == CREATOR) == is_creator;
        let plain = |it: &CatalogueVideo| it.in_oembed && it.mentions.is_empty();
        catalogue.iter().position(|it| fits(it) && plain(it)).expect("a video")
    };
    let (own, other) = (video_of(true), video_of(false));
    for n in [own, other] {
        assert_eq!(world.video(n, &ada).await.status, 200);
    }
    let cached = |n: usize| format!("video:{}", world.video_id(n));
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    // Of features that are to come, and of a form that nobody can look into.
    let mut plant = redis::pipe();
    let quoted = format!("{{\"name\":\"{}\"}}", CREATOR.to_uppercase());
    for (key, value) in [("creator:1", quoted.as_str()), ("search:1", "{\"name\":\"alba.bakes2\"}")]
    {
        plant.cmd("SET").arg(key).arg(value).arg("EX").arg(60).ignore();
    }
    plant.cmd("SADD").arg("search:2").arg("x").ignore();
    plant.cmd("EXPIRE").arg("search:2").arg(60).ignore();
    plant.exec_async(&mut redis).await.expect("planted");

    let list = own_list(&world).await;
    list.object(CREATOR, world.cloud.clock.now()).await.expect("objected");
    let left = async || {
        let keys = world.cloud.redis.keys().await.expect("the keys").into_iter();
        keys.collect::<BTreeMap<String, i64>>()
    };
    let keys = left().await;
    let is_there = |key: &str| keys.contains_key(key);
    assert!(!is_there(&cached(own)) && !is_there("creator:1") && !is_there("search:2"), "{keys:?}");
    assert!(is_there(&cached(other)) && is_there("search:1"), "{keys:?}");
    assert!((1..=CACHE_SECONDS * 1000).contains(&keys[STAMP_KEY]), "{keys:?}");
    let mut stamp = async || -> String {
        redis::cmd("GET").arg(STAMP_KEY).query_async(&mut redis).await.expect("a stamp")
    };
    // Each change has a stamp of its own, also one that changes nothing in the table.
    let first = stamp().await;
    list.object(CREATOR, world.cloud.clock.now()).await.expect("objected");
    let second = stamp().await;
    list.withdraw(CREATOR).await.expect("withdrawn");
    let third = stamp().await;
    assert!(first != second && second != third && first != third && first.len() == 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_of_the_pepper_never_ends_an_objection() {
    let world = World::start().await;
    let now = world.cloud.clock.now();
    list(&world, &[1]).object(CREATOR, now).await.expect("objected");
    for versions in [&[2, 1][..], &[3, 2, 1], &[4, 3, 2, 1]] {
        let found =
            list(&world, versions).among(&["Alba.Bakes", "bolt_bikes"]).await.expect("read");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Alba.Bakes"], "{versions:?}");
    }
    assert!(list(&world, &[4, 3]).among(&[CREATOR]).await.expect("read").is_empty());
    // The functions read retired peppers from the secret, and an objection under one can be withdrawn.
    let pepper =
        |version: u8| json!({ "version": version, "key": format!("{version:02x}").repeat(32) });
    let secret = json!({
        "pepper": { "current": pepper(3), "previous": pepper(2), "retired": [pepper(1)] },
        "tiktok": null,
    });
    let id = &world.cloud.template.function(DECIDE).expect("a function").environment["SECRET_ID"];
    world.cloud.secrets.put(id, &secret);
    list(&world, &[3, 2, 1]).object(CREATOR, now).await.expect("objected again");
    assert_eq!(items(&world, Table::Suppressions).await.len(), 2);
    let asked = ask(&world, &form(CREATOR, "alba@example.com", "withdraw")).await;
    confirmed(&world, &asked).await;
    let accept = json!({ "id": asked.id, "decision": "accept" });
    assert_eq!(operate(&world, &accept).await.expect("decided")["state"], "withdrawn");
    assert!(items(&world, Table::Suppressions).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_names_are_looked_up_in_a_few_calls() {
    let world = World::start().await;
    let list = list(&world, &[2, 1]);
    let names: Vec<String> = (0..250).map(|n| format!("Made.Up{n}")).collect();
    for n in [0, 99, 249] {
        list.object(&names[n], world.cloud.clock.now()).await.expect("objected");
    }
    let calls = || world.cloud.access.count(local::access::OPERATOR_KEY);
    let before = calls();
    assert!(list.among(&[]).await.expect("nothing").is_empty());
    assert_eq!(calls(), before, "nobody is asked for nothing");
    let mut given: Vec<&str> = names.iter().map(String::as_str).collect();
    // However it is written, and whatever else is in it.
    given.extend(["made.up99", "@MADE.UP249", "made.up0\0", "", "💥", "made.up2500"]);
    let mut found: Vec<_> = list.among(&given).await.expect("read").into_iter().collect();
    found.sort();
    assert_eq!(
        found,
        ["@MADE.UP249", "Made.Up0", "Made.Up249", "Made.Up99", "made.up0\0", "made.up99"]
    );
    let asked = calls() - before;
    assert!(asked <= 6, "{asked} calls for two hashes each of 250 names");
}
