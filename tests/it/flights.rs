//! One fetch for many: whoever asks for what is being fetched waits for it, and not for ever.

use std::time::{Duration, Instant};

use futures_util::{future::join_all, join};
use local::standins::tiktok::{Endpoint, Fault};
use vidintel::plans::Plan;

use crate::util::{World, ask::statuses, patient};

/// Until every environment that a test starts is there, and much longer than the sources need.
const SLOW: Fault = Fault::Slow(Duration::from_millis(1_000));

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_misses_of_several_customers_ask_the_source_once() {
    let mut options = patient();
    options.max_environments = 50;
    // So many functions that start at once keep each other waiting; who gives Redis up fetches alone.
    options.parameters.insert("RedisTimeoutMs".to_owned(), "5000".to_owned());
    let world = World::start_with(options).await;
    let mut customers = Vec::new();
    for name in ["ada", "bob", "eve", "joe"] {
        let customer = world.customer(&format!("{name}@example.com")).await;
        world.upgrade(&customer, Plan::Business).await;
        customers.push(customer);
    }
    world.cloud.tiktok.fault(Endpoint::Oembed, SLOW);
    // By its id and by its address: different functions.
    let (id, link) = (world.video_id(3).to_string(), "https://vt.tiktok.com/ZS3");
    let ask = async |n: usize| match n % 4 {
        0 => world.find(&id, &customers[n / 25]).await,
        1 => world.find(link, &customers[n / 25]).await,
        _ => world.video(3, &customers[n / 25]).await,
    };
    let answers = join_all((0..100).map(ask)).await;
    let mut fetched = 0;
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["id"], *id);
        fetched += u64::from(answer.json()["cached"] == false);
    }
    let counts = world.cloud.tiktok.counts();
    let logs = || ["GetVideoFunction", "FindVideoFunction"].map(|name| world.logs(name)).concat();
    assert_eq!((counts.oembed, counts.links, fetched), (1, 1, 1), "{}", logs());
    let used = join_all(customers.iter().map(|it| world.rolled_up(it))).await;
    assert_eq!(used, [(25, 25); 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_fetching_holds_the_others_up_for_a_bounded_time() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.upgrade(&ada, Plan::Business).await;
    // Both functions die while the source keeps them waiting: one fetches one video, one several.
    world.cloud.tiktok.fault(Endpoint::Oembed, Fault::Hang);
    let (one, several) = (world.ids([3]), world.ids([5, 6]));
    let dying = async { join!(world.video(3, &ada), world.batch(&several, &ada)) };
    let killing = async {
        while world.cloud.tiktok.counts().oembed < 3 {
            pause(10).await;
        }
        world.cloud.tiktok.fault(Endpoint::Oembed, Fault::None);
        let started = Instant::now();
        let others = ["3", "3", "5", "6"].map(|n| format!("https://vm.tiktok.com/ZM{n}"));
        let waiting = join_all(others.iter().map(|link| world.find(link, &ada)));
        let kills = async {
            pause(300).await;
            assert!(world.cloud.kill("GetVideoFunction").await.expect("killed") > 0);
            assert!(world.cloud.kill("BatchVideosFunction").await.expect("killed") > 0);
        };
        let (answers, ()) = join!(waiting, kills);
        (answers, started.elapsed())
    };
    let ((get, batch), (answers, took)) = join!(dying, killing);
    assert!(get.status.is_server_error() && batch.status.is_server_error(), "{get:?} {batch:?}");
    let expected = [&one[0], &one[0], &several[0], &several[1]];
    for (answer, id) in answers.iter().zip(expected) {
        assert_eq!(answer.status, 200, "{}: {}", answer.text(), world.logs("FindVideoFunction"));
        assert_eq!(answer.json()["id"], **id);
    }
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(took > Duration::from_secs(3), "nobody waited: {took:?}");
    // Of those who waited for the one, one took over; of the several, each went on by itself.
    assert_eq!(world.cloud.tiktok.counts().oembed, 3 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_overlap_ask_for_each_video_once() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let bob = world.customer("bob@example.com").await;
    world.cloud.tiktok.fault(Endpoint::Oembed, SLOW);
    // Each begins with what the other ends with.
    let (up, mut down) = (world.ids(0..10), world.ids(5..15));
    down.reverse();
    world.upgrade(&ada, Plan::Business).await;
    let (first, second, third) =
        join!(world.batch(&up, &ada), world.batch(&down, &bob), world.video(7, &ada));
    assert_eq!(statuses(&first), ["found"; 10], "{}", first.text());
    assert_eq!(statuses(&second), ["found"; 10], "{}", second.text());
    assert_eq!(third.status, 200, "{}", third.text());
    assert_eq!(world.cloud.tiktok.counts().oembed, 15);
    let fetched = [&first, &second].map(|answer| {
        let body = answer.json();
        let items = body["items"].as_array().expect("items").iter();
        items.filter(|it| it["video"]["cached"] == false).count()
    });
    assert!(fetched[0] + fetched[1] <= 15, "{fetched:?}");
}
