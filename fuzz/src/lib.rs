//! Bytes of strangers against everything that reads them: the targets of `cargo xtask fuzz`, and of the short run in the
//! test command.
//!
//! A target panics where something does not hold: the code under it panics, or what it read is not what it wrote. Seeds
//! are in `seeds/`, a directory a target; an input that once broke something stays there.

mod text;

mod amount;
mod block;
mod contract;
mod events;
mod headers;
mod requests;
mod transaction;

/// Something that reads bytes.
pub struct Target {
    /// What it is called, and its directory of seeds.
    pub name: &'static str,
    /// Reads one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    Target {
        name: "transaction",
        run: transaction::run,
    },
    Target {
        name: "amount",
        run: amount::run,
    },
    Target {
        name: "block",
        run: block::run,
    },
    Target {
        name: "requests",
        run: requests::run,
    },
    Target {
        name: "headers",
        run: headers::run,
    },
    Target {
        name: "events",
        run: events::run,
    },
    Target {
        name: "contract",
        run: contract::run,
    },
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
