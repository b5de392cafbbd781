//! Answers are compressed where the caller takes that.

use std::io::Read;

use flate2::read::GzDecoder;
use local::http::Response;
use vidintel::plans::Plan;

use crate::util::{Customer, World, ask::BATCH};

async fn get(world: &World, path: &str, encodings: &str, customer: &Customer) -> Response {
    let client = world.cloud.client();
    let request = client.get(path).key(&customer.key).header("accept-encoding", encodings);
    world.send(request).await
}

fn unpacked(answer: &Response) -> String {
    let mut text = String::new();
    GzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("gzip");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_compressed_for_who_takes_gzip_and_is_the_same() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    for path in ["/openapi.json", "/docs", "/v1/policy"] {
        let plain = get(&world, path, "identity", &ada).await;
        let packed = get(&world, path, "br, gzip;q=0.5", &ada).await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(packed.header("content-type"), plain.header("content-type"), "{path}");
        assert_eq!(unpacked(&packed), plain.text(), "{path}");
        assert!(packed.body.len() * 3 < plain.body.len(), "{path}");
        for answer in [&plain, &packed] {
            let vary = answer.header("vary").unwrap_or_default().to_lowercase();
            assert!(vary.contains("accept-encoding"), "{path}: {vary}");
        }
        for none in ["gzip;q=0", "br", ""] {
            let answer = get(&world, path, none, &ada).await;
            assert_eq!(answer.header("content-encoding"), None, "{path} {none}");
        }
    }
    // What is short stays as it is, an error too.
    for path in ["/v1/keys", "/v1/nothing"] {
        let answer = get(&world, path, "gzip", &ada).await;
        assert_eq!(answer.header("content-encoding"), None, "{path}");
        assert!(answer.json().is_object(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_holds_for_the_compressed_answer_too() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let path = format!("/v1/videos/{}", world.video_id(0));
    let packed = get(&world, &path, "gzip", &ada).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let tag = packed.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with("W/"), "{tag}: the bytes are others");
    let client = world.cloud.client();
    let again = client.get(&path).key(&ada.key).header("if-none-match", &tag);
    let again = world.send(again.header("accept-encoding", "gzip")).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("content-encoding"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_hundred_is_a_tenth_of_its_size() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    world.upgrade(&ada, Plan::Business).await;
    let body = serde_json::json!({ "videos": world.ids(0..100) });
    let client = world.cloud.client();
    let ask = async |encodings: &str| {
        let request = client.post(BATCH, &body).key(&ada.key);
        world.send(request.header("accept-encoding", encodings)).await
    };
    ask("identity").await;
    let plain = ask("identity").await;
    let packed = ask("gzip").await;
    assert_eq!((plain.status.as_u16(), packed.status.as_u16()), (200, 200));
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    // 469,092 bytes and 34,438, when this was written.
    assert!(packed.body.len() * 8 < plain.body.len());
    assert!(unpacked(&packed).contains("\"items\""));
}
