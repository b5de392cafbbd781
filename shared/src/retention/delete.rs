use std::time::Duration;

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};

use crate::{
    error::Error,
    inventory::Table,
    store::{Item, Store, unavailable},
};

/// Items in one `BatchWriteItem`.
pub(super) const BATCH: usize = 25;

/// How often in a row nothing of a batch may be processed.
const TRIES: u32 = 10;

/// Deletes the items with these `keys`, in batches, waiting where DynamoDB wants to be given time. Keys
/// without an item are no error: deleting may be repeated.
pub async fn delete_items(store: &Store, table: Table, keys: Vec<Item>) -> Result<(), Error> {
    let name = store.name(table);
    for batch in keys.chunks(BATCH) {
        let mut left = Vec::new();
        for key in batch {
            let delete = DeleteRequest::builder().set_key(Some(key.clone())).build();
            let delete = delete.map_err(Error::internal)?;
            left.push(WriteRequest::builder().delete_request(delete).build());
        }
        let mut pause = Duration::from_millis(50);
        let mut in_vain = 0;
        loop {
            let before = left.len();
            let answer = store.client().batch_write_item().request_items(&name, left).send().await;
            let unprocessed = answer.map_err(unavailable)?.unprocessed_items;
            left = unprocessed.and_then(|mut it| it.remove(&name)).unwrap_or_default();
            if left.is_empty() {
                break;
            }
            in_vain = if left.len() < before { 0 } else { in_vain + 1 };
            if in_vain == TRIES {
                let detail = "some items were never processed".to_owned();
                return Err(Error::Unavailable { dependency: "DynamoDB", detail });
            }
            // Throttled: the SDK retries failed calls, not the unprocessed part of good ones.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
    Ok(())
}
