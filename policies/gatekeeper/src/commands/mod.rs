//! One command a file.

pub mod check;
pub mod init;
pub mod log_verify;
pub mod policy_check;
pub mod request;
pub mod show;
pub mod submit;
pub mod vault_add;
