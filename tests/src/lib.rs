//! What whole-system tests share: the built programs, a vault that is spoken to without a console, and a person's folder.

pub mod company;
pub mod office;
pub mod programs;
pub mod vault;
