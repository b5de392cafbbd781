//! Amounts, for people to read.

/// `cents` minor units of `currency` (ISO 4217, in any case): `$20.00`, `-20.00 EUR`, `2000 JPY`.
pub fn shown(cents: i64, currency: &str) -> String {
    let currency = currency.to_ascii_uppercase();
    let sign = if cents < 0 { "-" } else { "" };
    let places = decimals(&currency);
    let unit = 10_u64.pow(places);
    let (whole, part) = (cents.unsigned_abs() / unit, cents.unsigned_abs() % unit);
    let amount = match places {
        0 => whole.to_string(),
        _ => format!("{whole}.{part:0width$}", width = places as usize),
    };
    if currency == "USD" {
        format!("{sign}${amount}")
    } else {
        format!("{sign}{amount} {currency}")
    }
}

/// Decimals of the minor unit that Stripe counts in (docs.stripe.com/currencies). It counts two for ISK and
/// UGX, though these have none.
fn decimals(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        for (cents, currency, expected) in [
            (2_000, "usd", "$20.00"),
            (0, "usd", "$0.00"),
            (7, "USD", "$0.07"),
            (-1_999, "usd", "-$19.99"),
            (-5, "eur", "-0.05 EUR"),
            (123_456, "eur", "1234.56 EUR"),
            (2_000, "jpy", "2000 JPY"),
            (-1, "krw", "-1 KRW"),
            (1_500, "kwd", "1.500 KWD"),
            (500, "isk", "5.00 ISK"),
            (i64::MIN, "usd", "-$92233720368547758.08"),
        ] {
            assert_eq!(shown(cents, currency), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_of_an_amount_is_lost(cents: i64, currency in "(usd|eur|jpy|kwd|gbp)") {
            let text = shown(cents, &currency);
            let digits: String =
                text.chars().filter(|it| it.is_ascii_digit() || *it == '-').collect();
            prop_assert_eq!(digits.parse::<i64>().ok(), Some(cents));
            prop_assert_eq!(text.contains('$'), currency == "usd");
            prop_assert!(currency == "usd" || text.ends_with(&currency.to_uppercase()));
            let number = text.trim_matches(|it: char| !it.is_ascii_digit());
            let decimals = number.split_once('.').map_or(0, |(_, part)| part.len());
            prop_assert_eq!(decimals, match currency.as_str() { "jpy" => 0, "kwd" => 3, _ => 2 });
        }
    }
}
