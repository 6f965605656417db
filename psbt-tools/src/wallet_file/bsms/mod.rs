//! The multisig setup of BIP129 (BSMS 1.0): key records in round 1, the descriptor record in round 2.

mod cipher;
mod key_record;

pub use cipher::Token;
pub use key_record::{KeyRecord, MAX_DESCRIPTION_LEN};

use super::{Error, Fault, Found, descriptor, unknown};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network, NetworkKind};
use miniscript::descriptor::checksum::desc_checksum;
use policies::wallet::{Branch, Keypath, Wallet, WalletKind};

/// The first line of every record.
const VERSION: &str = "BSMS 1.0";

/// Third line of a record whose descriptor stands for itself.
const NO_RESTRICTIONS: &str = "No path restrictions";

/// Most cosigners (BIP383).
const MAX_KEYS: usize = 20;

/// Third line of a wallet with the usual two branches.
const USUAL: &str = "/0/*,/1/*";

/// Whether a text is a record of any round.
pub(super) fn is_record(text: &str) -> bool {
    text.starts_with("BSMS ")
}

/// Whether a file looks like an encrypted record, which needs its token.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| cipher::is_encrypted(text.trim()))
}

/// The record behind a `.dat` file, which is hexadecimal; `None` for any other text.
pub(super) fn decrypted(text: &str, token: Option<&Token>) -> Result<Option<String>, Error> {
    if !cipher::is_encrypted(text) {
        return Ok(None);
    }
    let Some(token) = token.filter(|token| !token.is_none()) else {
        return Err(unknown("this may be an encrypted BSMS record: it needs its token"));
    };
    cipher::decrypt(text, token).map(Some)
}

/// Encrypts a record for whoever has the token; as it is for [`Token::NONE`].
pub fn encrypt(record: &str, token: &Token) -> String {
    if token.is_none() { record.to_owned() } else { cipher::encrypt(record, token) }
}

/// Reads a descriptor record. Its first address must be that of its descriptor.
pub(super) fn read(text: &str) -> Result<Found, Fault> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if lines.first() != Some(&VERSION) {
        return Err(Fault::broken(format!("the first line is not `{VERSION}`")));
    }
    let [_, template, restrictions, address] = lines.as_slice() else {
        return Err(match lines.len() {
            5 => Fault::new(
                "it is a key record of round 1, not the wallet",
                "give it to the coordinator: `psbt-tools multisig`",
            ),
            len => Fault::broken(format!("it has {len} lines, expected 4")),
        });
    };
    let text = expand(template, restrictions)?;
    let first = descriptor::parse(&text)?.into_single_descriptors().map_err(Fault::broken)?;
    let first = first.first().ok_or_else(|| Fault::broken("it has no descriptor"))?;
    let derived = first.at_derivation_index(0).map_err(Fault::broken)?;
    let derived =
        derived.derived_descriptor(policies::wallet::secp()).map_err(Fault::broken)?.script_pubkey();
    let claimed: Address<NetworkUnchecked> =
        address.parse().map_err(|_| Fault::broken("its fourth line is no address"))?;
    let networks = [Network::Bitcoin, Network::Testnet, Network::Regtest];
    let networks: Vec<Network> =
        networks.into_iter().filter(|network| claimed.is_valid_for_network(*network)).collect();
    if claimed.assume_checked().script_pubkey() != derived {
        return Err(Fault::new(
            "the first address is not that of the descriptor",
            "stop: the record was changed, or the coordinator lies; compare the keys with every cosigner",
        ));
    }
    let is_mainnet = networks.contains(&Network::Bitcoin);
    if text.contains("xpub") && !is_mainnet || text.contains("tpub") && is_mainnet {
        return Err(Fault::broken("its keys and its first address are of different networks"));
    }
    // Base58 and `tb1` leave open which test network it is.
    let network = match networks.as_slice() {
        [Network::Bitcoin] => Some(Network::Bitcoin),
        [Network::Regtest] => Some(Network::Regtest),
        _ => None,
    };
    Ok(Found { network, descriptors: vec![text], ..Found::default() })
}

/// The descriptor record of a wallet (round 2); `None` unless every key has the branches `/0/*` and `/1/*`.
pub fn write(wallet: &Wallet) -> Option<String> {
    let policy = super::bip388::Policy::of(wallet)?;
    let mut template = policy.template;
    for (at, key) in policy.keys_info.iter().enumerate().rev() {
        template = template.replace(&format!("@{at}/**"), &format!("{key}/**"));
    }
    if template.contains('@') {
        return None;
    }
    let address = wallet.address(Keypath { branch: Branch::External, index: 0 })?;
    Some(format!("{VERSION}\n{template}\n{USUAL}\n{address}"))
}

/// What a coordinator does between the rounds: the sorted multisig of every signer's key.
///
/// # Errors
/// [`Error::Malformed`] for records that make no wallet: too few, a key that is not extended. Check C09 for one key twice.
pub fn coordinate(
    network: Network,
    kind: WalletKind,
    threshold: usize,
    records: &[KeyRecord],
) -> Result<Wallet, Error> {
    let fault = |reason: String| {
        Error::malformed(reason, "collect one key record of each signer, and a threshold among them")
    };
    let is_other = |record: &KeyRecord| {
        record.xpub().is_some_and(|xpub| (xpub.network == NetworkKind::Main) != (network == Network::Bitcoin))
    };
    if let Some(record) = records.iter().find(|record| is_other(record)) {
        return Err(Error::malformed(
            format!("the key {} is not for {network}", record.key()),
            "name the keys' network, such as --network signet, or let the signer make a key for this one",
        ));
    }
    let count = records.len();
    if threshold == 0 || threshold > count || count > MAX_KEYS {
        return Err(fault(format!("{threshold} of {count} is no multisig of at most {MAX_KEYS} keys")));
    }
    if let Some(at) = records.iter().position(|record| record.xpub().is_none()) {
        return Err(fault(format!("the key of record {at} is not extended: it would make one address only")));
    }
    let keys: Vec<String> = records.iter().map(|record| format!("{}/<0;1>/*", record.key())).collect();
    let inner = format!("sortedmulti({threshold},{})", keys.join(","));
    let text = match kind {
        WalletKind::Sh => format!("sh({inner})"),
        WalletKind::ShWsh => format!("sh(wsh({inner}))"),
        WalletKind::Wsh => format!("wsh({inner})"),
        WalletKind::Pkh | WalletKind::ShWpkh | WalletKind::Wpkh | WalletKind::Tr | WalletKind::TrTree => {
            return Err(fault(format!("{} is no kind of sorted multisig", kind.as_str())));
        }
    };
    Wallet::new(network, &[text]).map_err(|error| {
        let error = Error::from(error);
        if matches!(error, Error::Refused { .. }) { error } else { fault(error.to_string()) }
    })
}

/// The template with its path restrictions in place.
fn expand(template: &str, restrictions: &str) -> Result<String, Fault> {
    let (body, checksum) = template.split_once('#').map_or((template, None), |(body, sum)| (body, Some(sum)));
    if checksum.is_some_and(|given| desc_checksum(body).ok().as_deref() != Some(given)) {
        return Err(Fault::broken("the checksum after # does not fit"));
    }
    if restrictions == NO_RESTRICTIONS {
        if body.contains("/**") {
            return Err(Fault::broken("its keys end in /**, and no paths are given for them"));
        }
        return Ok(body.to_owned());
    }
    let paths: Option<Vec<u32>> = restrictions.split(',').map(branch).collect();
    let Some([external, internal]) = paths.as_deref() else {
        return Err(Fault::new(
            "its path restrictions are not two branches such as /0/*,/1/*",
            "let the coordinator write /0/*,/1/*",
        ));
    };
    if !body.contains("/**") || body.matches('*').count() != body.matches("/**").count().saturating_mul(2) {
        return Err(Fault::broken("paths are given, and not all of its keys end in /**"));
    }
    Ok(body.replace("/**", &format!("/<{external};{internal}>/*")))
}

/// `/0/*`
fn branch(path: &str) -> Option<u32> {
    let number = path.trim().strip_prefix('/')?.strip_suffix("/*")?;
    number.parse().ok().filter(|parsed: &u32| parsed.to_string() == number)
}
