//! A registered wallet: a descriptor pair that derives every script the wallet owns.

mod branch;
mod derived;
mod key;
mod kind;
mod path;
mod strict;

pub use branch::{Branch, Keypath, MAX_INDEX};
pub use derived::{Derived, Leaf, Lock, Taproot};
pub use key::{KeyPlace, WalletKey};
pub use kind::{ScriptKind, WalletKind};
pub use path::{Locks, SpendingPath};
pub use strict::{holds_private_key, require_strict};

use crate::codec::Encoder;
use crate::helper;
use crate::id::{AuthorityId, WalletId};
use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpub};
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::{Address, Network, PublicKey, Script, ScriptBuf, Weight};
use miniscript::descriptor::DescriptorType;
use miniscript::{DefiniteDescriptorKey, Descriptor, DescriptorPublicKey, TranslatePk, Translator};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Longest descriptor that is read, in bytes.
pub const MAX_DESCRIPTOR_LEN: usize = 16_384;

/// Most places for keys in one descriptor.
pub const MAX_PLACES: usize = 100;

/// Most keys in the derived outputs that a wallet keeps, so that a spend's scripts are derived once: those of a block full
/// of coins of five keys. Beyond it they are derived anew.
const MAX_KEPT_KEYS: usize = 50_000;

/// Why descriptors are no wallet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The text is no descriptor, or its checksum is wrong (BIP380).
    #[error("no descriptor: {0}")]
    Descriptor(String),
    /// The text holds a private key. It is not repeated.
    #[error("the descriptor holds a private key: expected public keys only")]
    PrivateKey,
    /// The text is too long.
    #[error("a descriptor of {0} bytes: at most {MAX_DESCRIPTOR_LEN} are read")]
    Length(usize),
    /// Too many keys.
    #[error("a descriptor with {0} keys: at most {MAX_PLACES} are read")]
    Places(usize),
    /// A descriptor pair, or one multipath descriptor, was expected.
    #[error("expected one descriptor with <0;1> or a pair for /0/* and /1/*, found {0} descriptors")]
    Count(usize),
    /// The kind of script is not supported.
    #[error(
        "descriptor type {0} is not supported: expected pkh, wpkh, sh(wpkh), tr, wsh, sh(wsh) or sh(multi)"
    )]
    Unsupported(String),
    /// The key of a branch does not end in `/0/*` or `/1/*`.
    #[error("the {expected} descriptor must end in /{expected_path}: {found}")]
    Path {
        /// `external` or `internal`.
        expected: &'static str,
        /// `0/*` or `1/*`.
        expected_path: &'static str,
        /// The key expression found.
        found: String,
    },
    /// The two descriptors are not of the same keys.
    #[error("the external and the internal descriptor are not of the same key")]
    NotAPair,
    /// A key stands twice where each must be another one (check C09).
    #[error("a key stands twice in the descriptor: {0}")]
    RepeatedKey(String),
    /// Nothing can ever be spent from it.
    #[error("no way of spending is left: each needs a key that nobody has, or locks that exclude each other")]
    NoPath,
    /// The extended key is for another network.
    #[error("the extended key is for {found}, the wallet for {expected}")]
    Network {
        /// What was asked for.
        expected: Network,
        /// `mainnet` or `test networks`.
        found: &'static str,
    },
}

/// A registered descriptor pair on one network. A value that exists derives a script at every index.
#[derive(Clone)]
pub struct Wallet {
    network: Network,
    kind: WalletKind,
    external: Descriptor<DescriptorPublicKey>,
    internal: Descriptor<DescriptorPublicKey>,
    /// The same with each key derived as far as its branch: one step is left for each address.
    branches: [Descriptor<DescriptorPublicKey>; 2],
    places: Vec<KeyPlace>,
    keys: Vec<WalletKey>,
    paths: Vec<SpendingPath>,
    satisfaction: Weight,
    id: WalletId,
    kept: Arc<Mutex<BTreeMap<Keypath, Arc<Derived>>>>,
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wallet").field("network", &self.network).field("external", &self.external).finish()
    }
}

impl PartialEq for Wallet {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Wallet {}

impl Wallet {
    /// A wallet from one multipath descriptor (BIP389) or a pair; checksums are verified where given.
    ///
    /// # Errors
    /// [`WalletError`] says what is unusable about the descriptors.
    pub fn new<S: AsRef<str>>(network: Network, descriptors: &[S]) -> Result<Self, WalletError> {
        let parsed =
            descriptors.iter().map(|text| parse(text.as_ref().trim())).collect::<Result<Vec<_>, _>>()?;
        let mut single = Vec::new();
        for descriptor in parsed {
            single.extend(
                descriptor
                    .into_single_descriptors()
                    .map_err(|error| WalletError::Descriptor(error.to_string()))?,
            );
        }
        let count = single.len();
        let [external, internal]: [_; 2] = single.try_into().map_err(|_| WalletError::Count(count))?;
        Self::from_pair(network, external, internal)
    }

    fn from_pair(
        network: Network,
        external: Descriptor<DescriptorPublicKey>,
        internal: Descriptor<DescriptorPublicKey>,
    ) -> Result<Self, WalletError> {
        let kind = kind_of(&external)?;
        if kind_of(&internal)? != kind {
            return Err(WalletError::NotAPair);
        }
        let (places, keys) = key::places(network, &external, &internal, kind.is_single())?;
        require_same_shape(&external, &internal)?;
        external.sanity_check().map_err(|error| WalletError::Descriptor(error.to_string()))?;
        let paths = path::paths(&external)?;
        if paths.is_empty() {
            return Err(WalletError::NoPath);
        }
        let satisfaction =
            external.max_weight_to_satisfy().map_err(|error| WalletError::Descriptor(error.to_string()))?;
        let mut encoder = Encoder::default();
        encoder.network(network);
        encoder.string(external.to_string().as_bytes());
        encoder.string(internal.to_string().as_bytes());
        let id = WalletId::of(&encoder.finish());
        let branches = [at_branch(&external)?, at_branch(&internal)?];
        let kept = Arc::default();
        let wallet =
            Self { network, kind, external, internal, branches, places, keys, paths, satisfaction, id, kept };
        // Deriving once here proves that it never fails later: the index is the only thing that changes.
        for branch in Branch::ALL {
            wallet.derive(Keypath { branch, index: 0 })?;
        }
        wallet.require_distinct_keys()?;
        Ok(wallet)
    }

    /// Its identifier: the tagged hash of network and canonical descriptors with checksums.
    pub fn id(&self) -> WalletId {
        self.id
    }

    /// Its network, fixed at creation.
    pub fn network(&self) -> Network {
        self.network
    }

    /// What its addresses look like.
    pub fn kind(&self) -> WalletKind {
        self.kind
    }

    /// The canonical descriptor of a branch, with checksum (BIP380).
    pub fn descriptor(&self, branch: Branch) -> String {
        match branch {
            Branch::External => self.external.to_string(),
            Branch::Internal => self.internal.to_string(),
        }
    }

    /// Whether inputs are taproot, whose signatures commit to every amount and script (BIP341).
    pub fn is_taproot(&self) -> bool {
        self.kind.is_taproot()
    }

    /// The distinct keys, in the order in which the descriptor first names them.
    pub fn keys(&self) -> &[WalletKey] {
        &self.keys
    }

    /// Every place of the descriptor where a key stands, in its order; for taproot the internal key is the last.
    pub fn places(&self) -> &[KeyPlace] {
        &self.places
    }

    /// The key at a place, with what the descriptor says of it.
    pub fn key_at(&self, place: usize) -> Option<&WalletKey> {
        self.keys.get(self.places.get(place)?.key?)
    }

    /// Index of the key that derives the same children as this extended public key, whatever they say of their parents.
    pub fn key_of(&self, xpub: &Xpub) -> Option<usize> {
        let same = |key: &WalletKey| {
            (key.xpub.public_key, key.xpub.chain_code) == (xpub.public_key, xpub.chain_code)
        };
        self.keys.iter().position(same)
    }

    /// The ways in which its coins can be spent, in the descriptor's order; for taproot the key path first.
    pub fn paths(&self) -> &[SpendingPath] {
        &self.paths
    }

    /// The wallet's keys whose signatures count under these locks, by any path that is open; empty when none is.
    pub fn signers(&self, locks: &Locks) -> BTreeSet<usize> {
        let places = self.paths.iter().flat_map(|path| path.signers(locks));
        places.filter_map(|place| self.places.get(place)?.key).collect()
    }

    /// Whether a key's signature can ever count, by whatever path and under whatever locks.
    pub fn counts(&self, key: usize) -> bool {
        let mut places = self.paths.iter().flat_map(SpendingPath::counting);
        places.any(|place| self.places.get(place).is_some_and(|place| place.key == Some(key)))
    }

    /// Weight that satisfying one input adds to the transaction without witnesses: an upper bound.
    pub fn satisfaction_weight(&self) -> Weight {
        self.satisfaction
    }

    /// The descriptor at one index, for whoever finalises.
    pub fn definite(&self, keypath: Keypath) -> Option<Descriptor<DefiniteDescriptorKey>> {
        let descriptor = match keypath.branch {
            Branch::External => &self.external,
            Branch::Internal => &self.internal,
        };
        descriptor.at_derivation_index(keypath.index).ok()
    }

    /// Script, keys and inside at a keypath; `None` for an index above [`MAX_INDEX`].
    pub fn derived(&self, keypath: Keypath) -> Option<Arc<Derived>> {
        if let Some(derived) = self.kept().get(&keypath) {
            return Some(Arc::clone(derived));
        }
        let derived = Arc::new(self.derive(keypath).ok()?);
        let mut kept = self.kept();
        if kept.len() < self.most_kept() {
            kept.insert(keypath, Arc::clone(&derived));
        }
        Some(derived)
    }

    /// Derives what will be asked for soon, half of it by the [`helper`] where that runs. It changes no answer.
    pub fn prepare(&self, keypaths: impl IntoIterator<Item = Keypath>) {
        if !helper::is_running() {
            return;
        }
        let wanted: BTreeSet<Keypath> = keypaths.into_iter().collect();
        let wanted: Vec<Keypath> = {
            let kept = self.kept();
            let room = self.most_kept().saturating_sub(kept.len());
            wanted.into_iter().filter(|keypath| !kept.contains_key(keypath)).take(room).collect()
        };
        if wanted.len() >= helper::WORTH_SHARING {
            let wallet = self.clone();
            helper::map(wanted, move |keypath| drop(wallet.derived(*keypath)));
        }
    }

    /// How many derived outputs are kept.
    fn most_kept(&self) -> usize {
        MAX_KEPT_KEYS.checked_div(self.places.len()).unwrap_or(0)
    }

    /// The script at a keypath; `None` for an index above [`MAX_INDEX`].
    pub fn script(&self, keypath: Keypath) -> Option<ScriptBuf> {
        Some(self.derived(keypath)?.script.clone())
    }

    /// The public key at a keypath where one key alone makes the script: what a `wpkh` script hashes, or a taproot
    /// script's internal key.
    pub fn public_key(&self, keypath: Keypath) -> Option<PublicKey> {
        match self.derived(keypath)?.keys.as_slice() {
            [key] => Some(*key),
            _ => None,
        }
    }

    /// Fingerprint and whole path from the master key to the key at a place and keypath, as PSBTs name it (BIP174).
    pub fn source(&self, place: usize, keypath: Keypath) -> Option<(Fingerprint, DerivationPath)> {
        let (key, place) = (self.key_at(place)?, self.places.get(place)?);
        let index = ChildNumber::from_normal_idx(keypath.index).ok()?;
        let path = key.origin.extend(place.steps(keypath.branch)).child(index);
        Some((key.fingerprint, path))
    }

    /// Where a derivation that a PSBT names would be in this wallet: a hint, never a proof.
    pub fn keypath_of(&self, fingerprint: Fingerprint, path: &DerivationPath) -> Option<Keypath> {
        let steps: &[ChildNumber] = path.as_ref();
        let (last, before) = steps.split_last()?;
        let ChildNumber::Normal { index } = *last else { return None };
        self.places.iter().find_map(|place| {
            let key = self.keys.get(place.key?)?;
            let account: &[ChildNumber] = key.origin.as_ref();
            let rest = before.strip_prefix(account).filter(|_| key.fingerprint == fingerprint)?;
            let branch = Branch::ALL.into_iter().find(|branch| place.steps(*branch) == rest)?;
            Some(Keypath { branch, index })
        })
    }

    /// The address at a keypath.
    pub fn address(&self, keypath: Keypath) -> Option<Address> {
        Address::from_script(&self.derived(keypath)?.script, self.network).ok()
    }

    /// Whether this very script is the wallet's at this very keypath. Everything that says "ours" ends here.
    pub fn owns(&self, script: &Script, keypath: Keypath) -> bool {
        self.derived(keypath).is_some_and(|own| own.script.as_script() == script)
    }

    fn derive(&self, keypath: Keypath) -> Result<Derived, WalletError> {
        let [external, internal] = &self.branches;
        let descriptor = match keypath.branch {
            Branch::External => external,
            Branch::Internal => internal,
        };
        let definite = descriptor
            .at_derivation_index(keypath.index)
            .map_err(|error| WalletError::Descriptor(error.to_string()))?;
        Derived::of(&definite, &self.places)
    }

    /// No cosigner's key is another's in disguise: every place derives its own public key, and no path counts one key
    /// twice (check C09).
    fn require_distinct_keys(&self) -> Result<(), WalletError> {
        let mut seen = BTreeSet::new();
        for branch in Branch::ALL {
            let derived = self.derive(Keypath { branch, index: 0 })?;
            for (key, place) in derived.keys.iter().zip(&self.places) {
                if place.key.is_some() && !seen.insert(key.inner.x_only_public_key().0) {
                    return Err(WalletError::RepeatedKey(key.to_string()));
                }
            }
        }
        let counted_twice = self.paths.iter().find_map(|path| path.counted_twice(&self.places));
        match counted_twice.and_then(|key| self.keys.get(key)) {
            Some(key) => Err(WalletError::RepeatedKey(format!("{key} counts twice in one spending path"))),
            None => Ok(()),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<Keypath, Arc<Derived>>> {
        // Nothing panics while it holds the lock, and what is in it is true at any moment.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a vault signs when it exports a wallet (namespace `airlock-export`): one field a line. Whoever watches the
/// wallet, or permits payments from it, must know whether its key obeys an authority, and which.
pub fn export_text(
    network: Network,
    name: &str,
    (external, internal): (&str, &str),
    birthday: Option<u64>,
    authority: Option<AuthorityId>,
) -> String {
    let birthday = birthday.map_or_else(|| "-".to_owned(), |unix| unix.to_string());
    let authority = authority.map_or_else(|| "none".to_owned(), |id| id.to_string());
    format!("airlock/export/1\n{network}\n{name}\n{external}\n{internal}\n{birthday}\n{authority}\n")
}

/// One context for verification and derivation; it holds no secret.
pub fn secp() -> &'static Secp256k1<VerifyOnly> {
    static CONTEXT: OnceLock<Secp256k1<VerifyOnly>> = OnceLock::new();
    CONTEXT.get_or_init(Secp256k1::verification_only)
}

fn parse(text: &str) -> Result<Descriptor<DescriptorPublicKey>, WalletError> {
    let body = require_strict(text)?;
    body.parse().map_err(|error: miniscript::Error| WalletError::Descriptor(error.to_string()))
}

fn kind_of(descriptor: &Descriptor<DescriptorPublicKey>) -> Result<WalletKind, WalletError> {
    let unsupported = |kind: DescriptorType| Err(WalletError::Unsupported(format!("{kind:?}")));
    match (descriptor.desc_type(), descriptor) {
        (DescriptorType::Pkh, _) => Ok(WalletKind::Pkh),
        (DescriptorType::ShWpkh, _) => Ok(WalletKind::ShWpkh),
        (DescriptorType::Wpkh, _) => Ok(WalletKind::Wpkh),
        (DescriptorType::Tr, Descriptor::Tr(tr)) if tr.tap_tree().is_none() => Ok(WalletKind::Tr),
        (DescriptorType::Tr, _) => Ok(WalletKind::TrTree),
        (DescriptorType::ShSortedMulti, _) => Ok(WalletKind::Sh),
        (DescriptorType::Sh, Descriptor::Sh(sh)) if is_multi(sh) => Ok(WalletKind::Sh),
        (DescriptorType::ShWsh | DescriptorType::ShWshSortedMulti, _) => Ok(WalletKind::ShWsh),
        (DescriptorType::Wsh | DescriptorType::WshSortedMulti, _) => Ok(WalletKind::Wsh),
        (kind @ (DescriptorType::Bare | DescriptorType::Sh), _) => unsupported(kind),
    }
}

/// Whether a pre-segwit script is plain `multi`: nodes relay nothing else there (Bitcoin Core, "IsStandard").
#[allow(clippy::wildcard_enum_match_arm, reason = "every other fragment is refused alike")]
fn is_multi(sh: &miniscript::descriptor::Sh<DescriptorPublicKey>) -> bool {
    match sh.as_inner() {
        miniscript::descriptor::ShInner::Ms(ms) => matches!(ms.node, miniscript::Terminal::Multi(_)),
        _ => false,
    }
}

/// The two descriptors differ in nothing but the last step of each key.
fn require_same_shape(
    external: &Descriptor<DescriptorPublicKey>,
    internal: &Descriptor<DescriptorPublicKey>,
) -> Result<(), WalletError> {
    struct WithoutBranch;
    impl Translator<DescriptorPublicKey, DescriptorPublicKey, std::convert::Infallible> for WithoutBranch {
        fn pk(&mut self, key: &DescriptorPublicKey) -> Result<DescriptorPublicKey, std::convert::Infallible> {
            let DescriptorPublicKey::XPub(key) = key else { return Ok(key.clone()) };
            let mut account = key.clone();
            let steps: &[ChildNumber] = key.derivation_path.as_ref();
            account.derivation_path = steps.split_last().map_or(&[][..], |(_, before)| before).into();
            Ok(DescriptorPublicKey::XPub(account))
        }
        miniscript::translate_hash_clone!(DescriptorPublicKey, DescriptorPublicKey, std::convert::Infallible);
    }
    let shape = |descriptor: &Descriptor<DescriptorPublicKey>| {
        descriptor.translate_pk(&mut WithoutBranch).map(|shape| shape.to_string()).ok()
    };
    if shape(external).is_none() || shape(external) != shape(internal) {
        return Err(WalletError::NotAPair);
    }
    Ok(())
}

/// Every key derived to its branch, so that one step is left.
fn at_branch(
    descriptor: &Descriptor<DescriptorPublicKey>,
) -> Result<Descriptor<DescriptorPublicKey>, WalletError> {
    struct ToBranch;
    impl Translator<DescriptorPublicKey, DescriptorPublicKey, bitcoin::bip32::Error> for ToBranch {
        fn pk(&mut self, key: &DescriptorPublicKey) -> Result<DescriptorPublicKey, bitcoin::bip32::Error> {
            let DescriptorPublicKey::XPub(key) = key else { return Ok(key.clone()) };
            let mut near = key.clone();
            near.xkey = key.xkey.derive_pub(secp(), &key.derivation_path)?;
            // The parser takes it for impossible that an index below it cannot be derived.
            near.xkey.depth.checked_add(1).ok_or(bitcoin::bip32::Error::MaximumDepthExceeded)?;
            near.origin = None;
            near.derivation_path = DerivationPath::master();
            Ok(DescriptorPublicKey::XPub(near))
        }
        miniscript::translate_hash_clone!(DescriptorPublicKey, DescriptorPublicKey, bitcoin::bip32::Error);
    }
    descriptor.translate_pk(&mut ToBranch).map_err(|error| WalletError::Descriptor(format!("{error:?}")))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Account keys of the words "abandon … about" (BIP84 and BIP86 test vectors, as test-network keys).
    pub const TPUB_84: &str = "[73c5da0a/84h/1h/0h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M";
    pub const XPUB_84: &str = "[73c5da0a/84h/0h/0h]xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V";
    pub const XPUB_86: &str = "[73c5da0a/86h/0h/0h]xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";

    pub fn regtest_wallet() -> Wallet {
        Wallet::new(Network::Regtest, &[format!("wpkh({TPUB_84}/<0;1>/*)")]).unwrap()
    }

    #[test]
    fn addresses_are_those_of_bip84() {
        let wallet = Wallet::new(Network::Bitcoin, &[format!("wpkh({XPUB_84}/<0;1>/*)")]).unwrap();
        let address = |branch, index| wallet.address(Keypath { branch, index }).unwrap().to_string();
        assert_eq!(address(Branch::External, 0), "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
        assert_eq!(address(Branch::External, 1), "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g");
        assert_eq!(address(Branch::Internal, 0), "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el");
    }

    #[test]
    fn addresses_are_those_of_bip86() {
        let wallet =
            Wallet::new(Network::Bitcoin, &[format!("tr({XPUB_86}/0/*)"), format!("tr({XPUB_86}/1/*)")])
                .unwrap();
        assert!(wallet.is_taproot());
        let address = |branch, index| wallet.address(Keypath { branch, index }).unwrap().to_string();
        assert_eq!(
            address(Branch::External, 0),
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
        );
        assert_eq!(
            address(Branch::Internal, 0),
            "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"
        );
    }

    #[test]
    fn a_multipath_descriptor_and_its_pair_are_one_wallet() {
        let pair =
            Wallet::new(Network::Regtest, &[format!("wpkh({TPUB_84}/0/*)"), format!("wpkh({TPUB_84}/1/*)")])
                .unwrap();
        assert_eq!(pair.id(), regtest_wallet().id());
        let again = Wallet::new(
            Network::Regtest,
            &[pair.descriptor(Branch::External), pair.descriptor(Branch::Internal)],
        )
        .unwrap();
        assert_eq!(again.id(), pair.id());
    }

    #[test]
    fn wallet_id_is_pinned_by_a_vector() {
        assert_eq!(
            regtest_wallet().id().to_string(),
            "240f6c96cd5d6f72ac40f77e286cea429695ef1309329d23bbc0383506caa086"
        );
    }

    #[test]
    fn the_network_is_part_of_the_identity() {
        let signet = Wallet::new(Network::Signet, &[format!("wpkh({TPUB_84}/<0;1>/*)")]).unwrap();
        assert_ne!(signet.id(), regtest_wallet().id());
    }

    #[test]
    fn descriptors_that_are_no_single_key_pair_are_refused() {
        let d = |s: &[String]| Wallet::new(Network::Regtest, s).unwrap_err();
        let other = TPUB_84.replace("84h/1h", "84h/1h/7h");
        assert!(matches!(d(&[format!("wpkh({TPUB_84}/0/*)")]), WalletError::Count(1)));
        assert!(matches!(
            d(&[format!("wpkh({TPUB_84}/1/*)"), format!("wpkh({TPUB_84}/0/*)")]),
            WalletError::Path { .. }
        ));
        assert!(matches!(
            d(&[format!("wpkh({TPUB_84}/0/*)"), format!("wpkh({other}/1/*)")]),
            WalletError::NotAPair
        ));
        assert!(matches!(
            d(&[format!("wpkh({TPUB_84}/0/*)"), format!("tr({TPUB_84}/1/*)")]),
            WalletError::NotAPair
        ));
        assert!(matches!(d(&[format!("pk({TPUB_84}/<0;1>/*)")]), WalletError::Unsupported(_)));
        assert!(matches!(
            d(&[format!("tr({TPUB_84}/<0;1>/*,pk({TPUB_84}/<0;1>/*))")]),
            WalletError::RepeatedKey(_)
        ));
        assert!(matches!(d(&[format!("wpkh({XPUB_84}/<0;1>/*)")]), WalletError::Network { .. }));
        assert!(matches!(d(&[format!("wpkh({TPUB_84}/<0;1>/*)#aaaaaaaa")]), WalletError::Descriptor(_)));
        assert!(matches!(d(&[format!("wpkh({TPUB_84}/<0;2>/*)")]), WalletError::Path { .. }));
        assert!(matches!(d(&[format!("wpkh({TPUB_84}/<0;1>)")]), WalletError::Path { .. }));
    }

    #[test]
    fn a_script_is_ours_only_at_its_own_keypath() {
        let wallet = regtest_wallet();
        let here = Keypath { branch: Branch::Internal, index: 5 };
        let script = wallet.script(here).unwrap();
        assert!(wallet.owns(&script, here));
        assert!(!wallet.owns(&script, Keypath { branch: Branch::External, index: 5 }));
        assert!(!wallet.owns(&script, Keypath { index: 6, ..here }));
        assert!(wallet.script(Keypath { index: MAX_INDEX + 1, ..here }).is_none());
    }

    /// Three cosigners' account keys (BIP48, script type 2), from the seeds of 32 bytes 1, 2 and 3.
    pub fn cosigners() -> [String; 3] {
        let secp = Secp256k1::new();
        [1u8, 2, 3].map(|seed| {
            let master = bitcoin::bip32::Xpriv::new_master(Network::Regtest, &[seed; 32]).unwrap();
            let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
            let account = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
            format!("[{}/48'/1'/0'/2']{account}", master.fingerprint(&secp))
        })
    }

    fn regtest(descriptor: &str) -> Result<Wallet, WalletError> {
        Wallet::new(Network::Regtest, &[descriptor])
    }

    const AT: Keypath = Keypath { branch: Branch::Internal, index: 7 };

    #[test]
    fn every_kind_of_script_derives_what_the_descriptor_says() {
        let [a, b, c] = cosigners().map(|key| format!("{key}/<0;1>/*"));
        let h = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
        let leaves = format!("{{pk({b}),and_v(v:pk({c}),older(10))}}");
        for (descriptor, kind, keys, paths) in [
            (format!("pkh({a})"), WalletKind::Pkh, 1, 1),
            (format!("sh(wpkh({a}))"), WalletKind::ShWpkh, 1, 1),
            (format!("wpkh({a})"), WalletKind::Wpkh, 1, 1),
            (format!("tr({a})"), WalletKind::Tr, 1, 1),
            (format!("sh(multi(2,{a},{b}))"), WalletKind::Sh, 2, 1),
            (format!("sh(sortedmulti(2,{a},{b},{c}))"), WalletKind::Sh, 3, 1),
            (format!("sh(wsh(sortedmulti(2,{a},{b},{c})))"), WalletKind::ShWsh, 3, 1),
            (format!("wsh(multi(2,{a},{b},{c}))"), WalletKind::Wsh, 3, 1),
            (format!("wsh(or_d(pk({a}),and_v(v:pkh({b}),older(10))))"), WalletKind::Wsh, 2, 2),
            (format!("tr({a},{leaves})"), WalletKind::TrTree, 3, 3),
            (format!("tr({h},multi_a(2,{a},{b},{c}))"), WalletKind::TrTree, 3, 1),
        ] {
            let wallet = regtest(&descriptor).unwrap();
            assert_eq!(
                (wallet.kind(), wallet.keys().len(), wallet.paths().len()),
                (kind, keys, paths),
                "{descriptor}"
            );
            let parsed: Descriptor<DescriptorPublicKey> = wallet.descriptor(AT.branch).parse().unwrap();
            let expected = parsed.at_derivation_index(AT.index).unwrap().derived_descriptor(secp()).unwrap();
            let derived = wallet.derived(AT).unwrap();
            assert_eq!(derived.script, expected.script_pubkey(), "{descriptor}");
            for (place, key) in derived.keys.iter().enumerate().filter(|(at, _)| wallet.key_at(*at).is_some())
            {
                let (fingerprint, path) = wallet.source(place, AT).unwrap();
                let origin = &wallet.key_at(place).unwrap();
                let steps: Vec<ChildNumber> = path.into_iter().copied().skip(4).collect();
                assert_eq!(origin.xpub.derive_pub(secp(), &steps).unwrap().public_key, key.inner);
                assert_eq!(wallet.keypath_of(fingerprint, &path), Some(AT));
            }
        }
    }

    #[test]
    fn a_taproot_leaf_names_its_own_places() {
        let [a, b, c] = cosigners().map(|key| format!("{key}/<0;1>/*"));
        let wallet = regtest(&format!("tr({a},{{pk({b}),and_v(v:pk({c}),older(10))}})")).unwrap();
        let derived = wallet.derived(AT).unwrap();
        let Lock::Taproot(taproot) = &derived.lock else { panic!() };
        assert_eq!(taproot.internal_key, derived.keys[2].inner.x_only_public_key().0);
        assert_eq!(wallet.key_at(2).unwrap().to_string(), cosigners()[0]);
        assert_eq!(taproot.leaves.iter().map(|leaf| leaf.places.clone()).collect::<Vec<_>>(), [0..1, 1..2]);
        for leaf in &taproot.leaves {
            let key = derived.keys[leaf.places.start].inner.x_only_public_key().0;
            assert!(leaf.script.as_bytes().windows(32).any(|window| window == key.serialize()));
            let output = bitcoin::XOnlyPublicKey::from_slice(&derived.script.as_bytes()[2..]).unwrap();
            assert!(leaf.control_block.verify_taproot_commitment(secp(), output, &leaf.script));
        }
    }

    #[test]
    fn paths_open_by_their_locks() {
        let [a, b, c] = cosigners().map(|key| format!("{key}/<0;1>/*"));
        let wallet = regtest(&format!("wsh(or_d(multi(2,{a},{b}),and_v(v:pkh({c}),older(10))))")).unwrap();
        let locks = |sequence| Locks {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            sequence: bitcoin::Sequence(sequence),
        };
        assert_eq!(wallet.paths()[0].threshold(), Some((2, 2)));
        assert_eq!(wallet.paths()[1].older(), Some(bitcoin::relative::LockTime::from_height(10)));
        assert_eq!(wallet.signers(&locks(9)), [0, 1].into());
        assert_eq!(wallet.signers(&locks(10)), [0, 1, 2].into());
        assert_eq!(wallet.signers(&locks(0xffff_fffd)), [0, 1].into());
        let first = Locks { version: bitcoin::transaction::Version::ONE, ..locks(10) };
        assert_eq!(wallet.signers(&first), [0, 1].into(), "BIP68 needs version 2");
        assert!(wallet.paths()[1].is_met_by(&[2].into(), &locks(10)));
        assert!(!wallet.paths()[0].is_met_by(&[0].into(), &locks(10)));
        let name = |place: usize| format!("key {place}");
        assert_eq!(wallet.paths()[1].text(&name), "key 2 and 10 blocks after each coin");
    }

    #[test]
    fn a_decaying_multisig_is_one_path_that_time_makes_easier() {
        let [a, b, c] = cosigners().map(|key| format!("{key}/<0;1>/*"));
        let wallet = regtest(&format!("wsh(andor(multi(2,{a},{b}),after(800000),pk({c})))")).unwrap();
        let at = |height: u32| Locks {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::from_consensus(height),
            sequence: bitcoin::Sequence::ENABLE_LOCKTIME_NO_RBF,
        };
        assert_eq!(wallet.signers(&at(799_999)), [2].into());
        assert_eq!(wallet.signers(&at(800_000)), [0, 1, 2].into());
        assert_eq!(wallet.signers(&at(1_600_000_000)), [2].into(), "a time is no height");
        assert_eq!(wallet.paths()[0].after().map(|lock| lock.to_consensus_u32()), Some(800_000));
    }

    #[test]
    fn recovery_keys_may_share_an_account_on_other_branches() {
        let [a, b, _] = cosigners();
        let liana =
            format!("wsh(or_i(and_v(v:pkh({a}/<2;3>/*),older(10)),or_d(pk({a}/<0;1>/*),pkh({b}/<0;1>/*))))");
        let wallet = regtest(&liana).unwrap();
        assert_eq!((wallet.keys().len(), wallet.places().len()), (2, 3));
        let (fingerprint, path) = wallet.source(0, AT).unwrap();
        assert!(path.to_string().ends_with("/3/7"));
        assert_eq!(wallet.keypath_of(fingerprint, &path), Some(AT));
    }

    #[test]
    fn cosigners_in_disguise_and_odd_pairs_are_refused() {
        let [a, b, _] = cosigners();
        let m = |x: &str, y: &str| regtest(&format!("wsh(sortedmulti(1,{x},{y}))")).unwrap_err();
        let (a0, b0) = (format!("{a}/<0;1>/*"), format!("{b}/<0;1>/*"));
        let other_origin = a.replace("/0'/2']", "/9'/2']");
        assert!(matches!(m(&a0, &a0), WalletError::RepeatedKey(_)));
        assert!(matches!(m(&a0, &format!("{other_origin}/<0;1>/*")), WalletError::RepeatedKey(_)));
        let child: Xpub = a.split(']').nth(1).unwrap().parse().unwrap();
        let child = child.derive_pub(secp(), &[ChildNumber::from_normal_idx(5).unwrap()]).unwrap();
        assert!(matches!(
            m(&format!("{a}/5/<0;1>/*"), &format!("[00000001/5]{child}/<0;1>/*")),
            WalletError::RepeatedKey(_)
        ));
        assert!(matches!(m(&a0, &format!("{b}/<1;0>/*")), WalletError::Path { .. }));

        let pair = |x: &str, y: &str| Wallet::new(Network::Regtest, &[x, y]).unwrap_err();
        assert!(matches!(
            pair(&format!("wsh(multi(1,{a}/0/*,{b}/0/*))"), &format!("wsh(multi(2,{a}/1/*,{b}/1/*))")),
            WalletError::NotAPair
        ));
        assert!(matches!(
            pair(&format!("wsh(multi(1,{a}/0/*,{b}/0/*))"), &format!("wsh(multi(1,{b}/1/*,{a}/1/*))")),
            WalletError::NotAPair
        ));
        for (text, why) in [
            (format!("sh(pk({a0}))"), "Sh"),
            (format!("wsh(multi(1,{a0},{b0}))#aaaaaaaa"), "checksum"),
            (
                format!(
                    "wsh(multi(1,{a0},02e493dbf1c10d80f3581e4904930b1404cc6c13900ee0758474fa94abe8c4cd13))"
                ),
                "end in",
            ),
        ] {
            let error = regtest(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let private = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";
        let error = regtest(&format!("wpkh({private}/<0;1>/*)")).unwrap_err();
        assert_eq!(error, WalletError::PrivateKey);
        assert!(matches!(regtest(&"a".repeat(MAX_DESCRIPTOR_LEN + 1)), Err(WalletError::Length(_))));
        assert!(matches!(regtest(&"*".repeat(MAX_PLACES + 1)), Err(WalletError::Places(_))));
    }

    #[test]
    fn no_spending_path_counts_one_key_twice() {
        let [a, b, c] = cosigners();
        let at = |key: &str, branch: u32| format!("{key}/<{branch};{}>/*", branch + 1);
        let (a0, a2, b0, b2, c0) = (at(&a, 0), at(&a, 2), at(&b, 0), at(&b, 2), at(&c, 0));
        let h = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
        for (descriptor, twice) in [
            (format!("wsh(sortedmulti(2,{a0},{a2},{b0}))"), &a),
            (format!("wsh(sortedmulti(2,{a0},{b0},{b2}))"), &b),
            (format!("sh(wsh(multi(2,{b0},{a0},{b2})))"), &b),
            (format!("sh(sortedmulti(3,{a0},{a2},{b0}))"), &a),
            (format!("tr({h},multi_a(2,{a0},{b0},{a2}))"), &a),
            (format!("tr({c0},{{pk({b0}),and_v(v:pk({a0}),pk({a2}))}})"), &a),
            (format!("wsh(and_v(v:pk({a0}),or_d(pk({a2}),pkh({b0}))))"), &a),
            (format!("wsh(or_d(pk({c0}),and_v(v:multi(2,{a0},{a2}),older(10))))"), &a),
            (format!("wsh(thresh(2,pk({a0}),s:pk({b0}),snj:and_v(v:pk({a2}),older(10))))"), &a),
        ] {
            let error = regtest(&descriptor).unwrap_err();
            assert_eq!(
                error,
                WalletError::RepeatedKey(format!("{twice} counts twice in one spending path")),
                "{descriptor}"
            );
        }
        // Alternatives may share a key: the owner's recovery, and a leaf below its internal key.
        for descriptor in [
            format!(
                "wsh(or_d(multi(2,{a0},{b0}),and_v(v:thresh(2,pkh({a2}),a:pkh({b2}),a:pkh({c0})),older(10))))"
            ),
            format!("wsh(or_i(and_v(v:pkh({a2}),older(10)),or_d(pk({a0}),pkh({b0}))))"),
            format!("tr({a0},{{multi_a(2,{a2},{b0}),and_v(v:pk({b2}),pk({c0}))}})"),
            format!("wsh(multi(1,{a0},{a2},{b0}))"),
        ] {
            regtest(&descriptor).unwrap_or_else(|error| panic!("{descriptor}: {error}"));
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_true() {
        let wallet = regtest_wallet();
        let first = wallet.script(AT).unwrap();
        for _ in 0..2 {
            assert_eq!(wallet.clone().script(AT).unwrap(), first);
        }
        assert_eq!(wallet.kept().len(), 1);
    }
}
