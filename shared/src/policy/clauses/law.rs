//! Sections 8 to 15: children, GDPR, CCPA, cookies, others, changes, contact.

use super::{Clause, Proof};

pub(super) static CLAUSES: &[Clause] = &[
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
        control: "`POST /v1/privacy/exports`: the data, and with it purpose, ground, source, \
                  recipients and period of each category, and the rights",
        proof: Proof::Tests(&[
            "exports::an_export_tells_a_person_what_it_is",
            "exports::an_export_has_every_field_and_reads_back_to_what_is_stored",
        ]),
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
            "erasure_races::killed_between_any_two_calls_it_comes_to_the_same",
            "erasure::what_fails_is_tried_again_and_never_called_done",
            "restore::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
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
        control: "the export's JSON, of the published form `/export.schema.json`",
        proof: Proof::Tests(&[
            "exports::an_export_has_every_field_and_reads_back_to_what_is_stored",
        ]),
    },
    Clause {
        section: "9.2",
        promise: "EU users can say no to processing",
        control: "creators: `POST /v1/objections`, proven by a mailed token and a code in the \
                  profile, or decided by the operator (`decide-objection`); `suppressions` holds a \
                  keyed hash of the handle, found under every pepper there has been, and cached \
                  answers go at once",
        proof: Proof::Tests(&[
            "objections::an_objection_is_proven_by_token_and_code_and_leaves_nothing_but_a_hash",
            "objections::an_objection_is_withdrawn_as_it_was_made",
            "objections_list::cached_answers_of_the_creator_are_dropped_and_no_others",
            "objections_list::a_rotation_of_the_pepper_never_ends_an_objection",
            "objections_list::killed_in_the_middle_it_is_made_up_for_by_doing_it_again",
        ]),
    },
    Clause {
        section: "9.2",
        promise: "Customers can say no to what is done with their logs and statistics",
        control: "not built; deleting the account ends it",
        proof: Proof::NotYet("objections of customers"),
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
        proof: Proof::Tests(&["policy::recipients_are_named_and_customers_are_among_them"]),
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
            "erasure_races::killed_between_any_two_calls_it_comes_to_the_same",
            "restore::a_restored_backup_stays_closed_until_the_erasures_are_repeated",
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
        control: "`billing-records`, written by `billing::sync` from what Stripe says",
        proof: Proof::Tests(&[
            "billing::invoices_are_listed_page_by_page_and_stay_without_stripe",
            "retention_years::nothing_outlives_its_period_and_nothing_younger_goes",
        ]),
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
        control: "`country` of `Entry`, from the CDN's header where the request proves that it came \
                  through that (`cdn::behind_a_cdn_address_and_country_are_the_clients_where_it_proves_itself`); \
                  no category stands under it",
        proof: Proof::NotYet("its own category in the inventory"),
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
        control: "cards are typed in on Stripe's own pages (`start-checkout`, `open-portal`); no address \
                  of ours takes one",
        proof: Proof::Tests(&["billing::a_plan_that_is_paid_holds_for_the_next_request"]),
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
