//! From seed to account to the key of one input: BIP32, by the account paths of BIP44, 48, 49, 84, 86 and 87.

use bitcoin::NetworkKind;
use bitcoin::TapTweakHash;
use bitcoin::bip32::{ChildNumber, Xpriv, Xpub};
use bitcoin::secp256k1::{Parity, PublicKey, Secp256k1, SecretKey};
use bitcoin::taproot::TapNodeHash;

use policies::wallet::{ScriptKind, WalletKey};

use crate::Error;
use crate::secret::Secret;

/// An account with its private key in locked memory.
pub struct Account {
    xpriv: Secret,
    key: WalletKey,
}

impl Account {
    /// Derives the account of a kind from a BIP39 seed. Coin type is 0 on bitcoin, 1 elsewhere.
    ///
    /// # Errors
    /// [`Error::Derivation`] for an account number of 2^31 or more, or an unusable seed.
    pub fn derive(
        seed: &Secret,
        network: NetworkKind,
        script: ScriptKind,
        account: u32,
    ) -> Result<Self, Error> {
        let path = script.account_path(network, account);
        Self::at(seed, network, &path.ok_or(Error::Derivation(format!("no account {account}")))?)
    }

    /// Derives the account at any path from the master key.
    ///
    /// # Errors
    /// [`Error::Derivation`] for an unusable seed, [`Error::System`].
    pub fn at(seed: &Secret, network: NetworkKind, path: &[ChildNumber]) -> Result<Self, Error> {
        let secp = Secp256k1::signing_only();
        let master = Erasing(Xpriv::new_master(network, seed.expose()).map_err(failed)?);
        let derived = Erasing(master.0.derive_priv(&secp, &path).map_err(failed)?);
        let key = WalletKey {
            fingerprint: master.0.fingerprint(&secp),
            origin: path.into(),
            xpub: Xpub::from_priv(&secp, &derived.0),
        };
        Ok(Self { xpriv: Secret::take(&mut derived.0.encode())?, key })
    }

    /// Its public key with its origin.
    #[must_use]
    pub fn key(&self) -> &WalletKey {
        &self.key
    }

    /// The same account for another thread, in locked memory of its own.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn copy(&self) -> Result<Self, Error> {
        let mut xpriv = Secret::zeroed(self.xpriv.expose().len())?;
        xpriv.expose_mut().copy_from_slice(self.xpriv.expose());
        Ok(Self { xpriv, key: self.key.clone() })
    }

    /// The private key of a branch below it: unhardened steps, without an address's index.
    ///
    /// # Errors
    /// [`Error::Derivation`] for a hardened step, [`Error::System`].
    pub fn branch(&self, steps: &[ChildNumber]) -> Result<BranchKey, Error> {
        if !steps.iter().all(ChildNumber::is_normal) {
            return Err(Error::Derivation("a step below the account is hardened".to_owned()));
        }
        let secp = Secp256k1::signing_only();
        let account = Erasing(Xpriv::decode(self.xpriv.expose()).map_err(failed)?);
        let branch = Erasing(account.0.derive_priv(&secp, &steps).map_err(failed)?);
        let public = Xpub::from_priv(&secp, &branch.0);
        Ok(BranchKey { private: Secret::take(&mut branch.0.private_key.secret_bytes())?, public })
    }

    /// The account's own private key. Coins are never locked to it.
    ///
    /// # Errors
    /// [`Error::Derivation`]; cannot happen.
    pub fn private_key(&self) -> Result<ChildKey, Error> {
        let account = Erasing(Xpriv::decode(self.xpriv.expose()).map_err(failed)?);
        Ok(ChildKey(account.0.private_key))
    }
}

/// The private key of a branch in locked memory, with its public half: a child costs one hash and one addition.
pub struct BranchKey {
    private: Secret,
    public: Xpub,
}

impl BranchKey {
    /// The private key of one address, wiped on drop. For `tr` it is the key before the tweak.
    ///
    /// # Errors
    /// [`Error::Derivation`] for an index of 2^31 or more.
    pub fn child(&self, index: u32) -> Result<ChildKey, Error> {
        let step = ChildNumber::from_normal_idx(index).map_err(failed)?;
        let (tweak, _) = self.public.ckd_pub_tweak(step).map_err(failed)?;
        let unusable = |error: bitcoin::secp256k1::Error| Error::Derivation(error.to_string());
        let branch = ChildKey(SecretKey::from_slice(self.private.expose()).map_err(unusable)?);
        branch.0.add_tweak(&tweak.into()).map(ChildKey).map_err(unusable)
    }
}

/// A private key; erased on drop.
pub struct ChildKey(SecretKey);

impl ChildKey {
    /// The key. Copy it nowhere: the type of libsecp256k1 does not wipe itself.
    #[must_use]
    pub fn expose(&self) -> &SecretKey {
        &self.0
    }

    /// The key that opens a taproot output (BIP341, "taproot_tweak_seckey"); `public` is this key's own.
    ///
    /// # Errors
    /// [`Error::Derivation`]; cannot happen but by chance.
    pub fn tweaked(&self, public: &PublicKey, merkle_root: Option<TapNodeHash>) -> Result<ChildKey, Error> {
        let (internal, parity) = public.x_only_public_key();
        let tweak = TapTweakHash::from_key_and_tweak(internal, merkle_root).to_scalar();
        let even = ChildKey(if parity == Parity::Odd { self.0.negate() } else { self.0 });
        even.0.add_tweak(&tweak).map(ChildKey).map_err(|error| Error::Derivation(error.to_string()))
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

    use bitcoin::Network;
    use bitcoin::hashes::Hash;
    use bitcoin::hex::FromHex;
    use bitcoin::key::TapTweak;
    use policies::wallet::{Branch, Keypath, Wallet};

    use super::*;
    use crate::keys::Entropy;

    fn seed() -> Secret {
        let words = "abandon ".repeat(11) + "about";
        Entropy::from_words(&words).ok().unwrap().seed("").ok().unwrap()
    }

    fn account(network: NetworkKind, script: ScriptKind) -> Account {
        Account::derive(&seed(), network, script, 0).ok().unwrap()
    }

    /// The address of a wallet of one key.
    fn address(network: Network, script: ScriptKind, branch: Branch, index: u32) -> String {
        let key = account(network.into(), script).key().to_string();
        let wallet = Wallet::new(network, &[script.descriptor(&format!("{key}/<0;1>/*")).unwrap()]).unwrap();
        wallet.address(Keypath { branch, index }).unwrap().to_string()
    }

    #[test]
    fn accounts_and_addresses_are_those_of_bip_44_49_84_and_86() {
        use Branch::{External, Internal};
        use ScriptKind::{Pkh, ShWpkh, Tr, Wpkh};
        for (network, script, branch, index, expected) in [
            (Network::Bitcoin, Pkh, External, 0, "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA"),
            (Network::Testnet, ShWpkh, External, 0, "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"),
            (Network::Bitcoin, Wpkh, External, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
            (Network::Bitcoin, Wpkh, External, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"),
            (Network::Bitcoin, Wpkh, Internal, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"),
            (
                Network::Bitcoin,
                Tr,
                External,
                0,
                "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
            ),
            (
                Network::Bitcoin,
                Tr,
                Internal,
                0,
                "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
            ),
        ] {
            assert_eq!(address(network, script, branch, index), expected);
        }
    }

    #[test]
    fn an_account_names_its_key_by_its_origin() {
        let text = |network, script| account(network, script).key().to_string();
        assert!(text(NetworkKind::Main, ScriptKind::Wpkh).starts_with("[73c5da0a/84'/0'/0']xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"));
        for (script, path) in [
            (ScriptKind::ShWshMulti, "48'/1'/0'/1'"),
            (ScriptKind::WshMulti, "48'/1'/0'/2'"),
            (ScriptKind::Multi, "87'/1'/0'"),
        ] {
            assert!(text(NetworkKind::Test, script).starts_with(&format!("[73c5da0a/{path}]tpub")));
        }
    }

    #[test]
    fn a_child_key_is_that_of_bip32_and_its_tweak_that_of_bip341() {
        let secp = Secp256k1::new();
        let account = account(NetworkKind::Test, ScriptKind::Multi);
        let steps: Vec<_> = [5, 1].map(|step| ChildNumber::from_normal_idx(step).unwrap()).into();
        for index in 0..8 {
            let key = account.branch(&steps).ok().unwrap().child(index).ok().unwrap();
            let path = [&steps[..], &[ChildNumber::from_normal_idx(index).unwrap()]].concat();
            let public = account.key().xpub.derive_pub(&secp, &path).unwrap().public_key;
            assert_eq!(key.expose().public_key(&secp), public);
            let root = TapNodeHash::from_byte_array([9; 32]);
            for root in [None, Some(root)] {
                let expected = key.expose().keypair(&secp).tap_tweak(&secp, root).to_keypair();
                let found = key.tweaked(&public, root).ok().unwrap().expose().keypair(&secp);
                assert_eq!(found.x_only_public_key(), expected.x_only_public_key());
            }
        }
    }

    #[test]
    fn indexes_and_accounts_past_2_to_31_and_hardened_branches_are_refused() {
        let account = account(NetworkKind::Test, ScriptKind::Tr);
        assert!(account.branch(&[]).ok().unwrap().child(1 << 31).is_err());
        assert!(account.branch(&[ChildNumber::from_hardened_idx(0).unwrap()]).is_err());
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
