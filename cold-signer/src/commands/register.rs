//! `register`

use crate::cli::{Global, console_program};
use crate::output::{Output, warn};
use crate::reader::{Reader, WalletText};
use crate::report::registration_json;
use crate::terminal::{Person, Terminal};
use crate::{Error, Result, consent};
use bitcoin::Network;
use cold_wire::{KeyInfo, RegisterWallet};
use policies::codec::clean_text;
use policies::examine::key_name;
use policies::id::WalletId;
use policies::policy::MAX_NAME_LEN;
use policies::wallet::{Branch, Keypath, Wallet};
use psbt_tools::display::{address_text, escape};
use psbt_tools::files;
use psbt_tools::scanner::{From, watched};
use psbt_tools::wallet_file::bsms;
use std::path::{Path, PathBuf};

/// Longest description of a wallet, in bytes.
const MAX_LEN: u64 = psbt_tools::wallet_file::MAX_LEN as u64;

/// Longest file with a token, in bytes.
const MAX_TOKEN_LEN: u64 = 1 << 10;

/// Bind a wallet of several keys to a name, for ever: shown whole, then consented to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cold-signer register --wallet office --file office.bsms\n\
Example: cold-signer register --wallet office --camera\n\n\
NAME is that of a cosigner's key (`new-key --script wsh-multi`), or a new one for a wallet in which a key of this vault \
stands. The file is descriptor text, or what Airlock, Core, Sparrow, Specter, Coldcard or a coordinator (BIP129, BIP388) \
writes.",
    group = clap::ArgGroup::new("what").required(true)
        .args(["descriptor", "file", "camera", "video", "picture"])
)]
pub struct Args {
    /// Its name, which is also the wallet's in the policy.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// One multipath descriptor, or twice: for /0/* and for /1/*.
    #[arg(long, value_name = "D")]
    descriptor: Vec<String>,
    /// A description of the wallet; `-` is standard input.
    #[arg(long, value_name = "F", conflicts_with = "descriptor")]
    file: Option<PathBuf>,
    /// The token of an encrypted BSMS record (BIP129) is the first line of this file; else it is asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "descriptor")]
    token_file: Option<PathBuf>,
    /// Consent by a script: the whole id of the wallet.
    #[arg(long, value_name = "WALLET_ID")]
    consent: Option<WalletId>,
    #[command(flatten)]
    from: From,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let file = match &args.file {
        Some(path) => Some(files::read(path, MAX_LEN)?),
        None if args.from.is_given() => Some(watched(&args.from)?.payload.bytes),
        None => None,
    };
    let given = match file {
        Some(file) => {
            let token = token(&file, args.token_file.as_deref())?;
            Reader::spawn(&console_program()?)?.wallet(file, token)?
        }
        None => WalletText { network: None, descriptors: args.descriptor.clone(), notes: vec![] },
    };
    let name = checked_name(&args.wallet)?;
    let mut vault = global.vault()?;
    let mut wanted = RegisterWallet { name, descriptors: given.descriptors, consent: None };
    let found = vault.register(wanted.clone())?;
    if let Some(named) = given.network.filter(|named| *named != found.network) {
        return Err(psbt_tools::Error::malformed(
            format!("the file is of a wallet on {named}, and this key is for {}", found.network),
            "take the file that was made of the keys for this network",
        )
        .into());
    }
    let wallet = derived(&found)?;
    let mut lines = lines(&found, &wallet);
    lines.extend(given.notes.iter().map(|note| format!("note: {}", escape(note))));
    let json = |registered| registration_json(&found, &wallet, registered);
    if found.signature.is_some() {
        lines.push("registered before: nothing was changed".to_owned());
        return Ok(Output::done(lines.join("\n"), json(true)));
    }
    let done = "registered: this name means this wallet for ever";
    let text = match (args.consent, Terminal::open()) {
        (Some(id), _) if id != wallet.id() => {
            return Err(Error::OtherWallet { found: wallet.id(), named: id });
        }
        (None, Some(mut terminal)) => {
            let head = ["airlock · a wallet to be registered", "Compare it with every cosigner's screen."];
            consent::agree(&head.map(str::to_owned), &lines, "to register it", &mut terminal)?;
            done.to_owned()
        }
        (None, None) if found.network == Network::Bitcoin => {
            let mut output = Output::done(lines.join("\n"), json(false));
            output.error = Some(Error::Unregistered(wallet.id()));
            return Ok(output);
        }
        (None, None) => {
            warn("nobody looked at this wallet: registered without a question on a test network");
            lines.push(done.to_owned());
            lines.join("\n")
        }
        (Some(_), _) => {
            lines.push(done.to_owned());
            lines.join("\n")
        }
    };
    wanted.consent = Some(wallet.id());
    if derived(&vault.register(wanted)?)? != wallet {
        return Err(Error::VaultNonsense("it registered another wallet".to_owned()));
    }
    let next = format!("next: cold-signer export --wallet {} -o FILE", escape(&found.wallet));
    Ok(Output::done(format!("{text}\n{next}"), json(true)))
}

/// A name that no screen shows as another one.
///
/// # Errors
/// [`Error::Psbt`] for one that is empty, too long, or has characters that deceive.
pub fn checked_name(name: &str) -> Result<String> {
    let clean = clean_text("the wallet's name", name, MAX_NAME_LEN).map_err(|error| error.to_string());
    match clean {
        Ok(()) if !name.is_empty() => Ok(name.to_owned()),
        Ok(()) => Err("the wallet's name is empty".to_owned()),
        Err(reason) => Err(reason),
    }
    .map_err(|reason| {
        psbt_tools::Error::malformed(reason, "choose a short name of letters and digits").into()
    })
}

/// What decrypts the file: from a file of its own, or typed where it is needed and somebody can type.
fn token(file: &[u8], from: Option<&Path>) -> Result<Option<String>> {
    if let Some(path) = from {
        let bytes = files::read(path, MAX_TOKEN_LEN)?;
        return Ok(String::from_utf8_lossy(&bytes).lines().next().map(|line| line.trim().to_owned()));
    }
    match Terminal::open().filter(|_| bsms::is_encrypted(file)) {
        Some(mut terminal) => terminal
            .ask("The file is encrypted. The coordinator's token, Enter to stop:")?
            .filter(|typed| !typed.is_empty())
            .map(Some)
            .ok_or(Error::Stopped("before the token")),
        None => Ok(None),
    }
}

/// Where below a key its addresses are, when that is not where every program looks for them: whoever restores the wallet
/// by its keys alone would find nothing there.
fn unusual_steps(wallet: &Wallet, key: usize) -> Option<String> {
    let places = wallet.places().iter().filter(|place| place.key == Some(key));
    let steps: Vec<String> = places
        .filter_map(|place| {
            let ((external, before), internal) = (place.external.split_last()?, place.internal.last()?);
            let before: String = before.iter().map(|step| format!("/{step}")).collect();
            Some(format!("{before}/<{external};{internal}>/*"))
        })
        .collect();
    (steps != ["/<0;1>/*"]).then(|| steps.join(" and "))
}

fn derived(key: &KeyInfo) -> Result<Wallet> {
    key.registered().ok_or_else(|| Error::VaultNonsense("its descriptors are no wallet".to_owned()))
}

/// Everything that cosigners compare: keys, who is meant by "this vault", paths, checksums, addresses, and words of it all.
fn lines(key: &KeyInfo, wallet: &Wallet) -> Vec<String> {
    let mut lines = vec![
        format!("wallet   {} on {}, {}", escape(&key.wallet), key.network, wallet.kind().as_str()),
        key.authority.as_ref().map_or_else(
            || "obeys    no authority: whoever operates this vault may sign for its key".to_owned(),
            |(_, company)| format!("obeys    {}", escape(company)),
        ),
    ];
    for (number, cosigner) in wallet.keys().iter().enumerate() {
        let whose = match cosigner {
            ours if ours.to_string() == key.key => ": THIS VAULT",
            nobody if nobody.is_unspendable() => ": nobody's, it cannot sign",
            other if other.fingerprint.to_bytes() == key.fingerprint => {
                ": NOT this vault's, though it carries this vault's fingerprint"
            }
            _ => "",
        };
        lines.push(format!("key {}{whose}", number + 1));
        lines.push(format!("  {cosigner}"));
        lines.extend(unusual_steps(wallet, number).map(|steps| format!("  its addresses at {steps}")));
    }
    let name = |place| key_name(wallet, place);
    lines.extend(wallet.paths().iter().map(|path| format!("spends   {}", path.text(&name))));
    for (branch, what) in [(Branch::External, "receive"), (Branch::Internal, "change ")] {
        let address = wallet.address(Keypath { branch, index: 0 });
        let descriptor = wallet.descriptor(branch);
        let checksum = descriptor.rsplit('#').next().unwrap_or_default();
        lines.push(format!("{what}  checksum {checksum}, first address"));
        lines.push(format!("  {}", address.map(|a| address_text(&a.to_string())).unwrap_or_default()));
    }
    lines.push("words    of everything above; every cosigner's vault shows the same:".to_owned());
    let words = wallet.id().words();
    let words: Vec<&str> = words.split(' ').collect();
    lines.extend(words.chunks(6).map(|row| format!("  {}", row.join(" "))));
    lines.push(format!("id       {}", wallet.id()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use policies::wallet::ScriptKind;

    const KEYS: [&str; 2] = [
        "[73c5da0a/84'/1'/0']tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M",
        "[73c5da0a/48'/1'/0'/2']tpubDFH9dgzveyD8zTbPUFuLrGmCydNvxehyNdUXKJAQN8x4aZ4j6UZqGfnqFrD4NqyaTVGKbvEW54tsvPTK2UoSbCC1PJY8iCNiwTL3RWZEheQ",
    ];

    fn screen(places: [&str; 2]) -> String {
        let descriptor = format!("wsh(multi(2,{}{},{}{}))", KEYS[0], places[0], KEYS[1], places[1]);
        let wallet = Wallet::new(Network::Regtest, &[descriptor]).unwrap();
        let key = KeyInfo {
            wallet: "office".to_owned(),
            network: Network::Regtest,
            kind: ScriptKind::Multi,
            fingerprint: [0x73, 0xc5, 0xda, 0x0a],
            key: KEYS[0].to_owned(),
            descriptors: None,
            created: 0,
            restored: false,
            backed_up: true,
            authority: None,
            limit: None,
            signature: None,
            bsms: None,
        };
        lines(&key, &wallet).join("\n")
    }

    #[test]
    fn a_key_that_only_carries_our_fingerprint_is_not_ours() {
        let screen = screen(["/<0;1>/*"; 2]);
        assert!(screen.contains("key 1: THIS VAULT\n"), "{screen}");
        assert!(
            screen.contains("key 2: NOT this vault's, though it carries this vault's fingerprint\n"),
            "{screen}"
        );
    }

    #[test]
    fn addresses_where_nobody_looks_for_them_are_told() {
        assert!(!screen(["/<0;1>/*"; 2]).contains("its addresses at"));
        let odd = screen(["/<0;1>/*", "/7/<1234567;2000000>/*"]);
        assert_eq!(odd.matches("its addresses at").count(), 1, "{odd}");
        assert!(odd.contains("its addresses at /7/<1234567;2000000>/*"), "{odd}");
    }
}
