//! What an export takes from a category: each field, and what it becomes.

/// What an export does with a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// It hands over these fields of each item. What is stored besides is internal: how the service finds,
    /// protects and counts an item. That says nothing about anybody that a field does not say.
    Items {
        /// What is handed over.
        fields: &'static [Field],
        /// What is not; [`ENDS`] besides.
        internal: &'static [&'static str],
    },
    /// It leaves the category out, for this reason.
    No(&'static str),
}

/// Attributes by which items of any table end.
pub const ENDS: [&str; 3] = ["expires_on", "held_from", "ledger_position"];

/// One exported field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name as it is stored. `latency_*`: every attribute that begins so. `entries.ip`: of each
    /// entry in a pack; further dots lead further in.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it is, for whoever it is about.
    pub about: &'static str,
    /// Its name in an export, where that is another one.
    alias: Option<&'static str>,
}

/// What an export says of an account besides what is stored of it: which plan it has follows from the
/// subscription and the time.
pub const PLAN: Field = text("plan", "your plan at the time of this copy");

/// What a field holds, and how an export writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Texts, in order.
    Texts,
    /// A whole number.
    Number,
    /// A whole number that counts something: what is not stored is zero.
    Count,
    /// Counts of answers by how long they took, `name_N` for the `N`-th step of a logarithmic scale; a list of
    /// steps with their bounds in an export.
    Histogram,
    /// True or false.
    Flag,
    /// Epoch seconds; RFC 3339 in an export.
    Instant,
    /// Epoch milliseconds; RFC 3339 in an export.
    Milliseconds,
    /// Whole numbers by name.
    Counts,
    /// Epoch seconds by name; RFC 3339 in an export.
    Instants,
    /// Pairs of a name and a value, in order.
    Pairs,
    /// Small tables, one name and value a column; as JSON in an export, `from` and `to` as RFC 3339.
    Rows,
}

impl Field {
    /// Its name in an export.
    pub fn exported_as(&self) -> String {
        if let Some(alias) = self.alias {
            return alias.to_owned();
        }
        let name = self.name.trim_start_matches("entries.").replace('.', "_");
        match self.kind {
            // A time is a time there.
            Kind::Milliseconds => name.trim_end_matches("_ms").to_owned(),
            Kind::Histogram => name.trim_end_matches("_*").to_owned(),
            _ => name,
        }
    }

    /// The same, under another name in an export.
    pub(super) const fn named(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }
}

macro_rules! constructors {
    ($($name:ident: $kind:ident),+) => {
        $(pub(super) const fn $name(name: &'static str, about: &'static str) -> Field {
            Field { name, kind: Kind::$kind, about, alias: None }
        })+
    };
}

constructors! {
    text: Text, texts: Texts, number: Number, count: Count, histogram: Histogram, flag: Flag, instant: Instant, milliseconds: Milliseconds,
    counts: Counts, instants: Instants, pairs: Pairs, rows: Rows
}
