//! The categories. To store something new, declare it here first: tests fail until it is.

use super::{Category, Erasure, Keep, LegalBasis, Place, Table};

const HOSTING: &str = "cloud hosting";
const EMAIL: &str = "e-mail service";

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
        "account",
    ],
    place: Place::Table(Table::Accounts),
    purpose: "to authenticate you and provide the service",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING, EMAIL],
    keep: Keep::UntilDeleted,
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: Some("Identifiers"),
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
    ],
    place: Place::Table(Table::ApiKeys),
    purpose: "to authenticate requests",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::UntilDeleted,
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: Some("Identifiers"),
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
    ],
    place: Place::Table(Table::Sessions),
    purpose: "to make sure that an address belongs to whoever signs up with it",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::Hours(24),
    export: Err("it becomes the account, or is gone within a day"),
    erasure: Erasure::Expires,
    ccpa: Some("Identifiers"),
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
    ],
    place: Place::Table(Table::Quotas),
    purpose: "to enforce the plan's limits",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::Months(12),
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: Some("Internet activity"),
};

/// API request logs: 30 days (privacy policy §3.2).
pub static API_LOGS: Category = Category {
    id: "api-logs",
    description: "Each API request: endpoint, parameters, time, outcome, key, IP address, browser, \
                  device, operating system, referrer",
    fields: &["account_day", "pack", "entries", "count", "expires_at", "expires_on"],
    place: Place::Table(Table::ApiLogs),
    purpose: "to monitor usage, find faults and prevent abuse",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Days(30),
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: Some("Internet activity"),
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
    ],
    place: Place::Table(Table::UsageStats),
    purpose: "to show you your usage and to improve the service",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Months(12),
    export: Ok(()),
    erasure: Erasure::Delete,
    ccpa: Some("Internet activity"),
};

/// Progress of scheduled jobs.
pub static JOBS: Category = Category {
    id: "jobs",
    description: "How far each scheduled job has come",
    fields: &["name", "done_to"],
    place: Place::Table(Table::Jobs),
    purpose: "to resume a job where it stopped",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::UntilDeleted,
    export: Err("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: None,
};

static GATE: Category = Category {
    id: "gate",
    description: "Copy of an account's limits, keys (hashed) and current lease",
    fields: &[
        "v", "st", "pl", "rp", "lm", "ps", "pe", "xp", "k:*", "m", "c", "p", "lid", "rem", "seq",
        "out", "ex", "last", "lk", "lt", "ab", "bl", "bn",
    ],
    place: Place::Redis("{*}:g"),
    purpose: "to authenticate requests and enforce limits",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Err("a copy of what the account, key and quota categories hold"),
    erasure: Erasure::Delete,
    ccpa: Some("Identifiers"),
};

static LEASES: Category = Category {
    id: "leases",
    description: "Which accounts hold a lease",
    fields: &["account tag"],
    place: Place::Redis("leases"),
    purpose: "to take leases back from accounts that have gone quiet",
    legal_basis: LegalBasis::Contract,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Err("a copy of what the quota category holds"),
    erasure: Erasure::Expires,
    ccpa: Some("Identifiers"),
};

static VIDEO_CACHE: Category = Category {
    id: "video-cache",
    description: "Answers about videos: what TikTok's interfaces say of a public video",
    fields: &["record"],
    place: Place::Redis("video:*"),
    purpose: "to answer quickly and spare the sources",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Err("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: None,
};

static FLIGHTS: Category = Category {
    id: "flights",
    description: "That a video is being fetched, or could not be",
    fields: &["state"],
    place: Place::Redis("flight:*"),
    purpose: "to ask a source once for many",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Err("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: None,
};

static SOURCE_STATES: Category = Category {
    id: "source-states",
    description: "When each of TikTok's interfaces last answered and last failed",
    fields: &["answered", "failed"],
    place: Place::Redis("source:*"),
    purpose: "to tell how the service does",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Err("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: None,
};

static LOG_STREAM: Category = Category {
    id: "log-stream",
    description: "API request log entries on their way to the table",
    fields: &["entry"],
    place: Place::Redis("log:*"),
    purpose: "to monitor usage, find faults and prevent abuse",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Err("reaches the API log category within a minute"),
    erasure: Erasure::Delete,
    ccpa: Some("Internet activity"),
};

static MAIL_LIMITS: Category = Category {
    id: "mail-limits",
    description: "How many mails an address (hashed) or network address (hashed) has caused this hour",
    fields: &["count"],
    place: Place::Redis("mails:*"),
    purpose: "to prevent abuse of the sign-up form",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Err("gone within the hour"),
    erasure: Erasure::Expires,
    ccpa: Some("Identifiers"),
};

static FUNCTION_LOGS: Category = Category {
    id: "function-logs",
    description: "What the functions say of themselves: outcomes, durations, faults",
    fields: &["line"],
    place: Place::FunctionLogs,
    purpose: "to find and mend faults",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Days(super::FUNCTION_LOG_DAYS),
    export: Err("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: None,
};

static BACKUPS: Category = Category {
    id: "backups",
    description: "Continuous, encrypted backups of every table",
    fields: &["every field of the tables"],
    place: Place::Backups,
    purpose: "to recover from loss",
    legal_basis: LegalBasis::LegitimateInterest,
    recipients: &[HOSTING],
    keep: Keep::Days(super::BACKUP_DAYS),
    export: Err("copies of the tables"),
    erasure: Erasure::Keep("cannot be changed; a restore is followed by repeating later erasures"),
    ccpa: None,
};

static MAILS: Category = Category {
    id: "mails",
    description: "Mails we send: the address and the text, handed to the mail service and not kept",
    fields: &["to", "subject", "body"],
    place: Place::Mail,
    purpose: "to confirm a sign-up",
    legal_basis: LegalBasis::Contract,
    recipients: &[EMAIL],
    keep: Keep::Hours(24),
    export: Err("in your mailbox already"),
    erasure: Erasure::Expires,
    ccpa: Some("Identifiers"),
};

/// Every category.
pub static CATEGORIES: &[&Category] = &[
    &ACCOUNTS,
    &API_KEYS,
    &SIGN_UPS,
    &QUOTAS,
    &API_LOGS,
    &USAGE_STATISTICS,
    &JOBS,
    &GATE,
    &LEASES,
    &VIDEO_CACHE,
    &FLIGHTS,
    &SOURCE_STATES,
    &LOG_STREAM,
    &MAIL_LIMITS,
    &FUNCTION_LOGS,
    &BACKUPS,
    &MAILS,
];
