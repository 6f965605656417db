//! A wallet of every kind, one key of each at the vault, and the private keys of all, made from fixed numbers.

use bitcoin::Network;
use bitcoin::NetworkKind;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use cold_vault::keys::Entropy;
use policies::wallet::{ScriptKind, Wallet};

/// The vault's words: the best known of BIP39's test vectors.
pub const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// A kind of wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Pkh,
    ShWpkh,
    Wpkh,
    Tr,
    ShMulti,
    ShWsh,
    Wsh,
    /// The owner of a wallet whose recovery key waits for ten blocks.
    Owner,
    /// The recovery key of such a wallet.
    Recovery,
    /// A leaf among several, under another's internal key.
    Leaf,
    /// The internal key over others' leaves.
    Internal,
}

use Kind::{Internal, Leaf, Owner, Pkh, Recovery, ShMulti, ShWpkh, ShWsh, Tr, Wpkh, Wsh};

pub const ALL: &[Kind] = &[Wpkh, Tr, Pkh, ShWpkh, ShMulti, ShWsh, Wsh, Owner, Recovery, Leaf, Internal];
/// Those whose signatures do not commit to all amounts: previous transactions are needed.
pub const BEFORE_TAPROOT: &[Kind] = &[Wpkh, Pkh, ShWpkh, ShMulti, ShWsh, Wsh, Owner, Recovery];
/// Segwit version 0: with a witness UTXO.
pub const SEGWIT_0: &[Kind] = &[Wpkh, ShWpkh, ShWsh, Wsh, Owner];
pub const WITH_WITNESS: &[Kind] = &[Wpkh, Tr, ShWpkh, ShWsh, Wsh, Owner, Leaf, Internal];
pub const LEGACY: &[Kind] = &[Pkh, ShMulti];
pub const SINGLE: &[Kind] = &[Wpkh, Tr, Pkh, ShWpkh];
pub const SEVERAL: &[Kind] = &[ShMulti, ShWsh, Wsh, Owner, Leaf, Internal];
pub const TAPROOT: &[Kind] = &[Tr, Leaf, Internal];
pub const TREES: &[Kind] = &[Leaf, Internal];

impl Kind {
    /// What the vault's key is made for, and in which account: a key is for one wallet only.
    pub fn key(self) -> (ScriptKind, u32) {
        match self {
            Pkh => (ScriptKind::Pkh, 0),
            ShWpkh => (ScriptKind::ShWpkh, 0),
            Wpkh => (ScriptKind::Wpkh, 0),
            Tr => (ScriptKind::Tr, 0),
            ShMulti => (ScriptKind::Multi, 0),
            ShWsh => (ScriptKind::ShWshMulti, 0),
            Wsh => (ScriptKind::WshMulti, 0),
            Owner => (ScriptKind::WshMulti, 1),
            Recovery => (ScriptKind::WshMulti, 2),
            Leaf => (ScriptKind::Multi, 1),
            Internal => (ScriptKind::Multi, 2),
        }
    }

    /// The descriptor, `@0` for the vault's key and `@1`, `@2` for others'.
    pub fn template(self) -> &'static str {
        match self {
            Pkh => "pkh(@0)",
            ShWpkh => "sh(wpkh(@0))",
            Wpkh => "wpkh(@0)",
            Tr => "tr(@0)",
            ShMulti => "sh(sortedmulti(2,@1,@0,@2))",
            ShWsh => "sh(wsh(sortedmulti(2,@0,@1,@2)))",
            Wsh => "wsh(sortedmulti(2,@1,@2,@0))",
            Owner => "wsh(or_d(pk(@0),and_v(v:pkh(@1),older(10))))",
            Recovery => "wsh(or_d(pk(@1),and_v(v:pkh(@0),older(10))))",
            Leaf => "tr(@1,{pk(@0),and_v(v:pk(@2),older(10))})",
            Internal => "tr(@0,{pk(@1),multi_a(2,@1,@2)})",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Pkh => "pkh",
            ShWpkh => "sh-wpkh",
            Wpkh => "wpkh",
            Tr => "tr",
            ShMulti => "sh-multi",
            ShWsh => "sh-wsh",
            Wsh => "wsh",
            Owner => "owner",
            Recovery => "recovery",
            Leaf => "leaf",
            Internal => "internal",
        }
    }
}

/// A wallet and its private keys.
#[derive(Debug, Clone)]
pub struct Purse {
    pub kind: Kind,
    pub wallet: Wallet,
    /// In the order of the template's numbers: the vault's first.
    pub keys: Vec<Xpriv>,
}

impl Purse {
    /// The wallet of the vault with this seed.
    pub fn of(kind: Kind, seed: &[u8]) -> Self {
        Self::on(Network::Regtest, kind, seed)
    }

    pub fn on(network: Network, kind: Kind, seed: &[u8]) -> Self {
        let (script, account) = kind.key();
        let path: DerivationPath =
            script.account_path(NetworkKind::from(network), account).expect("a small account").into();
        let seeds = [seed.to_vec(), vec![101; 32], vec![102; 32]];
        Self::with(network, kind.template(), kind, &seeds, &path)
    }

    /// The same with another seed in the place of a cosigner's.
    pub fn with_a_stranger(&self, seed: &[u8]) -> Self {
        let (script, account) = self.kind.key();
        let path: DerivationPath = script.account_path(NetworkKind::Test, account).expect("small").into();
        let seeds = [seed.to_vec(), vec![101; 32], vec![103; 32]];
        let seeds = if self.keys.len() == 2 { [seed.to_vec(), vec![103; 32], vec![]] } else { seeds };
        Self::with(self.wallet.network(), self.kind.template(), self.kind, &seeds, &path)
    }

    fn with(network: Network, template: &str, kind: Kind, seeds: &[Vec<u8>], path: &DerivationPath) -> Self {
        let secp = Secp256k1::new();
        let mut descriptor = template.to_owned();
        let mut keys = Vec::new();
        for (n, seed) in seeds.iter().enumerate() {
            let stands = format!("@{n}");
            if !template.contains(&stands) {
                continue;
            }
            let master = Xpriv::new_master(network, seed).expect("a seed");
            let account = master.derive_priv(&secp, path).expect("a path");
            let xpub = Xpub::from_priv(&secp, &account);
            // A key stands in several places below branches of its own.
            let mut branch = 0;
            while descriptor.contains(&stands) {
                let text =
                    format!("[{}/{path}]{xpub}/<{};{}>/*", master.fingerprint(&secp), branch, branch + 1);
                descriptor = descriptor.replacen(&stands, &text, 1);
                branch += 2;
            }
            keys.push(account);
        }
        let wallet = Wallet::new(network, &[&descriptor]).unwrap_or_else(|e| panic!("{descriptor}: {e}"));
        Self { kind, wallet, keys }
    }

    /// Another wallet of the same keys.
    pub fn described(&self, descriptors: &[String]) -> Self {
        let wallet = Wallet::new(self.wallet.network(), descriptors);
        let wallet = wallet.unwrap_or_else(|error| panic!("{descriptors:?}: {error}"));
        Self { wallet, ..self.clone() }
    }

    /// Its descriptor pair.
    pub fn descriptors(&self) -> Vec<String> {
        policies::wallet::Branch::ALL.map(|branch| self.wallet.descriptor(branch)).to_vec()
    }

    /// The index among the wallet's keys of one of the template's.
    pub fn number(&self, key: usize) -> Option<usize> {
        let secp = Secp256k1::new();
        self.wallet.key_of(&Xpub::from_priv(&secp, self.keys.get(key)?))
    }
}

/// The seed behind the vault's words.
pub fn vault_seed() -> Vec<u8> {
    let entropy = Entropy::from_words(WORDS).unwrap_or_else(|_| panic!("words"));
    entropy.seed("").unwrap_or_else(|_| panic!("a seed")).expose().to_vec()
}
