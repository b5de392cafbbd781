//! Stripe Tax, with one rate for everybody.

/// Made up.
const PERCENT: i64 = 20;

/// The tax on `amount`, to the nearest cent; that of a credit is one.
pub(super) fn on(amount: i64) -> i64 {
    let tax = (amount.abs() * PERCENT + 50) / 100;
    if amount < 0 { -tax } else { tax }
}
