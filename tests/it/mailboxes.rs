//! Addresses: in which scripts, which of them are one mailbox, and how many mails go to one.

use local::redis::{Fault, Kind};
use serde_json::{Value, json};
use vidintel::inventory::{CACHE_SECONDS, Table};

use crate::util::{
    World, assert_problem,
    objections::{form, items},
    patient,
    purchases::{DECIDE, order},
    sign_up, token_in,
};

/// Signs up over HTTP.
async fn ask(world: &World, email: &str) -> local::http::Response {
    world.send(world.cloud.client().post("/v1/accounts", &sign_up(email))).await
}

/// The status of a sign-up from `ip`: over HTTP that would be this machine.
async fn ask_from(world: &World, ip: &str, email: &str) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../../events/sign-up.json")).expect("an event");
    event["requestContext"]["http"]["sourceIp"] = ip.into();
    let now = world.cloud.clock.now().unix_timestamp() * 1_000;
    event["requestContext"]["timeEpoch"] = now.into();
    event["body"] = sign_up(email).to_string().into();
    world.cloud.invoke("SignUpFunction", &event).await.expect("an answer")["statusCode"].clone()
}

/// Signs up and confirms; the status of the confirmation.
async fn open(world: &World, email: &str) -> u16 {
    assert_eq!(ask(world, email).await.status, 202, "{email}");
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    let token = token_in(mail.text.as_deref().expect("a text"));
    let client = world.cloud.client();
    let answer = client.post("/v1/accounts/verify", &json!({ "token": token }));
    world.send(answer).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_no_mail_can_go_to_is_refused_before_anything_is_stored() {
    let world = World::start().await;
    let client = world.cloud.client();
    for email in [
        "\u{fc}ser@example.com",
        "\u{ff41}da@example.com",
        "\"ada l\"@example.com",
        "\"ada\"@example.com",
        "ada@b\u{fc}cher",
        "ada@\u{2024}example.com",
        "ada@xn--\u{fc}.example",
        "ada@under_score.example",
        "ada\u{ff20}example.com",
    ] {
        assert_problem(&ask(&world, email).await, 400, "invalid-value");
        let objection = client.post("/v1/objections", &form("made.up", email, "object"));
        assert_problem(&world.send(objection).await, 400, "invalid-value");
    }
    assert!(items(&world, Table::Sessions).await.is_empty());
    assert!(world.cloud.ses.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_in_another_script_is_one_address_with_its_ascii_form() {
    let world = World::start().await;
    assert_eq!(open(&world, "ada@b\u{fc}cher.example").await, 201);
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(mail.to, ["ada@xn--bcher-kva.example"]);
    for same in
        ["ada@xn--bcher-kva.example", "Ada@B\u{dc}CHER.example", "ada@\u{ff42}\u{fc}cher.example"]
    {
        world.forget_mails().await;
        assert_eq!(ask(&world, same).await.status, 202, "{same}");
        let mail = world.cloud.ses.mails().pop().expect("a mail");
        assert_eq!(mail.subject, "You already have an account", "{same}");
    }
    let objection = form("made.up", "eve@b\u{fc}cher.example", "object");
    let client = world.cloud.client();
    let objection = client.post("/v1/objections", &objection);
    assert_eq!(world.send(objection).await.status, 202);
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(mail.to, ["eve@xn--bcher-kva.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spellings_of_one_gmail_mailbox_are_one_account() {
    let world = World::start().await;
    assert_eq!(open(&world, "Ada.L@gmail.com").await, 201);
    // Delivered as it was written.
    assert_eq!(world.cloud.ses.mails()[0].to, ["Ada.L@gmail.com"]);
    for same in ["adal@gmail.com", "a.d.a.l+1@gmail.com", "adal@googlemail.com"] {
        world.forget_mails().await;
        assert_eq!(ask(&world, same).await.status, 202);
        let mail = world.cloud.ses.mails().pop().expect("a mail");
        assert_eq!(mail.subject, "You already have an account", "{same}");
        // To the address on file, not to what a stranger has written.
        assert_eq!(mail.to, ["Ada.L@gmail.com"], "{same}");
    }
    // Elsewhere dots and tags may be other people's.
    for other in ["ada.l@example.com", "adal@example.com", "adal+1@example.com"] {
        world.forget_mails().await;
        assert_eq!(open(&world, other).await, 201, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_one_mailbox_under_many_tags_are_a_sign_and_stop_nobody() {
    let world = World::start().await;
    for n in 1..=4_usize {
        // Never many in a day: the count by network sees nothing.
        world.forget_mails().await;
        assert_eq!(open(&world, &format!("ada+{n}@example.com")).await, 201);
        let flags = order(&world, DECIDE, &json!({})).await.expect("the queue")["flags"].clone();
        let shown: Vec<_> = flags.as_array().expect("flags").iter().collect();
        assert_eq!(shown.len(), n.saturating_sub(2), "{n}: {flags}");
        if let Some(last) = shown.last() {
            assert_eq!(last["sign"], "many-sign-ups");
            assert!(last["detail"].as_str().expect("a text").contains("tag"), "{last}");
        }
        world.wait(time::Duration::days(2));
    }
    for item in items(&world, Table::Sessions).await {
        let text = item.to_string();
        assert!(item.get("count").is_none() || !text.contains("example.com"), "an address: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_do_not_bring_more_mails_to_one_mailbox() {
    let world = World::start().await;
    for n in 0..20 {
        let domain = ["gmail.com", "example.com"][n % 2];
        assert_eq!(ask(&world, &format!("ada+{n}@{domain}")).await.status, 202);
    }
    assert_eq!(world.cloud.ses.mails().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_ask_for_does_not_keep_ones_own_mail_away() {
    let world = World::start().await;
    for _ in 0..6 {
        assert_eq!(ask_from(&world, "192.0.2.10", "ada@example.com").await, 202);
    }
    assert_eq!(world.cloud.ses.mails().len(), 3);
    assert_eq!(ask_from(&world, "198.51.100.7", "ada@example.com").await, 202);
    assert_eq!(world.cloud.ses.mails().len(), 4);
    // All together they are limited too, and every answer says how long to wait.
    for n in 0..20 {
        assert_eq!(ask_from(&world, &format!("203.0.113.{n}"), "ada@example.com").await, 202);
    }
    assert_eq!(world.cloud.ses.mails().len(), 10);
    let answer = ask(&world, "ada@example.com").await;
    assert!(
        answer.json()["message"].as_str().expect("a text").contains("hour"),
        "{}",
        answer.text()
    );
    assert_eq!(world.cloud.ses.mails().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_ipv6_is_one_sender() {
    let world = World::start().await;
    for n in 0..20 {
        let ip = format!("2001:db8:1:2:{n:x}::{n:x}");
        assert_eq!(ask_from(&world, &ip, &format!("user{n}@example.com")).await, 202);
    }
    assert_eq!(ask_from(&world, "2001:db8:1:2:ffff::1", "more@example.com").await, 429);
    assert_eq!(ask_from(&world, "2001:db8:1:3::1", "more@example.com").await, 202);
    assert_eq!(ask_from(&world, "::ffff:192.0.2.10", "other@example.com").await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_strangers_together_cause_so_many_mails_in_an_hour_and_no_more() {
    let world = World::start().await;
    assert_eq!(ask(&world, "ada@example.com").await.status, 202);
    let mut redis = world.cloud.redis.connection().await.expect("connected");
    let counted: u64 =
        redis::cmd("GET").arg("mails:all").query_async(&mut redis).await.expect("a count");
    assert_eq!(counted, 1);
    let set = redis::cmd("SET").arg("mails:all").arg(1_000).arg("EX").arg(CACHE_SECONDS).to_owned();
    set.exec_async(&mut redis).await.expect("set");
    let answer = ask(&world, "bob@example.com").await;
    assert_problem(&answer, 429, "too-many-sign-ups");
    assert_eq!(answer.header("retry-after"), Some("3600"));
    // Whether the address has had its mails makes no difference.
    for _ in 0..4 {
        assert_problem(&ask(&world, "ada@example.com").await, 429, "too-many-sign-ups");
    }
    let objection = form("made.up", "eve@example.com", "object");
    let client = world.cloud.client();
    let objection = client.post("/v1/objections", &objection);
    assert_problem(&world.send(objection).await, 429, "too-many-sign-ups");
    assert_eq!(world.cloud.ses.mails().len(), 1);
    assert!(world.logs("SignUpFunction").contains("no more mails"));
}

/// Why Redis cannot count.
#[derive(Clone, Copy, Debug)]
enum Lack {
    Away,
    ClusterMode,
    Full,
}

/// A world whose Redis cannot count.
async fn without_counts(lack: Lack) -> World {
    let mut options = patient();
    if let Lack::ClusterMode = lack {
        options.redis = Kind::HalfOfACluster;
    }
    let world = World::start_with(options).await;
    match lack {
        Lack::Away => world.cloud.redis.fault(Fault::Refuse),
        Lack::ClusterMode => {}
        Lack::Full => {
            // It still answers what it has: an old count must not stand for the new ones.
            let mut redis = world.cloud.redis.connection().await.expect("connected");
            for (name, value) in [("maxmemory-policy", "noeviction"), ("maxmemory", "1")] {
                let mut set = ::redis::cmd("CONFIG");
                set.arg("SET").arg(name).arg(value).exec_async(&mut redis).await.expect("set");
            }
        }
    }
    world
}

/// What is counted in the tables.
async fn counts(world: &World) -> Vec<Value> {
    let sessions = items(world, Table::Sessions).await;
    sessions.into_iter().filter(|it| it.get("count").is_some()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_hold_while_redis_cannot_count() {
    for lack in [Lack::Away, Lack::ClusterMode, Lack::Full] {
        let world = without_counts(lack).await;
        let sent = || world.cloud.ses.mails().len();
        for _ in 0..6 {
            assert_eq!(ask_from(&world, "192.0.2.10", "ada@example.com").await, 202, "{lack:?}");
        }
        assert_eq!(sent(), 3, "{lack:?}");
        for n in 0..20 {
            let ip = format!("203.0.113.{n}");
            assert_eq!(ask_from(&world, &ip, "ada@example.com").await, 202, "{lack:?}");
        }
        assert_eq!(sent(), 10, "{lack:?}: to one mailbox");
        for n in 0..20 {
            let ip = format!("2001:db8:1:2:{n:x}::1");
            assert_eq!(ask_from(&world, &ip, &format!("user{n}@example.com")).await, 202);
        }
        assert_eq!(ask_from(&world, "2001:db8:1:2::1", "more@example.com").await, 429, "{lack:?}");
        let objection = form("made.up", "eve@example.com", "object");
        let client = world.cloud.client();
        assert_eq!(world.send(client.post("/v1/objections", &objection)).await.status, 202);
        assert_eq!(sent(), 31, "{lack:?}");

        // Of all together, once so many are counted.
        let all = counts(&world).await;
        let most = all.iter().max_by_key(|it| {
            it["count"]["N"].as_str().and_then(|it| it.parse::<u64>().ok()).expect("a number")
        });
        let most = most.expect("counts");
        assert_eq!(most["count"]["N"], "31", "{lack:?}");
        for it in &all {
            let text = it.to_string();
            assert!(
                !["example.com", "192.0.2", "203.0.113", "2001"]
                    .iter()
                    .any(|part| text.replace("expires_on", "").contains(&format!("\"{part}")))
            );
        }
        let update = json!({
            "TableName": world.cloud.dynamodb.table("sessions"),
            "Key": { "hash": most["hash"] },
            "UpdateExpression": "SET #count = :most",
            "ExpressionAttributeNames": { "#count": "count" },
            "ExpressionAttributeValues": { ":most": { "N": "1000" } },
        });
        world.cloud.dynamodb.call("UpdateItem", &update).await.expect("set");
        assert_eq!(ask_from(&world, "198.51.100.7", "bob@example.com").await, 429, "{lack:?}");
        assert_eq!(sent(), 31, "{lack:?}");

        // Each hour counts for itself, and what was counted is gone soon.
        world.wait(time::Duration::hours(1));
        assert_eq!(ask_from(&world, "192.0.2.10", "ada@example.com").await, 202, "{lack:?}");
        assert_eq!(sent(), 32, "{lack:?}");
        world.wait(time::Duration::hours(2));
        world.run_job("PurgeSessionsFunction").await;
        assert!(counts(&world).await.is_empty(), "{lack:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_known_address_costs_the_calls_of_an_unknown_one() {
    let world = World::start().await;
    world.customer("ada@example.com").await;
    world.cloud.redis.fault(Fault::Refuse);
    let mut calls = Vec::new();
    for (n, email) in ["warm@example.com", "ada@example.com", "bob@example.com"].iter().enumerate()
    {
        world.cloud.dynamodb.reset_counts();
        let answer = ask_from(&world, &format!("192.0.2.{n}"), email).await;
        assert_eq!(answer, 202, "{email}");
        let counts = world.cloud.dynamodb.counts();
        calls.push(counts.iter().map(|(name, it)| (name.clone(), it.requests)).collect::<Vec<_>>());
    }
    assert_eq!(calls[1], calls[2]);
    let updates = calls[1].iter().filter(|it| it.0.1 == "UpdateItem").map(|it| it.1);
    assert_eq!(updates.sum::<u64>(), 6, "five counts and a look at what refuses mail: {calls:?}");
}
