//! What whole-system tests share: the built programs, a vault that is spoken to without a console, a person's folder,
//! and a real Bitcoin Core.

pub mod bitcoind;
pub mod company;
pub mod office;
pub mod programs;
pub mod vault;
