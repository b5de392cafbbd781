//! What a form is: its fields, how they are read, how they are shown.

use maud::{Markup, html};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    docs::line,
    error::{AuthError, Error, InputError},
    http::{Call, detail, paths},
    ids::is_base62,
};

/// Length of a mailed token.
const TOKEN_LEN: usize = 32;

/// A page with a form.
#[derive(Debug)]
pub(crate) struct Form {
    /// Where the page is.
    pub(super) page: &'static str,
    /// Where the form is sent.
    pub(super) action: &'static str,
    /// What it is for.
    pub(super) title: &'static str,
    /// What to know before.
    pub(super) lead: &'static [&'static str],
    /// What is asked for.
    pub(super) fields: &'static [Field],
    /// What the button says.
    pub(super) button: &'static str,
    /// Title and content of the page that says that it is done, from what the endpoint answered.
    pub(super) done: fn(&Value, &Call) -> (String, Markup),
}

/// One thing that a form asks for.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in the endpoint's JSON.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) kind: Kind,
}

/// How a field is filled in.
#[derive(Debug)]
pub(super) enum Kind {
    /// A mailed token; comes with the link.
    Token,
    /// An API key. It goes where the header would.
    Key,
    /// A line of text.
    Line { of: &'static str, autocomplete: &'static str, is_needed: bool },
    /// Yes or no.
    Check { is_needed: bool },
    /// Agreement to just this value.
    Accept(&'static str),
    /// One of these values, each with its label; the first one unless another is chosen.
    Choice(&'static [(&'static str, &'static str)]),
}

/// What was typed into a form.
#[derive(Debug, Default)]
pub(crate) struct Typed(Vec<(String, String)>);

/// What is wrong with what was typed.
pub(super) struct Fault {
    /// In which field, if in one.
    field: Option<&'static str>,
    text: String,
    /// Where to begin anew, where that helps.
    anew: Option<(&'static str, &'static str)>,
    request_id: Option<String>,
}

impl Typed {
    /// The fields of a body.
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// What comes with a mailed link.
    pub(super) fn of_link(call: &Call) -> Self {
        Self(call.query("token").map(|it| ("token".to_owned(), it)).into_iter().collect())
    }

    /// What was typed into the field of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|it| it.0 == name).map(|it| it.1.trim())
    }
}

impl Form {
    /// The form that is sent to `path`.
    pub(crate) fn sent_to(path: &str) -> Option<&'static Self> {
        super::forms::ALL.iter().find(|it| paths::matches(it.action, path)).copied()
    }

    /// What was typed, as the JSON that the endpoint takes from programs.
    pub(crate) fn json(&self, typed: &Typed) -> Value {
        let mut object = Map::new();
        for field in self.fields {
            let given = typed.get(field.name);
            let value: Value = match &field.kind {
                Kind::Key => continue,
                Kind::Check { .. } => given.is_some().into(),
                Kind::Accept(value) => given.filter(|it| it == value).unwrap_or_default().into(),
                Kind::Line { is_needed: false, .. } if given.unwrap_or_default().is_empty() => {
                    continue;
                }
                Kind::Choice(choices) => given.unwrap_or(choices[0].0).into(),
                Kind::Token | Kind::Line { .. } => given.unwrap_or_default().into(),
            };
            object.insert(field.name.to_owned(), value);
        }
        Value::Object(object)
    }

    /// The content of its page.
    pub(super) fn markup(&self, path: &str, typed: &Typed, fault: Option<&Fault>) -> Markup {
        // The page's address is the action's where an id is in both.
        let action = if self.action.contains('{') { path } else { self.action };
        html! {
            @if let Some(fault) = fault { (fault.markup(self)) }
            @for text in self.lead { p { (line(text)) } }
            form method="post" action=(action) novalidate[fault.is_some()] {
                @for field in self.fields {
                    (field.markup(typed, fault.filter(|it| it.is_of(field)), fault.is_some()))
                }
                p { button type="submit" { (self.button) } }
            }
        }
    }

    /// The form as a button only, to send the same token again.
    pub(super) fn again(&self, token: &str, button: &str) -> Markup {
        html! {
            form method="post" action=(self.action) {
                input type="hidden" name="token" value=(token);
                p { button type="submit" { (button) } }
            }
        }
    }
}

impl Field {
    fn markup(&self, typed: &Typed, fault: Option<&Fault>, was_sent: bool) -> Markup {
        let given = typed.get(self.name).unwrap_or_default();
        let is_checked = !given.is_empty();
        match &self.kind {
            Kind::Token if is_base62(given, TOKEN_LEN) && !was_sent => html! {
                input type="hidden" name=(self.name) value=(given);
            },
            Kind::Token => self.line("text", "off", true, given, fault),
            // A secret is not sent back.
            Kind::Key => self.line("password", "off", true, "", fault),
            Kind::Line { of, autocomplete, is_needed } => {
                self.line(of, autocomplete, *is_needed, given, fault)
            }
            Kind::Check { is_needed } => self.check("true", *is_needed, is_checked, fault),
            Kind::Accept(value) => self.check(value, true, is_checked, fault),
            Kind::Choice(choices) => html! {
                fieldset {
                    legend { (self.label) }
                    @for (n, (value, label)) in choices.iter().enumerate() {
                        div.check {
                            input type="radio" id={ (self.name) "-" (value) } name=(self.name) value=(value)
                                checked[if given.is_empty() { n == 0 } else { given == *value }];
                            label for={ (self.name) "-" (value) } { (label) }
                        }
                    }
                }
            },
        }
    }

    fn line(
        &self,
        of: &str,
        autocomplete: &str,
        is_needed: bool,
        given: &str,
        fault: Option<&Fault>,
    ) -> Markup {
        html! {
            div.field {
                label for=(self.name) {
                    (self.label) @if !is_needed { span.soft { " (if you like)" } }
                }
                (self.notes(fault))
                input type=(of) id=(self.name) name=(self.name) value=(given)
                    autocomplete=(autocomplete) autocapitalize="none" spellcheck="false"
                    required[is_needed] autofocus[fault.is_some()]
                    aria-invalid=[fault.map(|_| "true")] aria-describedby=[self.described_by(fault)];
            }
        }
    }

    fn check(
        &self,
        value: &str,
        is_needed: bool,
        is_checked: bool,
        fault: Option<&Fault>,
    ) -> Markup {
        html! {
            div.field {
                div.check {
                    input type="checkbox" id=(self.name) name=(self.name) value=(value)
                        required[is_needed] checked[is_checked] autofocus[fault.is_some()]
                        aria-invalid=[fault.map(|_| "true")]
                        aria-describedby=[self.described_by(fault)];
                    label for=(self.name) { (self.label) }
                }
                (self.notes(fault))
            }
        }
    }

    fn notes(&self, fault: Option<&Fault>) -> Markup {
        html! {
            @if let Some(fault) = fault {
                p.wrong id={ (self.name) "-wrong" } { (line(&fault.text)) }
            }
            @if !self.hint.is_empty() { p.soft id={ (self.name) "-hint" } { (line(self.hint)) } }
        }
    }

    fn described_by(&self, fault: Option<&Fault>) -> Option<String> {
        let wrong = fault.map(|_| format!("{}-wrong", self.name));
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let all: Vec<String> = wrong.into_iter().chain(hint).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

impl Fault {
    /// What to say of `error` to who has sent `form`, in words that need no knowledge of the API.
    pub(super) fn of(form: &Form, error: &Error, support: &str, request_id: &str) -> Self {
        let named = |name: &str| form.fields.iter().map(|it| it.name).find(|it| *it == name);
        let sign_up = Some(("/sign-up", "Ask for a new mail"));
        let (field, text, anew) = match error {
            Error::Input(InputError::Field { name, reason }) => {
                (named(name), format!("This {reason}."), None)
            }
            Error::Input(InputError::Body(_)) => {
                (None, "Something that is needed was left out.".to_owned(), None)
            }
            Error::Auth(
                AuthError::Missing
                | AuthError::Malformed
                | AuthError::Unknown
                | AuthError::Sandbox,
            ) => (
                named("api_key"),
                "This is not a key that opens the account. It begins with `tvi_live_`: check that it was \
                 copied whole."
                    .to_owned(),
                None,
            ),
            Error::Auth(AuthError::Token | AuthError::RecoveryToken) => {
                (named("token"), LINK_ENDED.to_owned(), sign_up)
            }
            Error::Auth(AuthError::ObjectionToken) => {
                (named("token"), LINK_ENDED.to_owned(), Some(("/object", "Ask for a new mail")))
            }
            other => (None, sentence(&detail(other, support)), None),
        };
        let is_ours = matches!(error, Error::Internal(_) | Error::Unavailable { .. });
        Self { field, text, anew, request_id: is_ours.then(|| request_id.to_owned()) }
    }

    fn is_of(&self, field: &Field) -> bool {
        self.field == Some(field.name)
    }

    /// What stands above the form.
    fn markup(&self, form: &Form) -> Markup {
        let label = form.fields.iter().find(|it| self.is_of(it)).map(|it| it.label);
        html! {
            div.error role="alert" {
                h2 { "That did not work" }
                @match (self.field, label) {
                    (Some(name), Some(label)) => {
                        p { a href={ "#" (name) } { (label) } ": " (line(&self.text)) }
                    }
                    _ => p { (line(&self.text)) },
                }
                @if let Some((link, text)) = self.anew { p { a href=(link) { (text) } } }
                @if let Some(id) = &self.request_id {
                    p.soft { "If you ask for help, name this request: " code { (id) } }
                }
            }
        }
    }
}

const LINK_ENDED: &str =
    "It is not valid any more, or was not copied whole: it works once, and only for some hours.";

/// `text` with a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|it| it.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
