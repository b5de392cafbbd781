//! Making text of others harmless, and reading tags out of it. Total: nothing here can fail or panic.

use url::Url;

/// TikTok allows captions of 4,000 characters.
pub(super) const MAX_CAPTION: usize = 4_000;
/// Longest name, title or tag that is passed on.
pub(super) const MAX_NAME: usize = 200;
/// Most hashtags or mentions that are passed on.
pub(super) const MAX_TAGS: usize = 100;

/// `text` on one line, without control characters, at most `max` characters long; `None` if nothing
/// is left.
pub(super) fn line(text: &str, max: usize) -> Option<String> {
    clean(text.chars().map(|it| if it.is_whitespace() { ' ' } else { it }), max)
}

/// As [`line()`], with the line breaks kept.
pub(super) fn lines(text: &str, max: usize) -> Option<String> {
    clean(text.chars(), max)
}

fn clean(text: impl Iterator<Item = char>, max: usize) -> Option<String> {
    let text: String = text.filter(|it| !it.is_control() || *it == '\n').take(max).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Longest handle that is passed on.
pub const MAX_HANDLE: usize = 64;

/// A handle without `@`: letters and digits of ASCII, `_`, `.` and `-`.
pub(super) fn handle(text: &str) -> Option<String> {
    // NUL bytes have been seen in names.
    let text = line(text, MAX_NAME)?;
    let text = text.strip_prefix('@').unwrap_or(&text);
    let is_one = (1..=MAX_HANDLE).contains(&text.len()) && text.chars().all(is_handle);
    is_one.then(|| text.to_owned())
}

/// An `https` address of TikTok or its delivery network, without credentials or a port.
pub(super) fn tiktok_url(text: &str) -> Option<Url> {
    // No `tiktokcdn-*`: anyone can register such a name.
    const DOMAINS: [&str; 4] =
        ["tiktok.com", "tiktokcdn.com", "tiktokcdn-us.com", "tiktokcdn-eu.com"];
    let url: Url = text.parse().ok()?;
    let host = url.host_str()?;
    let ours = DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    (ours && plain && url.scheme() == "https" && url.as_str().len() <= 2_048).then_some(url)
}

/// The hashtags in a caption, without `#`, each once.
pub(super) fn hashtags(caption: &str) -> Vec<String> {
    tags(caption, &['#', '＃'], is_hashtag, |_| true)
}

/// The handles mentioned in a caption, without `@`, each once. Mail addresses are none.
pub(super) fn mentions(caption: &str) -> Vec<String> {
    tags(caption, &['@', '＠'], is_handle, |before| !before.is_alphanumeric())
}

/// Distinct `names`, cleaned and bounded.
pub(super) fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(name.to_lowercase())).take(MAX_TAGS).collect()
}

fn tags(
    text: &str,
    markers: &[char],
    belongs: impl Fn(char) -> bool,
    may_follow: impl Fn(char) -> bool,
) -> Vec<String> {
    let found = text.match_indices(markers).filter_map(|(at, marker)| {
        if text[..at].chars().next_back().is_some_and(|before| !may_follow(before)) {
            return None;
        }
        let tag = text[at + marker.len()..].chars().take_while(|it| belongs(*it));
        let tag: String = tag.take(MAX_NAME).collect();
        // A full stop ends the sentence, not the name.
        let tag = tag.trim_end_matches(['.', '-']);
        (!tag.is_empty()).then(|| tag.to_owned())
    });
    distinct(found)
}

/// TikTok takes letters, digits, `_`, marks and pictographs of every script; what ends a tag is a
/// space or punctuation.
fn is_hashtag(it: char) -> bool {
    match it {
        '_' => true,
        _ if it.is_ascii() => it.is_ascii_alphanumeric(),
        // Joiners inside Indic and Persian words and inside composed pictographs.
        '\u{200c}' | '\u{200d}' => true,
        // General and CJK punctuation; fullwidth forms of ASCII punctuation.
        '\u{80}'..='\u{bf}' => matches!(it, 'ª' | 'µ' | 'º'),
        '\u{2000}'..='\u{206f}' => false,
        '\u{3000}'..='\u{303f}' => matches!(it, '々' | '〆' | '〇'),
        '\u{ff00}'..='\u{ffef}' => it.is_alphanumeric(),
        _ => !it.is_whitespace() && !it.is_control(),
    }
}

fn is_handle(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hashtags_of_every_script() {
        let caption = "a #one,#two#Three. #two ## # #été2026! (#猫々)。#नमस्ते\u{200d}x ＃全角　#07 #a_b-c #👩\u{200d}🍳…";
        assert_eq!(
            hashtags(caption),
            [
                "one",
                "two",
                "Three",
                "été2026",
                "猫々",
                "नमस्ते\u{200d}x",
                "全角",
                "07",
                "a_b",
                "👩\u{200d}🍳"
            ]
        );
        assert_eq!(hashtags("no tags, #"), Vec::<String>::new());
        let many: String = (0..300).map(|n| format!("#t{n} ")).collect();
        assert_eq!(hashtags(&many).len(), MAX_TAGS);
    }

    #[test]
    fn mentions_but_no_mail_addresses() {
        let caption = "with @example.one. and @two_2, (@three) mail me@example.com @@ @Two_2";
        assert_eq!(mentions(caption), ["example.one", "two_2", "three"]);
    }

    #[test]
    fn control_characters_go() {
        assert_eq!(handle("made\0_up").as_deref(), Some("made_up"));
        assert_eq!(handle("@made.up").as_deref(), Some("made.up"));
        assert_eq!(handle("a/../b"), None);
        assert_eq!(line(" a\tb\nc\u{1b}[31m ", 99).as_deref(), Some("a b c[31m"));
        assert_eq!(lines("a\nb\0", 99).as_deref(), Some("a\nb"));
        assert_eq!(line("\0 \u{7f}", 99), None);
        assert_eq!(line("ééé", 2).as_deref(), Some("éé"));
    }

    #[test]
    fn only_addresses_of_tiktok() {
        for good in ["https://www.tiktok.com/@a", "https://p16-sign.tiktokcdn-us.com/a?x-expires=1"]
        {
            assert!(tiktok_url(good).is_some(), "{good}");
        }
        for bad in [
            "http://www.tiktok.com/",
            "https://eviltiktok.com/",
            "https://tiktok.com.example.net/",
            "https://tiktokcdn-example.com/",
            "https://tiktok.com@example.com/",
            "https://user@tiktok.com/",
            "https://tiktok.com:8443/",
            "javascript:alert(1)",
            "//tiktok.com/",
            "",
        ] {
            assert!(tiktok_url(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_everything_is_bounded(text in "(\\PC|[#@\\x00\n＃]){0,300}", max in 0..50usize) {
            for name in hashtags(&text).into_iter().chain(mentions(&text)) {
                prop_assert!(!name.is_empty() && name.chars().count() <= MAX_NAME);
                prop_assert!(!name.chars().any(|it| it.is_control() || it.is_whitespace()));
            }
            if let Some(line) = line(&text, max) {
                prop_assert!(line.chars().count() <= max && !line.contains('\n'));
            }
            handle(&text);
            tiktok_url(&text);
        }
    }
}
