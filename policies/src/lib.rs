//! The domain vocabulary of Airlock and its rules. Pure: no I/O, no clock, no randomness, no PSBT.
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

pub mod approval;
pub mod armor;
pub mod authority;
pub mod check;
pub mod clear;
pub mod codec;
pub mod evidence;
pub mod examine;
pub mod helper;
pub mod history;
pub mod id;
pub mod identity;
pub mod judge;
pub mod locktime;
pub mod message;
pub mod permit;
pub mod policy;
pub mod request;
pub mod signature;
pub mod spend;
pub mod text;
pub mod wallet;
