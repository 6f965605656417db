//! What the store says once it is unlocked: keys, pinned authority, everything that was ever signed.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, Network, OutPoint, Txid};
use cold_wire::MessageTerms;
use policies::authority::{Authority, SignedAuthority};
use policies::clear;
use policies::codec::{Canonical, CodecError};
use policies::examine::Marks;
use policies::history::{Charge, History};
use policies::id::{AuthorityId, MessageId, SpendId, VaultId, WalletId};
use policies::message::bip137::SIGNATURE_LEN;
use policies::permit::Permit;
use policies::wallet::{Wallet, WalletKey};

use crate::intent::Intent;
use crate::key_record::{KeyTerms, open_content};
use crate::record::Kind;
use crate::seal::DataKey;
use crate::secret::Secret;
use crate::store::{Head, Store};
use crate::wallet_record::Registration;
use crate::{Error, sign};

/// A key of the store under the name of its wallet; its seed stays sealed in the file.
#[derive(Clone)]
pub struct Key {
    /// Sequence number of the record that holds its seed.
    pub sequence: u64,
    /// Everything but its secret; under another name than the seed's first key for a wallet that was registered on it.
    pub terms: KeyTerms,
    /// Its public part, with its origin.
    pub own: WalletKey,
    /// A cosigner's signature over its key record (BIP129).
    pub bsms: Option<[u8; SIGNATURE_LEN]>,
    /// Its wallet; `None` for a cosigner's key that waits for its descriptor.
    pub wallet: Option<Wallet>,
}

impl Key {
    /// This key with a wallet under a name.
    ///
    /// # Errors
    /// [`Error::Record`] where the registration is not of this key.
    pub fn registered(&self, registration: &Registration) -> Result<Key, Error> {
        let wrong = |error: &dyn std::fmt::Display| Error::Record(CodecError::invalid("wallet", error));
        let wallet = Wallet::new(self.terms.network, &registration.descriptors).map_err(|e| wrong(&e))?;
        let own = usize::try_from(registration.own).ok().and_then(|own| wallet.keys().get(own));
        Ok(Key {
            own: own.ok_or_else(|| wrong(&"it has no such key"))?.clone(),
            terms: KeyTerms { wallet: registration.name.clone(), ..self.terms.clone() },
            wallet: Some(wallet),
            ..self.clone()
        })
    }
}

/// A spend that was journalled, and so counts as signed.
pub struct Journalled {
    /// The intent's record.
    pub head: Head,
    /// The spend.
    pub spend: SpendId,
    /// Its wallet.
    pub wallet: WalletId,
    /// Its network.
    pub network: Network,
    /// Txid of the unsigned transaction.
    pub unsigned_txid: Txid,
    /// The permit under which it was signed.
    pub permit: Option<Permit>,
    /// What it charged.
    pub charge: Charge,
}

/// After which sequence number a chain of permits has which hash.
type Chain = BTreeMap<u64, [u8; 32]>;

/// The fold of all records.
pub struct Journal {
    vault: VaultId,
    keys: Vec<Key>,
    authorities: BTreeMap<AuthorityId, Authority>,
    pinned: Option<AuthorityId>,
    intents: Vec<Journalled>,
    by_spend: BTreeMap<SpendId, usize>,
    by_coin: BTreeMap<(WalletId, OutPoint), Vec<(SpendId, Amount)>>,
    marks: BTreeMap<WalletId, Marks>,
    chains: BTreeMap<AuthorityId, Chain>,
    no_chain: Chain,
    messages: BTreeSet<MessageId>,
}

impl Journal {
    /// Reads every record of an unlocked store.
    ///
    /// # Errors
    /// [`Error::Unsealable`], [`Error::Record`] for content that this version did not write, [`Error::Broken`].
    pub fn replay(store: &Store, data_key: &DataKey) -> Result<Self, Error> {
        let mut journal = Self {
            vault: VaultId::from_bytes(store.vault_id()),
            keys: vec![],
            authorities: BTreeMap::new(),
            pinned: None,
            intents: vec![],
            by_spend: BTreeMap::new(),
            by_coin: BTreeMap::new(),
            marks: BTreeMap::new(),
            chains: BTreeMap::new(),
            no_chain: Chain::new(),
            messages: BTreeSet::new(),
        };
        for entry in store.entries() {
            let sequence = entry.header.sequence;
            let unsealed = || store.unseal(data_key, &store.record(sequence)?);
            match entry.header.kind {
                Kind::Key => journal.add_key(sequence, &unsealed()?)?,
                Kind::Authority => journal.pin(unsealed()?.expose())?,
                Kind::Intent => {
                    let intent = Intent::from_bytes(unsealed()?.expose()).map_err(Error::Record)?;
                    journal.add_intent(Head { sequence, hash: entry.hash }, &intent);
                }
                Kind::Wallet => journal.add_wallet(unsealed()?.expose())?,
                Kind::Message => {
                    let terms = MessageTerms::from_bytes(unsealed()?.expose()).map_err(Error::Record)?;
                    journal.add_message(terms.id());
                }
                Kind::Genesis | Kind::Keyslot | Kind::KeyslotRetire | Kind::Tear => {}
                Kind::PolicyPin
                | Kind::Revocations
                | Kind::Permit
                | Kind::Done
                | Kind::Clock
                | Kind::Checkpoint
                | Kind::Restore
                | Kind::Seal => return Err(Error::NotThisVersion(entry.header.kind.name())),
                Kind::Unknown(_) => {}
            }
        }
        Ok(journal)
    }

    /// Takes up a KEY record.
    ///
    /// # Errors
    /// [`Error::Record`], [`Error::Derivation`].
    pub fn add_key(&mut self, sequence: u64, content: &Secret) -> Result<(), Error> {
        let (seed, terms) = open_content(content)?;
        let account = terms.account(&seed)?;
        let wallet = terms.wallet(&account)?;
        let bsms = if wallet.is_none() { Some(sign::key_record(&account, &terms.wallet)?) } else { None };
        self.keys.push(Key { sequence, own: account.key().clone(), terms, bsms, wallet });
        Ok(())
    }

    /// Takes up a WALLET record.
    ///
    /// # Errors
    /// [`Error::Record`].
    pub fn add_wallet(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let registration = Registration::from_bytes(bytes).map_err(Error::Record)?;
        let of_seed = |key: &&mut Key| key.sequence == registration.key;
        let key = self.keys.iter_mut().find(of_seed).ok_or(Error::NoSuchRecord(registration.key))?;
        let registered = key.registered(&registration)?;
        if key.terms.wallet == registration.name {
            *key = registered;
        } else {
            self.keys.push(registered);
        }
        Ok(())
    }

    /// Takes up an AUTHORITY record: verified when it was pinned, and authenticated by the store since.
    ///
    /// # Errors
    /// [`Error::Record`].
    pub fn pin(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let signed = SignedAuthority::from_bytes(bytes).map_err(Error::Record)?;
        let id = signed.authority.id();
        self.authorities.insert(id, signed.authority);
        self.pinned = Some(id);
        Ok(())
    }

    /// Takes up an INTENT record.
    pub fn add_intent(&mut self, head: Head, intent: &Intent) {
        let spend = &intent.spend;
        let id = spend.id();
        self.add_permit(spend.wallet(), intent.permit.as_ref());
        for input in spend.inputs() {
            let coin = (spend.wallet(), input.outpoint);
            self.by_coin.entry(coin).or_default().push((id, input.value));
        }
        let marks = self.marks.entry(spend.wallet()).or_default();
        *marks = marks.after(spend);
        self.by_spend.insert(id, self.intents.len());
        self.intents.push(Journalled {
            head,
            spend: id,
            wallet: spend.wallet(),
            network: spend.network(),
            unsigned_txid: spend.unsigned_txid(),
            permit: intent.permit.clone(),
            charge: intent.charge.clone(),
        });
    }

    /// Takes up a MESSAGE record.
    pub fn add_message(&mut self, id: MessageId) {
        self.messages.insert(id);
    }

    /// Whether a message is journalled, and so counts as signed.
    #[must_use]
    pub fn has_message(&self, id: &MessageId) -> bool {
        self.messages.contains(id)
    }

    /// Takes up what a used permit shows of the chain of permits of its wallet's authority.
    fn add_permit(&mut self, wallet: WalletId, permit: Option<&Permit>) {
        let authority = self.key_of(wallet).and_then(|key| key.terms.authority);
        if let (Some(authority), Some(permit)) = (authority, permit) {
            let links = permit.links(self.vault).unwrap_or_default();
            self.chains.entry(authority).or_default().extend(links);
        }
    }

    /// Every key, oldest first.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The key of a wallet.
    #[must_use]
    pub fn key_of(&self, wallet: WalletId) -> Option<&Key> {
        self.keys.iter().find(|key| key.wallet.as_ref().is_some_and(|own| own.id() == wallet))
    }

    /// An authority that is or was pinned.
    #[must_use]
    pub fn authority(&self, id: &AuthorityId) -> Option<&Authority> {
        self.authorities.get(id)
    }

    /// The authority that new keys obey.
    #[must_use]
    pub fn pinned(&self) -> Option<(AuthorityId, &Authority)> {
        self.pinned.and_then(|id| self.authorities.get(&id).map(|authority| (id, authority)))
    }

    /// Everything that was signed, oldest first.
    #[must_use]
    pub fn intents(&self) -> &[Journalled] {
        &self.intents
    }

    /// A spend that was signed.
    #[must_use]
    pub fn signed(&self, spend: &SpendId) -> Option<&Journalled> {
        self.by_spend.get(spend).and_then(|at| self.intents.get(*at))
    }

    /// What clearing a spend of this key's wallet needs to know.
    #[must_use]
    pub fn view<'a>(&'a self, store: &'a Store, key: &'a Key, wallet: WalletId) -> View<'a> {
        let same_say = |journalled: &&Journalled| match key.terms.authority {
            None => journalled.wallet == wallet,
            Some(_) => self
                .key_of(journalled.wallet)
                .is_some_and(|other| other.terms.authority == key.terms.authority),
        };
        let charges = self.intents.iter().filter(same_say).map(|intent| intent.charge.clone()).collect();
        View { journal: self, store, key, wallet, history: History::of_journal(charges) }
    }
}

/// The journal as one key sees it: charges under the same authority, marks of its own wallet.
pub struct View<'a> {
    journal: &'a Journal,
    store: &'a Store,
    key: &'a Key,
    wallet: WalletId,
    history: History,
}

impl clear::Journal for View<'_> {
    fn signed(&self, outpoint: &OutPoint) -> Vec<(SpendId, Amount)> {
        // A coin has one script, so it belongs to one wallet: what another wallet's file claimed of it means nothing.
        self.journal.by_coin.get(&(self.wallet, *outpoint)).cloned().unwrap_or_default()
    }

    fn history(&self) -> &History {
        &self.history
    }

    fn marks(&self) -> Marks {
        let marks = self.journal.marks.get(&self.wallet).copied().unwrap_or_default();
        Marks { kept: true, ..marks }
    }

    fn record_hash(&self, sequence: u64) -> Option<[u8; 32]> {
        self.store.entry(sequence).ok().map(|entry| entry.hash)
    }

    fn chain(&self) -> &BTreeMap<u64, [u8; 32]> {
        let chain = self.key.terms.authority.and_then(|id| self.journal.chains.get(&id));
        chain.unwrap_or(&self.journal.no_chain)
    }
}
