//! The pages: everything that a mail leads to, done in a browser by a person who knows nothing of APIs.

use local::http::Response;
use serde_json::json;
use time::Duration;
use vidintel::http::PATHS;

use crate::util::{
    Customer, World, ask::encoded, assert_problem, copy::ask as ask_for_copy, objections::CREATOR,
    patient,
};

/// Opens a page as a browser does. `link` is a whole address or a path.
async fn open(world: &World, link: &str) -> Response {
    let path = link.strip_prefix(world.cloud.url()).unwrap_or(link);
    let page = world.send(world.cloud.client().get(path).header("accept", "text/html,*/*")).await;
    assert_page(&page, 200);
    page
}

/// Sends a form as a browser does.
async fn send(world: &World, path: &str, fields: &[(&str, &str)]) -> Response {
    send_from(world, path, fields, &[("sec-fetch-site", "same-origin")]).await
}

/// Sends a form with what a browser says of where it comes from.
async fn send_from(
    world: &World,
    path: &str,
    fields: &[(&str, &str)],
    said: &[(&str, &str)],
) -> Response {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let client = world.cloud.client();
    let request = client.request("POST".parse().expect("a method"), path);
    let request = request.body("application/x-www-form-urlencoded", body);
    let request = request.header("accept", "text/html,*/*");
    world.send(said.iter().fold(request, |it, (name, value)| it.header(name, value))).await
}

/// Checks what every page has: nothing runs, nothing is loaded, nobody keeps it or learns its address.
fn assert_page(page: &Response, status: u16) {
    assert_eq!(page.status, status, "{}", page.text());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "style-src 'sha256-", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    let html = page.text();
    // A form's origin is named, and no more of its address.
    let referrer = if html.contains("<form") { "strict-origin" } else { "no-referrer" };
    assert_eq!(page.header("referrer-policy"), Some(referrer));
    for part in ["<html lang=\"en\">", "name=\"viewport\"", "<h1>"] {
        assert!(html.contains(part), "{part}");
    }
    for tag in ["<script", "<img", "<link", " src=", " style="] {
        assert!(!html.contains(tag), "{tag}");
    }
    if html.contains("<form") {
        assert!(policy.contains("form-action 'self'"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

/// The link to a page of ours in the last mail to `email`.
fn link(world: &World, email: &str, page: &str) -> String {
    let mails = world.cloud.ses.mails();
    let mail = mails.iter().rfind(|it| it.to == [email]).expect("a mail");
    let start = format!("{}{page}", world.cloud.url());
    let html = mail.html.as_deref().expect("an HTML part");
    assert!(html.contains(&format!("<a href=\"{start}")), "{html}");
    let text = mail.text.as_deref().expect("a text part");
    let found = text.split_whitespace().find(|it| it.starts_with(&start));
    found.unwrap_or_else(|| panic!("{text}")).trim_end_matches('.').to_owned()
}

fn token(link: &str) -> &str {
    link.split_once("?token=").expect("a token").1
}

/// The key that a page shows.
fn key(page: &Response) -> String {
    let html = page.text();
    let (_, rest) = html.split_once("<code class=\"key\">").expect("a key");
    rest.split('<').next().expect("its end").to_owned()
}

const CHILD: (&str, &str) = ("is_13_or_older", "true");

fn signing_up(email: &str) -> Vec<(&str, &str)> {
    vec![("email", email), ("company", ""), ("policy_version", "1.0"), CHILD]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_opens_an_account_and_has_a_key_that_works() {
    let world = World::start().await;
    open(&world, "/").await;
    let form = open(&world, "/sign-up").await;
    assert!(form.text().contains("action=\"/v1/accounts\""));
    let sent = send(&world, "/v1/accounts", &signing_up("ada@example.com")).await;
    assert_page(&sent, 202);
    let link = link(&world, "ada@example.com", "/confirm?token=");
    // A mail scanner opens it too, and again: nothing happens.
    for _ in 0..2 {
        let page = open(&world, &link).await;
        let hidden = format!("type=\"hidden\" name=\"token\" value=\"{}\"", token(&link));
        assert!(page.text().contains(&hidden), "{}", page.text());
    }
    assert!(world.cloud.dynamodb.items("accounts").await.expect("the items").is_empty());
    let done = send(&world, "/v1/accounts/verify", &[("token", token(&link))]).await;
    assert_page(&done, 201);
    assert!(done.text().contains("it is not shown again"));
    let ada = Customer { account_id: String::new(), key: key(&done), key_id: String::new() };
    assert_eq!(world.get("/v1/usage", &ada).await.status, 200);
    // A second press of the button comes to the same.
    let again = send(&world, "/v1/accounts/verify", &[("token", token(&link))]).await;
    assert_eq!(key(&again), ada.key);
    world.wait(Duration::minutes(11));
    let late = send(&world, "/v1/accounts/verify", &[("token", token(&link))]).await;
    assert_page(&late, 401);
    assert!(late.text().contains("role=\"alert\"") && late.text().contains("href=\"/sign-up\""));
    // The token is in the address of a page, and in no log.
    for function in ["SiteFunction", "VerifyAccountFunction", "SignUpFunction"] {
        assert!(!world.logs(function).contains(token(&link)), "{function}");
        assert!(!world.logs(function).contains("ada@"), "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost() {
    let world = World::start().await;
    let evil = "\"><script>alert(1)</script>";
    let fields = [("email", evil), ("company", "Ada & Co <b>"), ("policy_version", "1.0"), CHILD];
    let page = send(&world, "/v1/accounts", &fields).await;
    assert_page(&page, 400);
    let html = page.text();
    assert!(html.contains("value=\"Ada &amp; Co &lt;b&gt;\""), "{html}");
    assert!(html.contains("value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\""), "{html}");
    assert!(html.contains("aria-invalid=\"true\" aria-describedby=\"email-wrong\""), "{html}");
    assert!(html.contains("<p class=\"wrong\" id=\"email-wrong\">This must "), "{html}");
    assert!(html.contains("href=\"#email\""), "{html}");
    let (_, age) = html.split_once("id=\"is_13_or_older\"").expect("the field");
    assert!(age.split('>').next().expect("its end").contains("checked"), "{age}");
    // Of a child nothing is kept, and who does not accept the policy is told.
    let child = [("email", "kid@example.com"), ("policy_version", "1.0")];
    let page = send(&world, "/v1/accounts", &child).await;
    assert_page(&page, 403);
    assert!(page.text().contains("under 13"));
    let page = send(&world, "/v1/accounts", &[("email", "ada@example.com"), CHILD]).await;
    assert_page(&page, 400);
    assert!(page.text().contains("id=\"policy_version-wrong\""));
    // An empty form, one of nothing known, and one that is too long.
    for fields in [&[][..], &[("x", "y")], &[("email", "a".repeat(70_000).as_str())]] {
        let page = send(&world, "/v1/accounts", fields).await;
        assert!(page.status.is_client_error(), "{}", page.status);
        assert_page(&page, page.status.as_u16());
    }
    assert!(world.cloud.ses.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_another_site_sends_is_refused() {
    let world = World::start().await;
    let own = world.cloud.url().to_owned();
    let form = signing_up("ada@example.com");
    for said in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        // Older browsers say nothing of the site, and always of the origin.
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", &format!("{own}.evil.example"))],
        &[("origin", &own.replacen("http", "https", 1))],
        &[],
    ] {
        let answer = send_from(&world, "/v1/accounts", &form, said).await;
        assert_problem(&answer, 415, "/problems/unsupported-media-type");
    }
    // So is one to an endpoint that has no page.
    let answer = send(&world, "/v1/keys", &[("name", "ci")]).await;
    assert_problem(&answer, 401, "/problems/invalid-api-key");
    assert!(world.cloud.ses.mails().is_empty());
    for said in [("sec-fetch-site", "none"), ("origin", &own)] {
        assert_page(&send_from(&world, "/v1/accounts", &form, &[said]).await, 202);
    }
    // JSON is a program's, which says nothing of all that.
    let client = world.cloud.client();
    let json = client.post("/v1/accounts", &crate::util::sign_up("bob@example.com"));
    assert_eq!(world.send(json).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_have_the_limits_of_the_endpoint() {
    let world = World::start().await;
    let mut statuses = Vec::new();
    for n in 0..22 {
        let email = format!("a{n}@example.com");
        let page = send(&world, "/v1/accounts", &signing_up(&email)).await;
        statuses.push(page.status.as_u16());
        if page.status == 429 {
            assert_page(&page, 429);
            assert!(page.header("retry-after").is_some() && page.text().contains(&email));
        }
    }
    assert_eq!(statuses.iter().filter(|it| **it == 202).count(), 20, "{statuses:?}");
    assert_eq!(statuses[20..], [429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_back_into_an_account_and_keeps_it() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let asked = world.post("/v1/privacy/deletions", &json!({ "confirm": true }), &ada).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    send(&world, "/v1/accounts", &signing_up("ada@example.com")).await;
    let link = link(&world, "ada@example.com", "/recover?token=");
    let page = open(&world, &link).await;
    assert!(page.text().contains("name=\"revoke_other_keys\""));
    let fields =
        [("token", token(&link)), ("revoke_other_keys", "true"), ("cancel_deletion", "true")];
    let done = send(&world, "/v1/accounts/recover", &fields).await;
    assert_page(&done, 201);
    assert!(done.text().contains("No other key works any more."), "{}", done.text());
    assert!(!done.text().contains("still going to be deleted"));
    assert_eq!(world.get("/v1/usage", &ada).await.status, 401);
    let key = Customer { key: key(&done), ..ada };
    assert_eq!(world.get("/v1/usage", &key).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_keeps_an_account_and_fetches_a_copy_with_the_key() {
    let world = World::start().await;
    let ada = world.customer("ada@example.com").await;
    let eve = world.customer("eve@example.com").await;
    world.post("/v1/privacy/deletions", &json!({ "confirm": true }), &ada).await;
    let page = link(&world, "ada@example.com", "/deletions/");
    let path = page.strip_prefix(world.cloud.url()).expect("ours").to_owned();
    assert!(open(&world, &page).await.text().contains(&format!("action=\"{path}\"")));
    for (wrong, status) in [("", 401), ("tvi_live_x", 401), (eve.key.as_str(), 404)] {
        let refused = send(&world, &path, &[("api_key", wrong)]).await;
        assert_page(&refused, status);
        assert!(refused.text().contains("role=\"alert\""));
        assert!(wrong.is_empty() || !refused.text().contains(wrong), "the key is sent back");
    }
    let kept = send(&world, &path, &[("api_key", &ada.key)]).await;
    assert_page(&kept, 200);
    assert!(kept.text().contains("Your account stays"));

    ask_for_copy(&world, &ada).await;
    world.run_job("BuildExportsFunction").await;
    let page = link(&world, "ada@example.com", "/exports/");
    let path = page.strip_prefix(world.cloud.url()).expect("ours").to_owned();
    open(&world, &page).await;
    assert_page(&send(&world, &path, &[("api_key", &eve.key)]).await, 404);
    let shown = send(&world, &path, &[("api_key", &ada.key)]).await;
    assert_page(&shown, 200);
    assert_eq!(shown.header("location"), None, "a form must not lead to another host");
    assert!(shown.text().contains("class=\"button\" href=\"http"), "{}", shown.text());
    for function in ["CancelDeletionFunction", "DownloadExportFunction"] {
        assert!(!world.logs(function).contains(&ada.key), "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creator_objects_in_a_browser() {
    let mut options = patient();
    options.parameters.insert("TikTokResearch".to_owned(), "on".to_owned());
    let world = World::start_with(options).await;
    open(&world, "/object").await;
    let refused = send(
        &world,
        "/v1/objections",
        &[("username", "not a handle!"), ("email", "c@example.com")],
    )
    .await;
    assert_page(&refused, 400);
    assert!(refused.text().contains("id=\"username-wrong\""));
    let fields = [("username", CREATOR), ("email", "c@example.com"), ("kind", "object")];
    let asked = send(&world, "/v1/objections", &fields).await;
    assert_page(&asked, 202);
    let code = key(&asked);
    assert!(code.starts_with("tvi-"), "{code}");
    let link = link(&world, "c@example.com", "/object/confirm?token=");
    assert!(!asked.text().contains(token(&link)), "the token is for the mailbox only");
    open(&world, &link).await;
    let confirm = [("token", token(&link))];
    let waiting = send(&world, "/v1/objections/confirm", &confirm).await;
    assert_page(&waiting, 200);
    assert!(
        waiting.text().contains("not in your bio yet") && waiting.text().contains("Look again")
    );
    world.cloud.tiktok.set_bio(CREATOR, &format!("baker {code}"));
    let done = send(&world, "/v1/objections/confirm", &confirm).await;
    assert_page(&done, 200);
    assert!(done.text().contains("Your videos are left out"), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_none_is_asked_for_and_never_run() {
    let world = World::start().await;
    for link in [
        "/confirm",
        "/confirm?token=",
        "/confirm?token=%22%3E%3Cscript%3E",
        "/recover?token=a&token=b",
    ] {
        let page = open(&world, link).await;
        assert!(page.text().contains("<label for=\"token\">"), "{link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_a_page() {
    let world = World::start().await;
    for (path, methods) in PATHS {
        let is_page = !path.starts_with("/v1") && methods.contains(&"GET");
        if !is_page || path.ends_with(".json") || *path == "/health" {
            continue;
        }
        let path = path
            .replace("{request_id}", "req_4kPq9ZtR2mWx")
            .replace("{kind}", "not-found")
            .replace("{page}", "done");
        open(&world, &path).await;
    }
}
