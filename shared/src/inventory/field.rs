//! What an export takes from a category: each field, and what it becomes.

/// What an export does with a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// It hands over these fields of each item.
    Fields(&'static [Field]),
    /// It leaves the category out, for this reason.
    No(&'static str),
}

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
}

/// What a field holds, and how an export writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Number,
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
}

/// Stored attributes that no export has: how the service finds, protects and ends an item. They say
/// nothing about anybody that another field does not say.
pub const INTERNAL: [&str; 24] = [
    // Where an item stands, and until when.
    "account_day",
    "pack",
    "count",
    "sender",
    "queue",
    "next_at",
    "expires_on",
    "held_from",
    "ledger_position",
    "version",
    "attempts",
    // Secrets' hashes: of no use to anybody but a thief.
    "email_hash",
    "hash",
    "pepper_version",
    // How the gate counts.
    "gate_version",
    "lease",
    "lease_size",
    "current_minute",
    "minute_count",
    // Of the marker of an address, of a legal hold, and of work under way.
    "account",
    "entries",
    "reason",
    "export",
    "mailed_at",
];

impl Field {
    /// Its name in an export.
    pub fn exported_as(&self) -> String {
        self.name.trim_start_matches("entries.").replace('.', "_")
    }
}

macro_rules! constructors {
    ($($name:ident: $kind:ident),+) => {
        $(pub(super) const fn $name(name: &'static str, about: &'static str) -> Field {
            Field { name, kind: Kind::$kind, about }
        })+
    };
}

constructors! {
    text: Text, number: Number, flag: Flag, instant: Instant, milliseconds: Milliseconds,
    counts: Counts, instants: Instants, pairs: Pairs
}
