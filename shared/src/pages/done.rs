//! What the pages say once it is done, from what the endpoint answered.

use maud::{Markup, html};
use serde_json::Value;

use super::forms;
use crate::{docs::line, http::Call, inventory::OBJECTION_HOURS};

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A sign-up: the same for every address.
pub(super) fn mailed(_: &Value, _: &Call) -> (String, Markup) {
    let content = html! {
        p { "A mail is on its way to the address that you gave. Open the link in it; it works for some hours." }
        p {
            "If none comes within a few minutes, look among the spam, then ask again after an hour: only a few \
             are sent to one address within an hour."
        }
    };
    ("Look into your mailbox".to_owned(), content)
}

/// The one time that a key is shown.
fn key(value: &Value) -> Markup {
    html! {
        p { strong { "Copy it now and keep it safe: it is not shown again." } }
        p { code.key { (text(value, "/api_key/key")) } }
        p {
            "Send it with each request, in the header " code { "X-API-Key" } ". Who has it, can use up what your \
             plan includes: give it to your own programs only."
        }
        p {
            "Account " code { (text(value, "/account_id")) } ", plan " code { (text(value, "/plan")) } ". How to \
             go on: " a href="/docs#first-request" { "a first request" } "."
        }
    }
}

/// A new account.
pub(super) fn confirmed(value: &Value, _: &Call) -> (String, Markup) {
    ("Your account is open: here is your key".to_owned(), key(value))
}

/// A new key for an account.
pub(super) fn recovered(value: &Value, _: &Call) -> (String, Markup) {
    let others = value["other_keys"].as_u64().unwrap_or_default();
    let content = html! {
        (key(value))
        p {
            @match others {
                0 => "No other key works any more.",
                1 => "One other key still works.",
                n => { (n) " other keys still work." }
            }
        }
        @if value["deletion_is_open"] == true {
            p {
                strong { "Your account is still going to be deleted." }
                " To keep it, open the page that the mail about the deletion names."
            }
        }
    };
    ("Here is your new key".to_owned(), content)
}

/// An objection that waits for its token.
pub(super) fn objected(value: &Value, _: &Call) -> (String, Markup) {
    let content = html! {
        ol {
            li {
                "Put this code anywhere into the bio of your TikTok profile:"
                p { code.key { (text(value, "/code")) } }
            }
            li {
                "Then open the link in the mail that is on its way to you. It works for "
                (OBJECTION_HOURS) " hours."
            }
        }
        p {
            "If no mail comes within a few minutes, look among the spam, then ask again after an hour: only a \
             few are sent to one address within an hour."
        }
    };
    ("Two more steps".to_owned(), content)
}

/// Where an objection stands.
pub(super) fn objection_confirmed(value: &Value, call: &Call) -> (String, Markup) {
    let state = text(value, "/state");
    let title = match state {
        "active" => "Your videos are left out",
        "withdrawn" => "Your videos can be looked up again",
        "queued" => "A person looks at your profile",
        "refused" => "Your request was refused",
        _ => "The code is not in your bio yet",
    };
    let is_waiting = ["waiting_for_code", "unconfirmed"].contains(&state);
    let content = html! {
        @if is_waiting {
            p {
                "It may take some minutes until TikTok shows a new bio to everybody. Put the code from the mail \
                 there, save the profile, wait a little, and look again."
            }
            (forms::CONFIRM_OBJECTION.again(call.typed().get("token").unwrap_or_default(), "Look again"))
        } @else {
            p { (line(text(value, "/message"))) }
            @if ["active", "withdrawn"].contains(&state) {
                p { "You can take the code out of the bio." }
            }
            @if state == "refused" { p { a href="/object" { "Ask again" } } }
        }
    };
    (title.to_owned(), content)
}

/// A deletion that was cancelled.
pub(super) fn kept(_: &Value, _: &Call) -> (String, Markup) {
    let content = html! {
        p { "The deletion of your account was cancelled. Nothing has been deleted." }
        p {
            "If you did not ask for the deletion, somebody else may have your key: get a "
            a href="/sign-up" { "new key" } " and stop all others."
        }
    };
    ("Your account stays".to_owned(), content)
}

/// A link to a copy.
pub(super) fn copy(value: &Value, _: &Call) -> (String, Markup) {
    let content = html! {
        p { a.button href=(text(value, "/url")) rel="noreferrer" { "Download the copy (ZIP)" } }
        p {
            "The link works for five minutes, for whoever has it: keep it to yourself. The file holds a page to \
             read, and the same for programs."
        }
    };
    ("Your copy is ready".to_owned(), content)
}
