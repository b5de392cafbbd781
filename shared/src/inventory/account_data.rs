//! What is kept about an account and its holder.

use super::{
    Category, CookieClass, EMAIL, Erasure, HOSTING, Keep, LegalBasis, PAYMENT, Place, Table,
};

/// Accounts: until deletion is requested (privacy policy §3.2).
pub static ACCOUNTS: Category = Category {
    id: "accounts",
    description: "Your account: e-mail address, company if given, plan, what you agreed to and when",
    fields: &[
        "id",
        "email",
        "email_hash",
        "company",
        "plan",
        "status",
        "created_at",
        "policy_version",
        "policy_accepted_at",
        "marketing_consent_at",
        "gate_version",
        "key_count",
        "erasure",
        "account",
        "ledger_position",
    ],
    place: Place::Table(Table::Accounts),
    purpose: "to authenticate you and provide the service",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING, EMAIL],
    keep: Keep::UntilDeleted,
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers", "Professional information"],
    cookie: None,
};

/// API keys, as keyed hashes.
pub static API_KEYS: Category = Category {
    id: "api-keys",
    description: "Your API keys: a keyed hash, your name for each, when made and last used",
    fields: &[
        "account",
        "key_id",
        "hash",
        "pepper_version",
        "name",
        "hint",
        "created_at",
        "last_used_at",
        "ledger_position",
    ],
    place: Place::Table(Table::ApiKeys),
    purpose: "to authenticate requests",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::UntilDeleted,
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers"],
    cookie: None,
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
    recipients: &[HOSTING],
    keep: Keep::Hours(24),
    export: Err("it becomes the account, or is gone within a day"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers", "Professional information"],
    cookie: None,
};

/// Signed-in browsers.
static SESSIONS: Category = Category {
    id: "sessions",
    description: "A browser that is signed in, found by a keyed hash of its cookie",
    fields: &["hash", "account", "created_at", "expires_at", "expires_on"],
    place: Place::Table(Table::Sessions),
    purpose: "to keep you signed in",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::Hours(12),
    export: Err("gone within hours"),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers"],
    cookie: Some(CookieClass::Essential),
};

/// Quota use by period.
pub static QUOTAS: Category = Category {
    id: "quotas",
    description: "How much of each period's quota has been handed out and used",
    fields: &[
        "account",
        "period",
        "granted",
        "settled",
        "lost",
        "lease",
        "lease_size",
        "current_minute",
        "minute_count",
        "expires_at",
        "expires_on",
        "held_from",
        "ledger_position",
    ],
    place: Place::Table(Table::Quotas),
    purpose: "to enforce the plan's limits",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::Months(12),
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: &["Internet activity"],
    cookie: None,
};

/// API request logs: 30 days (privacy policy §3.2).
pub static API_LOGS: Category = Category {
    id: "api-logs",
    description: "Each API request: endpoint, parameters, time, outcome, key, IP address and its \
                  country, browser, device, operating system, referrer",
    fields: &[
        "account_day",
        "pack",
        "entries",
        "count",
        "expires_at",
        "expires_on",
        "held_from",
        "ledger_position",
    ],
    place: Place::Table(Table::ApiLogs),
    purpose: "to monitor usage, find faults and prevent abuse",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Days(30),
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: &["Geolocation", "Identifiers", "Internet activity"],
    cookie: None,
};

/// Usage statistics: 12 months (privacy policy §3.2).
pub static USAGE_STATISTICS: Category = Category {
    id: "usage-statistics",
    description: "Requests, errors, cache hits and response times of each day",
    fields: &[
        "account",
        "day",
        "requests",
        "charged",
        "client_errors",
        "server_errors",
        "limited",
        "cache_hits",
        "latency_*",
        "expires_at",
        "expires_on",
        "held_from",
        "ledger_position",
    ],
    place: Place::Table(Table::UsageStats),
    purpose: "to show you your usage and to improve the service",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Months(12),
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: &["Internet activity"],
    cookie: None,
};

/// Billing records: 7 years, because tax law asks for them (privacy policy §3.2).
pub static BILLING_RECORDS: Category = Category {
    id: "billing-records",
    description: "Invoices, receipts and refunds",
    fields: &[
        "account",
        "record",
        "kind",
        "issued_at",
        "amount_cents",
        "currency",
        "plan",
        "email",
        "company",
        "expires_at",
        "expires_on",
        "held_from",
        "ledger_position",
    ],
    place: Place::Table(Table::BillingRecords),
    purpose: "to bill you and to account for it",
    legal_basis: LegalBasis::LegalObligation,
    recipients: &[HOSTING, PAYMENT],
    keep: Keep::AtLeastYears(7),
    export: Ok(()),
    erasure: Erasure::Keep(
        "tax law asks for billing records; your address and company are removed",
    ),
    ccpa: &["Commercial information"],
    cookie: None,
};

/// Support mail, feedback and survey answers: 2 years (privacy policy §3.2).
pub static SUPPORT_MESSAGES: Category = Category {
    id: "support-messages",
    description: "What you wrote to us: support mail, feedback, survey answers, and our replies",
    fields: &[
        "sender",
        "message",
        "kind",
        "received_at",
        "subject",
        "body",
        "expires_at",
        "expires_on",
        "held_from",
        "ledger_position",
    ],
    place: Place::Table(Table::SupportMessages),
    purpose: "to answer you and to improve the service",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING, EMAIL],
    keep: Keep::Years(2),
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers"],
    cookie: None,
};

/// What was consented to, and when it was given or withdrawn.
pub static CONSENTS: Category = Category {
    id: "consents",
    description: "Each consent that you gave or withdrew: to what, when, under which policy",
    fields: &["account", "consent", "kind", "given", "at", "policy_version", "ledger_position"],
    place: Place::Table(Table::Consents),
    purpose: "to act on your choices and to show that we did",
    legal_basis: LegalBasis::LegalObligation,
    recipients: &[HOSTING],
    keep: Keep::UntilDeleted,
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers"],
    cookie: None,
};

pub(super) static ALL: &[&Category] = &[
    &ACCOUNTS,
    &API_KEYS,
    &SIGN_UPS,
    &SESSIONS,
    &QUOTAS,
    &API_LOGS,
    &USAGE_STATISTICS,
    &BILLING_RECORDS,
    &SUPPORT_MESSAGES,
    &CONSENTS,
];
