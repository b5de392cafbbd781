//! What the service keeps to answer for itself.

use super::{
    Category, DERIVED, EMAIL, Erasure, Export, FROM_CREATORS, FROM_MAIL, FROM_PAYMENT, FROM_YOU,
    HOSTING, Keep, LegalBasis, OBJECTION_HOURS, Place, SERVICE, Table,
    field::{counts, instant, instants, text, texts},
};

/// Requests under privacy law, and legal holds: 24 months after they are closed (California Code of
/// Regulations, title 11, §7101).
pub static PRIVACY_REQUESTS: Category = Category {
    id: "privacy-requests",
    description: "Your requests under privacy law: kind, state, every date, what was done",
    fields: &[
        "id",
        "kind",
        "account",
        "state",
        "received_at",
        "closed_at",
        "reason",
        "queue",
        "next_at",
        "opened_at",
        "run_at",
        "due_at",
        "email",
        "mailed_at",
        "mailing_at",
        "waits_for",
        "undelivered_at",
        "version",
        "attempts",
        "done",
        "found",
        "remainder",
        "customers",
        "objects",
        "redaction",
        "expires_at",
        "expires_on",
    ],
    place: Place::Table(Table::PrivacyRequests),
    purpose: "to answer your requests in time and to show that we did",
    legal_basis: LegalBasis::LegalObligation,
    source: FROM_YOU,
    recipients: &[HOSTING],
    keep: Keep::Months(24),
    export: Export::Items {
        fields: &[
            text("id", "id of the request"),
            text("kind", "what you asked for"),
            text("account", "your account"),
            text("state", "where it stands"),
            instant("received_at", "when you asked"),
            instant("opened_at", "when the account was opened"),
            instant("run_at", "when a deletion begins"),
            instant("due_at", "when it must be done"),
            text("email", "where a certificate will go"),
            instant("closed_at", "when it was done or withdrawn"),
            instant("undelivered_at", "when the mail about that was sent, if it came back"),
            instants("done", "when each step was done"),
            counts("found", "items found in each store"),
            text("waits_for", "what a deletion waits for"),
            text("remainder", "the request for what the payment processor redacts later"),
            texts("customers", "your numbers at the payment processor, until that is done"),
            texts("objects", "those of your invoices and payments there, until then"),
            instant("expires_at", "when it is deleted"),
        ],
        internal: &[
            "reason",
            "queue",
            "next_at",
            "mailed_at",
            "mailing_at",
            "version",
            "attempts",
            "redaction",
        ],
    },
    erasure: Erasure::Keep(
        "the law asks for a record of each request; once it is answered it names no address",
    ),
    ccpa: &["Identifiers"],
    cookie: None,
};

/// The hash-chained record of privacy-relevant acts: 7 years.
pub static AUDIT: Category = Category {
    id: "audit",
    description: "What the service did to keep its promises: counts and outcomes, nobody's data",
    fields: &[
        "chain",
        "sequence",
        "at",
        "act",
        "details",
        "previous",
        "hash",
        "expires_at",
        "expires_on",
    ],
    place: Place::Table(Table::Audit),
    purpose: "to show that the promises were kept",
    legal_basis: LegalBasis::LegalObligation,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::Years(7),
    export: Export::No("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: &[],
    cookie: None,
};

/// Stripe's events that have been handled. Stripe sends an event again for three days, and by hand for 30.
pub static WEBHOOK_EVENTS: Category = Category {
    id: "webhook-events",
    description: "Numbers of the payment processor's events that have been handled",
    fields: &["id", "event", "handled_at", "outcome", "expires_at", "expires_on"],
    place: Place::Table(Table::WebhookEvents),
    purpose: "to handle each event once",
    legal_basis: LegalBasis::Contract,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::Days(35),
    export: Export::No("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: &[],
    cookie: None,
};

/// Objections that are not proven yet. The token is valid for an hour less: the hourly job deletes what
/// comes due before its next run, and must not take a token that is still valid.
pub static NEW_OBJECTIONS: Category = Category {
    id: "new-objections",
    description: "A creator's objection that is not confirmed yet: handle, address, code, found by a \
                  keyed hash of the mailed token",
    fields: &[
        "hash",
        "kind",
        "username",
        "email",
        "code",
        "received_at",
        "confirmed_at",
        "looks",
        "expires_at",
        "expires_on",
    ],
    place: Place::Table(Table::Sessions),
    purpose: "to make sure that an objection comes from the creator",
    legal_basis: LegalBasis::LegalObligation,
    source: FROM_CREATORS,
    recipients: &[HOSTING, EMAIL],
    keep: Keep::Hours(OBJECTION_HOURS + 1),
    export: Export::No("a creator's, who has no account; gone within days"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

/// Confirmed objections: 24 months after they are closed, as every request under privacy law.
pub static OBJECTIONS: Category = Category {
    id: "objections",
    description: "Objections of creators: state, every date, what was decided; handle, address and \
                  code only until it is closed",
    fields: &[
        "id",
        "kind",
        "state",
        "username",
        "email",
        "code",
        "received_at",
        "confirmed_at",
        "due_at",
        "closed_at",
        "reason",
        "queue",
        "next_at",
        "undelivered_at",
        "expires_at",
        "expires_on",
    ],
    place: Place::Table(Table::PrivacyRequests),
    purpose: "to decide on objections in time and to show that we did",
    legal_basis: LegalBasis::LegalObligation,
    source: FROM_CREATORS,
    recipients: &[HOSTING, EMAIL],
    keep: Keep::Months(24),
    export: Export::No("a creator's, who has no account; it names no account"),
    erasure: Erasure::Keep(
        "not about the account; the law asks for a record of each request, and a closed one names \
         nobody",
    ),
    ccpa: &["Identifiers"],
    cookie: None,
};

/// Creators who objected, and addresses that opted out.
pub static SUPPRESSIONS: Category = Category {
    id: "suppressions",
    description: "A keyed hash of a creator who objected, or of an address that wants no mail",
    fields: &["hash", "kind", "at", "pepper_version"],
    place: Place::Table(Table::Suppressions),
    purpose: "to go on honouring an objection or opt-out",
    legal_basis: LegalBasis::LegalObligation,
    source: FROM_YOU,
    recipients: &[HOSTING],
    keep: Keep::UntilDeleted,
    export: Export::No("only a hash, which cannot be read"),
    erasure: Erasure::Keep("without it the objection would be forgotten; it is only a hash"),
    ccpa: &["Identifiers"],
    cookie: None,
};

/// Addresses that mail has come back from, or whose readers have called it spam. For 12 months: mail services give
/// dead addresses to other people after about a year, and one more try does no harm then. Of an address without an
/// account nothing else is kept; an account says of itself that its mail is stopped.
pub static MAIL_STOPS: Category = Category {
    id: "mail-stops",
    description: "A keyed hash of an address whose mail has come back or was called spam, which of the two, and when",
    fields: &[
        "hash",
        "why",
        "at",
        "tried_at",
        "objection_tried_at",
        "expires_at",
        "expires_on",
        "ledger_position",
    ],
    place: Place::Table(Table::Sessions),
    purpose: "to send no more mail to who does not get it or does not want it",
    legal_basis: LegalBasis::LegitimateInterest,
    source: FROM_MAIL,
    recipients: &[HOSTING],
    keep: Keep::Months(12),
    export: Export::No(
        "only a hash, which cannot be read; the account says whether its own mail is stopped",
    ),
    erasure: Erasure::Keep(
        "without it we would write again to an address that refuses our mail; it is only a hash",
    ),
    ccpa: &["Identifiers"],
    cookie: None,
};

/// What the mail service tells, on its way: four days in its queue, and 14 in that of what could not be handled.
static MAIL_EVENTS: Category = Category {
    id: "mail-events",
    description: "What the mail service tells of a mail that came back or was called spam: the address, the subject, \
                  what the mail was about",
    fields: &["event"],
    place: Place::Queue("mail-events*"),
    purpose: "to send no more mail to who does not get it or does not want it",
    legal_basis: LegalBasis::LegitimateInterest,
    source: FROM_MAIL,
    recipients: &[HOSTING, EMAIL],
    keep: Keep::Days(18),
    export: Export::No("gone within seconds; what follows from it is exported with the account"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

/// Exports that were made: 7 days.
pub static EXPORTS: Category = Category {
    id: "exports",
    description: "That a copy of your data was made, how large it is, and its checksum",
    fields: &[
        "id",
        "created_at",
        "upload",
        "bytes",
        "sha256",
        "expires_at",
        "expires_on",
        "ledger_position",
    ],
    place: Place::Table(Table::Exports),
    purpose: "to hand your data over to you",
    legal_basis: LegalBasis::LegalObligation,
    source: DERIVED,
    recipients: &[HOSTING],
    keep: Keep::Days(7),
    export: Export::No("copies of the other categories"),
    erasure: Erasure::Delete,
    ccpa: &["Identifiers"],
    cookie: None,
};

/// The files of exports: 7 days.
pub static EXPORT_FILES: Category = Category {
    id: "export-files",
    description: "The file of such a copy",
    fields: &["every exported field of the other categories"],
    place: Place::ExportFiles,
    purpose: "to hand your data over to you",
    legal_basis: LegalBasis::LegalObligation,
    source: DERIVED,
    recipients: &[HOSTING],
    keep: Keep::Days(7),
    export: Export::No("copies of the other categories"),
    erasure: Erasure::Delete,
    ccpa: &[
        "Geolocation",
        "Identifiers",
        "Internet activity",
        "Commercial information",
        "Professional information",
    ],
    cookie: None,
};

/// The erasure ledger: what must be erased again should a backup be restored.
pub static DELETIONS: Category = Category {
    id: "deletions",
    description: "Which account was erased and when, without address or name",
    fields: &["id", "account", "opened_at", "erased_at", "sequence", "expires_at", "expires_on"],
    place: Place::Table(Table::Deletions),
    purpose: "to repeat erasures after a restore from a backup",
    legal_basis: LegalBasis::LegalObligation,
    source: DERIVED,
    recipients: &[HOSTING],
    keep: Keep::Months(24),
    export: Export::No("there is no account any more that it could be handed to"),
    erasure: Erasure::Keep("without it, restoring a backup would undo the erasure"),
    ccpa: &["Identifiers"],
    cookie: None,
};

/// What else a restored backup must not undo: as long as there is a backup from before it, and five days.
pub static LATE_ACTS: Category = Category {
    id: "late-acts",
    description: "Keys that were revoked, suspensions, refunds that were asked for, numbers that were given at the payment \
                  processor, addresses that refused mail or were confirmed again, and receipts that did not arrive, in \
                  the last weeks",
    fields: &[
        "id",
        "account",
        "act",
        "key_id",
        "status",
        "refund",
        "customer",
        "flag",
        "mail_stop",
        "at",
        "expires_at",
        "expires_on",
    ],
    place: Place::Table(Table::Deletions),
    purpose: "to repeat them after a restore from a backup",
    legal_basis: LegalBasis::LegitimateInterest,
    source: DERIVED,
    recipients: &[HOSTING],
    keep: Keep::Days(super::BACKUP_DAYS + 5),
    export: Export::No("a copy of what the account, API key and billing task categories hold"),
    erasure: Erasure::Expires,
    ccpa: &["Commercial information", "Identifiers"],
    cookie: None,
};

static JOBS: Category = Category {
    id: "jobs",
    description: "How far each scheduled job has come",
    fields: &[
        "name",
        "done_to",
        "state",
        "closing",
        "offset",
        "tables",
        "began_at",
        "completed_at",
    ],
    place: Place::Table(Table::Jobs),
    purpose: "to resume a job where it stopped",
    legal_basis: LegalBasis::LegitimateInterest,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::UntilDeleted,
    export: Export::No("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: &[],
    cookie: None,
};

/// Stripe's events on their way: four days in their queue, and 14 in that of those that could not be handled. A
/// redrive begins anew, so the days add up.
pub static BILLING_EVENTS: Category = Category {
    id: "billing-events",
    description: "Which event of the payment processor's is to be handled, and whose: numbers, no name and no address",
    fields: &["id", "kind", "customer", "charge", "account"],
    place: Place::Queue("billing-events*"),
    purpose: "to follow what you buy and pay",
    legal_basis: LegalBasis::Contract,
    source: FROM_PAYMENT,
    recipients: &[HOSTING],
    keep: Keep::Days(18),
    export: Export::No(
        "handled within seconds as a rule; what came of it is in the billing categories",
    ),
    erasure: Erasure::Expires,
    ccpa: &["Commercial information", "Identifiers"],
    cookie: None,
};

static FUNCTION_LOGS: Category = Category {
    id: "function-logs",
    description: "What the functions say of themselves: outcomes, durations, faults",
    fields: &["line"],
    place: Place::FunctionLogs,
    purpose: "to find and mend faults",
    legal_basis: LegalBasis::LegitimateInterest,
    source: SERVICE,
    recipients: &[HOSTING],
    keep: Keep::Days(super::FUNCTION_LOG_DAYS),
    export: Export::No("holds nothing personal"),
    erasure: Erasure::NotPersonal,
    ccpa: &[],
    cookie: None,
};

static BACKUPS: Category = Category {
    id: "backups",
    description: "Continuous, encrypted backups of every table",
    fields: &["every field of the tables"],
    place: Place::Backups,
    purpose: "to recover from loss",
    legal_basis: LegalBasis::LegitimateInterest,
    source: DERIVED,
    recipients: &[HOSTING],
    keep: Keep::Days(super::BACKUP_DAYS),
    export: Export::No("copies of the tables"),
    erasure: Erasure::Keep("cannot be changed; a restore is followed by repeating later erasures"),
    ccpa: &[],
    cookie: None,
};

static MAILS: Category = Category {
    id: "mails",
    description: "Mails we send: the address and the text, handed to the mail service and not kept",
    fields: &["to", "subject", "body"],
    place: Place::Mail,
    purpose: "to confirm a sign-up or an objection and to tell you what becomes of a request",
    legal_basis: LegalBasis::Contract,
    source: SERVICE,
    recipients: &[EMAIL],
    keep: Keep::Hours(24),
    export: Export::No("in your mailbox already"),
    erasure: Erasure::Expires,
    ccpa: &["Identifiers"],
    cookie: None,
};

pub(super) static ALL: &[&Category] = &[
    &PRIVACY_REQUESTS,
    &WEBHOOK_EVENTS,
    &NEW_OBJECTIONS,
    &OBJECTIONS,
    &AUDIT,
    &SUPPRESSIONS,
    &MAIL_STOPS,
    &MAIL_EVENTS,
    &EXPORTS,
    &EXPORT_FILES,
    &DELETIONS,
    &LATE_ACTS,
    &BILLING_EVENTS,
    &JOBS,
    &FUNCTION_LOGS,
    &BACKUPS,
    &MAILS,
];
