//! Every form.

use super::{
    done,
    form::{Field, Form, Kind},
};
use crate::accounts::POLICY_VERSION;

/// All of them.
pub(super) const ALL: &[&Form] =
    &[&SIGN_UP, &CONFIRM, &RECOVER, &OBJECT, &CONFIRM_OBJECTION, &KEEP_ACCOUNT, &FETCH_COPY];

const TOKEN: Field = Field {
    name: "token",
    label: "Token from the mail",
    hint: "32 letters and digits. The link in the mail fills it in.",
    kind: Kind::Token,
};

const KEY: Field = Field {
    name: "api_key",
    label: "Your API key",
    hint: "It begins with `tvi_live_` and was shown once, when it was made.",
    kind: Kind::Key,
};

const EMAIL: Field = Field {
    name: "email",
    label: "E-mail address",
    hint: "",
    kind: Kind::Line { of: "email", autocomplete: "email", is_needed: true },
};

const SIGN_UP: Form = Form {
    page: "/sign-up",
    action: "/v1/accounts",
    title: "Open an account, or get a new key",
    lead: &[
        "A mail with a link comes to your address, and the link gets you an API key: with it, programs ask \
         this service about TikTok videos. It is free for a few requests a month.",
        "Have you lost your key, or may somebody else have it? Give the address of your account: the mail then \
         lets you back in.",
    ],
    fields: &[
        EMAIL,
        Field {
            name: "company",
            label: "Company",
            hint: "",
            kind: Kind::Line { of: "text", autocomplete: "organization", is_needed: false },
        },
        Field {
            name: "policy_version",
            label: "I have read and accept the privacy policy",
            hint: "What is kept, how long and why stands under “Privacy”, below.",
            kind: Kind::Accept(POLICY_VERSION),
        },
        Field {
            name: "is_13_or_older",
            label: "I am 13 or older",
            hint: "",
            kind: Kind::Check { is_needed: true },
        },
        Field {
            name: "marketing_consent",
            label: "Send me news now and then",
            hint: "You need not agree, and can take it back.",
            kind: Kind::Check { is_needed: false },
        },
    ],
    button: "Send me the mail",
    done: done::mailed,
};

const CONFIRM: Form = Form {
    page: "/confirm",
    action: "/v1/accounts/verify",
    title: "Confirm your e-mail address",
    lead: &[
        "The button opens your account. Then your API key is shown, once: have a safe place ready for it, such \
         as a password manager.",
        "Did you not sign up? Close this page: nothing has been opened.",
    ],
    fields: &[TOKEN],
    button: "Confirm and show my key",
    done: done::confirmed,
};

const RECOVER: Form = Form {
    page: "/recover",
    action: "/v1/accounts/recover",
    title: "Get back into your account",
    lead: &[
        "The button makes a new API key for your account. It is shown once: have a safe place ready for it, \
         such as a password manager.",
        "Did you not ask for this? Close this page: nothing has changed.",
    ],
    fields: &[
        TOKEN,
        Field {
            name: "revoke_other_keys",
            label: "Stop all other keys at once",
            hint: "If somebody else may have one. Your own programs stop too, until you give them the new key.",
            kind: Kind::Check { is_needed: false },
        },
        Field {
            name: "cancel_deletion",
            label: "Keep the account",
            hint: "If you were told that it will be deleted, and do not want that.",
            kind: Kind::Check { is_needed: false },
        },
    ],
    button: "Make a new key and show it",
    done: done::recovered,
};

const OBJECT: Form = Form {
    page: "/object",
    action: "/v1/objections",
    title: "Creators: be left out",
    lead: &[
        "Do you publish videos on TikTok, and do not want them looked up here? Then they are left out of all \
         answers. You need no account with us.",
        "You get a code, which you put into your profile's bio for a while, and a mail with a link. So nobody \
         but you can have your profile left out.",
    ],
    fields: &[
        Field {
            name: "username",
            label: "Your TikTok handle",
            hint: "With or without the @.",
            kind: Kind::Line { of: "text", autocomplete: "off", is_needed: true },
        },
        Field {
            name: "email",
            label: "E-mail address",
            hint: "Any address of yours. It is forgotten once your wish is decided.",
            kind: Kind::Line { of: "email", autocomplete: "email", is_needed: true },
        },
        Field {
            name: "kind",
            label: "What do you want?",
            hint: "",
            kind: Kind::Choice(&[
                ("object", "My videos are to be left out"),
                ("withdraw", "I objected before, and my videos may be looked up again"),
            ]),
        },
    ],
    button: "Send me the mail",
    done: done::objected,
};

pub(super) const CONFIRM_OBJECTION: Form = Form {
    page: "/object/confirm",
    action: "/v1/objections/confirm",
    title: "Confirm that the profile is yours",
    lead: &[
        "Put the code from the mail anywhere into the bio of your TikTok profile first, then press the button: \
         the profile is looked at.",
        "Did you not ask for this? Close this page: nothing has changed.",
    ],
    fields: &[TOKEN],
    button: "The code is in my bio",
    done: done::objection_confirmed,
};

const KEEP_ACCOUNT: Form = Form {
    page: "/deletions/{request_id}",
    action: "/deletions/{request_id}",
    title: "Keep your account",
    lead: &[
        "Your account will be deleted on the day that the mail names. Until then you can keep it.",
        "Does your key not work any more, or have you lost it? Ask for a new one under “Open an account”, below, \
         with the address of your account: there you can keep the account too.",
    ],
    fields: &[KEY],
    button: "Keep my account",
    done: done::kept,
};

const FETCH_COPY: Form = Form {
    page: "/exports/{request_id}",
    action: "/exports/{request_id}",
    title: "Fetch the copy of your data",
    lead: &[
        "So that nobody who reads your mail can have it, your key is needed.",
        "Have you lost your key? Ask for a new one under “Open an account”, below, with the address of your \
         account.",
    ],
    fields: &[KEY],
    button: "Show me the link",
    done: done::copy,
};
