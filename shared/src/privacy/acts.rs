//! What a restored backup must not undo besides erasures: keys that were revoked, accounts that were suspended or
//! let go on, refunds that were asked for, customers at Stripe, addresses that refuse mail or take it again, receipts that
//! did not arrive. Each is noted beside the ledger, in the transaction that does it (but for a receipt that did not arrive, which
//! is noted after its sign is put: what fails in between comes again with SES's event), and kept for as long as a backup
//! could bring back what was before it.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    accounts::{self, Status},
    billing::task::Task,
    error::Error,
    ids::{AccountId, KeyId},
    inventory::{self, Table},
    keys,
    mail::MailStop,
    store::{Store, from_item, putting, to_item, unavailable},
};

/// Such an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub(crate) enum Act {
    /// A key was revoked, by its owner or by who came back by mail.
    KeyRevoked {
        /// Which.
        key_id: KeyId,
    },
    /// The operator has given the account this status.
    StatusSet {
        /// Which.
        status: Status,
    },
    /// A refund was asked for.
    RefundAsked {
        /// Its task.
        refund: Box<Task>,
    },
    /// The account was given a customer at Stripe.
    CustomerMade {
        /// Which (`cus_…`).
        customer: String,
    },
    /// A receipt did not arrive, and the operator is to see that.
    Undelivered {
        /// The sign for them.
        flag: Box<Task>,
    },
    /// The account's address refuses mail.
    MailStopped {
        /// Why, and since when.
        mail_stop: MailStop,
    },
    /// The account's address was confirmed again: it takes mail.
    MailConfirmed,
}

/// An act as it is stored (`deletions`, `id`). Of several that undo each other the last one stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Noted {
    id: String,
    account: AccountId,
    #[serde(flatten)]
    act: Act,
    /// When it was done (epoch seconds).
    at: i64,
    expires_at: i64,
    expires_on: String,
}

impl Noted {
    fn new(account: &AccountId, act: Act, now: OffsetDateTime) -> Self {
        let id = match &act {
            Act::KeyRevoked { key_id } => format!("key#{key_id}"),
            Act::StatusSet { .. } => format!("status#{account}"),
            Act::RefundAsked { refund } => format!("{}#{account}", refund.task),
            Act::CustomerMade { .. } => format!("customer#{account}"),
            Act::Undelivered { flag } => format!("{}#{account}", flag.task),
            Act::MailStopped { .. } | Act::MailConfirmed => format!("mail#{account}"),
        };
        let expiry = inventory::LATE_ACTS.expiry(now, account.tag());
        Self {
            id,
            account: account.clone(),
            act,
            at: now.unix_timestamp(),
            expires_at: expiry.at,
            expires_on: expiry.on,
        }
    }

    /// Whose it is.
    pub(super) fn account(&self) -> &str {
        self.account.tag()
    }

    /// Does it again, should a backup have undone it; whether it had.
    pub(super) async fn repeat(&self, store: &Store) -> Result<bool, Error> {
        match &self.act {
            Act::KeyRevoked { key_id } => {
                let at = OffsetDateTime::from_unix_timestamp(self.at).map_err(Error::internal)?;
                keys::revoke_again(store, &self.account, key_id, at).await
            }
            Act::StatusSet { status } => {
                accounts::set_status_again(store, &self.account, *status).await
            }
            Act::RefundAsked { refund: task } | Act::Undelivered { flag: task } => {
                let is_there = accounts::get(store, &self.account).await?.is_some();
                Ok(is_there && task.store_new(store).await?)
            }
            Act::CustomerMade { customer } => {
                accounts::set_customer_again(store, &self.account, customer).await
            }
            Act::MailStopped { mail_stop } => {
                accounts::stop_mail_again(store, &self.account, *mail_stop).await
            }
            Act::MailConfirmed => accounts::confirm_mail_again(store, &self.account, self.at).await,
        }
    }
}

/// Notes `act`, which was done just before: where the function dies in between, it must come to this again.
pub(crate) async fn note(
    store: &Store,
    account: &AccountId,
    act: Act,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let put = store.client().put_item().table_name(store.name(Table::Deletions));
    let put = put.set_item(Some(to_item(Noted::new(account, act, now))?));
    put.send().await.map(drop).map_err(unavailable)
}

/// Notes `act`, as a part of the transaction that does it.
pub(crate) fn noting(
    store: &Store,
    account: &AccountId,
    act: Act,
    now: OffsetDateTime,
) -> Result<TransactWriteItem, Error> {
    let item = to_item(Noted::new(account, act, now))?;
    putting(Put::builder().table_name(store.name(Table::Deletions)).set_item(Some(item)))
}

/// Those among the next items of the table after `after`, and after which to go on.
pub(super) async fn page(
    store: &Store,
    after: Option<&str>,
) -> Result<(Vec<Noted>, Option<String>), Error> {
    let (items, last) = store.page(Table::Deletions, after).await?;
    let noted = items.into_iter().filter(|it| it.contains_key("act"));
    Ok((noted.map(from_item).collect::<Result<_, _>>()?, last))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{
        billing::task::{OPERATOR, RefundRequest, RefundState, Sign, Work},
        inventory::LATE_ACTS,
        mail::Why,
        store::text,
    };

    #[test]
    fn each_act_comes_back_as_it_was_noted_and_stores_what_is_declared() {
        let account: AccountId = "acc_4kPq9ZtR2mWx".parse().expect("an id");
        let now = datetime!(2026-11-24 12:00 UTC);
        let refund = RefundRequest {
            invoice: "in_1".to_owned(),
            charge: "ch_1".to_owned(),
            cents: 1_000,
            returned_cents: 0,
            credited_cents: 0,
            failures: 0,
            currency: "usd".to_owned(),
            asked_at: 1_795_521_600,
            state: RefundState::Open,
            reason: None,
            decided_at: None,
        };
        let refund =
            Task::new(&account, "refund#in_1".to_owned(), Work::Refund(refund), OPERATOR, now);
        let flag = Work::Flag { sign: Sign::Undelivered, detail: "in_1".to_owned() };
        let flag = Task::new(&account, "flag#undelivered#in_1".to_owned(), flag, OPERATOR, now);
        let acts = [
            Act::KeyRevoked { key_id: "key_4kPq9ZtR2mWx".parse().expect("an id") },
            Act::StatusSet { status: Status::Suspended },
            Act::RefundAsked { refund: Box::new(refund) },
            Act::CustomerMade { customer: "cus_1".to_owned() },
            Act::Undelivered { flag: Box::new(flag) },
            Act::MailStopped { mail_stop: MailStop { why: Why::Complaint, at: 1_795_521_600 } },
            Act::MailConfirmed,
        ];
        let mut ids = std::collections::BTreeSet::new();
        for act in acts {
            let item = to_item(Noted::new(&account, act.clone(), now)).expect("an item");
            for name in item.keys() {
                assert!(LATE_ACTS.fields.contains(&name.as_str()), "{name} is not declared");
            }
            ids.insert(text(&item, "id").expect("an id").to_owned());
            assert_eq!(from_item::<Noted>(item).expect("an act").act, act);
        }
        // Of the two about mail the last one stands.
        assert_eq!(ids.len(), 6);
    }
}
