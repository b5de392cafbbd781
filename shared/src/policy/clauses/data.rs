//! Sections 1 to 4: what is collected, used, stored and shared.

use super::{Clause, Proof};

pub(super) static CLAUSES: &[Clause] = &[
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
        control: "the checkout and the portal are pages of Stripe's; `billing/stripe/objects.rs` \
                  reads no card, and `billing-records` has no field for one",
        proof: Proof::Tests(&[
            "contract::every_stored_attribute_is_declared",
            "erasure_billing::an_erasure_ends_billing_first_and_keeps_the_records_for_7_years",
        ]),
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
        control: "`gate.lua` with `ring.lua`, and leases on `quotas`; `gate/direct.rs` when Redis is away; \
                  `gate/window.rs` for what is not metered",
        proof: Proof::Tests(&[
            "minute::who_asks_for_the_limit_at_each_full_minute_is_always_served",
            "unmetered::an_account_has_sixty_requests_in_any_minute_whatever_they_ask_for",
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
        control: "`billing/stripe`, the only client that moves money; `reconcile-billing` compares \
                  every night",
        proof: Proof::Tests(&[
            "billing::a_plan_that_is_paid_holds_for_the_next_request",
            "webhooks::forged_stale_and_wrongly_signed_events_are_refused_and_change_nothing",
            "webhooks::whatever_the_order_and_whatever_dies_it_comes_to_the_same",
            "reconcile::what_events_did_not_tell_is_found_and_mended",
        ]),
    },
    Clause {
        section: "2.3",
        promise: "Invoices and receipts are sent",
        control: "`billing::sync` makes a task for each receipt, withdrawn invoice and refund in the \
                  transaction that writes the record; `work-billing` mails it; `GET /v1/billing/invoices`",
        proof: Proof::Tests(&[
            "dunning::a_purchase_is_receipted_by_mail_once",
            "billing::invoices_are_listed_page_by_page_and_stay_without_stripe",
        ]),
    },
    Clause {
        section: "2.3",
        promise: "Subscriptions are managed",
        control: "`billing::sync` reads a customer's state back from Stripe and writes \
                  `subscription` of `accounts`; `reconcile-billing` finds what events did not tell",
        proof: Proof::Tests(&[
            "billing::a_smaller_plan_and_the_end_come_with_the_next_period_and_can_be_taken_back",
            "dunning::a_payment_that_fails_is_told_four_times_and_ends_the_plan",
            "reconcile::what_events_did_not_tell_is_found_and_mended",
            "erasure_billing::an_erasure_ends_billing_first_and_keeps_the_records_for_7_years",
        ]),
    },
    Clause {
        section: "2.3",
        promise: "Fraud and abuse are prevented",
        control: "`mails:*` counts mails by hashed address and network, answers do not tell who has \
                  an account, the gate limits requests; disputes and several subscriptions wait for \
                  the operator in `billing-tasks`",
        proof: Proof::Tests(&[
            "accounts::mails_are_limited_by_address_without_saying_so",
            "accounts::the_answer_does_not_tell_whether_an_address_is_known",
            "usage::a_flood_of_refusals_does_not_flood_the_log",
            "refunds::a_dispute_waits_for_the_operator_and_stops_the_refund",
            "refunds::many_accounts_from_one_network_are_a_sign_and_stop_nobody",
            "reconcile::a_second_subscription_is_reported_until_it_is_ended",
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
        control: "`purge-billing-records`, daily; DynamoDB TTL as a belt; `Record::item` writes none \
                  whose time is over, though Stripe still tells of it",
        proof: Proof::Tests(&[
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
            "erasure_billing::an_erasure_ends_billing_first_and_keeps_the_records_for_7_years",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "3.2",
        promise: "Billing records stay for the whole 7 years that the law asks for",
        control: "an erasure reads them back from Stripe before the customer goes, strips them and \
                  leaves them; they end a day after the 7 years, because the daily job deletes up to \
                  a day ahead",
        proof: Proof::Tests(&[
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
            "erasure_billing::an_erasure_ends_billing_first_and_keeps_the_records_for_7_years",
            "erasure_billing::without_stripe_nothing_is_deleted",
        ]),
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
        control: "`create_customer` hands over address, company and account; an erasure deletes the \
                  customer there at once and has past payments redacted after 120 days; recipient in \
                  the inventory",
        proof: Proof::Tests(&[
            "erasure_billing::past_payments_are_redacted_120_days_after_the_last_one",
            "erasure_billing::a_redaction_that_stripe_refuses_is_tried_again",
            "policy::the_published_tables_are_the_inventory",
        ]),
    },
    Clause {
        section: "4.1",
        promise: "Hosting and mail service receive what the service needs",
        control: "`recipients` of the inventory, published by `GET /v1/policy`; IAM lets functions \
                  use DynamoDB, S3, Secrets Manager, SES and SQS only",
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
        promise: "What is public of videos and of who made them goes to those who ask for it, and to nobody else",
        control: "customers of this API are recipients of `video-cache`, `creator-cache`, `search-cache` and \
                  `comment-cache`, published by `GET /v1/policy`; a creator who objects is left out",
        proof: Proof::Tests(&[
            "policy::recipients_are_named_and_customers_are_among_them",
            "objected::no_path_leads_to_who_objected_and_none_is_charged",
            "objected::every_handle_that_a_source_gives_is_held_against_the_list",
            "search_oracle::no_search_tells_anything_of_the_videos_of_who_objected",
        ]),
    },
    Clause {
        section: "4.2",
        promise: "Data serves no targeted advertising",
        control: "no purpose in the inventory is advertising",
        proof: Proof::Operator("shows no advertisements and builds no profiles"),
    },
];
