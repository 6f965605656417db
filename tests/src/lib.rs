//! What whole-system tests share: the built programs, a vault that is spoken to without a console, a person's folder,
//! a real Bitcoin Core, and other people's wallets.

pub mod bitcoind;
pub mod company;
pub mod film;
pub mod funding;
pub mod office;
pub mod peers;
pub mod planted;
pub mod programs;
pub mod vault;
