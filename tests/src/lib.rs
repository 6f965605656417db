//! What whole-system tests share: the built programs, and a vault that is spoken to without a console.

pub mod company;
pub mod programs;
pub mod vault;
