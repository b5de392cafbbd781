//! What is published of the privacy policy, from the inventory alone: how long each category is kept,
//! who receives it, and what California's law wants listed. `docs/PRIVACY-CONTROLS.md` adds, clause by
//! clause, what keeps each promise and what proves it.

mod clauses;
mod controls;

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::{
    clauses::{Clause, Proof, clauses},
    controls::{SECTIONS, markdown},
};
use crate::{
    accounts::POLICY_VERSION,
    inventory::{CATEGORIES, Category, LegalBasis},
};

/// The tables of the privacy policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Policy {
    /// Version of the policy that they belong to.
    #[schema(example = "1.0")]
    pub version: &'static str,
    /// Where to write to with questions, and to have a right answered that no endpoint answers.
    #[schema(example = "support@example.com")]
    pub contact: String,
    /// What is kept, how long, and why.
    pub retention: Vec<RetentionRow>,
    /// Categories of personal information under the California Consumer Privacy Act.
    pub ccpa: Vec<CcpaRow>,
    /// Who receives what.
    pub recipients: Vec<RecipientRow>,
}

/// One category of data.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionRow {
    /// Its name.
    #[schema(example = "api-logs")]
    pub category: &'static str,
    /// What it is.
    pub description: &'static str,
    /// How long it is kept.
    #[schema(example = "30 days")]
    pub kept: String,
    /// What for.
    pub purpose: &'static str,
    /// On which legal basis (GDPR Art. 6).
    #[schema(example = "legitimate interest")]
    pub legal_basis: &'static str,
}

/// One category of personal information, as the law names it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CcpaRow {
    /// The law's name for it.
    #[schema(example = "Identifiers")]
    pub category: &'static str,
    /// Which data of ours it is.
    pub data: Vec<&'static str>,
    /// Whether it is sold or shared for advertising: never.
    pub sold: bool,
}

/// One kind of recipient.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecipientRow {
    /// Who.
    #[schema(example = "Amazon Web Services (cloud hosting)")]
    pub recipient: &'static str,
    /// Which categories.
    pub data: Vec<&'static str>,
}

/// The tables, from the inventory.
pub fn policy(contact: &str) -> Policy {
    Policy {
        version: POLICY_VERSION,
        contact: contact.to_owned(),
        retention: CATEGORIES.iter().map(|it| retention_row(it)).collect(),
        ccpa: grouped(|it| it.ccpa.to_vec())
            .into_iter()
            .map(|(category, data)| CcpaRow { category, data, sold: false })
            .collect(),
        recipients: grouped(|it| it.recipients.to_vec())
            .into_iter()
            .map(|(recipient, data)| RecipientRow { recipient, data })
            .collect(),
    }
}

fn retention_row(category: &'static Category) -> RetentionRow {
    RetentionRow {
        category: category.id,
        description: category.description,
        kept: category.keep.to_string(),
        purpose: category.purpose,
        legal_basis: legal_basis(category),
    }
}

/// The category's legal basis in words.
pub fn legal_basis(category: &Category) -> &'static str {
    match category.legal_basis {
        LegalBasis::Contract => "contract",
        LegalBasis::LegitimateInterest => "legitimate interest",
        LegalBasis::Consent => "consent",
        LegalBasis::LegalObligation => "legal obligation",
    }
}

/// Ids of the categories by each name that `names` gives them.
fn grouped(
    names: impl Fn(&Category) -> Vec<&'static str>,
) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for category in CATEGORIES.iter() {
        for name in names(category) {
            groups.entry(name).or_default().push(category.id);
        }
    }
    groups
}
