//! Where Stripe's pages lead back to: what has happened, and what to do next.

use maud::html;

use super::{layout::layout, text::paragraphs};

/// A page that one of Stripe's leads back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillingPage {
    /// The checkout was paid.
    Done,
    /// It was left.
    Cancelled,
    /// The portal was left.
    Account,
}

impl BillingPage {
    /// Every page.
    pub const ALL: [Self; 3] = [Self::Done, Self::Cancelled, Self::Account];

    /// The page of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Its name in its address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Account => "account",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Done => "Your payment went through",
            Self::Cancelled => "Nothing was bought",
            Self::Account => "Your changes are saved",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Done => {
                "Thank you. The new plan's limits hold in a moment, as a rule for your next request; your \
                 API keys stay the same. The invoice comes by mail.\n\n\
                 See your plan at `GET /v1/billing`, and every invoice at `GET /v1/billing/invoices`. \
                 Change the plan, or end it, at `POST /v1/billing/plan`."
            }
            Self::Cancelled => {
                "You left the checkout before it was paid, so nothing was charged and your plan is what it \
                 was.\n\n\
                 The same page can still be paid within a day of its making. To begin anew, or with another \
                 plan, ask at `POST /v1/billing/checkout`; the plans are at `GET /v1/plans`."
            }
            Self::Account => {
                "Whatever you changed at our payment processor holds in a moment. An overdue payment is \
                 tried with the new card.\n\n\
                 See where your plan stands at `GET /v1/billing`, and every invoice at \
                 `GET /v1/billing/invoices`."
            }
        }
    }
}

/// The page.
pub fn billing_page(page: BillingPage) -> String {
    let header = html! { h1 { (page.title()) } };
    let content = html! {
        (paragraphs(page.text()))
        p {
            a href="/docs#payment" { "Plans and payment" } ", and the rest of the "
            a href="/docs" { "documentation" } "."
        }
    };
    layout(page.title(), &header, None, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_is_found_by_its_name_and_by_no_other() {
        for page in BillingPage::ALL {
            assert_eq!(BillingPage::named(page.name()), Some(page));
            assert!(billing_page(page).contains(page.title()));
        }
        for other in ["", "Done", "done/", "<script>"] {
            assert_eq!(BillingPage::named(other), None);
        }
    }
}
