//! Making an export that is interrupted, or that others get in the way of.

use std::{path::PathBuf, pin::pin};

use local::access::LIBRARY_KEY;
use serde_json::json;
use time::Duration;
use vidintel::privacy::{self, State};

use crate::util::{
    World, advance, advance_until, app_of,
    copy::{ask, fetch, items_of},
    far_away, library_of,
    subject::{assert_erased, erase, marked},
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_calls_it_comes_to_the_same() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let ada = marked(&world).await;
    let mut points = 0;
    loop {
        let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
        let run = pin!(privacy::build_exports(&app, world.cloud.clock.now(), far_away()));
        let finished = advance(run, points).await.is_some();
        // It is left to that run for a while, then to the next one.
        world.wait(Duration::minutes(21));
        let again = privacy::build_exports(&app, world.cloud.clock.now(), far_away()).await;
        assert_eq!(again.expect("it runs").failed, 0, "killed at {points}");
        let request = privacy::load(&app.store, &id.parse().expect("an id")).await;
        let request = request.expect("read").expect("a request");
        assert_eq!(request.state, State::Done, "killed at {points}: {request:?}");
        let copy = fetch(&world, &ada, &id).await;
        for (category, count) in [("api-keys", 2), ("api-logs", 3), ("billing-records", 3)] {
            assert_eq!(items_of(&copy, category).len(), count, "killed at {points}");
        }
        // Once, or a second time where the run was killed before it could note that it has told.
        let told = mails_about(&world, &id);
        assert!(told == 1 || told == 2 && !finished, "killed at {points}: {told} mails");
        // No part of what was begun before is left.
        let files = world.cloud.s3.files().expect("the files");
        let parts = files.iter().filter(|it| it.to_string_lossy().contains(".part-")).count();
        assert_eq!(parts, 0, "killed at {points}: {files:?}");
        if finished {
            break;
        }
        points += 1;
        // The next one is another one, although no day has passed, and has as much to read.
        let forget = json!({
            "TableName": world.cloud.dynamodb.table("privacy-requests"),
            "Key": { "id": { "S": id } },
        });
        world.cloud.dynamodb.call("DeleteItem", &forget).await.expect("forgotten");
        let forget = json!({
            "TableName": world.cloud.dynamodb.table("accounts"),
            "Key": { "id": { "S": ada.account_id } },
            "UpdateExpression": "REMOVE #export",
            "ExpressionAttributeNames": { "#export": "export" },
        });
        world.cloud.dynamodb.call("UpdateItem", &forget).await.expect("forgotten");
    }
    assert!(points > 20, "{points}");
    // Every file ends.
    world.wait(Duration::days(7));
    world.run_job("PurgeExportsFunction").await;
    let files = world.cloud.s3.files().expect("the files");
    assert!(files.iter().all(|it| it.extension().is_none_or(|it| it != "zip")), "{files:?}");
}

/// Mails that say that the export `id` can be fetched.
fn mails_about(world: &World, id: &str) -> usize {
    let mails = world.cloud.ses.mails();
    let is_about = |text: &Option<String>| text.as_ref().is_some_and(|it| it.contains(id));
    let ready = mails.iter().filter(|it| it.subject == "Your data is ready");
    ready.filter(|it| is_about(&it.text)).count()
}

/// The file is there already, and was only not noted yet, when an erasure takes it and what is known of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_an_erasure_has_taken_is_not_noted_after_it() {
    let world = World::start().await;
    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let ada = marked(&world).await;
    let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
    let is_made = || {
        let files = world.cloud.s3.files().expect("the files");
        files.iter().any(|it| it.ends_with(format!("{id}.zip")))
    };
    let mut run = pin!(privacy::build_exports(&app, world.cloud.clock.now(), far_away()));
    assert!(advance_until(run.as_mut(), is_made).await.is_none(), "it has not ended");
    assert!(is_made());
    erase(&world, &ada).await;
    // It was only slow, and goes on now.
    let done = run.await.expect("it runs");
    assert_eq!((done.done, done.failed), (0, 1));
    let item = json!({
        "TableName": world.cloud.dynamodb.table("exports"), "Key": { "id": { "S": id } },
    });
    let item = world.cloud.dynamodb.call("GetItem", &item).await.expect("read");
    assert!(item.get("Item").is_none() && !is_made(), "{item}");
    assert_erased(&world, &ada.account_id).await;
}

/// An erasure and the making of an export meet, whichever call to DynamoDB the latter has got to.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_under_way_does_not_outlive_an_erasure() {
    let world = World::start().await;
    let app = library_of(&world.cloud, world.cloud.redis.direct_url());
    let calls = || {
        let counts = world.cloud.dynamodb.counts().into_iter();
        let own = counts.filter(|((caller, _), _)| caller == LIBRARY_KEY);
        own.map(|it| it.1.requests).sum::<u64>()
    };
    let (mut made, mut given_up) = (0, 0);
    // Until one ends before it has made so many.
    for points in (1..).step_by(9) {
        let ada = marked(&world).await;
        let id = ask(&world, &ada).await["id"].as_str().expect("an id").to_owned();
        let mut run = pin!(privacy::build_exports(&app, world.cloud.clock.now(), far_away()));
        world.cloud.dynamodb.reset_counts();
        let ended = advance_until(run.as_mut(), || calls() >= points).await;
        let is_last = ended.is_some();
        erase(&world, &ada).await;
        // It was only slow, and goes on now.
        let done = match ended {
            Some(run) => run,
            None => run.await,
        };
        let done = done.expect("it runs");
        assert!(done.done + done.failed <= 1 && done.waiting == 0, "at {points}: {done:?}");
        made += done.done;
        given_up += done.failed;
        assert_erased(&world, &ada.account_id).await;
        let item = json!({
            "TableName": world.cloud.dynamodb.table("exports"), "Key": { "id": { "S": id } },
        });
        let item = world.cloud.dynamodb.call("GetItem", &item).await.expect("read");
        assert!(item.get("Item").is_none(), "at {points}: {item}");
        let files = world.cloud.s3.files().expect("the files");
        let left = |it: &PathBuf| {
            let name = it.to_string_lossy();
            name.contains(&id) || name.contains(".part-")
        };
        assert!(!files.iter().any(left), "at {points}: {files:?}");
        if is_last {
            break;
        }
    }
    assert!(made > 0 && given_up > 0, "{made} made, {given_up} given up");
}
