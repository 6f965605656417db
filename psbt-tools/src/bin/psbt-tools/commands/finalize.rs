//! `finalize`: puts verified signatures where the transaction wants them.

use crate::{commands, output};
use clap::Args;
use policies::wallet::Wallet;
use psbt_tools::display::network_from_word;
use psbt_tools::import::{Context, import_document};
use psbt_tools::{Error, finalize, manifest, strict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Finalises every input of a signed PSBT; exit code 4 when signatures are missing.
///
/// Example: psbt-tools finalize signed.psbt -o final.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// The signed PSBT; `-` is standard input
    file: PathBuf,
    /// The file to write, in the version and encoding the PSBT came in; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The wallet it spends from, where the file lacks its scripts: one descriptor with <0;1>, or the pair
    #[arg(long = "descriptor", value_name = "D")]
    descriptors: Vec<String>,
    /// bitcoin (or mainnet), testnet, testnet4, signet, regtest
    #[arg(long, value_name = "N", default_value = "mainnet")]
    network: String,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let document = commands::document(&arguments.file)?;
    let encoding = document.encoding();
    let (mut psbt, form) = match arguments.descriptors.as_slice() {
        [] => {
            let (psbt, form) = strict::read(document.psbt_bytes())?;
            manifest::checked(document.psbt_bytes(), &psbt)?;
            (psbt, form)
        }
        descriptors => {
            let network = network_from_word(&arguments.network)?;
            let wallet = Wallet::new(network, descriptors)?;
            let context = Context { network: Some(network), ..Context::default() };
            let imported = import_document(document, &[wallet], &context)?;
            imported.cleared()?;
            (imported.completed(), imported.form().clone())
        }
    };
    finalize::finalize(&mut psbt)?;
    manifest::remove(&mut psbt);
    output::write(&arguments.output, &encoding.encode_bytes(form.serialize(&psbt)))?;
    Ok(ExitCode::SUCCESS)
}
