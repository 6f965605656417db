//! Registration as cosigners' vaults answer it.

use bitcoin::{Network, NetworkKind};
use cold_wire::{NewKey, RequestBody};
use policies::wallet::ScriptKind;

use super::*;
use crate::service::tests::{NOW, ask, created, greeted, passphrase};
use policies::id::WalletId;

struct Cosigner {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    vault: Vault,
}

impl Cosigner {
    fn new() -> Self {
        crate::clock::tests::SET.set(Some(NOW));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let vault = greeted(created(&path), Some(passphrase()));
        Self { _folder: folder, path, vault }
    }

    fn restart(&mut self) {
        let idle = Cosigner::new().vault;
        drop(std::mem::replace(&mut self.vault, idle));
        self.vault = greeted(Store::open(&self.path).ok().unwrap(), Some(passphrase()));
    }

    fn key(&mut self, wallet: &str, kind: ScriptKind) -> KeyInfo {
        let new = RequestBody::NewKey(NewKey {
            wallet: wallet.to_owned(),
            network: Network::Regtest,
            kind,
            words: 12,
            account: 0,
            limit: None,
            dice: vec![],
        });
        let Ok(ReplyBody::Key(key)) = ask(&mut self.vault, new) else { panic!("no key") };
        key
    }

    fn register(
        &mut self,
        name: &str,
        descriptor: &str,
        consent: Option<WalletId>,
    ) -> Result<KeyInfo, Fault> {
        let wallet =
            RegisterWallet { name: name.to_owned(), descriptors: vec![descriptor.to_owned()], consent };
        match ask(&mut self.vault, RequestBody::RegisterWallet(wallet))? {
            ReplyBody::Key(key) => Ok(key),
            _ => panic!("no registration"),
        }
    }

    /// Looks first and consents to what the vault said.
    fn registered(&mut self, name: &str, descriptor: &str) -> KeyInfo {
        let seen = self.register(name, descriptor, None).unwrap();
        assert_eq!(seen.signature, None, "nothing is signed before consent");
        self.register(name, descriptor, Some(seen.registered().unwrap().id())).unwrap()
    }

    fn refused(&mut self, name: &str, descriptor: &str) -> Fault {
        let fault = self.register(name, descriptor, None).unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Refused, "C09"), "{}", fault.message);
        fault
    }

    fn listed(&mut self) -> Vec<KeyInfo> {
        let Ok(ReplyBody::Keys { keys, .. }) = ask(&mut self.vault, RequestBody::List) else { panic!() };
        keys
    }
}

/// Keys of strangers, by seed.
fn foreign(n: u8) -> String {
    let seed = Secret::take(&mut [n; 64]).unwrap();
    Account::derive(&seed, NetworkKind::Test, ScriptKind::WshMulti, 0).unwrap().key().to_string()
}

fn multi(threshold: u8, keys: &[&str]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("{key}/<0;1>/*")).collect();
    format!("wsh(sortedmulti({threshold},{}))", keys.join(","))
}

#[test]
fn a_cosigners_key_waits_for_its_wallet_and_has_it_for_ever() {
    let mut cosigner = Cosigner::new();
    let key = cosigner.key("office", ScriptKind::WshMulti);
    assert!(key.key.contains("/48'/1'/0'/2']tpub") && key.descriptors.is_none() && key.signature.is_none());
    assert!(key.bsms.is_some());
    let descriptor = multi(2, &[&key.key, &foreign(1), &foreign(2)]);
    let wrong = cosigner.register("office", &descriptor, Some(WalletId::of(b"another"))).unwrap_err();
    assert_eq!(wrong.code, "consent");
    assert!(cosigner.listed()[0].descriptors.is_none(), "nothing was written");
    let done = cosigner.registered("office", &descriptor);
    assert!(done.signature.is_some());
    cosigner.restart();
    assert_eq!(cosigner.listed(), std::slice::from_ref(&done));
    assert_eq!(cosigner.register("office", &descriptor, None).unwrap(), done, "the same again");
    cosigner.refused("office", &multi(1, &[&key.key, &foreign(1), &foreign(2)]));
    cosigner.refused("office", "nonsense");
}

#[test]
fn a_wallet_of_another_name_is_made_on_the_seed_of_its_key() {
    let mut cosigner = Cosigner::new();
    let key = cosigner.key("main", ScriptKind::Wpkh);
    // Another account of the same seed, as a coordinator asks for it, would need the vault's own export.
    let (sequence, origin) = (cosigner.vault.open().unwrap().journal.keys()[0].sequence, "48h/1h/0h/2h");
    let origin: bitcoin::bip32::DerivationPath = origin.parse().unwrap();
    let own = {
        let open = cosigner.vault.open().unwrap();
        let store = &cosigner.vault.store;
        let content = store.unseal(&open.data_key, &store.record(sequence).unwrap()).unwrap();
        let (seed, _) = open_content(&content).unwrap();
        Account::at(&seed, NetworkKind::Test, origin.as_ref()).unwrap().key().to_string()
    };
    let descriptor = multi(2, &[&foreign(1), &own]);
    let done = cosigner.registered("shared", &descriptor);
    assert_eq!((done.key.as_str(), done.fingerprint), (own.as_str(), key.fingerprint));
    cosigner.restart();
    let listed = cosigner.listed();
    assert_eq!(listed, [key, done]);
    // Its key is taken now, under whatever name.
    let fault = cosigner.refused("again", &multi(1, &[&own, &foreign(2)]));
    assert!(fault.message.contains("`shared`"), "{}", fault.message);
}

#[test]
fn wallets_that_are_not_this_vaults_are_refused() {
    let mut cosigner = Cosigner::new();
    let (office, branch) =
        (cosigner.key("office", ScriptKind::WshMulti), cosigner.key("branch", ScriptKind::WshMulti));
    let single = cosigner.key("main", ScriptKind::Wpkh);
    let (own, other, a, b) = (office.key.as_str(), branch.key.as_str(), &foreign(1), &foreign(2));
    let mainnet = {
        let seed = Secret::take(&mut [1; 64]).unwrap();
        Account::derive(&seed, NetworkKind::Main, ScriptKind::WshMulti, 0).unwrap().key().to_string()
    };
    let elsewhere = own.replace("/2']", "/9']");
    let disguised = own.replace(&own[1..9], "00000000");
    // A key of one of the own key's addresses, by its true origin.
    let account: bitcoin::bip32::Xpub = own.split(']').nth(1).unwrap().parse().unwrap();
    let child = account.derive_pub(policies::wallet::secp(), &[ChildNumber::Normal { index: 0 }]).unwrap();
    let below = format!("{}/0]{child}", own.split(']').next().unwrap());
    for (name, descriptor, why) in [
        ("office", multi(2, &[a, b]), "no key of this store"),
        ("office", multi(2, &[&elsewhere, a]), "no key of this store"),
        ("office", multi(2, &[&disguised, a]), "no key of this store"),
        ("office", multi(2, &[&below, a]), "no key of this store"),
        ("office", multi(2, &[own, own, a]), "twice"),
        ("office", multi(2, &[own, a, a]), "twice"),
        ("office", multi(2, &[own, other]), "exactly once"),
        ("office", multi(2, &[own, &other.replace(&other[1..9], "00000000")]), "exactly once"),
        ("office", multi(2, &[other, a]), "the key of wallet `branch`"),
        ("new", multi(2, &[other, a]), "the key of wallet `branch`"),
        ("new", format!("wpkh({}/<0;1>/*)", single.key), "the key of wallet `main`"),
        ("office", multi(2, &[own, &mainnet]), "mainnet"),
        ("office", format!("wsh(sortedmulti(2,{own}/<0h;1h>/*,{a}/<0;1>/*))"), "no wallet"),
        (
            "office",
            multi(
                2,
                &[
                    own,
                    "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK",
                ],
            ),
            "private key",
        ),
        ("office", format!("{}#qqqqqqqq", multi(2, &[own, a])), "checksum"),
        ("main", multi(2, &[own, a]), "another descriptor"),
    ] {
        let fault = cosigner.refused(name, &descriptor);
        assert!(fault.message.contains(why), "{name} {descriptor}: {}", fault.message);
    }
    assert!(cosigner.register("", &multi(2, &[own, a]), None).is_err());
    assert!(cosigner.listed().iter().filter(|key| key.descriptors.is_some()).eq([&single]));
    cosigner.registered("office", &multi(2, &[own, a, b]));
}

#[test]
fn a_wallet_that_never_needs_this_vaults_key_is_refused() {
    const H: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
    let mut cosigner = Cosigner::new();
    let (own, a) = (cosigner.key("office", ScriptKind::Multi).key, foreign(1));
    // It stands in the descriptor, in a leaf that nobody can ever take.
    let dead = format!("tr({a}/<0;1>/*,multi_a(2,{H},{own}/<0;1>/*))");
    let fault = cosigner.refused("office", &dead);
    assert!(fault.message.contains("no way of spending"), "{}", fault.message);
    // With a leaf of its own that time opens it counts.
    let heir = format!("tr({a}/<0;1>/*,and_v(v:pk({own}/<0;1>/*),older(9)))");
    cosigner.registered("office", &heir);
}
