//! Many accounts at once, past the functions that open them, and their log entries.

use serde_json::{Value, json};
use time::OffsetDateTime;
use vidintel::{
    app::App,
    ids::{AccountId, KeyId, random_base62},
    usage::Entry,
};

use super::{World, account_item};

/// An account with one key, of which nobody has the secret.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) account: AccountId,
    pub(crate) key_id: KeyId,
}

impl Member {
    /// A request of `at` that was served and charged.
    pub(crate) fn entry(&self, at: OffsetDateTime) -> Entry {
        Entry {
            request_id: random_base62(16),
            at_ms: at.unix_timestamp() * 1000,
            account: self.account.clone(),
            key_id: self.key_id.clone(),
            endpoint: "GET /v1/videos/{video_id}".to_owned(),
            parameters: vec![("video_id".to_owned(), "7000000000000000001".to_owned())],
            status: 200,
            latency_ms: 12,
            cached: true,
            charged: 1,
            period: "2026-11-01".to_owned(),
            lease: None,
            ip: "192.0.2.1".to_owned(),
            country: None,
            agent: None,
            referrer: None,
        }
    }
}

/// Stores `count` accounts on the Free plan with a key each.
pub(crate) async fn crowd(world: &World, count: usize) -> Vec<Member> {
    let made = || Member { account: AccountId::random(), key_id: KeyId::random() };
    let members: Vec<Member> = std::iter::repeat_with(made).take(count).collect();
    let dynamodb = &world.cloud.dynamodb;
    // Two items each, and 25 in one call.
    for some in members.chunks(12) {
        let put = |item: Value| json!({ "PutRequest": { "Item": item } });
        let accounts = some.iter().map(|it| put(account_item(&it.account)));
        let keys = some.iter().map(|it| {
            put(json!({
                "account": { "S": it.account.to_string() },
                "key_id": { "S": it.key_id.to_string() },
            }))
        });
        let write = json!({ "RequestItems": {
            dynamodb.table("accounts"): Value::from_iter(accounts),
            dynamodb.table("api-keys"): Value::from_iter(keys),
        } });
        let written = dynamodb.call("BatchWriteItem", &write).await.expect("written");
        assert_eq!(written["UnprocessedItems"], json!({}));
    }
    members
}

/// Appends entries to the log as functions do.
pub(crate) async fn log(app: &App, entries: impl IntoIterator<Item = Entry>) {
    for entry in entries {
        app.usage.push(entry);
    }
    app.usage.flush().await;
}

/// Every account's number of requests by the statistics, in no order.
pub(crate) async fn counted(world: &World) -> Vec<(String, u64)> {
    let items = world.cloud.dynamodb.items("usage-stats").await.expect("the items");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let of = |it: &Value| Some(it.pointer("/requests/N")?.as_str()?.parse().expect("a number"));
    items.iter().filter_map(|it| Some((text(&it["account"]["S"]), of(it)?))).collect()
}
