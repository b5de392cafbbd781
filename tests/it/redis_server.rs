//! Which Redis is taken: one with a password, none in cluster mode, and what is said of one that evicts keys.

use local::redis::{Kind, PASSWORD};
use serde_json::{Value, json};

use crate::util::{World, assert_problem, patient, purchases::order};

async fn with(kind: Kind) -> World {
    let mut options = patient();
    options.redis = kind;
    World::start_with(options).await
}

/// What `/health` says of the whole and of Redis.
async fn health(world: &World) -> (Value, Value) {
    let health = world.send(world.cloud.client().get("/health")).await;
    assert_eq!(health.status, 200, "{}", health.text());
    let json = health.json();
    let parts = json["parts"].as_array().expect("parts").clone();
    let part = parts.into_iter().find(|it| it["name"] == "redis").expect("Redis");
    (json["status"].clone(), part)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_cluster_mode_is_left_alone_and_health_says_why() {
    let world = with(Kind::HalfOfACluster).await;
    for _ in 0..2 {
        let (status, part) = health(&world).await;
        assert_eq!(status, "degraded");
        let expected = json!({ "name": "redis", "status": "down", "reason": "cluster-mode" });
        assert_eq!(part, expected);
    }
    // Some accounts' slots are here and some are not: it is the same for all, and nothing is left behind.
    for n in 0..4 {
        let customer = world.customer(&format!("customer-{n}@example.com")).await;
        for _ in 0..2 {
            assert_eq!(world.video(0, &customer).await.status, 200);
        }
        world.cloud.runtime.settled().await;
        let usage = world.get("/v1/usage", &customer).await.json();
        assert_eq!((&usage["used"], &usage["days"][0]["requests"]), (&json!(2), &json!(2)));
    }
    assert_eq!(world.cloud.redis.keys().await.expect("the keys"), []);
    assert!(world.logs("GetVideoFunction").contains("Redis runs in cluster mode"));
    let sweep = world.cloud.run_job("SweepGatesFunction").await.expect_err("it cannot");
    assert!(sweep.message.contains("Redis runs in cluster mode"), "{}", sweep.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_may_throw_keys_away_is_used_and_told_of() {
    let world = World::start().await;
    let ok = json!({ "name": "redis", "status": "ok" });
    assert_eq!(health(&world).await, (json!("ok"), ok.clone()));
    let said = |value: u8| format!("\"RedisMayEvict\":{value}");
    world.run_job("SweepGatesFunction").await;
    world.cloud.runtime.settled().await;
    assert!(world.logs("SweepGatesFunction").contains(&said(0)));
    for policy in ["volatile-lru", "allkeys-lru", "volatile-ttl"] {
        world.cloud.redis.set_eviction(policy).await.expect("set");
        let expected =
            json!({ "name": "redis", "status": "degraded", "reason": "eviction-policy" });
        assert_eq!(health(&world).await, (json!("degraded"), expected), "{policy}");
    }
    world.run_job("SweepGatesFunction").await;
    world.cloud.runtime.settled().await;
    assert!(world.logs("SweepGatesFunction").contains(&said(1)));
    world.cloud.redis.set_eviction("noeviction").await.expect("set");
    assert_eq!(health(&world).await, (json!("ok"), ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_does_what_the_gate_does() {
    let world = World::start().await;
    assert_eq!(health(&world).await.0, "ok");
    // It answers, and takes no writes: as one that follows another one does.
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let mut follow = ::redis::cmd("REPLICAOF");
    follow.arg("127.0.0.1").arg(1).exec_async(&mut redis).await.expect("it follows");
    assert_eq!(health(&world).await.0, "degraded");
    let mut lead = ::redis::cmd("REPLICAOF");
    lead.arg("NO").arg("ONE").exec_async(&mut redis).await.expect("it leads");
    assert_eq!(health(&world).await.0, "ok");
    for (key, left) in world.cloud.redis.keys().await.expect("the keys") {
        assert!(left > 0 && left <= 1_000, "{key} lives for {left} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_the_secrets_and_is_replaced_without_a_pause() {
    let world = with(Kind::Guarded).await;
    let url = world.cloud.setting("REDIS_URL").expect("an address");
    assert!(!url.contains('@'), "{url}");
    let ada = world.customer("ada@example.com").await;
    let cached = async || {
        let video = world.video(0, &ada).await;
        assert_eq!(video.status, 200, "{}", video.text());
        video.json()["cached"].clone()
    };
    cached().await;
    assert_eq!(cached().await, true);
    assert_eq!(health(&world).await.0, "ok");
    for job in ["RollUpUsageFunction", "SweepGatesFunction"] {
        world.run_job(job).await;
    }
    let set = json!({ "account": ada.account_id, "status": "suspended", "reason": "file 1" });
    order(&world, "SetAccountStatusFunction", &set).await.expect("set");
    assert_problem(&world.video(0, &ada).await, 403, "account-inactive");
    let set = json!({ "account": ada.account_id, "status": "active", "reason": "file 1" });
    order(&world, "SetAccountStatusFunction", &set).await.expect("set");

    // Redis takes both; the secret has the new one; Redis takes the new one only.
    let next = "second";
    world.cloud.redis.set_passwords(&[PASSWORD, next]).await.expect("set");
    assert_eq!(cached().await, true);
    world.change_secret(|it| it["redis"]["password"] = json!(next));
    assert_eq!(cached().await, true, "it has read the old one");
    for function in &world.cloud.template.functions {
        world.cloud.kill(&function.id).await.expect("killed");
    }
    assert_eq!(cached().await, true, "it has read the new one");
    assert_eq!(health(&world).await.0, "ok");

    // With a wrong one, all goes on without Redis.
    world.change_secret(|it| it["redis"]["password"] = json!("wrong"));
    for function in &world.cloud.template.functions {
        world.cloud.kill(&function.id).await.expect("killed");
    }
    assert_eq!(cached().await, false);
    let (status, part) = health(&world).await;
    assert_eq!((status, part), (json!("degraded"), json!({ "name": "redis", "status": "down" })));
    for function in &world.cloud.template.functions {
        let logs = world.logs(&function.id);
        for password in [PASSWORD, "wrong\""] {
            assert!(!logs.contains(password), "{}: {logs}", function.id);
        }
    }
}
