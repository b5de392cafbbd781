//! The OpenAPI 3.1 description, generated from the types that the functions answer with. The empty
//! functions below only carry the description of an operation; a test holds them against
//! `template.yaml`.

#![expect(dead_code, reason = "the operations' functions are never called: see above")]

mod account;
mod billing;
mod examples;
mod figures;
mod objections;
mod privacy;
mod refunds;
mod service;
#[cfg(test)]
mod tests;
mod videos;

use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        OpenApi as Document, PathItem, RefOr, Response,
        info::ContactBuilder,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use self::figures::Figures;
use crate::http::{Problem, Site};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "TikTok Video Intelligence API",
        description = "Data about public TikTok videos from TikTok's official interfaces. Every figure \
                       says where it came from, when, and how late it may be; what no source can give \
                       is null, with the reason.\n\nRequests that are refused or fail are not charged.",
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = "/")),
    paths(
        service::health,
        account::sign_up,
        account::verify_account,
        account::recover_account,
        account::create_key,
        account::list_keys,
        account::revoke_key,
        videos::get_video,
        videos::find_video,
        videos::batch_videos,
        videos::search_videos,
        videos::list_comments,
        videos::get_creator,
        videos::list_creator_videos,
        videos::get_hashtag,
        account::get_usage,
        billing::list_plans,
        billing::get_billing,
        billing::start_checkout,
        billing::open_portal,
        billing::change_plan,
        billing::list_invoices,
        billing::get_invoice,
        billing::billing_page,
        refunds::request_refund,
        refunds::list_refunds,
        privacy::request_deletion,
        privacy::get_deletion,
        privacy::cancel_deletion,
        privacy::request_export,
        privacy::get_export,
        privacy::download_export,
        privacy::list_privacy_requests,
        privacy::export_schema,
        objections::request_objection,
        objections::confirm_objection,
        objections::get_objection,
        privacy::get_policy,
        service::openapi_json,
        service::docs,
        service::show_problem
    ),
    modifiers(&Security, &Public, &Figures),
    tags(
        (name = "Videos", description = "Metered: each charged request counts against the plan's quota."),
        (name = "Account", description = "Signing up, API keys, usage. Not metered: 60 requests in any minute for each account."),
        (name = "Billing", description = "Plans, payment, invoices, refunds. Not metered: 60 requests in any minute for each account, 6 of what asks the payment provider."),
        (name = "Privacy", description = "Rights under privacy law. Not metered: 60 requests in any minute for each account."),
        (name = "Service", description = "About the service itself.")
    )
)]
struct Api;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme(
            "api_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))),
        );
        components
            .add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Says of what needs no key that it needs none, and of what is refused by API Gateway alone that it may be.
struct Public;

impl Modify for Public {
    fn modify(&self, document: &mut Document) {
        for item in document.paths.paths.values_mut() {
            let PathItem { get, post, delete, .. } = item;
            for operation in [get, post, delete].into_iter().flatten() {
                operation.security.get_or_insert_default();
                let answers = &mut operation.responses.responses;
                if !answers.keys().any(|status| status.starts_with('4')) {
                    let too_long = Response::new(TOO_LONG);
                    answers.insert("431".to_owned(), RefOr::T(too_long));
                }
            }
        }
    }
}

const TOO_LONG: &str = "Address and header fields together are longer than 10 KB: API Gateway refuses, in its own words";

/// Where the service of all examples is.
pub(crate) const EXAMPLE_URL: &str = "https://api.example.com";
/// As [`EXAMPLE_URL`], with its support.
pub(crate) const EXAMPLE_SITE: Site<'static> =
    Site { url: EXAMPLE_URL, support: "support@example.com" };

/// The document, with an example of everything that is sent and answered.
pub fn document() -> Document {
    let mut document = Api::openapi();
    examples::add(&mut document);
    document
}

/// The document, with the address at which there is help.
pub fn document_with(support: &str) -> Document {
    let mut document = document();
    let contact = ContactBuilder::new().name(Some("Support")).email(Some(support)).build();
    document.info.contact = Some(contact);
    document
}

/// The document as it is served, and kept in `docs/openapi.json` with an address that stands for any.
pub fn json(support: &str) -> String {
    let mut json = document_with(support).to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// What every endpoint with a body may answer.
#[derive(IntoResponses)]
enum BodyProblems {
    /// Body too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// Not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
}

/// What every endpoint that needs an API key may answer.
#[derive(IntoResponses)]
enum KeyProblems {
    /// No valid API key
    #[response(status = 401, content_type = "application/problem+json")]
    NoValidKey(Problem),
    /// The account is not active, or the key is of the sandbox
    #[response(status = 403, content_type = "application/problem+json")]
    Inactive(Problem),
    /// Over a limit, named in `violated-policies`
    #[response(status = 429, content_type = "application/problem+json")]
    OverLimit(Problem),
}

/// What every endpoint may answer that the holder of a suspended account may use too.
#[derive(IntoResponses)]
enum HolderProblems {
    /// No valid API key
    #[response(status = 401, content_type = "application/problem+json")]
    NoValidKey(Problem),
    /// Over a limit, named in `violated-policies`
    #[response(status = 429, content_type = "application/problem+json")]
    OverLimit(Problem),
    /// The key is of the sandbox
    #[response(status = 403, content_type = "application/problem+json")]
    OfSandbox(Problem),
}

/// What every endpoint that needs the tables may answer.
#[derive(IntoResponses)]
enum Outage {
    /// A fault of ours
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// A part of the service does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}
