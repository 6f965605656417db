//! A vault with a key of every kind, in this process, and its wallets.

use std::sync::Arc;

use bitcoin::Network;
use cold_vault::keys::Entropy;
use cold_vault::passphrase::Passphrase;
use cold_vault::seal::KdfCost;
use cold_vault::service::{Open, Origin, PassphraseSource, Vault, add_key};
use cold_vault::store::Store;
use cold_wire::{Fault, NewKey, PROTOCOL, RegisterWallet, ReplyBody, Request, RequestBody};
use policies::wallet::Wallet;

use super::payment::Payment;
use super::purse::{ALL, Kind, Purse, WORDS, vault_seed};

/// The cheapest that a vault accepts.
const COST: KdfCost = KdfCost::FLOOR;

pub struct Desk {
    _folder: tempfile::TempDir,
    vault: Vault,
    pub purses: Arc<Vec<Purse>>,
    numbers: u32,
}

impl Desk {
    /// Restores the keys from the words and registers every wallet that has cosigners.
    pub fn open() -> Self {
        let entropy = Entropy::from_words(WORDS).unwrap_or_else(|_| panic!("words"));
        let seed = vault_seed();
        let mut desk = Self::with_keys(&entropy, ALL);
        let purses: Vec<_> = ALL.iter().map(|kind| Purse::of(*kind, &seed)).collect();
        for purse in purses.iter().filter(|purse| !purse.kind.key().0.is_single()) {
            desk.register(purse.kind.name(), purse.descriptors(), Some(&purse.wallet)).expect("registered");
        }
        desk.purses = Arc::new(purses);
        desk
    }

    /// A vault without any key.
    pub fn empty() -> Self {
        Self::with_keys(&Entropy::from_words(WORDS).unwrap_or_else(|_| panic!("words")), &[])
    }

    /// A vault with keys and no cosigner's wallet yet.
    pub fn with_keys(entropy: &Entropy, kinds: &[Kind]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let passphrase = || Passphrase::new(b"right").unwrap_or_else(|_| panic!("a passphrase"));
        let now = cold_vault::clock::now();
        let mut store = Store::create(&folder.path().join("store"), &passphrase(), COST, now)
            .unwrap_or_else(|error| panic!("{error}"));
        let mut open = Open::new(&mut store, &passphrase()).unwrap_or_else(|error| panic!("{error}"));
        for kind in kinds {
            let (script, account) = kind.key();
            let key = NewKey {
                wallet: kind.name().to_owned(),
                network: Network::Regtest,
                kind: script,
                words: 12,
                account,
                limit: None,
                dice: vec![],
            };
            add_key(&mut store, &mut open, &key, entropy, &Origin::Restored).expect("a key");
        }
        drop(open);
        let source = PassphraseSource::Given(passphrase());
        let mut vault = Vault::new(store, Some(source), None, vec![], vec![]);
        let hello = Request { id: 1, deadline: 0, body: RequestBody::Hello { protocol: PROTOCOL } };
        assert!(matches!(vault.answer(&hello).body, ReplyBody::Hello { .. }));
        Self { _folder: folder, vault, purses: Arc::new(vec![]), numbers: 0 }
    }

    /// Asks the vault's service.
    pub fn ask(&mut self, body: RequestBody) -> Result<ReplyBody, Fault> {
        match self.vault.answer(&Request { id: 2, deadline: 0, body }).body {
            ReplyBody::Fault(fault) => Err(fault),
            body => Ok(body),
        }
    }

    /// Registers a wallet, with consent to it where it is given.
    pub fn register(
        &mut self,
        name: &str,
        descriptors: Vec<String>,
        consent: Option<&Wallet>,
    ) -> Result<ReplyBody, Fault> {
        let consent = consent.map(Wallet::id);
        self.ask(RequestBody::RegisterWallet(RegisterWallet { name: name.to_owned(), descriptors, consent }))
    }

    /// A payment of coins that nobody has seen before.
    pub fn payment(&mut self, kind: Kind) -> Payment {
        self.numbers += 1;
        Payment::new(&self.purses, kind, self.numbers)
    }

    pub fn wallets(&self) -> Vec<Wallet> {
        self.purses.iter().map(|purse| purse.wallet.clone()).collect()
    }
}
