//! What every page has around its content.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// The one stylesheet.
const STYLE: &str = include_str!("style.css");

/// Where every page leads that has no contents of its own.
const FOOTER: [(&str, &str); 5] = [
    ("/", "What this is"),
    ("/sign-up", "Open an account"),
    ("/docs", "Documentation"),
    ("/object", "Creators"),
    ("/privacy", "Privacy"),
];

/// A whole page. Where there is little room, `navigation` stands between `header` and `content`.
pub(crate) fn layout(
    title: &str,
    header: &Markup,
    navigation: Option<&Markup>,
    content: &Markup,
) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                // Its text is not parsed as HTML, and the hash is of just these bytes.
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                div.page[navigation.is_some()].single[navigation.is_none()] {
                    header { (header) }
                    @if let Some(navigation) = navigation { (navigation) }
                    main id="content" tabindex="-1" { (content) }
                    @if navigation.is_none() {
                        footer {
                            ul {
                                @for (link, title) in FOOTER { li { a href=(link) { (title) } } }
                            }
                        }
                    }
                }
            }
        }
    }
    .into_string()
}

/// A box of its own that scrolls sideways, also by keyboard.
pub(crate) fn scroll(label: &str, content: &Markup) -> Markup {
    html! { div.scroll role="group" tabindex="0" aria-label=(label) { (content) } }
}

/// Nothing may be loaded or run; the stylesheet is let through by its hash. `form_action` says where forms may
/// be sent.
pub(crate) fn content_security_policy(form_action: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action {form_action}; \
         frame-ancestors 'none'"
    )
}
