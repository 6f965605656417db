//! The only code of Airlock that touches secrets: an append-only store, key creation and derivation,
//! and the hardening of the process that holds them.
//!
//! Layers, lowest first: [`secret`] (locked memory) · [`record`] (bytes of one record) · [`seal`]
//! (passphrase to data key, sealing) · [`store`] (the file) · [`keys`] and [`derive`] (words and
//! accounts) · [`journal`] (what the records come to) · [`sign`] and [`service`] (review, sign, answer) ·
//! [`harden`], [`terminal`] and [`commands`] (the process and its own terminal).

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

pub mod audit;
pub mod clock;
pub mod commands;
pub mod derive;
pub mod error;
pub mod harden;
pub mod intent;
pub mod journal;
pub mod key_record;
pub mod keys;
pub mod passphrase;
pub mod random;
pub mod record;
pub mod seal;
pub mod secret;
pub mod service;
pub mod sign;
pub mod store;
pub mod terminal;
pub mod wallet_record;

mod sys;

pub use error::Error;
pub use sys::adopt_descriptor;
