//! Sections 5 to 7: rights, security, transfers.

use super::{Clause, Proof};

pub(super) static CLAUSES: &[Clause] = &[
    Clause {
        section: "5.1",
        promise: "You can see your account's data at any time",
        control: "`data/accounts.json` of an export; `GET /v1/keys` and `GET /v1/usage` show a part at \
                  once",
        proof: Proof::Tests(&[
            "exports::an_export_has_every_field_and_reads_back_to_what_is_stored",
        ]),
    },
    Clause {
        section: "5.1",
        promise: "Your use of the API can be fetched as a file",
        control: "`usage.csv`, `data/usage-statistics.json` and `data/api-logs.json` of an export",
        proof: Proof::Tests(&["exports::an_export_tells_a_person_what_it_is"]),
    },
    Clause {
        section: "5.1",
        promise: "Everything kept of you is handed over when you ask",
        control: "`POST /v1/privacy/exports`; `export` of each category in the inventory says which \
                  fields are in it, and a test fails for one that is stored and not named",
        proof: Proof::Tests(&[
            "exports::an_export_is_asked_for_made_announced_fetched_and_ended",
            "exports::an_export_has_every_field_and_reads_back_to_what_is_stored",
            "exports_races::killed_between_any_two_calls_it_comes_to_the_same",
        ]),
    },
    Clause {
        section: "5.1",
        promise: "Access can be asked for by e-mail",
        control: "not built: no mail is taken in",
        proof: Proof::Operator("reads the support address and answers by hand"),
    },
    Clause {
        section: "5.2",
        promise: "You can change your e-mail address",
        control: "not built",
        proof: Proof::NotYet("changing the address"),
    },
    Clause {
        section: "5.2",
        promise: "You can have wrong data corrected",
        control: "not built",
        proof: Proof::NotYet("changing address and company"),
    },
    Clause {
        section: "5.2",
        promise: "You can change your preferences",
        control: "not built",
        proof: Proof::NotYet("preferences"),
    },
    Clause {
        section: "5.2",
        promise: "Corrections are made after logging in, or through support",
        control: "not built",
        proof: Proof::NotYet("browser sign-in; intake of support mail"),
    },
    Clause {
        section: "5.3",
        promise: "An account goes whenever its holder wants",
        control: "`POST /v1/privacy/deletions` with a live key; it can be cancelled in the grace period. Who has \
                  no key gets one by mail (`POST /v1/accounts/recover`), also one whose account is suspended",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::a_deletion_can_be_cancelled_until_it_begins",
            "recovery::a_lost_last_key_is_replaced_and_the_others_stay_unless_said",
            "recovery::a_suspended_account_gets_its_rights_back_and_is_not_served_by_it",
            "recovery::who_steals_a_key_and_takes_everything_is_beaten_by_the_mailbox",
        ]),
    },
    Clause {
        section: "5.3",
        promise: "Everything of you is deleted",
        control: "the saga of `privacy/erasure.rs` empties the tables in `DELETED` and the gate, \
                  and looks again before it says so; `sessions` must join once \
                  something writes them there; billing is ended first, and what Stripe keeps for now \
                  is a request of its own",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure_races::killed_between_any_two_calls_it_comes_to_the_same",
            "erasure::what_fails_is_tried_again_and_never_called_done",
            "erasure_billing::an_erasure_ends_billing_first_and_keeps_the_records_for_7_years",
            "erasure_billing::without_stripe_nothing_is_deleted",
            "restore::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
            "restore_drill::a_restore_by_the_written_procedure_ends_and_brings_nothing_back",
        ]),
    },
    Clause {
        section: "5.3",
        promise: "It is done within 30 days",
        control: "`DeletionGraceDays` of at most 14, `process-deletions` every 5 minutes, alarms \
                  `ErasureIsLate` and `ErasureIsStuck`; backups end up to 30 days later, and \
                  `replay-erasures` repeats what a restore brings back",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::what_fails_is_tried_again_and_never_called_done",
            "restore::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
        ]),
    },
    Clause {
        section: "5.3",
        promise: "Deletion can be asked for by e-mail",
        control: "not built: no mail is taken in, and no operator's function opens a deletion",
        proof: Proof::NotYet("intake of mail; who has no key gets one by mail"),
    },
    Clause {
        section: "5.3",
        promise: "What law or business needs may stay, such as billing records",
        control: "`Erasure::Keep` of the inventory, stripped of address and company; preview and \
                  certificate say what, why and until when; `set-legal-hold`",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::a_legal_hold_stops_a_deletion_and_its_release_lets_it_go_on",
        ]),
    },
    Clause {
        section: "5.4",
        promise: "You can unsubscribe from marketing, also by the link in each mail",
        control: "not built",
        proof: Proof::NotYet("marketing mail and unsubscribe"),
    },
    Clause {
        section: "5.4",
        promise: "An opt-out is honoured within 48 hours",
        control: "a creator's objection: at once where the profile can be read, else the operator's \
                  queue with `due_at`, `watch-objections` every hour and the alarm `ObjectionIsLate` \
                  half a day before",
        proof: Proof::Tests(&[
            "objections::where_the_profile_cannot_be_read_the_operator_decides_within_48_hours",
            "objections::an_objection_is_proven_by_token_and_code_and_leaves_nothing_but_a_hash",
        ]),
    },
    Clause {
        section: "5.4",
        promise: "An opt-out of marketing too",
        control: "not built: no marketing mail is sent",
        proof: Proof::NotYet("unsubscribe, and a clock on it"),
    },
    Clause {
        section: "5.4",
        promise: "Transactional mail cannot be opted out of",
        control: "no setting stops `Mailer`; to an address that refuses mail what the law demands is still \
                  sent (`mail::Kind::is_demanded`)",
        proof: Proof::NotYet("a test with an opt-out, which is not built"),
    },
    Clause {
        section: "6.1",
        promise: "Every connection is encrypted by TLS",
        control: "API Gateway serves HTTPS only, `http/headers.rs` adds HSTS, AWS is reached by \
                  TLS; `RedisUrl` still accepts `redis://`",
        proof: Proof::NotYet(
            "a template that refuses Redis without TLS, and a test of it and of HSTS",
        ),
    },
    Clause {
        section: "6.1",
        promise: "API keys are stored hashed, and encrypted",
        control: "keyed BLAKE3 (`Pepper::hash`) of a key that is shown once; `SSESpecification` of \
                  `api-keys`",
        proof: Proof::Tests(&[
            "rotation::keys_and_addresses_survive_a_rotation_of_the_pepper",
            "keys::keys_are_made_shown_once_listed_and_revoked_at_once",
            "keys::a_revoked_key_does_not_come_back_by_its_idempotency_key",
            "contract::the_template_keeps_what_the_inventory_promises",
        ]),
    },
    Clause {
        section: "6.1",
        promise: "The database is encrypted at rest",
        control: "`SSESpecification` of every table in `template.yaml`",
        proof: Proof::Tests(&["contract::the_template_keeps_what_the_inventory_promises"]),
    },
    Clause {
        section: "6.1",
        promise: "Security is audited regularly",
        control: "`.ci/run` checks dependencies by `deny.toml`: bans, licences and sources, no \
                  advisories",
        proof: Proof::Operator("has the service audited"),
    },
    Clause {
        section: "6.1",
        promise: "A firewall and intrusion detection stand guard",
        control: "throttling of `HttpApi`, limits on bodies and headers, `SecurityGroupIds`; \
                  `template.yaml` has neither firewall nor detection",
        proof: Proof::Operator("puts a web application firewall and intrusion detection in front"),
    },
    Clause {
        section: "6.1",
        promise: "Backups are made automatically",
        control: "point-in-time recovery of every table",
        proof: Proof::Tests(&["contract::the_template_keeps_what_the_inventory_promises"]),
    },
    Clause {
        section: "6.1",
        promise: "Access is controlled and needs authentication",
        control: "an IAM policy for each function names just what its code uses; a customer's key \
                  reaches its own account only",
        proof: Proof::Tests(&[
            "contract::each_function_may_do_just_what_it_does",
            "keys::a_customer_cannot_touch_another_ones_keys",
            "bad_input::keys_of_every_bad_kind_are_refused",
        ]),
    },
    Clause {
        section: "6.1",
        promise: "Employees are trained in data protection",
        control: "outside the code",
        proof: Proof::Operator("trains them"),
    },
    Clause {
        section: "6.1",
        promise: "There are procedures for incidents",
        control: "alarms in `template.yaml`, and \"When something fails\" in `docs/OPERATIONS.md`",
        proof: Proof::Operator("rehearses them, and says who is called"),
    },
    Clause {
        section: "6.1",
        promise: "Security is reviewed regularly",
        control: "outside the code",
        proof: Proof::Operator("reviews accounts, roles and alarms"),
    },
    Clause {
        section: "6.2",
        promise: "You keep your API key secret",
        control: "a key is shown once and listed by a hint only; a revoked one is refused from \
                  then on",
        proof: Proof::Tests(&[
            "keys::keys_are_made_shown_once_listed_and_revoked_at_once",
            "review::a_key_revoked_in_the_middle_of_a_request_is_refused_afterwards",
        ]),
    },
    Clause {
        section: "6.2",
        promise: "You choose strong passwords",
        control: "there are no passwords: keys and tokens are random",
        proof: Proof::Operator("strikes this from the policy"),
    },
    Clause {
        section: "6.2",
        promise: "You report security problems at once",
        control: "outside the code",
        proof: Proof::Operator("reads the security address"),
    },
    Clause {
        section: "6.3",
        promise: "Those concerned hear of a breach within 72 hours",
        control: "not built",
        proof: Proof::NotYet("breach notices, and a clock on them"),
    },
    Clause {
        section: "6.3",
        promise: "The notice says what happened, what was affected, what is done",
        control: "not built",
        proof: Proof::NotYet("breach notices"),
    },
    Clause {
        section: "7.1",
        promise: "The policy names where the servers are",
        control: "everything is in the one region that the stack is deployed to",
        proof: Proof::Operator("puts that region in place of the policy's placeholder"),
    },
    Clause {
        section: "7.1",
        promise: "Data may cross borders",
        control: "no table is replicated to another region",
        proof: Proof::Operator("checks where customers, mail and support are"),
    },
    Clause {
        section: "7.2",
        promise: "Data from the EU is handled as GDPR requires",
        control: "inventory, erasure and retention as in the other sections",
        proof: Proof::Operator("answers for the whole"),
    },
    Clause {
        section: "7.2",
        promise: "Standard contractual clauses cover transfers",
        control: "outside the code",
        proof: Proof::Operator("agrees on them with AWS and every other processor"),
    },
];
