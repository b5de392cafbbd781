//! What every page has around its content.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// The one stylesheet.
const STYLE: &str = include_str!("style.css");

/// A whole page. Where there is little room, `navigation` stands between `header` and `content`.
pub(super) fn layout(
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
                div.page[navigation.is_some()] {
                    header { (header) }
                    @if let Some(navigation) = navigation { (navigation) }
                    main id="content" tabindex="-1" { (content) }
                }
            }
        }
    }
    .into_string()
}

/// A box of its own that scrolls sideways, also by keyboard.
pub(super) fn scroll(label: &str, content: &Markup) -> Markup {
    html! { div.scroll role="group" tabindex="0" aria-label=(label) { (content) } }
}

/// Nothing may be loaded or run; the stylesheet is let through by its hash.
pub(super) fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}
