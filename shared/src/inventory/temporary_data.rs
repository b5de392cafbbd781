//! What lives in Redis, for an hour at most.

use super::{
    CUSTOMERS, Category, DERIVED, Erasure, Export, HOSTING, Keep, LegalBasis, OBSERVED, Place,
    SERVICE, TIKTOK,
};

static GATE: Category = Category {
    id: "gate",
    description: "Copy of an account's limits, keys (hashed) and current lease",
    fields: &[
        "v", "st", "pl", "rp", "lm", "ps", "pe", "xp", "k:*", "ml", "tl", "lid", "rem", "seq",
        "out", "ex", "last", "lk", "lt", "ab", "bl", "bn",
    ],
    place: Place::Redis("{*}:g"),
    purpose: "to authenticate requests and enforce limits",
    legal_basis: LegalBasis::Contract,
    source: DERIVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("a copy of what the account, key and quota categories hold"),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers"],
    cookie: None,
};

static MINUTES: Category = Category {
    id: "minutes",
    description: "When an account's last requests came, to count those of the last minute",
    fields: &["instants"],
    place: Place::Redis("{*}:w:*"),
    purpose: "to enforce limits",
    legal_basis: LegalBasis::Contract,
    source: OBSERVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("gone within minutes; the API log category holds the same instants"),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers", "Internet activity"],
    cookie: None,
};

static LEASES: Category = Category {
    id: "leases",
    description: "Which accounts hold a lease, and when that was last looked at",
    fields: &["account tag"],
    place: Place::Redis("leases"),
    purpose: "to take leases back from accounts that have gone quiet",
    legal_basis: LegalBasis::Contract,
    source: DERIVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("a copy of what the quota category holds"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

static VIDEO_CACHE: Category = Category {
    id: "video-cache",
    description: "Answers about videos: what TikTok's interfaces say of a public video",
    fields: &["record"],
    place: Place::Redis("video:*"),
    purpose: "to answer quickly and spare the sources",
    legal_basis: LegalBasis::LegitimateInterest,
    source: TIKTOK,
    recipients: &[HOSTING, CUSTOMERS],
    keep: Keep::Hours(1),
    export: Export::No("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: &[],
    cookie: None,
};

static CREATOR_CACHE: Category = Category {
    id: "creator-cache",
    description: "Answers about creators: what TikTok's interfaces say of a public profile",
    fields: &["record"],
    place: Place::Redis("creator:*"),
    purpose: "to answer quickly and spare the sources",
    legal_basis: LegalBasis::LegitimateInterest,
    source: TIKTOK,
    recipients: &[HOSTING, CUSTOMERS],
    keep: Keep::Hours(1),
    export: Export::No("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: &[],
    cookie: None,
};

static SEARCH_CACHE: Category = Category {
    id: "search-cache",
    description: "Pages of searches: public videos, by whoever searched for them",
    fields: &["page"],
    place: Place::Redis("search:*"),
    purpose: "to answer quickly and spare the sources",
    legal_basis: LegalBasis::LegitimateInterest,
    source: TIKTOK,
    recipients: &[HOSTING, CUSTOMERS],
    keep: Keep::Hours(1),
    export: Export::No("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: &[],
    cookie: None,
};

static COMMENT_CACHE: Category = Category {
    id: "comment-cache",
    description: "Pages of public comments, without who wrote them",
    fields: &["page"],
    place: Place::Redis("comments:*"),
    purpose: "to answer quickly and spare the sources",
    legal_basis: LegalBasis::LegitimateInterest,
    source: TIKTOK,
    recipients: &[HOSTING, CUSTOMERS],
    keep: Keep::Hours(1),
    export: Export::No("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: &[],
    cookie: None,
};

static LINK_CACHE: Category = Category {
    id: "link-cache",
    description: "Which video a short link leads to",
    fields: &["video id"],
    place: Place::Redis("link:*"),
    purpose: "to answer quickly and spare the sources",
    legal_basis: LegalBasis::LegitimateInterest,
    source: TIKTOK,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: &[],
    cookie: None,
};

static FLIGHTS: Category = Category {
    id: "flights",
    description: "That a video is being fetched, or could not be",
    fields: &["state"],
    place: Place::Redis("flight:*"),
    purpose: "to ask a source once for many",
    legal_basis: LegalBasis::LegitimateInterest,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("not about the account holder"),
    erasure: Erasure::Expires,
    ccpa: &[],
    cookie: None,
};

static SOURCE_STATES: Category = Category {
    id: "source-states",
    description: "When each of TikTok's interfaces last answered and last failed",
    fields: &["answered", "failed", "fails", "until"],
    place: Place::Redis("source:*"),
    purpose: "to tell how the service does",
    legal_basis: LegalBasis::LegitimateInterest,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: &[],
    cookie: None,
};

static SOURCE_TOKEN: Category = Category {
    id: "source-token",
    description: "The operator's token for TikTok's Research API, encrypted, and who renews it",
    fields: &["token"],
    place: Place::Redis("token:*"),
    purpose: "to renew it once for many functions",
    legal_basis: LegalBasis::LegitimateInterest,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: &[],
    cookie: None,
};

static LOG_STREAM: Category = Category {
    id: "log-stream",
    description: "API request log entries on their way to the table",
    fields: &["entry"],
    place: Place::Redis("log:*"),
    purpose: "to monitor usage, find faults and prevent abuse",
    legal_basis: LegalBasis::LegitimateInterest,
    source: OBSERVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("reaches the API log category within a minute"),
    erasure: Erasure::Delete,
    ccpa: &["Geolocation", "Identifiers", "Internet activity"],
    cookie: None,
};

static UNREADABLE_ENTRIES: Category = Category {
    id: "unreadable-entries",
    description: "API request log entries that an earlier version of a function could not read",
    fields: &["entry"],
    place: Place::Redis("unreadable"),
    purpose: "to lose no entry when the service is renewed",
    legal_basis: LegalBasis::LegitimateInterest,
    source: OBSERVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("reaches the API log category, or is gone within the hour"),
    erasure: Erasure::Expires,
    ccpa: &["Geolocation", "Identifiers", "Internet activity"],
    cookie: None,
};

static MAIL_LIMITS: Category = Category {
    id: "mail-limits",
    description: "How many mails an address (hashed), a network address (hashed) or all together have caused \
                  this hour",
    fields: &["count"],
    place: Place::Redis("mails:*"),
    purpose: "to prevent abuse of the forms that send a mail",
    legal_basis: LegalBasis::LegitimateInterest,
    source: OBSERVED,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("gone within the hour"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

static OBJECTION_STAMP: Category = Category {
    id: "objection-stamp",
    description: "A random mark that changes with each objection of a creator",
    fields: &["stamp"],
    place: Place::Redis("objections"),
    purpose: "to look again whether a cached answer is about a creator who has objected",
    legal_basis: LegalBasis::LegalObligation,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::Hours(1),
    export: Export::No("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: &[],
    cookie: None,
};

pub(super) static ALL: &[&Category] = &[
    &GATE,
    &MINUTES,
    &LEASES,
    &VIDEO_CACHE,
    &CREATOR_CACHE,
    &SEARCH_CACHE,
    &COMMENT_CACHE,
    &LINK_CACHE,
    &FLIGHTS,
    &SOURCE_STATES,
    &SOURCE_TOKEN,
    &LOG_STREAM,
    &UNREADABLE_ENTRIES,
    &MAIL_LIMITS,
    &OBJECTION_STAMP,
];
