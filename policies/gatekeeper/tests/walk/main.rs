//! The gatekeeper's program as a person runs it: real processes, real SSH keys, real PSBTs.

mod altered;
mod approvals;
mod blocks;
mod crashes;
mod crowds;
mod facts;
mod kills;
mod office;
mod permits;
mod receipts;
mod refusals;
mod replacements;
mod requests;
mod vaults;
mod why;
mod windows;
