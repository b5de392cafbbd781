//! Counts that end by themselves, in the table `sessions`.

use aws_sdk_dynamodb::types::ReturnValue;
use time::OffsetDateTime;

use super::{Store, n, number, s, unavailable};
use crate::{
    error::Error,
    inventory::{Category, Table},
};

/// Counts `more` under `hash`, for as long as `category` is kept; how many there are by now.
pub(crate) async fn count(
    store: &Store,
    category: &Category,
    hash: String,
    more: u64,
    now: OffsetDateTime,
) -> Result<i64, Error> {
    let expiry = category.expiry(now, &hash);
    let update = store
        .client()
        .update_item()
        .table_name(store.name(Table::Sessions))
        .key("hash", s(hash))
        .update_expression(
            "SET expires_at = if_not_exists(expires_at, :at), \
             expires_on = if_not_exists(expires_on, :on) ADD #count :more",
        )
        .expression_attribute_names("#count", "count")
        .expression_attribute_values(":at", n(expiry.at))
        .expression_attribute_values(":on", s(expiry.on))
        .expression_attribute_values(":more", n(more))
        .return_values(ReturnValue::UpdatedNew);
    let counted = update.send().await.map_err(unavailable)?;
    Ok(counted.attributes().and_then(|it| number(it, "count")).unwrap_or_default())
}
