//! What an export is and what is in it: what GDPR Art. 15(1) wants told with the copy itself.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    super::{mails::instant, request::Request},
    archive::Entry,
};
use crate::{
    accounts::POLICY_VERSION,
    inventory::{CATEGORIES, Category, Export},
    policy::legal_basis,
};

/// Version of the form of exports; raised when a reader must change.
pub(super) const FORMAT: u32 = 1;

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
    pub(super) rights: [&'static str; 5],
    pub(super) categories: Vec<CategoryEntry>,
    /// Every file but this one.
    pub(super) files: Vec<Entry>,
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
    pub(super) recipients: &'static [&'static str],
    pub(super) kept: String,
}

impl Manifest {
    pub(super) fn new(
        request: &Request,
        found: &BTreeMap<String, u64>,
        now: OffsetDateTime,
    ) -> Self {
        let told = CATEGORIES.iter().filter(|it| it.is_told());
        Self {
            format: FORMAT,
            request: request.id.to_string(),
            account: request.account.to_string(),
            created_at: instant(now.unix_timestamp()),
            policy_version: POLICY_VERSION,
            rights: RIGHTS,
            categories: told.map(|it| entry(it, found)).collect(),
            files: Vec::new(),
        }
    }
}

fn entry(category: &Category, found: &BTreeMap<String, u64>) -> CategoryEntry {
    CategoryEntry {
        category: category.id,
        description: category.description,
        items: found.get(category.id).copied(),
        left_out: match category.export {
            Export::Items { .. } => None,
            Export::No(reason) => Some(reason),
        },
        purpose: category.purpose,
        legal_basis: legal_basis(category),
        source: category.source,
        recipients: category.recipients,
        kept: category.keep.to_string(),
    }
}
