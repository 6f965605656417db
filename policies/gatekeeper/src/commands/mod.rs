//! One command a file.

pub mod approve;
pub mod budget;
pub mod check;
pub mod init;
pub mod log_verify;
pub mod pending;
pub mod policy_check;
pub mod reconcile;
pub mod request;
pub mod show;
pub mod submit;
pub mod unfreeze;
pub mod vault_add;
pub mod why;
