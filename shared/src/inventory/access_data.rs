//! What is kept, for a while, of signing up and of getting back in.

use super::{
    Category, Erasure, Export, FROM_YOU, HOSTING, Keep, LegalBasis, MADE, OBSERVED, Place,
    RECOVERY_HOURS, Table,
};

/// Sign-ups that wait to be confirmed.
pub static SIGN_UPS: Category = Category {
    id: "sign-ups",
    description: "A sign-up that has not been confirmed yet, found by a keyed hash of the mailed token",
    fields: &[
        "hash",
        "email",
        "company",
        "policy_version",
        "policy_accepted_at",
        "marketing_consent_at",
        "account",
        "used_at",
        "expires_at",
        "expires_on",
        "ledger_position",
    ],
    place: Place::Table(Table::Sessions),
    purpose: "to make sure that an address belongs to whoever signs up with it",
    legal_basis: LegalBasis::Contract,
    source: FROM_YOU,
    recipients: &[HOSTING],
    keep: Keep::Hours(24),
    export: Export::No("it becomes the account, or is gone within a day"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers", "Professional information"],
    cookie: None,
};

/// Ways back into an account that were mailed.
pub static RECOVERIES: Category = Category {
    id: "recoveries",
    description: "That a token for getting back into your account was mailed to you, under a keyed hash of the \
                  token, and whether it was used",
    fields: &[
        "hash",
        "account",
        "valid_until",
        "used_at",
        "told_at",
        "expires_at",
        "expires_on",
        "ledger_position",
    ],
    place: Place::Table(Table::Sessions),
    purpose: "to let you back in when you have lost your keys or somebody else has one",
    legal_basis: LegalBasis::Contract,
    source: MADE,
    recipients: &[HOSTING],
    // The job deletes up to an hour ahead, and a token is good to its last minute.
    keep: Keep::Hours(RECOVERY_HOURS + 1),
    export: Export::No("gone within hours"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

/// Sign-ups by mailbox.
pub static MAILBOX_COUNTS: Category = Category {
    id: "mailbox-counts",
    description: "How many accounts were opened in a month for one mailbox under addresses with a tag \
                  (`name+tag@…`), under a keyed hash of both",
    fields: &["hash", "count", "expires_at", "expires_on"],
    place: Place::Table(Table::Sessions),
    purpose: "to prevent fraud: many accounts of one person",
    legal_basis: LegalBasis::LegitimateInterest,
    source: OBSERVED,
    recipients: &[HOSTING],
    keep: Keep::Days(31),
    export: Export::No("a number that is not kept with an account, gone within a month"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

/// Sign-ups by network.
pub static NETWORK_COUNTS: Category = Category {
    id: "network-counts",
    description: "How many accounts were opened on a day from a network of 256 addresses (of IPv6, a /48), \
                  under a keyed hash of both",
    fields: &["hash", "count", "expires_at", "expires_on"],
    place: Place::Table(Table::Sessions),
    purpose: "to prevent fraud: many accounts of one person",
    legal_basis: LegalBasis::LegitimateInterest,
    source: OBSERVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(24),
    export: Export::No("a number that is not kept with an account, gone within a day"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

/// Mails that strangers have asked for, while Redis cannot count them. An hour's count is needed to the end of its hour,
/// and the hourly job deletes up to an hour ahead.
pub static MAIL_COUNTS: Category = Category {
    id: "mail-counts",
    description: "How many mails an address, a network address or all together have caused in an hour, under a keyed \
                  hash, where the cache could not count them",
    fields: &["hash", "count", "expires_at", "expires_on"],
    place: Place::Table(Table::Sessions),
    purpose: "to prevent abuse of the forms that send a mail",
    legal_basis: LegalBasis::LegitimateInterest,
    source: OBSERVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(2),
    export: Export::No("a number that is not kept with an account, gone within two hours"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

pub(super) static ALL: &[&Category] =
    &[&SIGN_UPS, &RECOVERIES, &NETWORK_COUNTS, &MAILBOX_COUNTS, &MAIL_COUNTS];
