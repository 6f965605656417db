//! `new-key`

use super::register::checked_name;
use crate::cli::Global;
use crate::output::{Output, warn};
use crate::report::key_json;
use crate::vault::{Launch, Vault};
use crate::{Error, Result};
use bitcoin::Network;
use clap::ValueEnum;
use cold_wire::NewKey;
use policies::policy::Window;
use policies::wallet::{Branch, Keypath, ScriptKind};
use psbt_tools::display::{address_text, escape, network_from_word};
use psbt_tools::files;
use psbt_tools::money::parse_amount;
use serde_json::json;
use std::path::PathBuf;

/// Longest record of dice throws, in bytes.
const MAX_DICE_LEN: u64 = 4_096;

/// Make a key; its backup words are shown once, at the vault's terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer new-key --wallet main --words 24 --limit 0.5btc/24h")]
pub struct Args {
    /// Its name, which is also the wallet's in the policy.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// bitcoin, testnet, testnet4, signet or regtest; for ever.
    #[arg(long, default_value = "bitcoin", value_name = "N")]
    network: String,
    /// Script of its addresses, or what a cosigner's key is for.
    #[arg(long, default_value = "wpkh", value_name = "S")]
    script: Script,
    /// Number of backup words.
    #[arg(long, default_value_t = 24, value_parser = words, value_name = "12|24")]
    words: u8,
    /// Throws of a die (1 to 6) or of a coin (0 and 1), mixed into the machine's randomness.
    #[arg(long, value_name = "F")]
    dice_file: Option<PathBuf>,
    /// Account level of the derivation path (BIP44).
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..0x8000_0000), value_name = "N")]
    account: u32,
    /// Own limit of a key without an authority, over a sliding window of m, h or d: 0.5btc/24h.
    #[arg(long, value_name = "AMOUNT/WINDOW")]
    limit: Option<String>,
    /// Make the key without showing its words: test networks only, nobody can ever restore it.
    #[arg(long)]
    words_unseen: bool,
}

/// Kinds of script by their word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Script {
    /// Legacy (BIP44).
    Pkh,
    /// Segwit inside legacy (BIP49).
    ShWpkh,
    /// Native segwit (BIP84).
    Wpkh,
    /// Taproot, key path (BIP86).
    Tr,
    /// A cosigner's key for segwit inside legacy (BIP48, script type 1).
    ShWshMulti,
    /// A cosigner's key for native segwit (BIP48, script type 2).
    WshMulti,
    /// A cosigner's key for any script, such as taproot with leaves (BIP87).
    Multi,
}

impl Script {
    /// The kind that the vault makes.
    pub fn kind(self) -> ScriptKind {
        match self {
            Script::Pkh => ScriptKind::Pkh,
            Script::ShWpkh => ScriptKind::ShWpkh,
            Script::Wpkh => ScriptKind::Wpkh,
            Script::Tr => ScriptKind::Tr,
            Script::ShWshMulti => ScriptKind::ShWshMulti,
            Script::WshMulti => ScriptKind::WshMulti,
            Script::Multi => ScriptKind::Multi,
        }
    }
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let wallet = checked_name(&args.wallet)?;
    let network = network_from_word(&args.network)?;
    let kind = args.script.kind();
    if args.words_unseen && network == Network::Bitcoin {
        return Err(Error::Usage(
            "--words-unseen is for test networks: a mainnet key needs its backup".to_owned(),
        ));
    }
    let limit = args.limit.as_deref().map(window).transpose()?;
    let dice = match &args.dice_file {
        Some(path) => files::read(path, MAX_DICE_LEN)?.trim_ascii().to_vec(),
        None => vec![],
    };
    let launch = Launch { words_unseen: args.words_unseen, ..global.launch_creating()? };
    let was_there = launch.store.exists();
    let mut vault = Vault::spawn(&launch)?;
    let wanted = NewKey { wallet, network, kind, words: args.words, account: args.account, limit, dice };
    let key = vault.new_key(wanted).inspect_err(|_| {
        if !was_there && launch.store.exists() {
            warn(&format!(
                "the new store {} holds no key yet; type the same again to go on, with the passphrase just set, or delete it",
                escape(&launch.store.to_string_lossy())
            ));
        }
    })?;
    if !key.backed_up {
        warn("the backup words of this key were not shown: if this store is lost, its coins are lost");
    }
    let first = key
        .registered()
        .and_then(|wallet| wallet.address(Keypath { branch: Branch::External, index: 0 }))
        .map(|address| address.to_string());
    let authority = key.authority.as_ref().map_or_else(
        || "none: standalone, for ever".to_owned(),
        |(_, company)| format!("{}, for ever", escape(company)),
    );
    let public = match &first {
        Some(address) => format!("first address  {}", address_text(address)),
        None => format!("cosigner's key {}", key.key),
    };
    let name = escape(&key.wallet);
    let next = match &first {
        Some(_) => format!("next: cold-signer export --wallet {name} -o FILE"),
        None => format!(
            "next: cold-signer export --wallet {name} --format bsms -o FILE, for the coordinator\n\
then: cold-signer register --wallet {name} --file FILE, with the wallet of all cosigners' keys"
        ),
    };
    let text = format!("made key `{name}` on {}\nauthority      {authority}\n{public}\n{next}", key.network);
    let mut object = key_json(&key);
    if let Some(object) = object.as_object_mut() {
        object.insert("first_address".to_owned(), json!(first));
    }
    Ok(Output::done(text, object))
}

/// 12 or 24.
pub fn words(text: &str) -> Result<u8, &'static str> {
    match text {
        "12" => Ok(12),
        "24" => Ok(24),
        _ => Err("expected 12 or 24"),
    }
}

/// `0.5btc/24h`.
fn window(text: &str) -> Result<Window> {
    let wrong =
        || Error::Usage(format!("`{}` is no limit: expected AMOUNT/WINDOW, e.g. 0.5btc/24h", escape(text)));
    let (amount, length) = text.split_once('/').ok_or_else(wrong)?;
    let amount = parse_amount(amount)?;
    let unit = match length.chars().next_back() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        Some(_) | None => return Err(wrong()),
    };
    let digits = length.get(..length.len() - 1).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let count: u64 =
        digits.and_then(|digits| digits.parse().ok()).filter(|count| *count > 0).ok_or_else(wrong)?;
    let seconds = count.checked_mul(unit).ok_or_else(wrong)?;
    Ok(Window { seconds, amount: Some(amount), count: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_an_amount_with_its_unit_over_a_window() {
        let window_of = |text| window(text).map(|w| (w.amount.unwrap().to_sat(), w.seconds)).ok();
        assert_eq!(window_of("0.5btc/24h"), Some((50_000_000, 86_400)));
        assert_eq!(window_of("1000 sat/7d"), Some((1_000, 604_800)));
        for bad in
            ["0.5/24h", "0.5btc", "0.5btc/", "0.5btc/24", "0.5btc/0h", "0.5btc/-1h", "0.5btc/+1h", "1btc/24é"]
        {
            assert_eq!(window(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
    }
}
