//! Requests that are paid for one by one in DynamoDB, without Redis: taken from the period and the minute
//! by one conditional update, and returned by one.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use time::OffsetDateTime;

use super::{
    lease::{Quota, read},
    minute::{self, Minute},
};
use crate::{
    error::Error,
    ids::{AccountId, random_base62},
    inventory::{self, Table},
    plans::{Period, Plan},
    store::{Conditional, Item, Store, conditional, from_item, n, s},
};

/// Requests that were taken without Redis.
#[derive(Debug)]
pub(super) struct Taken {
    /// Left of the period.
    pub(super) left: u64,
    /// The minute after them.
    pub(super) minute: Minute,
}

/// Why requests could not be taken without Redis.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The minute's requests are used up.
    Minute(Minute),
    /// The period's are.
    Period(Quota, Option<Minute>),
}

/// Takes requests without Redis: one conditional update counts `count` against the minute and `cost`
/// against the period; the sandbox, which costs nothing, has a minute of its own. A period that has just
/// begun goes on with the minute of the one `before` it. A token that stays in the item for a while tells
/// an update that was sent again after its answer was lost: it counts once.
pub(super) async fn take(
    store: &Store,
    account: &AccountId,
    (plan, limit): (Plan, u64),
    (period, before): (&Period, &Period),
    (count, cost): (u64, u64),
    now: OffsetDateTime,
) -> Result<Result<Taken, Refusal>, Error> {
    let rpm = plan.requests_per_minute();
    let name = if cost == 0 { "minute_test" } else { "minute_live" };
    let expiry = inventory::QUOTAS.expiry(period.end, account.tag());
    let Some(most) = limit.checked_sub(cost) else {
        return Ok(Err(Refusal::Period(read(store, account, period).await?, None)));
    };
    let (token, tokens) = (random_base62(8), format!("{name}_tokens"));
    let own = minute::slot_of(now);
    // First as another request of the same slot: what refuses it says how things stand.
    let mut known: Option<Option<Minute>> = None;
    for _ in 0..6 {
        let request = store
            .client()
            .update_item()
            .table_name(store.name(Table::Quotas))
            .key("account", s(account.to_string()))
            .key("period", s(period.key()))
            .expression_attribute_values(":cost", n(cost))
            .expression_attribute_values(":most", n(most))
            .expression_attribute_values(":token", s(&token))
            .expression_attribute_values(":tokens", AttributeValue::Ss(vec![token.clone()]))
            .expression_attribute_values(":expires_at", n(expiry.at))
            .expression_attribute_values(":expires_on", s(&expiry.on))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut ends_tokens = false;
        let (counted, request, minute) = match &known {
            Some(minute) if !minute.as_ref().is_some_and(|it| it.holds(own)) => {
                let earlier = match minute {
                    None => minute_of(store, account, before, name, period.start, now).await?,
                    minute => minute.clone(),
                };
                let mut next = Minute::opened(earlier.as_ref(), own, rpm);
                if next.spare < count {
                    return Ok(Err(Refusal::Minute(next)));
                }
                next.spare -= count;
                let request = request.expression_attribute_values(":next", next.to_attribute());
                match minute {
                    Some(was) => {
                        ends_tokens = minute::ends_tokens(was.slot, own);
                        let request = request
                            .expression_attribute_values(":slot", n(was.slot))
                            .expression_attribute_values(":spare", n(was.spare));
                        let is_same = format!("{name}.w_slot = :slot AND {name}.w_spare = :spare");
                        (format!("{name} = :next"), request, is_same)
                    }
                    None => {
                        let is_none = format!("attribute_not_exists({name})");
                        (format!("{name} = :next"), request, is_none)
                    }
                }
            }
            known => {
                let slot = known.as_ref().and_then(Option::as_ref).map_or(own, |it| it.slot);
                let request = request
                    .expression_attribute_values(":slot", n(slot))
                    .expression_attribute_values(":count", n(count));
                let has_room = format!("{name}.w_slot = :slot AND {name}.w_spare >= :count");
                (format!("{name}.w_spare = {name}.w_spare - :count"), request, has_room)
            }
        };
        // Tokens are kept in two sets: an old one makes room for the next.
        let noted = match ends_tokens {
            true => format!(
                ", {tokens}_before = if_not_exists({tokens}, :tokens), {tokens} = :tokens \
                 ADD granted :cost"
            ),
            false => format!(" ADD granted :cost, {tokens} :tokens"),
        };
        let request = request
            .update_expression(format!(
                "SET expires_at = :expires_at, expires_on = :expires_on, {counted}{noted}"
            ))
            .condition_expression(format!(
                "(attribute_not_exists(granted) OR granted <= :most) AND \
                 NOT contains({tokens}, :token) AND NOT contains({tokens}_before, :token) AND {minute}"
            ));
        let (item, is_ours) = match conditional(request.send().await)? {
            Conditional::Done(output) => (output.attributes.unwrap_or_default(), true),
            Conditional::Refused(item) => {
                let item = item.unwrap_or_default();
                let is_ours = has_token(&item, &tokens, &token)
                    || has_token(&item, &format!("{tokens}_before"), &token);
                (item, is_ours)
            }
        };
        let minute = Minute::of(&item, name);
        let quota: Quota = from_item(item)?;
        if is_ours {
            let left = limit.saturating_sub(quota.granted);
            return Ok(Ok(Taken { left, minute: minute.unwrap_or_default() }));
        }
        if quota.granted > most {
            return Ok(Err(Refusal::Period(quota, minute)));
        }
        if let Some(minute) = &minute
            && minute.holds(own)
            && minute.spare < count
        {
            return Ok(Err(Refusal::Minute(minute.clone())));
        }
        known = Some(minute);
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: "the quota kept changing".to_owned() })
}

/// The minute of the period before, as long as it matters to one that began at `start`.
async fn minute_of(
    store: &Store,
    account: &AccountId,
    before: &Period,
    name: &str,
    start: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Option<Minute>, Error> {
    if now - start > minute::LONGEST {
        return Ok(None);
    }
    let key = [("account", account.to_string()), ("period", before.key())];
    Ok(store.get(Table::Quotas, key).await?.and_then(|item| Minute::of(&item, name)))
}

/// How many give-backs the item remembers, at least, so that one that is sent again counts once.
const RETURNS: usize = 100;

/// Returns `count` requests to the period. A repeated call with the same `request_id` returns them once. No
/// transaction: nothing may be in the way of those who take at the same time.
pub async fn give_back_direct(
    store: &Store,
    account: &AccountId,
    period: &Period,
    count: u64,
    request_id: &str,
) -> Result<(), Error> {
    let token = blake3::hash(format!("give back {request_id}").as_bytes()).to_hex();
    let token = &token.as_str()[..16];
    let is_new = "granted >= :count AND NOT contains(return_tokens, :token) AND \
                  NOT contains(return_tokens_before, :token)";
    // Tokens are kept in two sets: a full one takes the place of the one before.
    let attempts = [
        (
            "ADD granted :minus, return_tokens :tokens",
            format!(
                "{is_new} AND (attribute_not_exists(return_tokens) OR size(return_tokens) < :most)"
            ),
        ),
        (
            "SET return_tokens_before = return_tokens, return_tokens = :tokens ADD granted :minus",
            format!("{is_new} AND size(return_tokens) >= :most"),
        ),
    ];
    for _ in 0..3 {
        for (update, condition) in &attempts {
            let answer = store
                .client()
                .update_item()
                .table_name(store.name(Table::Quotas))
                .key("account", s(account.to_string()))
                .key("period", s(period.key()))
                .update_expression(*update)
                .condition_expression(condition)
                .expression_attribute_values(":minus", n(-count.cast_signed()))
                .expression_attribute_values(":count", n(count))
                .expression_attribute_values(":most", n(RETURNS))
                .expression_attribute_values(":token", s(token))
                .expression_attribute_values(":tokens", AttributeValue::Ss(vec![token.to_owned()]))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .send()
                .await;
            let Conditional::Refused(item) = conditional(answer)? else { return Ok(()) };
            let item = item.unwrap_or_default();
            if has_token(&item, "return_tokens", token)
                || has_token(&item, "return_tokens_before", token)
            {
                return Ok(());
            }
            if from_item::<Quota>(item)?.granted < count {
                // More than was handed out: none of it is this period's.
                let detail = "the period has not handed out so many".to_owned();
                return Err(Error::Unavailable { dependency: "DynamoDB", detail });
            }
        }
    }
    Err(Error::Unavailable { dependency: "DynamoDB", detail: "the quota kept changing".to_owned() })
}

/// Whether the set `name` of tokens has this one.
fn has_token(item: &Item, name: &str, token: &str) -> bool {
    let tokens = item.get(name).and_then(|it| it.as_ss().ok());
    tokens.is_some_and(|it| it.iter().any(|it| it == token))
}
