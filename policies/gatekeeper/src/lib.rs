//! The gatekeeper: says yes or no to a payment, and can never sign one. The edges around `policies`: the policy file,
//! the ledger, the permit key, the commands.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::cast_possible_truncation
    )
)]

mod approvals;
mod assessment;
pub mod chain;
pub mod cli;
mod clock;
mod commands;
mod date;
mod draft;
mod error;
pub mod export;
pub mod file;
mod folder;
mod headroom;
mod incident;
mod intake;
pub mod ledger;
mod payment;
mod people;
mod receipts;
mod report;
pub mod signer;
mod submission;

pub use error::Error;
