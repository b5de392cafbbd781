use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

use crate::{error::InputError, secrets::Pepper};

/// Domains of Gmail. Dots before the `@` mean nothing there, nor does what follows a `+`.
const GMAIL: [&str; 2] = ["gmail.com", "googlemail.com"];

/// An e-mail address that SES takes: RFC 5321 syntax without quotes, in ASCII (of a domain in another script
/// its Punycode), at most 254 characters, the domain in lower case. Redacted wherever it is printed.
///
/// Mail goes to it as it was written. Two coarser forms tell what is the same: [`hash`](Self::hash) of what
/// is surely one mailbox, [`mailbox_hash`](Self::mailbox_hash) of what probably is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Checks and normalises `text`.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let wrong = |reason: &str| InputError::field("email", reason);
        let (local, domain) =
            text.trim().rsplit_once('@').ok_or_else(|| wrong("must be an e-mail address"))?;
        if !local.is_ascii() {
            return Err(wrong(
                "must have plain letters (a to z), digits and signs before the `@`: mail cannot be sent to others",
            ));
        }
        if local.starts_with('"') {
            return Err(wrong("must have no quotation marks before the `@`"));
        }
        // UTS 46 maps full-width and upper-case letters too, so that two spellings come to one.
        let domain = Uts46::new()
            .to_ascii(
                domain.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::CheckFirstLast,
                DnsLength::Verify,
            )
            .map_err(|_| wrong("must have the name of a domain behind the `@`"))?;
        let text = format!("{local}@{domain}");
        let options = email_address::Options::default()
            .without_display_text()
            .without_domain_literal()
            .with_required_tld();
        let parsed = email_address::EmailAddress::parse_with_options(&text, options);
        if parsed.is_err() || text.len() > 254 || text.chars().any(char::is_control) {
            return Err(wrong("must be an e-mail address"));
        }
        Ok(Self(text))
    }

    /// The address, for the mail service only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Keyed hash that is the same for what is surely one mailbox: an account has it for itself. Upper and
    /// lower case count as the same: two mailboxes that differ only so are not found in practice, two
    /// spellings of one are. So do Gmail's dots, tags and second domain. Elsewhere a tag may be somebody
    /// else's.
    pub fn hash(&self, pepper: &Pepper) -> String {
        pepper.hash("e-mail address", &self.canonical())
    }

    /// Every hash under which an account may have it, the surest first: accounts from before Gmail's spellings
    /// counted as one have it as it was written.
    pub(super) fn hashes(&self, pepper: &Pepper) -> Vec<String> {
        let (canonical, written) = (self.canonical(), self.0.to_lowercase());
        let mut hashes = vec![self.hash(pepper)];
        if written != canonical {
            hashes.insert(0, pepper.hash("e-mail address", &written));
        }
        hashes
    }

    /// Keyed hash that is the same for what is probably one mailbox: no tag counts. For limits, and as a sign
    /// of many accounts of one person.
    pub fn mailbox_hash(&self, pepper: &Pepper) -> String {
        pepper.hash("mailbox", &self.mailbox())
    }

    /// Keyed hash under which it is noted that it refuses mail, which is what [`hash`](Self::hash) is the same for.
    pub(crate) fn stop_hash(&self, pepper: &Pepper) -> String {
        pepper.hash("refused mail", &self.canonical())
    }

    /// Whether it has a tag that counts for nothing but limits.
    pub(super) fn has_free_tag(&self) -> bool {
        self.mailbox() != self.canonical()
    }

    fn canonical(&self) -> String {
        let (local, domain) = self.parts();
        let local = local.to_lowercase();
        if !GMAIL.contains(&domain) {
            return format!("{local}@{domain}");
        }
        let name = without_tag(&local).replace('.', "");
        format!("{name}@{}", GMAIL[0])
    }

    fn mailbox(&self) -> String {
        let canonical = self.canonical();
        match canonical.rsplit_once('@') {
            Some((local, domain)) => format!("{}@{domain}", without_tag(local)),
            None => canonical,
        }
    }

    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('@').unwrap_or((&self.0, ""))
    }
}

/// What comes before the first `+`, if anything does.
fn without_tag(local: &str) -> &str {
    match local.split_once('+') {
        Some((name, _)) if !name.is_empty() => name,
        _ => local,
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn addresses_are_checked_and_normalised() {
        let address = parse(" Ada.L+api@Example.COM ");
        assert_eq!(address.expose(), "Ada.L+api@example.com");
        assert!(!format!("{address:?}").contains("Ada"));
        for wrong in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "Ada <ada@example.com>",
            "a b@example.com",
            "ada@example",
            "ada@[127.0.0.1]",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada\u{ff20}example.com",
            "\u{fc}ser@example.com",
            "\u{ff41}da@example.com",
            "\"ada l\"@example.com",
            "\"a@b\"@example.com",
            "ada..l@example.com",
            "ada@-example.com",
            "ada@under_score.example",
            "ada@example.com.",
            "ada@xn--\u{fc}.example",
        ] {
            assert!(EmailAddress::parse(wrong).is_err(), "{wrong}");
        }
        // 232 characters, of which 256 become.
        let labels = ["\u{fc}".repeat(50).as_str(); 4].join(".");
        let long = |local: usize| format!("{}@{labels}.example", "a".repeat(local));
        assert!(EmailAddress::parse(&long(20)).is_err(), "too long once it is ASCII");
        assert!(EmailAddress::parse(&long(18)).is_ok(), "just not");
    }

    #[test]
    fn a_domain_comes_to_its_ascii_form() {
        for same in [
            "ada@b\u{fc}cher.example",
            "ada@B\u{dc}CHER.example",
            "ada@bu\u{308}cher.example",
            "ada@\u{ff42}\u{fc}cher\u{3002}example",
            "ada@xn--bcher-kva.example",
            "ada@XN--BCHER-KVA.example",
        ] {
            assert_eq!(parse(same).expose(), "ada@xn--bcher-kva.example", "{same}");
        }
        assert_eq!(parse("a@r3---sn.example").expose(), "a@r3---sn.example");
    }

    #[test]
    fn what_is_one_mailbox_has_one_hash() {
        let pepper = Pepper::new(1, [7; 32]);
        // Address, canonical form, mailbox.
        for (text, canonical, mailbox) in [
            ("Ada.L@gmail.com", "adal@gmail.com", "adal@gmail.com"),
            ("a.da.l+x.y@googlemail.com", "adal@gmail.com", "adal@gmail.com"),
            ("Ada.L@Example.com", "ada.l@example.com", "ada.l@example.com"),
            ("ada+a+b@example.com", "ada+a+b@example.com", "ada@example.com"),
            ("+ada@example.com", "+ada@example.com", "+ada@example.com"),
            ("+ada@gmail.com", "+ada@gmail.com", "+ada@gmail.com"),
        ] {
            let address = parse(text);
            assert_eq!(
                (address.canonical(), address.mailbox()),
                (canonical.into(), mailbox.into())
            );
            assert_eq!(address.hash(&pepper), pepper.hash("e-mail address", canonical));
            let written = pepper.hash("e-mail address", &text.to_lowercase());
            assert!(address.hashes(&pepper).contains(&written), "{text} from before");
            assert_eq!(address.has_free_tag(), canonical != mailbox);
        }
        let other = Pepper::new(2, [8; 32]);
        assert_ne!(parse("a@gmail.com").hash(&pepper), parse("a@gmail.com").hash(&other));
    }

    proptest! {
        #[test]
        fn nothing_makes_the_parser_panic_or_lets_a_line_through(text in any::<String>()) {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(!address.expose().contains(['\r', '\n', '\0']));
            }
        }

        #[test]
        fn what_is_accepted_is_ascii_and_read_again_is_the_same(
            local in "[a-zA-Z0-9.+_\u{e9}\"-]{1,12}", domain in "[a-zA-Z0-9.\u{fc}\u{df}\u{ff41}-]{1,12}",
        ) {
            if let Ok(address) = EmailAddress::parse(&format!("{local}@{domain}.example")) {
                prop_assert!(address.expose().is_ascii());
                prop_assert_eq!(EmailAddress::parse(address.expose()).ok(), Some(address.clone()));
                let pepper = Pepper::new(1, [7; 32]);
                prop_assert!(address.hashes(&pepper).contains(&address.hash(&pepper)));
            }
        }
    }
}
