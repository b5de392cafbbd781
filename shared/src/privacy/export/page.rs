//! The export's index page: what is in it, for a person to read.

use maud::{DOCTYPE, Markup, html};

use super::{archive::Entry, manifest::Manifest};
use crate::inventory::{CATEGORIES, Export};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
                     padding:0 1rem;color:#222}table{border-collapse:collapse;width:100%}\
                     th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;\
                     border-bottom:1px solid #ddd}h2{margin-top:2.5rem}code{overflow-wrap:anywhere}";

/// The page. `files` are those written so far.
pub(super) fn index(manifest: &Manifest, files: &[Entry]) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Your data" }
                style { (STYLE) }
            }
            body {
                h1 { "Your data" }
                p {
                    "A copy of what the TikTok Video Intelligence API keeps about account "
                    code { (manifest.account) } ", as of " (manifest.created_at)
                    ", under version " (manifest.policy_version) " of the privacy policy. You asked "
                    "for it by request " code { (manifest.request) } "."
                }
                (categories(manifest, files))
                (left_out(manifest))
                h2 { "Your rights" }
                ul { @for right in manifest.rights { li { (right) } } }
                h2 { "The files" }
                p {
                    "Data files are JSON; " code { "schema.json" } " describes them exactly. "
                    a href="usage.csv" { "usage.csv" } " has your days of use as a table. "
                    code { "manifest.json" } " lists every file with its SHA-256 checksum."
                }
                (glossary())
            }
        }
    }
    .into_string()
}

fn categories(manifest: &Manifest, files: &[Entry]) -> Markup {
    html! {
        h2 { "What is kept" }
        table {
            tr {
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
                    td { (it.items.unwrap_or_default()) }
                    td { (it.purpose) }
                    td { (it.legal_basis) }
                    td { (it.source) }
                    td { (it.recipients.join(", ")) }
                    td { (it.kept) }
                }
            }
        }
    }
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
            tr { th { "What" } th { "Why not" } th { "How long it is kept" } }
            @for it in &manifest.categories {
                @if let Some(reason) = it.left_out {
                    tr { td { (it.description) } td { (reason) } td { (it.kept) } }
                }
            }
        }
    }
}

/// What each field means.
fn glossary() -> Markup {
    html! {
        h2 { "What the fields mean" }
        @for category in CATEGORIES.iter() {
            @if let Export::Items { fields, .. } = category.export {
                h3 { (category.id) }
                table {
                    @for field in fields {
                        tr { td { code { (field.exported_as()) } } td { (field.about) } }
                    }
                }
            }
        }
    }
}
