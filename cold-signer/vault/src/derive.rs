//! From seed to account to the key of one input: BIP32, BIP84 (`wpkh`), BIP86 (`tr`).

use bitcoin::NetworkKind;
use bitcoin::bip32::{ChildNumber, Fingerprint, Xpriv, Xpub};
use bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use miniscript::descriptor::checksum::desc_checksum;

use policies::wallet::{Branch, ScriptKind};

use crate::Error;
use crate::secret::Secret;

/// Length of a serialised extended key, BIP32.
const XPRIV_LEN: usize = 78;

/// The public descriptors of an account, with key origin and BIP380 checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptorPair {
    /// `…/0/*`.
    pub external: String,
    /// `…/1/*`.
    pub internal: String,
}

/// An account with its private key in locked memory.
pub struct Account {
    xpriv: Secret,
    xpub: Xpub,
    fingerprint: Fingerprint,
    script: ScriptKind,
    number: u32,
}

impl Account {
    /// Derives m/84h|86h/coin h/account h from a BIP39 seed. Coin type is 0 on bitcoin, 1 elsewhere.
    ///
    /// # Errors
    /// [`Error::Derivation`] for an account number of 2^31 or more, or an unusable seed.
    pub fn derive(
        seed: &Secret,
        network: NetworkKind,
        script: ScriptKind,
        account: u32,
    ) -> Result<Self, Error> {
        let secp = Secp256k1::new();
        let master = Erasing(Xpriv::new_master(network, seed.expose()).map_err(failed)?);
        let mut path = Vec::with_capacity(3);
        for step in [script.purpose(), coin_type(network), account] {
            path.push(ChildNumber::from_hardened_idx(step).map_err(failed)?);
        }
        let derived = Erasing(master.0.derive_priv(&secp, &path).map_err(failed)?);
        Ok(Self {
            xpriv: Secret::take(&mut derived.0.encode())?,
            xpub: Xpub::from_priv(&secp, &derived.0),
            fingerprint: master.0.fingerprint(&secp),
            script,
            number: account,
        })
    }

    /// The account's extended public key.
    #[must_use]
    pub fn xpub(&self) -> Xpub {
        self.xpub
    }

    /// Fingerprint of the master key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Which scripts it makes.
    #[must_use]
    pub fn script(&self) -> ScriptKind {
        self.script
    }

    /// The path from the master key, without `m/`: `84h/1h/0h`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}h/{}h/{}h", self.script.purpose(), coin_type(self.xpub.network), self.number)
    }

    /// The public descriptor pair.
    ///
    /// # Errors
    /// [`Error::Derivation`]; cannot happen for strings of this making.
    pub fn descriptors(&self) -> Result<DescriptorPair, Error> {
        let pair = |branch: Branch| {
            let key = format!("[{}/{}]{}", self.fingerprint, self.path(), self.xpub);
            let text = format!("{}({key}/{}/*)", self.script.as_str(), branch.number());
            let checksum = desc_checksum(&text).map_err(|error| Error::Derivation(error.to_string()))?;
            Ok(format!("{text}#{checksum}"))
        };
        Ok(DescriptorPair { external: pair(Branch::External)?, internal: pair(Branch::Internal)? })
    }

    /// The private key of one address, wiped on drop. For `tr` it is the internal key before the tweak.
    ///
    /// # Errors
    /// [`Error::Derivation`] for an index of 2^31 or more.
    pub fn child(&self, secp: &Secp256k1<All>, branch: Branch, index: u32) -> Result<ChildKey, Error> {
        if self.xpriv.expose().len() != XPRIV_LEN {
            return Err(Error::Derivation("the account key has a wrong length".to_owned()));
        }
        let account = Erasing(Xpriv::decode(self.xpriv.expose()).map_err(failed)?);
        let mut path = Vec::with_capacity(2);
        for step in [branch.number(), index] {
            path.push(ChildNumber::from_normal_idx(step).map_err(failed)?);
        }
        let child = Erasing(account.0.derive_priv(secp, &path).map_err(failed)?);
        Ok(ChildKey(child.0.private_key))
    }
}

/// The private key of one address; erased on drop.
pub struct ChildKey(SecretKey);

impl ChildKey {
    /// The key. Copy it nowhere: the type of libsecp256k1 does not wipe itself.
    #[must_use]
    pub fn expose(&self) -> &SecretKey {
        &self.0
    }
}

impl Drop for ChildKey {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

/// An extended private key that erases its key on drop; `Xpriv` itself is `Copy` and does not.
struct Erasing(Xpriv);

impl Drop for Erasing {
    fn drop(&mut self) {
        self.0.private_key.non_secure_erase();
    }
}

fn coin_type(network: NetworkKind) -> u32 {
    match network {
        NetworkKind::Main => 0,
        NetworkKind::Test => 1,
    }
}

fn failed(error: bitcoin::bip32::Error) -> Error {
    Error::Derivation(error.to_string())
}

/// A file of public test vectors; `None`, said on stderr, where the folder is absent.
#[cfg(test)]
pub(crate) fn vectors(name: &str) -> Option<serde_json::Value> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let folder = std::env::var("AIRLOCK_VECTORS").unwrap_or_else(|_| beside.to_owned());
    match std::fs::read(std::path::Path::new(&folder).join(name)) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            eprintln!("skipped 1: no {name} in AIRLOCK_VECTORS");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use bitcoin::hex::FromHex;
    use bitcoin::{Address, Network};
    use miniscript::{Descriptor, DescriptorPublicKey};

    use super::*;
    use crate::keys::Entropy;

    fn seed() -> Secret {
        let words = "abandon ".repeat(11) + "about";
        Entropy::from_words(&words).ok().unwrap().seed("").ok().unwrap()
    }

    fn account(network: NetworkKind, script: ScriptKind) -> Account {
        Account::derive(&seed(), network, script, 0).ok().unwrap()
    }

    fn address(descriptor: &str, index: u32, network: Network) -> Address {
        let descriptor = Descriptor::<DescriptorPublicKey>::from_str(descriptor).unwrap();
        descriptor.at_derivation_index(index).unwrap().address(network).unwrap()
    }

    #[test]
    fn bip84_account_and_addresses_match() {
        let account = account(NetworkKind::Main, ScriptKind::Wpkh);
        assert_eq!(account.path(), "84h/0h/0h");
        let pair = account.descriptors().unwrap();
        assert!(pair.external.starts_with("wpkh([73c5da0a/84h/0h/0h]xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V/0/*)#"));
        let at = |descriptor, index| address(descriptor, index, Network::Bitcoin).to_string();
        assert_eq!(at(&pair.external, 0), "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
        assert_eq!(at(&pair.external, 1), "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g");
        assert_eq!(at(&pair.internal, 0), "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el");
    }

    #[test]
    fn bip86_account_and_addresses_match() {
        let pair = account(NetworkKind::Main, ScriptKind::Tr).descriptors().unwrap();
        assert!(pair.external.contains("xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"));
        let at = |descriptor, index| address(descriptor, index, Network::Bitcoin).to_string();
        assert_eq!(at(&pair.external, 0), "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");
        assert_eq!(at(&pair.internal, 0), "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7");
    }

    #[test]
    fn coin_type_is_1_on_test_networks() {
        let account = account(NetworkKind::Test, ScriptKind::Wpkh);
        assert_eq!(account.path(), "84h/1h/0h");
        let pair = account.descriptors().unwrap();
        assert!(pair.internal.contains("/84h/1h/0h]tpub") && pair.internal.contains("/1/*)#"));
    }

    #[test]
    fn a_child_key_belongs_to_the_script_that_the_descriptor_gives() {
        let secp = Secp256k1::new();
        for script in [ScriptKind::Wpkh, ScriptKind::Tr] {
            let account = account(NetworkKind::Test, script);
            let pair = account.descriptors().unwrap();
            for (branch, text) in [(Branch::External, &pair.external), (Branch::Internal, &pair.internal)] {
                let key = account.child(&secp, branch, 7).ok().unwrap();
                let public = key.expose().public_key(&secp);
                let expected = match script {
                    ScriptKind::Wpkh => {
                        Address::p2wpkh(&bitcoin::CompressedPublicKey(public), Network::Regtest)
                    }
                    ScriptKind::Tr => {
                        Address::p2tr(&secp, public.x_only_public_key().0, None, Network::Regtest)
                    }
                };
                assert_eq!(address(text, 7, Network::Regtest), expected);
            }
        }
    }

    #[test]
    fn indexes_and_accounts_past_2_to_31_are_refused() {
        let account = account(NetworkKind::Test, ScriptKind::Tr);
        assert!(account.child(&Secp256k1::new(), Branch::External, 1 << 31).is_err());
        assert!(Account::derive(&seed(), NetworkKind::Test, ScriptKind::Tr, 1 << 31).is_err());
    }

    #[test]
    fn bip32_vectors_derive_as_stated() {
        let inline = Vec::from_hex("000102030405060708090a0b0c0d0e0f").unwrap();
        let master = Xpriv::new_master(NetworkKind::Main, &inline).unwrap();
        assert_eq!(
            master.to_string(),
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
        );
        let Some(file) = vectors("bip32.json") else { return };
        let secp = Secp256k1::new();
        let mut seen = 0;
        for group in file["valid"].as_array().expect("valid") {
            let seed = Vec::from_hex(group["seed"].as_str().unwrap()).unwrap();
            let master = Xpriv::new_master(NetworkKind::Main, &seed).unwrap();
            for row in group["derivations"].as_array().or(group["chains"].as_array()).expect("rows") {
                let path = row["path"].as_str().unwrap().replace('h', "'");
                let path = bitcoin::bip32::DerivationPath::from_str(&path).unwrap();
                let derived = master.derive_priv(&secp, &path).unwrap();
                assert_eq!(derived.to_string(), row["xprv"].as_str().unwrap());
                assert_eq!(Xpub::from_priv(&secp, &derived).to_string(), row["xpub"].as_str().unwrap());
                seen += 1;
            }
        }
        assert!(seen >= 17);
    }
}
