//! The command line.

use crate::commands::{
    combine, convert, diff, extract, finalize, inspect, join, multisig, qr, usb, verify_message,
    verify_reserves, wallet,
};
use clap::{Parser, Subcommand};

/// Looks at PSBTs, compares, combines, joins, converts, finalises and extracts them, shows them as QR codes, carries them on sticks. Holds no keys.
///
/// Exit codes: 0 done or clean · 1 fault · 2 usage · 3 refused · 4 signatures are missing.
#[derive(Debug, Parser)]
#[command(name = "psbt-tools", version, verbatim_doc_comment)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Inspect(inspect::Arguments),
    Diff(diff::Arguments),
    Combine(combine::Arguments),
    Join(join::Arguments),
    Convert(convert::Arguments),
    Finalize(finalize::Arguments),
    Extract(extract::Arguments),
    Qr(qr::Arguments),
    Usb(usb::Arguments),
    VerifyMessage(verify_message::Arguments),
    VerifyReserves(verify_reserves::Arguments),
    Wallet(wallet::Arguments),
    Multisig(multisig::Arguments),
}

impl Cli {
    /// Whether a failure is also printed as JSON.
    pub fn json(&self) -> bool {
        match &self.command {
            Command::Inspect(arguments) => arguments.json,
            Command::Diff(arguments) => arguments.json,
            Command::VerifyMessage(arguments) => arguments.json,
            Command::VerifyReserves(arguments) => arguments.json,
            Command::Qr(arguments) => arguments.json(),
            Command::Usb(arguments) => arguments.json(),
            Command::Wallet(arguments) => arguments.json,
            Command::Multisig(arguments) => arguments.json,
            Command::Combine(_)
            | Command::Join(_)
            | Command::Convert(_)
            | Command::Finalize(_)
            | Command::Extract(_) => false,
        }
    }
}
