//! Every clause of the privacy policy, with what enforces it and what proves it.
//!
//! Tests hold it: every section of the policy has a clause, every test that is named exists, and
//! `docs/PRIVACY-CONTROLS.md`, which is made from it, is fresh.

/// What shows that a clause is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Tests, as `module::function` of `tests/it/`.
    Tests(&'static [&'static str]),
    /// Nothing yet; says what is missing.
    NotYet(&'static str),
    /// A matter of the operator's organisation, which no code can enforce; says what the operator
    /// does.
    Operator(&'static str),
}

/// One promise of the policy.
#[derive(Clone, Copy, Debug)]
pub struct Clause {
    /// Section of the policy, for example `3.2`.
    pub section: &'static str,
    /// What is promised.
    pub promise: &'static str,
    /// What keeps it.
    pub control: &'static str,
    /// What shows it.
    pub proof: Proof,
}

/// Every clause, in the policy's order.
pub static CLAUSES: &[Clause] = &[
    Clause {
        section: "1.1",
        promise: "An account takes an e-mail address and, if wanted, a company",
        control: "`SignUpRequest` takes no other personal field and refuses unknown ones; the \
                  inventory declares what is stored",
        proof: Proof::Tests(&[
            "bad_input::bodies_are_read_strictly",
            "contract::every_stored_attribute_is_declared",
            "journey::a_customer_signs_up_uses_the_service_and_meets_its_limits",
        ]),
    },
    Clause {
        section: "1.1",
        promise: "Payment details stay with Stripe and are not stored here",
        control: "not built; `billing-records` of the inventory has no field for them",
        proof: Proof::NotYet(
            "billing with Stripe (issue 5), and a test that no payment detail arrives",
        ),
    },
    Clause {
        section: "1.1",
        promise: "Support mail, feedback and survey answers are kept",
        control: "category `support-messages` of the inventory; nothing writes it",
        proof: Proof::NotYet("intake of support mail"),
    },
    Clause {
        section: "1.2",
        promise: "Each API request is logged: endpoint, time, parameters",
        control: "`Entry` of `usage/entry.rs`, in packs by the minute of its arrival in `api-logs`",
        proof: Proof::Tests(&[
            "usage::an_entry_holds_what_the_policy_names",
            "usage::past_days_can_be_asked_for",
        ]),
    },
    Clause {
        section: "1.2",
        promise: "Successes and failures are counted",
        control: "`status` of `Entry`; `roll-up-usage` adds them up by day in `usage-stats`",
        proof: Proof::Tests(&[
            "usage::what_fails_is_counted_and_not_charged",
            "gate::a_panic_after_the_gate_costs_nothing_and_is_logged",
        ]),
    },
    Clause {
        section: "1.2",
        promise: "Response times are measured",
        control: "`latency_ms` of `Entry`; `Histogram` keeps them by day in `usage-stats`",
        proof: Proof::NotYet(
            "a test that looks at a measured time; only the histogram has a unit test",
        ),
    },
    Clause {
        section: "1.2",
        promise: "Volume and pattern of requests are counted",
        control: "`roll-up-usage`, every minute, writes each pack and its counts in one \
                  transaction",
        proof: Proof::Tests(&[
            "journey::a_customer_signs_up_uses_the_service_and_meets_its_limits",
            "usage::rolling_up_twice_or_after_a_restore_counts_once",
            "usage::two_roll_ups_at_once_count_once",
        ]),
    },
    Clause {
        section: "1.2",
        promise: "Which API key was used is noted, never the key itself",
        control: "`Entry` names the key by its public id; its keyed hash stays in `api-keys` and \
                  the gate; the policy's text should say so",
        proof: Proof::Tests(&[
            "usage::an_entry_holds_what_the_policy_names",
            "contract::nothing_personal_is_in_the_functions_logs",
        ]),
    },
    Clause {
        section: "1.2",
        promise: "IP address, browser, operating system and referrer are noted",
        control: "`ip`, `agent` and `referrer` of `Entry`, for metered requests only; API Gateway \
                  writes no access log",
        proof: Proof::Tests(&["usage::an_entry_holds_what_the_policy_names"]),
    },
    Clause {
        section: "1.2",
        promise: "Browser version and kind of device are noted",
        control: "`Agent::parse` of `usage/entry.rs`; a unit test reads a device",
        proof: Proof::NotYet("a test that looks at both in a stored entry"),
    },
    Clause {
        section: "1.2",
        promise: "Cookies serve authentication and analytics",
        control: "not built: no answer sets a cookie; the inventory declares one for `sessions`",
        proof: Proof::NotYet("browser sign-in, web pages and cookies"),
    },
    Clause {
        section: "1.2",
        promise: "Cookies can be turned off in the browser",
        control: "not built",
        proof: Proof::NotYet("web pages and cookies, and a test that analytics stay off"),
    },
    Clause {
        section: "2.1",
        promise: "Data is used to answer API requests",
        control: "`get-video` behind the gate; purposes are declared in the inventory",
        proof: Proof::Tests(&[
            "journey::a_customer_signs_up_uses_the_service_and_meets_its_limits",
            "videos::an_answer_is_served_from_the_cache_for_an_hour_and_no_longer",
        ]),
    },
    Clause {
        section: "2.1",
        promise: "Data is used to recognise the account",
        control: "`ApiKey` checks form and checksum, the gate compares keyed hashes",
        proof: Proof::Tests(&[
            "bad_input::keys_of_every_bad_kind_are_refused",
            "rotation::keys_and_addresses_survive_a_rotation_of_the_pepper",
        ]),
    },
    Clause {
        section: "2.1",
        promise: "Usage is watched and limits are enforced",
        control: "`gate.lua` and leases on `quotas`; `gate/direct.rs` when Redis is away",
        proof: Proof::Tests(&[
            "journey::a_customer_signs_up_uses_the_service_and_meets_its_limits",
            "gate::without_redis_the_quota_is_exact",
            "gate::many_at_once_are_served_exactly_the_minute_and_waste_no_lease",
            "gate_properties::whatever_happens_no_quota_is_over_served_and_what_is_provably_\
             unserved_comes_back",
        ]),
    },
    Clause {
        section: "2.1",
        promise: "Customers are supported",
        control: "each problem carries a request id, by which the function's log is found",
        proof: Proof::Operator("answers mail to the support address"),
    },
    Clause {
        section: "2.2",
        promise: "Usage and performance are analysed",
        control: "`usage-stats` holds counts by account and day; purpose and legal basis are in \
                  the inventory",
        proof: Proof::Tests(&[
            "usage::what_fails_is_counted_and_not_charged",
            "journey::a_customer_signs_up_uses_the_service_and_meets_its_limits",
        ]),
    },
    Clause {
        section: "2.2",
        promise: "Faults are found and mended",
        control: "function logs with request ids and nothing personal, alarms in `template.yaml`",
        proof: Proof::Tests(&[
            "contract::nothing_personal_is_in_the_functions_logs",
            "gate::a_panic_after_the_gate_costs_nothing_and_is_logged",
        ]),
    },
    Clause {
        section: "2.2",
        promise: "Data helps to develop features and to do research",
        control: "no code does either",
        proof: Proof::Operator(
            "works with the counts of `usage-stats`, not with single customers' request logs",
        ),
    },
    Clause {
        section: "2.3",
        promise: "Payments go through Stripe",
        control: "not built",
        proof: Proof::NotYet("billing with Stripe (issue 5)"),
    },
    Clause {
        section: "2.3",
        promise: "Invoices and receipts are sent",
        control: "not built",
        proof: Proof::NotYet("billing with Stripe (issue 5)"),
    },
    Clause {
        section: "2.3",
        promise: "Subscriptions are managed",
        control: "not built; `plan` of `accounts` is set to Free at sign-up",
        proof: Proof::NotYet("billing with Stripe (issue 5)"),
    },
    Clause {
        section: "2.3",
        promise: "Fraud and abuse are prevented",
        control: "`mails:*` counts mails by hashed address and network, answers do not tell who \
                  has an account, the gate limits requests",
        proof: Proof::Tests(&[
            "accounts::mails_are_limited_by_address_without_saying_so",
            "accounts::the_answer_does_not_tell_whether_an_address_is_known",
            "usage::a_flood_of_refusals_does_not_flood_the_log",
        ]),
    },
    Clause {
        section: "2.4",
        promise: "Transactional mails are sent: welcome, security, deletion",
        control: "`Mailer` through SES: `accounts/sign_up.rs` and `privacy/mails.rs`; mails with \
                  invoices are not built",
        proof: Proof::Tests(&[
            "accounts::a_mail_has_both_parts_and_both_hold_the_token",
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::a_deletion_can_be_cancelled_until_it_begins",
        ]),
    },
    Clause {
        section: "2.4",
        promise: "Updates of the service are announced",
        control: "not built",
        proof: Proof::NotYet("a mail of this kind"),
    },
    Clause {
        section: "2.4",
        promise: "Support requests are answered",
        control: "not built",
        proof: Proof::Operator("answers by hand until support mail is taken in"),
    },
    Clause {
        section: "2.4",
        promise: "Marketing mail goes only to those who agreed",
        control: "`marketing_consent` of `SignUpRequest` is false unless given; nothing sends \
                  marketing mail",
        proof: Proof::NotYet(
            "marketing mail, consent records, and a test that nothing is sent without consent",
        ),
    },
    Clause {
        section: "3.1",
        promise: "Accounts, usage statistics and subscriptions lie in one database",
        control: "tables `accounts` (with the plan) and `usage-stats` in DynamoDB, not in MongoDB: \
                  the policy's text must name AWS before publication",
        proof: Proof::Tests(&[
            "contract::every_stored_attribute_is_declared",
            "contract::the_template_keeps_what_the_inventory_promises",
        ]),
    },
    Clause {
        section: "3.1",
        promise: "The database is encrypted at rest",
        control: "`SSESpecification` of every table in `template.yaml`",
        proof: Proof::Tests(&["contract::the_template_keeps_what_the_inventory_promises"]),
    },
    Clause {
        section: "3.1",
        promise: "What is cached ends by itself within 1 hour",
        control: "`CACHE_SECONDS`; scripts and writers set each key's life time. Snapshots of \
                  Redis are the operator's to leave off",
        proof: Proof::Tests(&[
            "contract::every_redis_key_is_declared_and_ends_within_the_hour",
            "videos::an_answer_is_served_from_the_cache_for_an_hour_and_no_longer",
            "review::no_entry_stays_in_the_stream_for_more_than_an_hour",
            "gate_properties::a_stale_replica_costs_at_most_its_leases",
        ]),
    },
    Clause {
        section: "3.1",
        promise: "The cache holds answers, limits and other passing data only",
        control: "`temporary_data.rs` of the inventory declares every pattern of key in Redis",
        proof: Proof::Tests(&["contract::every_redis_key_is_declared_and_ends_within_the_hour"]),
    },
    Clause {
        section: "3.1",
        promise: "Backups are made every day, automatically",
        control: "point-in-time recovery of every table: continuous, which is more than daily",
        proof: Proof::Tests(&["contract::the_template_keeps_what_the_inventory_promises"]),
    },
    Clause {
        section: "3.1",
        promise: "Backups are encrypted",
        control: "DynamoDB encrypts them as it does the table: `SSESpecification`",
        proof: Proof::Tests(&["contract::the_template_keeps_what_the_inventory_promises"]),
    },
    Clause {
        section: "3.1",
        promise: "Backups reach back 30 days",
        control: "`RecoveryPeriodInDays` of every table is `BACKUP_DAYS` of the inventory",
        proof: Proof::Tests(&["contract::the_template_keeps_what_the_inventory_promises"]),
    },
    Clause {
        section: "3.2",
        promise: "Accounts are kept until their deletion is asked for",
        control: "`Keep::UntilDeleted`: no job touches `accounts`; unconfirmed sign-ups end after \
                  a day",
        proof: Proof::Tests(&[
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "3.2",
        promise: "API logs are kept 30 days",
        control: "`purge-api-logs`, hourly, makes up for missed runs; DynamoDB TTL as a belt; \
                  `verify-retention` looks daily",
        proof: Proof::Tests(&[
            "retention::logs_are_gone_after_30_days_and_statistics_are_not",
            "retention::a_week_without_runs_is_made_up_for",
            "retention::the_daily_proof_finds_what_no_job_has_deleted",
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "3.2",
        promise: "Usage statistics are kept 12 months",
        control: "`purge-usage-statistics`, daily; DynamoDB TTL as a belt; `usage::days` hides \
                  what has expired",
        proof: Proof::Tests(&[
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
            "retention::logs_are_gone_after_30_days_and_statistics_are_not",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "3.2",
        promise: "Billing records are gone after 7 years",
        control: "`purge-billing-records`, daily; DynamoDB TTL as a belt; nothing writes them yet",
        proof: Proof::Tests(&[
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "3.2",
        promise: "Billing records stay for the whole 7 years that the law asks for",
        control: "an erasure strips them and leaves them; the retention job deletes before they \
                  come due",
        proof: Proof::NotYet(
            "each daily run deletes what ends before the next one, so up to a day too early",
        ),
    },
    Clause {
        section: "3.2",
        promise: "Support mail is kept 2 years",
        control: "`purge-support-messages`, daily; DynamoDB TTL as a belt; nothing writes it yet",
        proof: Proof::Tests(&[
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "3.2",
        promise: "Backups are kept 30 days",
        control: "`RecoveryPeriodInDays` of every table; category `backups` of the inventory",
        proof: Proof::Tests(&[
            "contract::the_template_keeps_what_the_inventory_promises",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "4.1",
        promise: "Stripe receives what it needs to take payments",
        control: "not built; recipient of `billing-records` in the inventory",
        proof: Proof::NotYet("billing with Stripe (issue 5)"),
    },
    Clause {
        section: "4.1",
        promise: "Hosting and mail service receive what the service needs",
        control: "`recipients` of the inventory, published by `GET /v1/policy`; IAM lets functions \
                  use DynamoDB, Secrets Manager and SES only",
        proof: Proof::Tests(&["contract::each_function_may_do_just_what_it_does"]),
    },
    Clause {
        section: "4.1",
        promise: "Analytics tools may receive usage data",
        control: "none is used, and no recipient in the inventory is one",
        proof: Proof::Operator(
            "strikes them from the policy, or declares the tool in the inventory first",
        ),
    },
    Clause {
        section: "4.1",
        promise: "Authorities and courts receive what the law compels",
        control: "`set-legal-hold` keeps an account's data meanwhile; nothing hands data over",
        proof: Proof::Operator("examines each order and hands over what it compels, by hand"),
    },
    Clause {
        section: "4.2",
        promise: "Personal data is neither sold nor rented out",
        control: "no code hands it on; `GET /v1/policy` says `sold: false`",
        proof: Proof::Operator("signs no contract that sells, rents or leases data"),
    },
    Clause {
        section: "4.2",
        promise: "Neither advertisers nor others' marketing receive data",
        control: "no recipient in the inventory is one; TikTok is asked by video id, without a \
                  word of who asked",
        proof: Proof::NotYet("a test that functions reach no host but AWS, Redis and TikTok"),
    },
    Clause {
        section: "4.2",
        promise: "Data serves no targeted advertising",
        control: "no purpose in the inventory is advertising",
        proof: Proof::Operator("shows no advertisements and builds no profiles"),
    },
    Clause {
        section: "5.1",
        promise: "You can see your account's data at any time",
        control: "`GET /v1/keys` and `GET /v1/usage` show a part; address and company are shown \
                  nowhere",
        proof: Proof::NotYet("a view of the whole account (issue 3)"),
    },
    Clause {
        section: "5.1",
        promise: "Your use of the API can be fetched as a file",
        control: "`GET /v1/usage` gives the counts of 12 months as JSON, but not the request logs",
        proof: Proof::NotYet("export of the request logs (issue 3)"),
    },
    Clause {
        section: "5.1",
        promise: "Everything kept of you is handed over when you ask",
        control: "not built; `export` of each category in the inventory says what belongs to it",
        proof: Proof::NotYet("exports (issue 3)"),
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
        control: "`POST /v1/privacy/deletions` with a live key of an active account; it can be \
                  cancelled in the grace period",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::a_deletion_can_be_cancelled_until_it_begins",
        ]),
    },
    Clause {
        section: "5.3",
        promise: "Everything of you is deleted",
        control: "the saga of `privacy/erasure.rs` empties the tables in `DELETED` and the gate, \
                  and looks again before it says so; `sessions` and `exports` must join once \
                  something writes them there",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::killed_between_any_two_calls_it_comes_to_the_same",
            "erasure::what_fails_is_tried_again_and_never_called_done",
            "erasure::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
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
            "erasure::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
        ]),
    },
    Clause {
        section: "5.3",
        promise: "Deletion can be asked for by e-mail",
        control: "not built: no mail is taken in, and no operator's function opens a deletion",
        proof: Proof::NotYet("a way in for whoever has no live key or is suspended"),
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
        control: "not built; the table `suppressions` waits for it",
        proof: Proof::NotYet("unsubscribe, and a clock on it"),
    },
    Clause {
        section: "5.4",
        promise: "Transactional mail cannot be opted out of",
        control: "no setting stops `Mailer`",
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
    Clause {
        section: "8",
        promise: "The service is not for children under 13, and keeps nothing of them",
        control: "`is_13_or_older` is asked first; without it the sign-up ends before anything is \
                  stored or counted",
        proof: Proof::Tests(&["accounts::of_a_child_nothing_is_kept"]),
    },
    Clause {
        section: "8",
        promise: "A child's data, once known of, is deleted at once",
        control: "not built: a deletion needs the account's key and waits for `DeletionGraceDays`",
        proof: Proof::NotYet("an operator's function that erases without key and grace period"),
    },
    Clause {
        section: "8",
        promise: "Anyone can report that a child's data is kept",
        control: "outside the code",
        proof: Proof::Operator("reads the privacy address and acts at once"),
    },
    Clause {
        section: "9.1",
        promise: "The service itself rests on the contract",
        control: "`legal_basis` is a required field of each category, published by `GET \
                  /v1/policy`",
        proof: Proof::NotYet("a test of the published legal bases"),
    },
    Clause {
        section: "9.1",
        promise: "Improvement and protection from fraud rest on legitimate interest",
        control: "`LegalBasis::LegitimateInterest` of `api-logs`, `usage-statistics`, \
                  `mail-limits` and others",
        proof: Proof::NotYet("a test of the published legal bases"),
    },
    Clause {
        section: "9.1",
        promise: "Marketing rests on consent, given expressly",
        control: "`marketing_consent_at` of `accounts`, which stands under contract; no category \
                  rests on consent",
        proof: Proof::NotYet("consent records, and marketing as a category of its own"),
    },
    Clause {
        section: "9.1",
        promise: "What the law demands rests on legal obligation",
        control: "`LegalBasis::LegalObligation` of `billing-records`, `privacy-requests`, `audit` \
                  and others",
        proof: Proof::NotYet("a test of the published legal bases"),
    },
    Clause {
        section: "9.2",
        promise: "EU users get to see what is kept of them",
        control: "not built",
        proof: Proof::NotYet("exports (issue 3)"),
    },
    Clause {
        section: "9.2",
        promise: "EU users can have mistakes put right",
        control: "not built",
        proof: Proof::NotYet("changing address and company"),
    },
    Clause {
        section: "9.2",
        promise: "EU users can be forgotten",
        control: "`POST /v1/privacy/deletions`, the saga of `privacy/erasure.rs`, the ledger in \
                  `deletions`",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::killed_between_any_two_calls_it_comes_to_the_same",
            "erasure::what_fails_is_tried_again_and_never_called_done",
            "erasure::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
        ]),
    },
    Clause {
        section: "9.2",
        promise: "EU users can have processing paused",
        control: "not built",
        proof: Proof::NotYet("restriction requests"),
    },
    Clause {
        section: "9.2",
        promise: "EU users can take their data elsewhere",
        control: "not built",
        proof: Proof::NotYet("exports (issue 3)"),
    },
    Clause {
        section: "9.2",
        promise: "EU users can say no to processing",
        control: "not built; the table `suppressions` waits for it",
        proof: Proof::NotYet("objections, also of creators"),
    },
    Clause {
        section: "9.2",
        promise: "EU users can take a consent back",
        control: "not built",
        proof: Proof::NotYet("consent records and unsubscribe"),
    },
    Clause {
        section: "9.2",
        promise: "Rights can be exercised by e-mail",
        control: "not built: no mail is taken in",
        proof: Proof::Operator("reads the privacy address and answers by hand"),
    },
    Clause {
        section: "9.3",
        promise: "A data protection officer answers within 30 days",
        control: "outside the code",
        proof: Proof::Operator("appoints one, names the address, keeps the time"),
    },
    Clause {
        section: "9.4",
        promise: "A representative in the EU is named where one is required",
        control: "outside the code",
        proof: Proof::Operator("fills in the policy's placeholder or strikes it"),
    },
    Clause {
        section: "10.1",
        promise: "You can know what personal information is collected",
        control: "`GET /v1/policy` lists every category of the inventory, open to all",
        proof: Proof::Tests(&["policy::the_published_tables_are_the_inventory"]),
    },
    Clause {
        section: "10.1",
        promise: "You can know whether it is sold or disclosed",
        control: "`GET /v1/policy`: `sold` of each category of the law, which is a constant, and \
                  who receives what",
        proof: Proof::NotYet("a test of the published recipients"),
    },
    Clause {
        section: "10.1",
        promise: "You can opt out of its sale",
        control: "nothing is sold; `Sec-GPC` is not read",
        proof: Proof::NotYet("Global Privacy Control (a later issue)"),
    },
    Clause {
        section: "10.1",
        promise: "You can have it deleted",
        control: "as in section 5.3",
        proof: Proof::Tests(&[
            "erasure::an_account_is_erased_after_the_grace_period_and_only_it",
            "erasure::killed_between_any_two_calls_it_comes_to_the_same",
            "erasure::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
        ]),
    },
    Clause {
        section: "10.1",
        promise: "Nobody is treated worse for using these rights",
        control: "an account with an open deletion is served as before until it begins; the gate \
                  does not know of it",
        proof: Proof::NotYet("a test that compares limits and prices with and without a request"),
    },
    Clause {
        section: "10.2",
        promise: "Collected: identifiers, such as address and IP",
        control: "`accounts` and others under \"Identifiers\"; IP addresses are in `api-logs`, \
                  under \"Internet activity\"",
        proof: Proof::Tests(&[
            "usage::an_entry_holds_what_the_policy_names",
            "contract::every_stored_attribute_is_declared",
        ]),
    },
    Clause {
        section: "10.2",
        promise: "Collected: commercial information, such as purchases",
        control: "`billing-records`, declared; nothing writes it",
        proof: Proof::NotYet("billing with Stripe (issue 5)"),
    },
    Clause {
        section: "10.2",
        promise: "Collected: internet activity, that is API usage",
        control: "`api-logs`, `usage-statistics` and `quotas` under \"Internet activity\"",
        proof: Proof::Tests(&[
            "usage::an_entry_holds_what_the_policy_names",
            "contract::every_stored_attribute_is_declared",
        ]),
    },
    Clause {
        section: "10.2",
        promise: "Collected: location as the IP address tells it",
        control: "`country` of `Entry`, from `cloudfront-viewer-country`, which a client can send \
                  too without a CDN in front; no category stands under it",
        proof: Proof::NotYet("its own category in the inventory, and a test"),
    },
    Clause {
        section: "10.2",
        promise: "Collected if given: professional information, that is the company",
        control: "`company` of `accounts`, which stands under \"Identifiers\"",
        proof: Proof::NotYet("its own category in the inventory"),
    },
    Clause {
        section: "10.2",
        promise: "Not collected: sensitive data",
        control: "the inventory declares none, and an undeclared attribute fails the test",
        proof: Proof::Tests(&["contract::every_stored_attribute_is_declared"]),
    },
    Clause {
        section: "10.3",
        promise: "Requests are taken by e-mail, with subject and name",
        control: "not built: no mail is taken in",
        proof: Proof::Operator("reads the privacy address"),
    },
    Clause {
        section: "10.3",
        promise: "They are answered within 45 days",
        control: "only deletions have a clock: `due_at`, 30 days after receipt",
        proof: Proof::NotYet("clocks of all other requests"),
    },
    Clause {
        section: "11.1",
        promise: "Essential cookies keep you signed in",
        control: "not built; `sessions` of the inventory is of `CookieClass::Essential`",
        proof: Proof::NotYet("browser sign-in"),
    },
    Clause {
        section: "11.1",
        promise: "Analytics cookies can be turned off",
        control: "not built",
        proof: Proof::NotYet("web pages and cookies"),
    },
    Clause {
        section: "11.1",
        promise: "Preference cookies remember language and display",
        control: "not built",
        proof: Proof::NotYet("web pages and cookies"),
    },
    Clause {
        section: "11.2",
        promise: "Cookies can be blocked; parts of the service may then fail",
        control: "the API works without cookies",
        proof: Proof::NotYet("web pages and cookies"),
    },
    Clause {
        section: "11.2",
        promise: "Do Not Track is honoured",
        control: "not built",
        proof: Proof::NotYet("DNT and GPC (a later issue)"),
    },
    Clause {
        section: "12.1",
        promise: "Stripe takes payments, under its own policy",
        control: "not built",
        proof: Proof::NotYet("billing with Stripe (issue 5)"),
    },
    Clause {
        section: "12.1",
        promise: "MongoDB Atlas hosts the database",
        control: "not so: DynamoDB and ElastiCache, or another Redis, are used",
        proof: Proof::Operator("the policy's text must name AWS before publication"),
    },
    Clause {
        section: "12.1",
        promise: "Cloudflare delivers and protects",
        control: "not so: API Gateway faces the customers, without a CDN",
        proof: Proof::Operator(
            "the policy's text must name AWS before publication, or a CDN be set up",
        ),
    },
    Clause {
        section: "12.2",
        promise: "Links lead to others, whose practices are their own",
        control: "links in answers about videos lead to TikTok only: `text::tiktok_url` drops the \
                  rest",
        proof: Proof::Operator("says so in the policy"),
    },
    Clause {
        section: "13.1",
        promise: "The policy may change; the current text is published",
        control: "`GET /v1/policy` gives `POLICY_VERSION` and the tables, not the text",
        proof: Proof::NotYet("the policy's page"),
    },
    Clause {
        section: "13.1",
        promise: "Its date of change is kept current",
        control: "not built",
        proof: Proof::NotYet("the policy's page"),
    },
    Clause {
        section: "13.2",
        promise: "Material changes are announced by e-mail",
        control: "not built",
        proof: Proof::NotYet("notices of policy versions"),
    },
    Clause {
        section: "13.2",
        promise: "Whoever goes on using the service accepts the change",
        control: "sign-up accepts `POLICY_VERSION` only; `accounts` keeps which version was \
                  accepted and when",
        proof: Proof::NotYet(
            "notices of policy versions, and a test that another version is refused",
        ),
    },
    Clause {
        section: "13.3",
        promise: "Earlier versions can be had on request",
        control: "outside the code",
        proof: Proof::Operator("keeps every version and sends it on request"),
    },
    Clause {
        section: "14",
        promise: "There is an address for each kind of question",
        control: "outside the code",
        proof: Proof::Operator("puts real addresses in place of the placeholders and reads them"),
    },
    Clause {
        section: "14",
        promise: "There is a postal address",
        control: "outside the code",
        proof: Proof::Operator("fills in the policy's placeholder"),
    },
    Clause {
        section: "14",
        promise: "Inquiries are answered within 48 hours, privacy requests within 30 days",
        control: "deletions by `due_at`; all else is outside the code",
        proof: Proof::Operator("keeps these times"),
    },
    Clause {
        section: "15",
        promise: "The EU's and the UK's supervisory authorities are named",
        control: "outside the code",
        proof: Proof::Operator("links to both in the policy"),
    },
];
