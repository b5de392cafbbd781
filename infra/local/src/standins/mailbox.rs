//! A page that shows what the service has mailed.

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::{HeaderName, StatusCode, header};
use maud::{DOCTYPE, Markup, html};
use time::format_description::well_known::Rfc3339;

use super::ses::{Mail, Ses};

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: start; padding: .4rem .6rem; border-bottom: 1px solid #8884; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
iframe { width: 100%; height: 24rem; border: 1px solid #8884; background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #8884; padding: 1rem; }
";

/// Nothing from a mail runs or is fetched, whatever it holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      form-action 'none'; frame-ancestors 'none'";

/// A page of all mails, one of each at `/{id}`, and all as JSON at `/mails.json`. To be nested under
/// `/mailbox`, where the links lead.
pub fn router(ses: Ses) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/{id}", get(one))
        .route("/mails.json", get(json))
        .with_state(ses)
}

async fn json(State(ses): State<Ses>) -> Json<Vec<Mail>> {
    Json(ses.mails())
}

async fn list(State(ses): State<Ses>) -> Response {
    let mails = ses.mails();
    let content = html! {
        h1 { "Mailbox" }
        @if mails.is_empty() {
            p { "Nothing has been mailed yet." }
        } @else {
            table {
                thead { tr { th { "Sent" } th { "To" } th { "Subject" } } }
                tbody {
                    @for mail in mails.iter().rev() {
                        tr {
                            td { (sent_at(mail)) }
                            td { (mail.to.join(", ")) }
                            td { a href={ "/mailbox/" (mail.id) } { (mail.subject) } }
                        }
                    }
                }
            }
        }
        p { a href="/mailbox/mails.json" { "The same as JSON" } }
    };
    page(StatusCode::OK, "Mailbox", &content)
}

async fn one(State(ses): State<Ses>, Path(id): Path<String>) -> Response {
    let Some(mail) = ses.mail(&id) else {
        let content = html! {
            h1 { "No such mail" }
            p { a href="/mailbox" { "Back to the mailbox" } }
        };
        return page(StatusCode::NOT_FOUND, "No such mail", &content);
    };
    let content = html! {
        p { a href="/mailbox" { "Back to the mailbox" } }
        h1 { (mail.subject) }
        dl {
            dt { "Sent" } dd { (sent_at(&mail)) }
            dt { "From" } dd { (mail.from) }
            dt { "To" } dd { (mail.to.join(", ")) }
            @for (name, value) in &mail.headers {
                dt { (name) } dd { (value) }
            }
        }
        @if let Some(html) = &mail.html {
            h2 { "HTML part" }
            // Scripts and forms stay off; links open a page of their own.
            iframe title="HTML part" sandbox="allow-popups allow-popups-to-escape-sandbox"
                srcdoc={ "<base target=_blank>" (html) } {}
        }
        @if let Some(text) = &mail.text {
            h2 { "Text part" }
            pre { (text) }
        }
    };
    page(StatusCode::OK, &mail.subject, &content)
}

fn sent_at(mail: &Mail) -> String {
    mail.sent_at.format(&Rfc3339).unwrap_or_default()
}

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body { (content) }
        }
    };
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "no-referrer")];
    (status, headers, Html(body.into_string())).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;

    use super::*;
    use crate::{
        access::{Access, OPERATOR_KEY},
        clock::Clock,
        standins::tests::{call, send},
    };

    async fn show(ses: &Ses, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        send(Router::new().nest("/mailbox", router(ses.clone())), request).await
    }

    #[tokio::test]
    async fn mails_are_listed_and_shown_without_running_what_is_in_them() {
        let ses = Ses::new(Clock::default(), Access::default());
        assert!(show(&ses, "/mailbox").await.1.contains("Nothing has been mailed"));
        let form = "Action=SendEmail&Source=no-reply@example.com\
                    &Destination.ToAddresses.member.1=ada@example.com\
                    &Message.Subject.Data=Hello+%3Cb%3E&Message.Body.Text.Data=plain\
                    &Message.Body.Html.Data=%3Cscript%3Ebad()%3C/script%3E%22";
        assert_eq!(call(ses.router(), Some(OPERATOR_KEY), &[], form).await.0, 200);
        let (_, list) = show(&ses, "/mailbox").await;
        assert!(list.contains("Hello &lt;b&gt;") && list.contains("ada@example.com"));
        let id = &ses.mails()[0].id;
        let (status, page) = show(&ses, &format!("/mailbox/{id}")).await;
        assert_eq!(status, 200);
        assert!(page.contains("&lt;script&gt;bad()&lt;/script&gt;&quot;"));
        assert!(page.contains("<pre>plain</pre>") && !page.contains("<script"));
        let (_, json) = show(&ses, "/mailbox/mails.json").await;
        assert!(json.contains(r#""subject":"Hello <b>""#));
        assert_eq!(show(&ses, "/mailbox/none").await.0, 404);
    }
}
