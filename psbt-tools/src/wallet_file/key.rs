//! Keys as wallets list them: fingerprint, path and extended key apart; and the descriptor that they make.

use super::{Fault, slip132};
use bitcoin::bip32::{DerivationPath, Fingerprint};
use policies::wallet::{WalletKind, require_strict};

/// A cosigner's key on both branches.
#[derive(Debug)]
pub(super) struct ListedKey {
    /// `[fingerprint/path]xpub…/<0;1>/*`.
    pub expression: String,
    /// The prefix that was converted, and what script it names.
    pub converted: Option<(&'static str, WalletKind)>,
}

impl ListedKey {
    /// From its parts; `at` says where it stands. The path must be as long as the key is deep.
    pub fn new(at: &str, fingerprint: &str, path: &str, key: &str) -> Result<Self, Fault> {
        let fault = |what: &str| Fault::broken(format!("{at}: {what}"));
        let fingerprint = fingerprint.to_ascii_lowercase();
        if fingerprint.len() != 8 || fingerprint.parse::<Fingerprint>().is_err() {
            return Err(fault("the fingerprint is not 8 hexadecimal digits"));
        }
        let path = parse_path(path).ok_or_else(|| fault("the path is none, such as m/48'/0'/0'/2'"))?;
        let (xpub, converted) =
            slip132::read(key).ok_or_else(|| fault("the extended key is none, or mistyped"))?;
        require_strict(&xpub.to_string()).map_err(|error| fault(&error.to_string()))?;
        if usize::from(xpub.depth) != path.len() {
            return Err(fault(&format!(
                "the key is {} steps below its master key, and the path has {}",
                xpub.depth,
                path.len()
            )));
        }
        let steps: String = path.into_iter().map(|step| format!("/{step}")).collect();
        Ok(Self { expression: format!("[{fingerprint}{steps}]{xpub}/<0;1>/*"), converted })
    }
}

/// What the prefixes of keys (SLIP-132) say: all the same, and what `kind` says.
pub(super) fn converted(keys: &[ListedKey], kind: WalletKind) -> Result<Vec<String>, Fault> {
    let said: Vec<_> = keys.iter().filter_map(|key| key.converted).collect();
    if let Some((prefix, other)) = said.iter().find(|(_, other)| *other != kind) {
        return Err(Fault::broken(format!(
            "a key begins with {prefix}, which is for {}, and the wallet is {}",
            other.as_str(),
            kind.as_str()
        )));
    }
    let note = |(prefix, _): &(&str, WalletKind)| {
        format!("{} of its keys began with {prefix} (SLIP-132): written as in BIP32", said.len())
    };
    Ok(said.first().map(note).into_iter().collect())
}

/// The descriptor of one key, or of a sorted multisig.
pub(super) fn descriptor(
    kind: WalletKind,
    threshold: Option<usize>,
    keys: &[ListedKey],
) -> Result<String, Fault> {
    let all = keys.iter().map(|key| key.expression.as_str()).collect::<Vec<_>>().join(",");
    match (kind, threshold) {
        (WalletKind::Pkh, None) => Ok(format!("pkh({all})")),
        (WalletKind::ShWpkh, None) => Ok(format!("sh(wpkh({all}))")),
        (WalletKind::Wpkh, None) => Ok(format!("wpkh({all})")),
        (WalletKind::Tr, None) => Ok(format!("tr({all})")),
        (WalletKind::Sh, Some(k)) => Ok(format!("sh(sortedmulti({k},{all}))")),
        (WalletKind::ShWsh, Some(k)) => Ok(format!("sh(wsh(sortedmulti({k},{all})))")),
        (WalletKind::Wsh, Some(k)) => Ok(format!("wsh(sortedmulti({k},{all}))")),
        (kind, _) => Err(Fault::broken(format!("{} does not fit its number of keys", kind.as_str()))),
    }
}

/// A path with or without `m/`; plain numbers only.
pub(super) fn parse_path(text: &str) -> Option<DerivationPath> {
    let plain = |c: char| c.is_ascii_digit() || "/'hm".contains(c);
    text.chars().all(plain).then(|| text.parse().ok()).flatten()
}
