//! What an export is and what is in it: what GDPR Art. 15(1) wants told with the copy itself.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    super::{mails::instant, request::Request},
    archive::Entry,
    told::Told,
};
use crate::{
    accounts::POLICY_VERSION,
    inventory::{CATEGORIES, Category, Export, PAYMENT},
    policy::legal_basis,
};

/// Version of the form of exports; raised when a reader must change.
pub(super) const FORMAT: u32 = 2;

/// What the service is called.
pub(super) const SERVICE: &str = "TikTok Video Intelligence API";

/// What goes with the copy besides (GDPR Art. 15(1)(e), (f) and (h), and (2)).
pub(super) const RIGHTS: [&str; 5] = [
    "You can have what is wrong corrected, and what is kept deleted or restricted.",
    "You can object to what is done on the ground of a legitimate interest.",
    "You can complain to the data protection authority of where you live or work.",
    "Where data leaves the European Union, standard contractual clauses protect it.",
    "No decision about you is made by automated means alone, and no profile of you is made.",
];

#[derive(Clone, Debug, Serialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) request: String,
    pub(super) account: String,
    /// What the copy shows is of this time.
    pub(super) created_at: String,
    pub(super) policy_version: &'static str,
    pub(super) controller: Controller,
    pub(super) rights: [&'static str; 5],
    pub(super) categories: Vec<CategoryEntry>,
    /// Every file but this one.
    pub(super) files: Vec<Entry>,
}

/// Who answers for the data (GDPR Art. 15 with Art. 13(1)(a)).
#[derive(Clone, Debug, Serialize)]
pub(super) struct Controller {
    pub(super) service: &'static str,
    /// Where to write to.
    pub(super) contact: String,
}

/// Who receives a category, and whether anything of this account went there.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Recipient {
    pub(super) recipient: &'static str,
    pub(super) received: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CategoryEntry {
    pub(super) category: &'static str,
    pub(super) description: &'static str,
    /// Items in the copy; null where the category is not in it.
    pub(super) items: Option<u64>,
    /// Why it is not in the copy.
    pub(super) left_out: Option<&'static str>,
    pub(super) purpose: &'static str,
    pub(super) legal_basis: &'static str,
    pub(super) source: &'static str,
    pub(super) recipients: Vec<Recipient>,
    pub(super) kept: String,
    /// Stored with it and not in the copy: by which the service finds, protects and counts items.
    pub(super) fields_left_out: &'static [&'static str],
}

impl Manifest {
    pub(super) fn new(
        request: &Request,
        found: &BTreeMap<String, u64>,
        told: &Told,
        contact: &str,
        now: OffsetDateTime,
    ) -> Self {
        let categories = CATEGORIES.iter().filter(|it| it.is_told());
        Self {
            format: FORMAT,
            request: request.id.to_string(),
            account: request.account.to_string(),
            created_at: instant(now.unix_timestamp()),
            policy_version: POLICY_VERSION,
            controller: Controller { service: SERVICE, contact: contact.to_owned() },
            rights: RIGHTS,
            categories: categories.map(|it| entry(it, found, told)).collect(),
            files: Vec::new(),
        }
    }
}

fn entry(category: &Category, found: &BTreeMap<String, u64>, told: &Told) -> CategoryEntry {
    let items = found.get(category.id).copied();
    let received = |recipient: &'static str| Recipient {
        recipient,
        received: match recipient {
            PAYMENT => told.is_customer() && items != Some(0),
            _ => items != Some(0),
        },
    };
    CategoryEntry {
        category: category.id,
        description: category.description,
        items,
        left_out: match category.export {
            Export::Items { .. } => None,
            Export::No(reason) => Some(reason),
        },
        purpose: category.purpose,
        legal_basis: legal_basis(category),
        source: category.source,
        recipients: category.recipients.iter().map(|it| received(it)).collect(),
        kept: category.keep.to_string(),
        fields_left_out: match category.export {
            Export::Items { internal, .. } => internal,
            Export::No(_) => &[],
        },
    }
}
