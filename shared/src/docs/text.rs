//! What is rendered of the markup in descriptions: paragraphs and code, no more.

use maud::{Markup, html};

/// `text` as paragraphs.
pub(super) fn paragraphs(text: &str) -> Markup {
    html! {
        @for paragraph in text.split("\n\n").filter(|it| !it.trim().is_empty()) {
            p { (line(paragraph)) }
        }
    }
}

/// `text` within a paragraph.
pub(crate) fn line(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick that is never closed is text.
    let closed = parts.len() - usize::from(parts.len().is_multiple_of(2));
    html! {
        @for (n, part) in parts.iter().enumerate() {
            @if n >= closed { "`" (part) }
            @else if n % 2 == 1 { code { (part) } }
            @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paragraphs_and_code_are_rendered_and_nothing_else_is() {
        let html = paragraphs("One `a<b`\nline.\n\n*Two*, `open & shut").into_string();
        assert_eq!(html, "<p>One <code>a&lt;b</code>\nline.</p><p>*Two*, `open &amp; shut</p>");
    }

    proptest! {
        /// Whatever is written, what is read is the same but for the backticks of code.
        #[test]
        fn nothing_of_a_text_is_lost(text in "[a-z` ]{0,40}") {
            let html = line(&text).into_string();
            let shown = html.replace("<code>", "`").replace("</code>", "`");
            prop_assert_eq!(shown, text);
        }
    }
}
