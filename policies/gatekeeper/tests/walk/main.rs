//! The gatekeeper's program as a person runs it: real processes, real SSH keys, real PSBTs.

mod crashes;
mod crowds;
mod kills;
mod office;
mod permits;
mod refusals;
mod requests;
mod vaults;
