//! What an account's keys are for, and what a wallet's scripts look like.

use crate::codec::{CodecError, Decoder, Encoder};
use bitcoin::NetworkKind;
use bitcoin::bip32::ChildNumber;

/// What an account's keys are for (BIP43 purpose): the path at which they stand, and the script of a wallet of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptKind {
    /// `pkh(KEY)`: legacy, one key (BIP44, BIP381).
    Pkh,
    /// `sh(wpkh(KEY))`: nested segwit v0, one key (BIP49, BIP381, BIP382).
    ShWpkh,
    /// `wpkh(KEY)`: native segwit v0, one key (BIP84, BIP382).
    Wpkh,
    /// `tr(KEY)`: taproot, key path only (BIP86, BIP386).
    Tr,
    /// A cosigner's key for `sh(wsh(…))` (BIP48, script type 1).
    ShWshMulti,
    /// A cosigner's key for `wsh(…)` (BIP48, script type 2).
    WshMulti,
    /// A cosigner's key for any script, such as `tr` with leaves (BIP87).
    Multi,
}

impl ScriptKind {
    /// Every kind.
    pub const ALL: [ScriptKind; 7] = [
        ScriptKind::Pkh,
        ScriptKind::ShWpkh,
        ScriptKind::Wpkh,
        ScriptKind::Tr,
        ScriptKind::ShWshMulti,
        ScriptKind::WshMulti,
        ScriptKind::Multi,
    ];

    /// Its word on the command line and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            ScriptKind::Pkh => "pkh",
            ScriptKind::ShWpkh => "sh-wpkh",
            ScriptKind::Wpkh => "wpkh",
            ScriptKind::Tr => "tr",
            ScriptKind::ShWshMulti => "sh-wsh-multi",
            ScriptKind::WshMulti => "wsh-multi",
            ScriptKind::Multi => "multi",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Appends its word.
    pub fn encode(self, to: &mut Encoder) {
        to.string(self.as_str().as_bytes());
    }

    /// Reads its word.
    ///
    /// # Errors
    /// [`CodecError`] for another word.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let word = from.text("script", 32)?;
        Self::from_word(&word).ok_or_else(|| CodecError::invalid("script", format!("`{word}` is not known")))
    }

    /// Whether one key alone makes a wallet; a cosigner's key waits for a descriptor.
    pub const fn is_single(self) -> bool {
        match self {
            ScriptKind::Pkh | ScriptKind::ShWpkh | ScriptKind::Wpkh | ScriptKind::Tr => true,
            ScriptKind::ShWshMulti | ScriptKind::WshMulti | ScriptKind::Multi => false,
        }
    }

    /// Purpose level of the account's path (BIP43).
    pub const fn purpose(self) -> u32 {
        match self {
            ScriptKind::Pkh => 44,
            ScriptKind::ShWpkh => 49,
            ScriptKind::Wpkh => 84,
            ScriptKind::Tr => 86,
            ScriptKind::ShWshMulti | ScriptKind::WshMulti => 48,
            ScriptKind::Multi => 87,
        }
    }

    /// Hardened path of an account from the master key: purpose, coin type (0 on bitcoin, else 1), account, and BIP48's
    /// script type. `None` for an account of 2³¹ or more.
    pub fn account_path(self, network: NetworkKind, account: u32) -> Option<Vec<ChildNumber>> {
        let script_type = match self {
            ScriptKind::ShWshMulti => Some(1),
            ScriptKind::WshMulti => Some(2),
            ScriptKind::Pkh | ScriptKind::ShWpkh | ScriptKind::Wpkh | ScriptKind::Tr | ScriptKind::Multi => {
                None
            }
        };
        let coin_type = if network.is_mainnet() { 0 } else { 1 };
        let steps = [Some(self.purpose()), Some(coin_type), Some(account), script_type];
        steps.into_iter().flatten().map(|step| ChildNumber::from_hardened_idx(step).ok()).collect()
    }

    /// The descriptor of a key expression, without checksum; `None` where one key makes no wallet.
    pub fn descriptor(self, key: &str) -> Option<String> {
        match self {
            ScriptKind::Pkh => Some(format!("pkh({key})")),
            ScriptKind::ShWpkh => Some(format!("sh(wpkh({key}))")),
            ScriptKind::Wpkh => Some(format!("wpkh({key})")),
            ScriptKind::Tr => Some(format!("tr({key})")),
            ScriptKind::ShWshMulti | ScriptKind::WshMulti | ScriptKind::Multi => None,
        }
    }
}

/// What kind of output script a wallet's addresses have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WalletKind {
    /// `pkh(KEY)`.
    Pkh,
    /// `sh(wpkh(KEY))`.
    ShWpkh,
    /// `wpkh(KEY)`.
    Wpkh,
    /// `tr(KEY)`, without leaves.
    Tr,
    /// `sh(multi(…))` and `sh(sortedmulti(…))`.
    Sh,
    /// `sh(wsh(…))`.
    ShWsh,
    /// `wsh(…)`: multisig or miniscript.
    Wsh,
    /// `tr(KEY,TREE)`.
    TrTree,
}

impl WalletKind {
    /// Its word in messages and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            WalletKind::Pkh => "pkh",
            WalletKind::ShWpkh => "sh-wpkh",
            WalletKind::Wpkh => "wpkh",
            WalletKind::Tr => "tr",
            WalletKind::Sh => "sh",
            WalletKind::ShWsh => "sh-wsh",
            WalletKind::Wsh => "wsh",
            WalletKind::TrTree => "tr-tree",
        }
    }

    /// Whether a spend is by BIP341, whose signatures commit to every amount and script.
    pub const fn is_taproot(self) -> bool {
        matches!(self, WalletKind::Tr | WalletKind::TrTree)
    }

    /// Whether signing changes the txid: everything with a scriptSig.
    pub const fn has_script_sig(self) -> bool {
        matches!(self, WalletKind::Pkh | WalletKind::ShWpkh | WalletKind::Sh | WalletKind::ShWsh)
    }

    /// Whether there is no witness, so that only the previous transaction proves an amount (check C03).
    pub const fn is_legacy(self) -> bool {
        matches!(self, WalletKind::Pkh | WalletKind::Sh)
    }

    /// Whether one key alone spends.
    pub const fn is_single(self) -> bool {
        matches!(self, WalletKind::Pkh | WalletKind::ShWpkh | WalletKind::Wpkh | WalletKind::Tr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_their_words() {
        for kind in ScriptKind::ALL {
            assert_eq!(ScriptKind::from_word(kind.as_str()), Some(kind));
            let mut to = Encoder::default();
            kind.encode(&mut to);
            let bytes = to.finish();
            assert_eq!(ScriptKind::decode(&mut Decoder::new(&bytes)), Ok(kind));
        }
        assert_eq!(ScriptKind::from_word("wsh"), None);
    }

    #[test]
    fn account_paths_are_those_of_the_bips() {
        let path = |kind: ScriptKind, network| {
            let steps = kind.account_path(network, 7).unwrap();
            steps.iter().map(|step| format!("/{step}")).collect::<String>()
        };
        assert_eq!(path(ScriptKind::Pkh, NetworkKind::Main), "/44'/0'/7'");
        assert_eq!(path(ScriptKind::ShWpkh, NetworkKind::Test), "/49'/1'/7'");
        assert_eq!(path(ScriptKind::Wpkh, NetworkKind::Main), "/84'/0'/7'");
        assert_eq!(path(ScriptKind::Tr, NetworkKind::Main), "/86'/0'/7'");
        assert_eq!(path(ScriptKind::ShWshMulti, NetworkKind::Main), "/48'/0'/7'/1'");
        assert_eq!(path(ScriptKind::WshMulti, NetworkKind::Test), "/48'/1'/7'/2'");
        assert_eq!(path(ScriptKind::Multi, NetworkKind::Main), "/87'/0'/7'");
        assert!(ScriptKind::Wpkh.account_path(NetworkKind::Main, 1 << 31).is_none());
    }

    #[test]
    fn one_key_alone_makes_a_wallet_of_the_kinds_that_have_a_descriptor() {
        for kind in ScriptKind::ALL {
            assert_eq!(kind.is_single(), kind.descriptor("K").is_some(), "{kind:?}");
        }
        assert!(ScriptKind::Wpkh.is_single() && !ScriptKind::Multi.is_single());
    }

    #[test]
    fn wallet_kinds_have_a_word_each_and_their_properties() {
        use WalletKind::{Pkh, Sh, ShWpkh, ShWsh, Tr, TrTree, Wpkh, Wsh};
        let all = [Pkh, ShWpkh, Wpkh, Tr, Sh, ShWsh, Wsh, TrTree];
        let words = ["pkh", "sh-wpkh", "wpkh", "tr", "sh", "sh-wsh", "wsh", "tr-tree"];
        assert_eq!(all.map(WalletKind::as_str), words);
        let having =
            |has: fn(WalletKind) -> bool| all.into_iter().filter(|kind| has(*kind)).collect::<Vec<_>>();
        assert_eq!(having(WalletKind::is_taproot), [Tr, TrTree]);
        assert_eq!(having(WalletKind::has_script_sig), [Pkh, ShWpkh, Sh, ShWsh]);
        assert_eq!(having(WalletKind::is_legacy), [Pkh, Sh]);
        assert_eq!(having(WalletKind::is_single), [Pkh, ShWpkh, Wpkh, Tr]);
    }
}
