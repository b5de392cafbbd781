use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{error::InputError, secrets::Pepper};

/// An e-mail address: RFC 5321 syntax, at most 254 characters, the domain in lower case. Redacted
/// wherever it is printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Checks and normalises `text`.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let options = email_address::Options::default()
            .without_display_text()
            .without_domain_literal()
            .with_required_tld();
        let text = text.trim();
        let parsed = email_address::EmailAddress::parse_with_options(text, options).ok();
        match parsed {
            Some(address) if text.len() <= 254 && !text.chars().any(char::is_control) => {
                Ok(Self(format!("{}@{}", address.local_part(), address.domain().to_lowercase())))
            }
            _ => Err(InputError::field("email", "must be an e-mail address")),
        }
    }

    /// The address, for the mail service only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Keyed hash for finding the account. Upper and lower case count as the same: two mailboxes
    /// that differ only so are not found in practice, two spellings of one are.
    pub fn hash(&self, pepper: &Pepper) -> String {
        pepper.hash("e-mail address", &self.0.to_lowercase())
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

    #[test]
    fn addresses_are_checked_and_normalised() {
        let address = EmailAddress::parse(" Ada.L+api@Example.COM ").expect("an address");
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
        ] {
            assert!(EmailAddress::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_parser_panic_or_lets_a_line_through(text in any::<String>()) {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(!address.expose().contains(['\r', '\n', '\0']));
            }
        }
    }
}
