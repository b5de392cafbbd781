//! The export's index page: the account and what was paid, then what else is in the copy, for a person to read.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    archive::Entry,
    items::worked_out_fields,
    manifest::{CategoryEntry, Controller, Manifest},
    told::{Told, money},
};
use crate::inventory::{BILLING_RECORDS, CATEGORIES, Category, Export, Field, Place};

/// On a narrow screen each row of a table is a card, and each cell says what it is.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
    padding:0 1rem;color:#222;overflow-wrap:break-word}code{overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}\
    th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #ddd}\
    h2{margin-top:2.5rem}a{color:#0645ad}dt{font-weight:600;margin-top:.6rem}dd{margin:0}\
    @media(max-width:48rem){tr.head{display:none}table,tbody,tr,td{display:block}\
    tr{border-bottom:1px solid #bbb;padding:.5rem 0}td{border:0;padding:.1rem 0}\
    td[data-what]::before{content:attr(data-what) \": \";font-weight:600}}";

/// The page. `files` are those written so far.
pub(super) fn index(manifest: &Manifest, told: &Told, files: &[Entry]) -> String {
    let Controller { service, contact } = &manifest.controller;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Your data" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Your data" }
                    p {
                        "A copy of what the " (service) " keeps about account " code { (manifest.account) }
                        ", as of " (day(&manifest.created_at)) ", under version "
                        (manifest.policy_version) " of the privacy policy. You asked for it by request "
                        code { (manifest.request) } "."
                    }
                    p {
                        "Who answers for it: the operator of the " (service) ". Write to "
                        a href={ "mailto:" (contact) } { (contact) }
                        " with anything about it."
                    }
                    (account(&told.account))
                    (payments(told, files))
                    (categories(manifest, files))
                    (left_out(manifest))
                    h2 { "Your rights" }
                    ul { @for right in manifest.rights { li { (right) } } }
                    h2 { "The files" }
                    p {
                        "Data files are JSON; " a href="schema.json" { "schema.json" }
                        " describes them exactly. "
                        a href="usage.csv" { "usage.csv" } " has your days of use as a table. "
                        code { "manifest.json" } " lists every file with its SHA-256 checksum."
                    }
                    (glossary(manifest))
                }
            }
        }
    }
    .into_string()
}

/// What an export calls a field, and what it is on the page.
const OF_ACCOUNT: [(&str, &str); 10] = [
    ("email", "Address"),
    ("company", "Company"),
    ("plan", "Plan"),
    ("status", "Status"),
    ("created_at", "Account opened"),
    ("subscription_period_start", "Billing period began"),
    ("subscription_period_end", "Billing period ends"),
    ("policy_accepted_at", "Privacy policy accepted"),
    ("marketing_consent_at", "Agreed to marketing mail"),
    ("key_count", "API keys"),
];

fn account(account: &Map<String, Value>) -> Markup {
    html! {
        h2 { "Your account" }
        dl {
            @for (field, what) in OF_ACCOUNT {
                dt { (what) }
                dd {
                    (account.get(field).and_then(plain).unwrap_or_else(|| "none".to_owned()))
                }
            }
        }
    }
}

/// A value as a person reads it; of a time the day and the minute.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(day(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(if *is_so { "yes" } else { "no" }.to_owned()),
        _ => None,
    }
}

/// `2026-11-24T12:00:00Z` as `2026-11-24 12:00 UTC`; anything else as it is.
fn day(text: &str) -> String {
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(at) => {
            format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
        }
        Err(_) => text.to_owned(),
    }
}

fn payments(told: &Told, files: &[Entry]) -> Markup {
    let text = |record: &Map<String, Value>, field: &str| {
        record.get(field).and_then(plain).unwrap_or_default()
    };
    let amount = |record: &Map<String, Value>| {
        money(&record["amount_cents"], &record["currency"]).unwrap_or_default()
    };
    html! {
        h2 { "Invoices and payments" }
        @if told.records.is_empty() {
            p { "There are none: nothing was bought." }
        } @else {
            table {
                tr.head { th { "When" } th { "What" } th { "Number" } th { "Amount" } th { "For" } }
                @for record in &told.records {
                    tr {
                        td data-what="When" { (text(record, "issued_at")) }
                        td data-what="What" { (text(record, "kind")) }
                        td data-what="Number" { (text(record, "number")) }
                        td data-what="Amount" { (amount(record)) }
                        td data-what="For" {
                            @for (n, line) in rows(record).enumerate() {
                                @if n > 0 { br; }
                                (line)
                            }
                        }
                    }
                }
            }
            @if told.has_more {
                p {
                    "There are more: see "
                    @for file in files.iter().filter(|file| is_of(file, BILLING_RECORDS.id)) {
                        a href=(file.path) { (file.path) } " "
                    }
                }
            }
        }
    }
}

/// The lines of an invoice: what for, how much, from when to when.
fn rows(record: &Map<String, Value>) -> impl Iterator<Item = String> + '_ {
    let lines = record.get("lines").and_then(Value::as_array).into_iter().flatten();
    lines.map(|line| {
        let field = |name: &str| line[name].as_str().unwrap_or_default();
        let amount = money(&line["cents"], &record["currency"]).unwrap_or_default();
        let (from, to) = (date(field("from")), date(field("to")));
        format!("{}, {amount}, {from} to {to}", field("description"))
    })
}

fn date(text: &str) -> &str {
    text.split('T').next().unwrap_or(text)
}

fn categories(manifest: &Manifest, files: &[Entry]) -> Markup {
    html! {
        h2 { "What is kept" }
        table {
            tr.head {
                th { "What" } th { "Items" } th { "What for" } th { "Ground" } th { "From where" }
                th { "Who else has it" } th { "How long" }
            }
            @for it in manifest.categories.iter().filter(|it| it.left_out.is_none()) {
                tr {
                    td {
                        (it.description)
                        @for file in files.iter().filter(|file| is_of(file, it.category)) {
                            br; a href=(file.path) { (file.path) }
                        }
                    }
                    td data-what="Items" { (it.items.unwrap_or_default()) }
                    td data-what="What for" { (it.purpose) }
                    td data-what="Ground" { (it.legal_basis) }
                    td data-what="From where" { (it.source) }
                    td data-what="Who else has it" { (received(it)) }
                    td data-what="How long" { (it.kept) }
                }
            }
        }
    }
}

/// Who really has something of it.
fn received(entry: &CategoryEntry) -> String {
    let names = entry.recipients.iter().filter(|it| it.received).map(|it| it.recipient);
    let names: Vec<_> = names.collect();
    if names.is_empty() { "nobody: there is nothing".to_owned() } else { names.join(", ") }
}

/// `data/api-logs.json`, `data/api-logs-2.json`, …
fn is_of(file: &Entry, category: &str) -> bool {
    let name = file.path.strip_prefix("data/").and_then(|it| it.strip_suffix(".json"));
    let rest = name.and_then(|it| it.strip_prefix(category));
    rest.is_some_and(|it| it.is_empty() || it[1..].bytes().all(|byte| byte.is_ascii_digit()))
}

fn left_out(manifest: &Manifest) -> Markup {
    html! {
        h2 { "What is not in here, and why" }
        table {
            tr.head { th { "What" } th { "Why not" } th { "How long it is kept" } }
            @for it in &manifest.categories {
                @if let Some(reason) = it.left_out {
                    tr {
                        td { (it.description) }
                        td data-what="Why not" { (reason) }
                        td data-what="How long it is kept" { (it.kept) }
                    }
                }
            }
        }
    }
}

/// What each field means, and which ones are not in the copy.
fn glossary(manifest: &Manifest) -> Markup {
    let left_out = |category: &Category| {
        let entry = manifest.categories.iter().find(|it| it.category == category.id);
        entry.map_or(&[][..], |it| it.fields_left_out)
    };
    html! {
        h2 { "What the fields mean" }
        @for category in CATEGORIES.iter() {
            @if let Export::Items { fields, .. } = category.export {
                h3 { (category.id) }
                table {
                    @for field in fields.iter().chain(more(category)) {
                        tr { td { code { (field.exported_as()) } } td { (field.about) } }
                    }
                }
                @if !left_out(category).is_empty() {
                    p {
                        "Stored with it and not in the copy, because it only serves to find, to protect and to \
                         count items: "
                        @for (n, name) in left_out(category).iter().enumerate() {
                            @if n > 0 { ", " }
                            code { (name) }
                        }
                        "."
                    }
                }
            }
        }
    }
}

/// What is worked out for the copy.
fn more(category: &Category) -> &'static [Field] {
    match category.place {
        Place::Table(table) => worked_out_fields(table),
        _ => &[],
    }
}
