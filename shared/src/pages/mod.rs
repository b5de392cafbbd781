//! Pages for people: what the service is, a form for each mailed token, one for objecting. No script, and
//! nothing that is loaded from elsewhere.
//!
//! A page is opened by `GET`, which changes nothing. Its form is posted to the endpoint that programs send
//! JSON to: `http::Call::json` reads either, the endpoint does the same with both, and what it answers is
//! shown as a page where a form was sent. So there is one rule, one limit and one permission for both.

mod done;
mod form;
mod forms;
mod home;
mod policy;
#[cfg(test)]
mod tests;

use lambda_http::http::{HeaderValue, StatusCode, header};
use maud::{Markup, html};
use serde_json::Value;

use self::form::{Fault, sentence};
pub(crate) use self::form::{Form, Typed};
use crate::{
    docs::{self, content_security_policy, layout, line},
    error::Error,
    http::{Call, Problem, Reply, Site, decorate, kind, paths},
};

/// The page at the address of `call`, or why there is none; help is at the address `support`.
pub fn open(call: &Call, support: &str) -> Result<Reply, Error> {
    let path = call.at();
    if call.is_read() {
        if let Some(form) = forms::ALL.iter().find(|it| paths::matches(it.page, path)) {
            let typed = Typed::of_link(call);
            return Ok(shown(StatusCode::OK, form.title, &form.markup(path, &typed, None)));
        }
        match path {
            "/" => return home::home(call, support),
            "/privacy" => return Ok(docs::reply(policy::page(support))),
            _ => {}
        }
    }
    Err(paths::allow(path).map_or(Error::NotFound("address"), Error::MethodNotAllowed))
}

/// What an endpoint answered to `form`, as a page.
pub(crate) fn answered(form: &Form, call: &Call, reply: Reply) -> Reply {
    let value: Value = serde_json::from_str(reply.body()).unwrap_or_default();
    let (title, content) = (form.done)(&value, call);
    // A form must not be sent on to another host: the page has a link in place of that.
    let status = if reply.status().is_redirection() { StatusCode::OK } else { reply.status() };
    shown(status, &title, &content)
}

/// `form` once more, with what was typed and what is wrong with it.
pub(crate) fn refused(form: &Form, call: &Call, error: &Error, support: &str) -> Reply {
    let fault = Fault::of(form, error, support, call.request_id());
    let title = format!("Not done yet: {}", form.title);
    let content = form.markup(call.at(), &call.typed(), Some(&fault));
    decorate(shown(kind(error).status(), &title, &content), error)
}

/// An error as a page, for a browser.
pub(crate) fn problem(call: &Call, error: &Error, site: Site<'_>) -> Reply {
    let problem = Problem::of(error, site, call.request_id());
    let content = html! {
        p { (line(&sentence(&problem.detail))) }
        p.soft { "Status " (problem.status) ", request " code { (problem.request_id) } "." }
    };
    let reply = decorate(shown(kind(error).status(), problem.title, &content), error);
    reply.with(header::VARY, HeaderValue::from_static("accept, accept-encoding"))
}

/// A page that may hold what is for one person only: it is kept nowhere.
fn shown(status: StatusCode, title: &str, content: &Markup) -> Reply {
    let heading = html! { h1 { (title) } };
    let page = layout(title, &heading, None, content);
    let mut reply = Reply::text(status, "text/html; charset=utf-8", page);
    if content.0.contains("<form") {
        // Browsers name a form's origin only where its page lets them. The rest of the page's address, which may hold
        // a token, they keep to themselves.
        let policy = HeaderValue::from_static("strict-origin");
        reply = reply.with(header::REFERRER_POLICY, policy);
    }
    match HeaderValue::try_from(content_security_policy("'self'")) {
        Ok(policy) => reply.with(header::CONTENT_SECURITY_POLICY, policy),
        // The policy of every answer holds: a page without style.
        Err(_) => reply,
    }
}
