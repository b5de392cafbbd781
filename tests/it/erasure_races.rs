//! Erasing an account that is interrupted, or that others get in the way of.

use std::pin::pin;

use time::Duration;
use vidintel::privacy;

use crate::util::{
    World, advance, app_of,
    copy::ask,
    far_away,
    subject::{DELETIONS, assert_erased, marked_as, post},
};

/// Points at which the saga is killed lie so many polls apart: odd, so that over the accounts they fall
/// before, between and after the calls. `KILL_STRIDE=1` is the whole proof.
fn stride() -> usize {
    std::env::var("KILL_STRIDE").map_or(7, |it| it.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_calls_it_comes_to_the_same() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let mut points = 0;
    loop {
        let ada = marked_as(&world, &format!("eraseme{points}@example.com")).await;
        ask(&world, &ada).await;
        world.run_job("BuildExportsFunction").await;
        let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
        let id = id.parse().expect("an id");
        world.wait(Duration::days(7));
        world.run_job("RollUpUsageFunction").await;
        // It dies on the way to each of its pauses and to its end, and goes on from there.
        let mut finished = false;
        for pause in [Duration::minutes(6), Duration::minutes(3), Duration::ZERO] {
            let run = pin!(privacy::process(&app, world.cloud.clock.now(), far_away()));
            finished = advance(run, points).await.is_some();
            privacy::process(&app, world.cloud.clock.now(), far_away()).await.expect("it runs");
            world.wait(pause);
        }
        let request = privacy::load(&app.store, &id).await.expect("read").expect("a request");
        assert_eq!(request.state, privacy::State::Done, "killed at {points}: {request:?}");
        assert_eq!(request.found["api-keys"], 2, "killed at {points}");
        assert_eq!(request.found["api-logs"], 3, "killed at {points}");
        assert_eq!(request.found["exports"], 1, "killed at {points}");
        assert_erased(&world, &ada.account_id).await;
        if finished {
            break;
        }
        points += stride();
    }
    assert!(points > 20, "{points}");
    // Each account is in the ledger once, without a gap in the numbers.
    let entries = world.cloud.dynamodb.items("deletions").await.expect("the ledger");
    let mut numbers: Vec<u64> = entries
        .iter()
        .filter(|it| it.get("account").is_some())
        .map(|it| it["sequence"]["N"].as_str().expect("a number").parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_beginning_exclude_each_other() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let client = world.cloud.client();
    let (mut cancelled, mut refused) = (0, 0);
    for points in (0..42).step_by(3) {
        let ada = marked_as(&world, &format!("eraseme{points}@example.com")).await;
        let id = post(&world, &ada, true).await.json()["id"].as_str().expect("an id").to_owned();
        world.wait(Duration::days(7));
        // The job has got so far when the customer cancels, and then goes on.
        let mut run = pin!(privacy::process(&app, world.cloud.clock.now(), far_away()));
        let ended = advance(run.as_mut(), points).await.is_some();
        let path = format!("{DELETIONS}/{id}");
        let answer = world.send(client.delete(&path).key(&ada.key)).await;
        if !ended {
            run.await.expect("it runs");
        }
        let request = privacy::load(&app.store, &id.parse().expect("an id")).await;
        let state = request.expect("read").expect("a request").state;
        if answer.status == 200 {
            cancelled += 1;
            assert_eq!(state, privacy::State::Cancelled, "cancelled at {points}");
            assert_eq!(world.get("/v1/usage", &ada).await.status, 200, "cancelled at {points}");
        } else {
            refused += 1;
            // Too late, or, once it is suspended, without a key that works.
            assert!([401, 403, 409].contains(&answer.status.as_u16()), "{}", answer.text());
            assert_eq!(state, privacy::State::Running, "refused at {points}");
        }
    }
    assert!(cancelled > 0 && refused > 0, "{cancelled} cancelled, {refused} refused");
}
