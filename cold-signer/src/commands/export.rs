//! `export`

use crate::cli::Global;
use crate::output::Output;
use crate::report::export_json;
use crate::{Error, Result};
use clap::ValueEnum;
use cold_wire::KeyInfo;
use psbt_tools::display::escape;
use psbt_tools::files;
use psbt_tools::show::{Content, To};
use psbt_tools::wallet_file::{self, Target, bsms};
use std::path::PathBuf;

/// Write the public parts of a wallet for the online node, signed by the vault's audit key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer export --wallet main -o main.json\n\
Example: cold-signer export --wallet main --format descriptor --qr\n\n\
With --qr a descriptor goes out as one with <0;1>, as wallets on phones read it.")]
pub struct Args {
    /// Which wallet.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// What is written.
    #[arg(long, default_value = "json", value_name = "F")]
    format: Format,
    /// Where to; standard output when not given and nothing is shown.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    to: To,
}

/// Formats by their word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Airlock's own, with vault id, audit key and signature.
    Json,
    /// The two descriptors, one a line; as QR code one with <0;1>.
    Descriptor,
    /// BIP129, without encryption: a cosigner's key record, once registered the wallet's descriptor record.
    Bsms,
    /// A wallet policy (BIP388).
    Bip388,
    /// A Coldcard's multisig file, which Sparrow, Specter and Electrum read too.
    Coldcard,
    /// What Bitcoin Core's importdescriptors takes.
    Core,
    /// The JSON of Specter and Fully Noded, which Sparrow reads too.
    Specter,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    args.to.is_ready()?;
    let keys = global.vault()?.keys()?;
    let key = keys.named(&args.wallet)?;
    let mut json = export_json(key, keys.vault, &keys.audit_key);
    let document = match args.format {
        Format::Json => format!("{json:#}\n"),
        Format::Bsms if key.descriptors.is_none() => key_record(key)?,
        Format::Bsms => written(key, Target::Bsms, args.format)?,
        Format::Descriptor => written(key, Target::Descriptor, args.format)?,
        Format::Bip388 => written(key, Target::Bip388, args.format)?,
        Format::Coldcard => written(key, Target::Coldcard, args.format)?,
        Format::Core => written(key, Target::Core, args.format)?,
        Format::Specter => written(key, Target::Specter, args.format)?,
    };
    let mut lines = Vec::new();
    if let Some(path) = &args.output {
        files::write_new(path, document.as_bytes(), 0o600)?;
        lines.push(format!("wrote {}", escape(&path.to_string_lossy())));
    }
    if args.to.is_wanted() {
        let carried = match args.format {
            Format::Descriptor => written(key, Target::Multipath, args.format)?,
            _ => document.clone(),
        };
        let shown = args.to.show(&Content::of(carried.into_bytes())?, None)?;
        lines.push(shown.text());
        if let Some(object) = json.as_object_mut() {
            object.insert("qr".to_owned(), shown.to_json());
        }
    }
    Ok(Output::done(if lines.is_empty() { document } else { lines.join("\n") }, json))
}

/// Round 1 of BIP129: a cosigner's key, signed by itself.
///
/// # Errors
/// [`Error::NotSupported`] for a key that is no cosigner's.
pub fn key_record(key: &KeyInfo) -> Result<String> {
    let signature =
        key.bsms.ok_or_else(|| Error::NotSupported("a key record for a key of another kind".to_owned()))?;
    let record = bsms::KeyRecord::new(bsms::Token::NONE, &key.key, &key.wallet, signature)?;
    Ok(format!("{}\n", record.text()))
}

/// A wallet in another program's format.
fn written(key: &KeyInfo, target: Target, format: Format) -> Result<String> {
    let wallet = key.registered().ok_or_else(|| Error::NoWalletYet(key.wallet.clone()))?;
    let birthday = (!key.restored).then_some(key.created);
    wallet_file::write(&wallet, target, &key.wallet, birthday).ok_or_else(|| {
        let word = format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        Error::NotSupported(format!("--format {word} for this kind of wallet"))
    })
}
