//! API logs end after 30 days, statistics after 12 months, and nothing else goes with them.

use time::Duration;

use crate::{
    usage::packs,
    util::{World, app_of},
};

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_gone_after_30_days_and_statistics_are_not() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    assert_eq!(world.video(0, &ada).await.status, 200);
    world.cloud.advance(std::time::Duration::from_secs(3600)).await.expect("an hour passes");
    assert_eq!(packs(&world).await.len(), 1);
    world.wait(Duration::days(29) - Duration::hours(1));
    world.run_job("PurgeApiLogsFunction").await;
    assert_eq!(packs(&world).await.len(), 1, "a day too early");
    world.wait(Duration::hours(23));
    let run = world.run_job("PurgeApiLogsFunction").await;
    assert_eq!((run["deleted"].as_u64(), run["overdue"].as_u64()), (Some(1), Some(0)));
    assert!(packs(&world).await.is_empty());

    let app = app_of(&world.cloud, world.cloud.redis.direct_url());
    let account = ada.account_id.parse().expect("an account id");
    let (from, to) = (time::macros::date!(2026 - 11 - 01), time::macros::date!(2026 - 12 - 31));
    let now = world.cloud.clock.now();
    let days = vidintel::usage::days(&app.store, &account, from, to, now).await.expect("days");
    assert_eq!(days.iter().map(|day| day.requests).collect::<Vec<_>>(), [1]);
    // A year later they are not shown any more, whether or not DynamoDB has come to delete them.
    let later = now + Duration::days(366);
    let days = vidintel::usage::days(&app.store, &account, from, to, later).await.expect("days");
    assert!(days.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_without_runs_is_made_up_for() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for _ in 0..7 {
        assert_eq!(world.video(0, &ada).await.status, 200);
        world.run_job("RollUpUsageFunction").await;
        world.wait(Duration::days(1));
    }
    // The job has run before, then not for weeks.
    world.run_job("PurgeApiLogsFunction").await;
    world.wait(Duration::days(30));
    let run = world.run_job("PurgeApiLogsFunction").await;
    assert_eq!((run["deleted"].as_u64(), run["overdue"].as_u64()), (Some(7), Some(7)));
    assert!(packs(&world).await.is_empty());
    let again = world.run_job("PurgeApiLogsFunction").await;
    assert_eq!(again["due"].as_u64(), Some(0));
}
