//! The online, watch-only node: it follows the descriptors of cold wallets and holds no private key.
//!
//! The path of a fact is one line: chain source → verification (proof of work, merkle root) → script index →
//! wallet state → one database transaction per block.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod assembly;
pub mod chain;
pub mod cli;
pub mod coins;
pub mod commands;
pub mod completion;
pub mod config;
pub mod cosigning;
pub mod demo;
pub mod documents;
pub mod error;
pub mod export;
pub mod facts;
pub mod frame;
pub mod index;
pub mod order;
pub mod origins;
pub mod outlook;
pub mod output;
pub mod path;
pub mod payment;
pub mod portrait;
pub mod reconcile;
pub mod replacement;
pub mod returned;
pub mod select;
pub mod stage;
pub mod store;
pub mod tracker;
pub mod wallet;

pub use error::{Error, Result};
