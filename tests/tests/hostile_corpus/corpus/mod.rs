//! Hostile PSBTs, each with an honest twin that differs by one named edit, and the way from the file to the vault that both
//! go. Reader and vault run in this process; the vault is the service that `cold-vault` runs.
#![allow(dead_code, reason = "each program that holds this uses its part")]

pub mod attempt;
pub mod desk;
pub mod maps;
pub mod payment;
pub mod purse;
pub mod row;
pub mod rows;
pub mod signing;
