//! A creator asks to be left out: proven by the code in the profile, or decided by the operator within 48
//! hours; what stays is a hash.

use std::collections::BTreeSet;

use local::{
    http::Response,
    standins::tiktok::{Endpoint, Fault},
};
use serde_json::{Value, json};
use time::Duration;
use vidintel::{
    audit,
    inventory::{OBJECTION_HOURS, Table},
};

use crate::util::{
    World, app_of, assert_problem,
    objections::{
        CREATOR, PATH, UNKNOWN, WATCH, ask, assert_forgotten, confirm, confirmed, form,
        is_left_out, items, operate, own_list, post, queue, state, view, with_research,
    },
    sign_up,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_is_proven_by_token_and_code_and_leaves_nothing_but_a_hash() {
    let world = with_research().await;
    let asked = ask(&world, &form("@Alba.Bakes", "Alba@example.com", "object")).await;
    assert!(asked.code.starts_with("tvi-") && asked.code.len() == 16, "{}", asked.code);
    assert_eq!(state(&world, &asked).await, "unconfirmed");
    world.wait(Duration::hours(1));
    for _ in 0..2 {
        let waiting = confirmed(&world, &asked).await;
        assert_eq!(waiting["state"], "waiting_for_code");
        assert_eq!(view(&world, &asked).await.json(), waiting);
    }
    assert!(!is_left_out(&world, CREATOR).await);
    world.cloud.tiktok.set_bio(CREATOR, &format!("bread, {} & more bread", asked.code));
    let active = confirmed(&world, &asked).await;
    assert_eq!(
        (&active["id"], &active["kind"], &active["state"], &active["due_at"]),
        (&json!(asked.id), &json!("object"), &json!("active"), &Value::Null)
    );
    // The code may go again; what was proven stays.
    world.cloud.tiktok.set_bio(CREATOR, "bread");
    assert_eq!(confirmed(&world, &asked).await, active);
    assert_eq!(view(&world, &asked).await.json(), active);
    assert!(is_left_out(&world, CREATOR).await);

    assert_forgotten(&world, &[CREATOR, "alba@", &asked.code, &asked.token]).await;
    let [hash] = &items(&world, Table::Suppressions).await[..] else { panic!("one item") };
    let fields: BTreeSet<&str> =
        hash.as_object().expect("an item").keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(["at", "hash", "kind", "pepper_version"]));
    assert_eq!(hash["kind"]["S"], "creator");
    let [record] = &items(&world, Table::PrivacyRequests).await[..] else { panic!("one item") };
    assert!(record["expires_at"]["N"].is_string(), "{record}");
    assert!(items(&world, Table::Sessions).await.is_empty());
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    assert_eq!(audit::verify(&app.store, "objections").await.expect("read"), Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_is_withdrawn_as_it_was_made() {
    let world = with_research().await;
    own_list(&world).await.object(CREATOR, world.cloud.clock.now()).await.expect("objected");
    let asked = ask(&world, &form(CREATOR, "alba@example.com", "withdraw")).await;
    assert_eq!(confirmed(&world, &asked).await["state"], "waiting_for_code");
    assert!(is_left_out(&world, CREATOR).await, "anybody could say that they are the creator");
    world.cloud.tiktok.set_bio(CREATOR, &asked.code);
    for _ in 0..2 {
        assert_eq!(confirmed(&world, &asked).await["state"], "withdrawn");
    }
    assert!(!is_left_out(&world, CREATOR).await);
    assert!(items(&world, Table::Suppressions).await.is_empty());
    assert_forgotten(&world, &[CREATOR, "alba@", &asked.code]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_tells_nothing_of_handle_or_address() {
    let world = World::start().await;
    world.customer("ada@example.com").await;
    own_list(&world).await.object(CREATOR, world.cloud.clock.now()).await.expect("objected");
    let shape = |answer: &Response| {
        let body = answer.json();
        let fields: Vec<String> = body.as_object().expect("an object").keys().cloned().collect();
        (answer.status, fields, body["message"].clone(), body["expires_at"].clone())
    };
    let first = post(&world, &form(UNKNOWN, "bob@example.com", "object")).await;
    assert_eq!(first.status, 202);
    let without_kind = json!({ "username": UNKNOWN, "email": "carl@example.com" });
    // The last one gets no mail: three have gone to the address within the hour.
    let mut last = None;
    for form in [
        form(CREATOR, "ada@example.com", "object"),
        form(CREATOR, "bob@example.com", "withdraw"),
        form(UNKNOWN, "bob@example.com", "withdraw"),
        without_kind,
        form(UNKNOWN, "bob@example.com", "object"),
    ] {
        let answer = post(&world, &form).await;
        assert_eq!(shape(&answer), shape(&first));
        last = Some(answer);
    }
    let mails = world.cloud.ses.mails();
    assert_eq!(mails.iter().filter(|it| it.to == ["bob@example.com"]).count(), 3);
    // Nor does the id tell.
    let client = world.cloud.client();
    let last = last.expect("an answer").json()["id"].as_str().expect("an id").to_owned();
    let seen = world.send(client.get(format!("{PATH}/{last}"))).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["state"]), (200, &json!("unconfirmed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_handles_addresses_tokens_and_ids_are_refused() {
    let world = World::start().await;
    let client = world.cloud.client();
    let long = "a".repeat(65);
    for (username, email, field) in [
        ("", "ada@example.com", "`username`"),
        ("made up", "ada@example.com", "`username`"),
        ("made.up\"", "ada@example.com", "`username`"),
        (&long, "ada@example.com", "`username`"),
        ("made.up", "not an address", "`email`"),
        ("made.up", "a@example.com\r\nBcc: b@example.com", "`email`"),
    ] {
        let answer = post(&world, &form(username, email, "object")).await;
        assert_problem(&answer, 400, "invalid-value");
        assert!(answer.text().contains(field), "{}", answer.text());
        assert!(!answer.text().contains("ada@"), "the answer repeats the address");
    }
    let answer = post(&world, &form("made.up", "ada@example.com", "delete")).await;
    assert_problem(&answer, 400, "invalid-body");
    assert!(world.cloud.ses.mails().is_empty());
    assert!(items(&world, Table::Sessions).await.is_empty());
    for token in [String::new(), "0".repeat(32), "💥".to_owned()] {
        let body = json!({ "token": token });
        let answer = world.send(client.post(format!("{PATH}/confirm"), &body)).await;
        assert_problem(&answer, 401, "invalid-token");
    }
    let get = async |path: &str| world.send(client.get(path)).await;
    assert_problem(&get(&format!("{PATH}/obj_Example00001")).await, 404, "not-found");
    assert_problem(&get(&format!("{PATH}/req_Example00001")).await, 400, "invalid-value");
    // Requests of customers lie in the same table; neither is shown as the other.
    let asked = ask(&world, &form(UNKNOWN, "ada@example.com", "object")).await;
    assert_eq!(confirmed(&world, &asked).await["state"], "queued");
    let answer = get(&format!("/v1/privacy/deletions/{}", asked.id)).await;
    assert_problem(&answer, 400, "invalid-value");
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_limited_together_with_those_of_sign_ups() {
    let world = World::start().await;
    let client = world.cloud.client();
    for n in 0..4 {
        let name = format!("made.up{n}");
        assert_eq!(post(&world, &form(&name, "ada@example.com", "object")).await.status, 202);
        let answer = world.send(client.post("/v1/accounts", &sign_up("ada@example.com"))).await;
        assert_eq!(answer.status, 202);
    }
    assert_eq!(world.cloud.ses.mails().len(), 3);
    for n in 0..12 {
        let email = format!("user{n}@example.com");
        assert_eq!(post(&world, &form("made.up", &email, "object")).await.status, 202);
    }
    let answer = post(&world, &form("made.up", "one-more@example.com", "object")).await;
    assert_problem(&answer, 429, "too-many-sign-ups");
    assert!(answer.header("retry-after").is_some());
    let keys = world.cloud.redis.keys().await.expect("the keys");
    assert!(keys.iter().all(|(key, _)| !key.contains('@')), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_profile_cannot_be_read_the_operator_decides_within_48_hours() {
    let world = World::start().await;
    let asked = ask(&world, &form("@Alba.Bakes", "alba@example.com", "object")).await;
    assert!(queue(&world).await.is_empty(), "only what is confirmed");
    // The clock runs from the confirmation on.
    world.wait(Duration::hours(1));
    let queued = confirmed(&world, &asked).await;
    assert_eq!(queued["state"], "queued");
    assert_eq!(queued["due_at"], "2026-11-26T13:00:00Z");
    world.wait(Duration::minutes(1));
    assert_eq!(confirmed(&world, &asked).await, queued, "the same token, the same answer");
    assert_eq!(view(&world, &asked).await.json(), queued);
    let second = ask(&world, &form(UNKNOWN, "bob@example.com", "object")).await;
    assert_eq!(confirmed(&world, &second).await["state"], "queued");
    let listed = queue(&world).await;
    assert_eq!(
        listed[0],
        json!({
            "id": asked.id, "kind": "object", "username": CREATOR, "code": asked.code,
            "since": "2026-11-24T13:00:00Z", "due_at": "2026-11-26T13:00:00Z",
        })
    );
    assert_eq!((&listed[1]["id"], listed.len()), (&json!(second.id), 2), "the oldest first");

    // Half a day before the time is up, there is an alarm.
    world.wait(Duration::hours(36) - Duration::minutes(2));
    let watched = world.run_job(WATCH).await;
    assert_eq!((&watched["queued"], &watched["late"]), (&json!(2), &json!(0)));
    world.wait(Duration::minutes(1));
    let watched = world.run_job(WATCH).await;
    assert_eq!((&watched["queued"], &watched["late"]), (&json!(2), &json!(1)));
    assert_eq!(watched["seconds_left"], 12 * 3600);
    let logs = world.logs(WATCH);
    assert!(logs.contains("\"ObjectionsLate\":1"), "{logs}");
    assert!(!is_left_out(&world, CREATOR).await);

    let accept = json!({ "id": asked.id, "decision": "accept" });
    let active = operate(&world, &accept).await.expect("decided");
    assert_eq!((&active["state"], &active["due_at"]), (&json!("active"), &Value::Null));
    assert!(is_left_out(&world, CREATOR).await);
    let mails = || world.cloud.ses.mails();
    let mail = mails().pop().expect("a mail");
    assert_eq!(
        (&mail.to[..], mail.subject.as_str()),
        (&["alba@example.com".to_owned()][..], "Your profile is left out")
    );
    // The same again changes nothing; something else is too late.
    let before = mails().len();
    assert_eq!(operate(&world, &accept).await.expect("decided"), active);
    let refuse = json!({ "id": asked.id, "decision": "refuse" });
    assert!(operate(&world, &refuse).await.expect_err("refused").contains("decided otherwise"));
    assert_eq!(mails().len(), before);
    assert_eq!(state(&world, &asked).await, "active");
    assert_eq!(queue(&world).await.len(), 1);
    assert_eq!(world.run_job(WATCH).await["queued"], 1);
    assert_forgotten(&world, &[CREATOR, "alba@", &asked.code]).await;
    for wrong in [
        json!({ "id": asked.id }),
        json!({ "decision": "accept" }),
        json!({ "id": "obj_Example00001", "decision": "accept" }),
        json!({ "id": "1", "decision": "accept" }),
    ] {
        assert!(operate(&world, &wrong).await.is_err(), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_refuses_changes_nothing_and_can_be_asked_for_again() {
    let world = World::start().await;
    let asked = ask(&world, &form(UNKNOWN, "nobody@example.com", "object")).await;
    confirmed(&world, &asked).await;
    let refuse = json!({ "id": asked.id, "decision": "refuse", "reason": "there was no code" });
    for _ in 0..2 {
        assert_eq!(operate(&world, &refuse).await.expect("decided")["state"], "refused");
    }
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(mail.subject, "Your request could not be granted");
    assert!(mail.text.expect("a text").contains("there was no code"));
    assert!(items(&world, Table::Suppressions).await.is_empty());
    assert_forgotten(&world, &[UNKNOWN, "nobody@", &asked.code]).await;
    let refused = confirmed(&world, &asked).await;
    assert_eq!(refused["state"], "refused", "the token is still the same objection's");
    let again = ask(&world, &form(UNKNOWN, "nobody@example.com", "withdraw")).await;
    assert_ne!(again.id, asked.id);
    confirmed(&world, &again).await;
    let accept = json!({ "id": again.id, "decision": "accept" });
    assert_eq!(operate(&world, &accept).await.expect("decided")["state"], "withdrawn");
    let mail = world.cloud.ses.mails().pop().expect("a mail");
    assert_eq!(mail.subject, "Your profile is not left out any more");
    assert_forgotten(&world, &[UNKNOWN, "nobody@", &again.code]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_looked_at_is_queued_and_looks_are_not_without_end() {
    let world = with_research().await;
    // Research does not know them, or fails.
    let unknown = ask(&world, &form(UNKNOWN, "nobody@example.com", "object")).await;
    assert_eq!(confirmed(&world, &unknown).await["state"], "queued");
    let patient = ask(&world, &form(CREATOR, "alba@example.com", "object")).await;
    for _ in 0..20 {
        assert_eq!(confirmed(&world, &patient).await["state"], "waiting_for_code");
    }
    let before = world.cloud.tiktok.counts();
    assert_eq!(confirmed(&world, &patient).await["state"], "queued");
    assert_eq!(world.cloud.tiktok.counts(), before, "a person looks from now on");
    world.cloud.tiktok.fault(Endpoint::Users, Fault::Status(500));
    let failing = ask(&world, &form(CREATOR, "alba2@example.com", "object")).await;
    assert_eq!(confirmed(&world, &failing).await["state"], "queued");
    assert_eq!(queue(&world).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_after_72_hours_and_handle_and_address_with_it() {
    let world = with_research().await;
    let asked = ask(&world, &form(CREATOR, "alba@example.com", "object")).await;
    let waiting = ask(&world, &form("bolt_bikes", "bolt@example.com", "object")).await;
    assert_eq!(confirmed(&world, &waiting).await["state"], "waiting_for_code");
    let queued = ask(&world, &form(UNKNOWN, "nobody@example.com", "object")).await;
    assert_eq!(confirmed(&world, &queued).await["state"], "queued");
    world.wait(Duration::hours(OBJECTION_HOURS) - Duration::seconds(1));
    // The job leaves it alone until its token has ended.
    world.run_job("PurgeSessionsFunction").await;
    assert_eq!(state(&world, &asked).await, "unconfirmed");
    assert_eq!(confirmed(&world, &waiting).await["state"], "waiting_for_code");
    world.wait(Duration::seconds(1));
    for asked in [&asked, &waiting] {
        assert_problem(&confirm(&world, asked).await, 401, "invalid-token");
        assert_problem(&view(&world, asked).await, 404, "not-found");
    }
    world.run_job("PurgeSessionsFunction").await;
    assert!(items(&world, Table::Sessions).await.is_empty());
    assert_forgotten(&world, &[CREATOR, "alba@", "bolt_bikes", "bolt@", &waiting.code]).await;
    // What waits for the operator goes on waiting, whatever becomes of the token.
    assert_problem(&confirm(&world, &queued).await, 401, "invalid-token");
    assert_eq!(state(&world, &queued).await, "queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_an_objection_ends_after_24_months_and_the_objection_does_not() {
    let world = World::start().await;
    let asked = ask(&world, &form(UNKNOWN, "nobody@example.com", "object")).await;
    confirmed(&world, &asked).await;
    let accept = json!({ "id": asked.id, "decision": "accept" });
    operate(&world, &accept).await.expect("decided");
    world.wait(Duration::days(729));
    world.run_job("PurgePrivacyRequestsFunction").await;
    assert_eq!(state(&world, &asked).await, "active");
    world.wait(Duration::days(2));
    world.run_job("PurgePrivacyRequestsFunction").await;
    assert_problem(&view(&world, &asked).await, 404, "not-found");
    assert!(is_left_out(&world, UNKNOWN).await);
}
