//! The console of the offline laptop, and the reader of hostile files. It holds no secret and signs nothing.
//!
//! Three processes work together. The console (this one) talks with the operator. The vault is its child and holds
//! the keys. The reader is its child too, the same program in another mode: it alone parses what came on a stick, it
//! can reach nothing but its socket, and it ends with its document. Both children are started before the file is
//! opened, and the console believes only their typed messages.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod cli;
mod commands;
pub mod consent;
pub mod doctor;
mod error;
pub mod keeper;
mod output;
mod passphrase_file;
pub mod reader;
pub mod report;
pub mod screens;
pub mod session;
mod shell;
mod start;
pub mod table;
pub mod terminal;
pub mod vault;

mod sys;

pub use cli::main;
pub use error::Error;

/// `Result` with this package's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
