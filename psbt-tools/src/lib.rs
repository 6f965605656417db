//! The only code that reads PSBTs. It turns hostile bytes into a [`policies::spend::Spend`] with its evidence and
//! findings, and signatures back into a PSBT and a transaction. It holds nothing worth stealing.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::cast_possible_truncation,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod build;
pub mod camera;
mod checks;
pub mod combine;
pub mod convert;
pub mod diff;
pub mod display;
pub mod document;
pub mod envelope;
mod error;
pub mod export;
pub mod facts;
mod field;
pub mod files;
pub mod finalize;
pub mod form;
pub mod import;
pub mod inspection;
mod interrupt;
pub mod join;
pub mod manifest;
mod maps;
pub mod message;
pub mod money;
pub mod qr;
pub mod reply;
pub mod sandbox;
pub mod scanner;
pub mod show;
pub mod simulation;
pub mod strict;
mod sys;
pub mod usb;
pub mod wallet_file;

pub use error::{Error, Transport};
pub use interrupt::is_told_to_end;
