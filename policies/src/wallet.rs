//! A registered wallet: a descriptor pair that derives every script the wallet owns.

use crate::codec::{CodecError, Decoder, Encoder};
use crate::id::{AuthorityId, WalletId};
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::{Address, Network, NetworkKind, PublicKey, Script, ScriptBuf, Weight};
use miniscript::descriptor::{DescriptorType, Wildcard};
use miniscript::{DefiniteDescriptorKey, Descriptor, DescriptorPublicKey, ForEachKey};
use std::fmt;
use std::sync::OnceLock;

/// Highest unhardened child index, 2³¹ − 1 (BIP32).
pub const MAX_INDEX: u32 = 0x7fff_ffff;

/// Which of a wallet's two chains of addresses: BIP44's "change" level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Branch {
    /// `/0/*`: addresses given to payers.
    External,
    /// `/1/*`: change.
    Internal,
}

impl Branch {
    /// 0 or 1, as in the derivation path.
    pub const fn number(self) -> u32 {
        match self {
            Branch::External => 0,
            Branch::Internal => 1,
        }
    }

    /// The branch of this number.
    pub const fn from_number(number: u32) -> Option<Branch> {
        match number {
            0 => Some(Branch::External),
            1 => Some(Branch::Internal),
            _ => None,
        }
    }
}

/// Where in the wallet a script is: branch and unhardened index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keypath {
    /// The chain of addresses.
    pub branch: Branch,
    /// The index on it, 0 to [`MAX_INDEX`].
    pub index: u32,
}

impl fmt::Display for Keypath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.branch.number(), self.index)
    }
}

impl Keypath {
    /// Appends branch and index.
    pub fn encode(&self, to: &mut Encoder) {
        to.u8(match self.branch {
            Branch::External => 0,
            Branch::Internal => 1,
        });
        to.u32(self.index);
    }

    /// Reads branch and index.
    ///
    /// # Errors
    /// [`CodecError`] for another branch or a hardened index.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let number = u32::from(from.u8("branch")?);
        let branch = Branch::from_number(number)
            .ok_or_else(|| CodecError::invalid("branch", format!("{number} is not 0 or 1")))?;
        let index = from.u32("index")?;
        if index > MAX_INDEX {
            return Err(CodecError::invalid("index", format!("{index} is hardened")));
        }
        Ok(Self { branch, index })
    }
}

/// What kind of script a wallet's addresses have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptKind {
    /// `wpkh(KEY)`: native segwit v0, one key (BIP84, BIP382).
    Wpkh,
    /// `tr(KEY)`: taproot, key path only (BIP86, BIP386).
    Tr,
}

impl ScriptKind {
    /// Its word on the command line and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            ScriptKind::Wpkh => "wpkh",
            ScriptKind::Tr => "tr",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [ScriptKind::Wpkh, ScriptKind::Tr].into_iter().find(|kind| kind.as_str() == word)
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

    /// Purpose level of the account's path (BIP43): 84 (BIP84) or 86 (BIP86).
    pub const fn purpose(self) -> u32 {
        match self {
            ScriptKind::Wpkh => 84,
            ScriptKind::Tr => 86,
        }
    }
}

/// Why descriptors are no wallet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The text is no descriptor, or its checksum is wrong (BIP380).
    #[error("no descriptor: {0}")]
    Descriptor(String),
    /// A descriptor pair, or one multipath descriptor, was expected.
    #[error("expected one descriptor with <0;1> or a pair for /0/* and /1/*, found {0} descriptors")]
    Count(usize),
    /// The kind of script is not supported.
    #[error("descriptor type {0} is not supported: expected wpkh(KEY) or tr(KEY)")]
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
    /// The two descriptors are not of the same key.
    #[error("the external and the internal descriptor are not of the same key")]
    NotAPair,
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
#[derive(Debug, Clone)]
pub struct Wallet {
    network: Network,
    kind: ScriptKind,
    external: Descriptor<DescriptorPublicKey>,
    internal: Descriptor<DescriptorPublicKey>,
    satisfaction: Weight,
    id: WalletId,
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
        let parsed = descriptors
            .iter()
            .map(|text| text.as_ref().trim().parse::<Descriptor<DescriptorPublicKey>>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| WalletError::Descriptor(error.to_string()))?;
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

    #[allow(clippy::wildcard_enum_match_arm, reason = "every other kind of script is refused alike")]
    fn from_pair(
        network: Network,
        external: Descriptor<DescriptorPublicKey>,
        internal: Descriptor<DescriptorPublicKey>,
    ) -> Result<Self, WalletError> {
        let kind = match external.desc_type() {
            DescriptorType::Wpkh => ScriptKind::Wpkh,
            DescriptorType::Tr if !has_leaves(&external) => ScriptKind::Tr,
            other => return Err(WalletError::Unsupported(format!("{other:?}"))),
        };
        if internal.desc_type() != external.desc_type() || has_leaves(&internal) {
            return Err(WalletError::NotAPair);
        }
        let outside = branch_key(&external, Branch::External, network)?;
        let inside = branch_key(&internal, Branch::Internal, network)?;
        if outside != inside {
            return Err(WalletError::NotAPair);
        }
        let definite = definite(&external, 0)?;
        let satisfaction =
            definite.max_weight_to_satisfy().map_err(|error| WalletError::Descriptor(error.to_string()))?;
        // Deriving once here proves that it never fails later: the index is the only thing that changes.
        definite.derived_descriptor(secp()).map_err(|error| WalletError::Descriptor(error.to_string()))?;
        let mut encoder = Encoder::default();
        encoder.network(network);
        encoder.string(external.to_string().as_bytes());
        encoder.string(internal.to_string().as_bytes());
        let id = WalletId::of(&encoder.finish());
        Ok(Self { network, kind, external, internal, satisfaction, id })
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
    pub fn kind(&self) -> ScriptKind {
        self.kind
    }

    /// The canonical descriptor of a branch, with checksum (BIP380).
    pub fn descriptor(&self, branch: Branch) -> String {
        self.on(branch).to_string()
    }

    /// Whether inputs are taproot, whose signatures commit to every amount and script (BIP341).
    pub fn is_taproot(&self) -> bool {
        self.kind == ScriptKind::Tr
    }

    /// Weight that satisfying one input adds to the transaction without witnesses: an upper bound.
    pub fn satisfaction_weight(&self) -> Weight {
        self.satisfaction
    }

    /// The descriptor at one index.
    pub fn definite(&self, keypath: Keypath) -> Option<Descriptor<DefiniteDescriptorKey>> {
        definite(self.on(keypath.branch), keypath.index).ok()
    }

    /// The script at a keypath; `None` for an index above [`MAX_INDEX`].
    pub fn script(&self, keypath: Keypath) -> Option<ScriptBuf> {
        let derived = self.definite(keypath)?.derived_descriptor(secp()).ok()?;
        Some(derived.script_pubkey())
    }

    /// The public key at a keypath: what a `wpkh` script hashes, or a taproot script's internal key.
    pub fn public_key(&self, keypath: Keypath) -> Option<PublicKey> {
        let mut found = None;
        let derived = self.definite(keypath)?.derived_descriptor(secp()).ok()?;
        derived.for_each_key(|key| {
            found = Some(*key);
            true
        });
        found
    }

    /// The address at a keypath.
    pub fn address(&self, keypath: Keypath) -> Option<Address> {
        Address::from_script(&self.script(keypath)?, self.network).ok()
    }

    /// Whether this very script is the wallet's at this very keypath. Everything that says "ours" ends here.
    pub fn owns(&self, script: &Script, keypath: Keypath) -> bool {
        self.script(keypath).is_some_and(|own| own.as_script() == script)
    }

    fn on(&self, branch: Branch) -> &Descriptor<DescriptorPublicKey> {
        match branch {
            Branch::External => &self.external,
            Branch::Internal => &self.internal,
        }
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

fn has_leaves(descriptor: &Descriptor<DescriptorPublicKey>) -> bool {
    match descriptor {
        Descriptor::Tr(tr) => tr.tap_tree().is_some(),
        Descriptor::Bare(_)
        | Descriptor::Pkh(_)
        | Descriptor::Wpkh(_)
        | Descriptor::Sh(_)
        | Descriptor::Wsh(_) => false,
    }
}

fn definite(
    descriptor: &Descriptor<DescriptorPublicKey>,
    index: u32,
) -> Result<Descriptor<DefiniteDescriptorKey>, WalletError> {
    descriptor.at_derivation_index(index).map_err(|error| WalletError::Descriptor(error.to_string()))
}

/// The one key of a descriptor, with the branch taken off its path; equal for both of a pair.
fn branch_key(
    descriptor: &Descriptor<DescriptorPublicKey>,
    branch: Branch,
    network: Network,
) -> Result<String, WalletError> {
    let (expected, expected_path) = match branch {
        Branch::External => ("external", "0/*"),
        Branch::Internal => ("internal", "1/*"),
    };
    let mut keys = Vec::new();
    descriptor.for_each_key(|key| {
        keys.push(key.clone());
        true
    });
    let [DescriptorPublicKey::XPub(xpub)] = keys.as_slice() else {
        return Err(WalletError::Path { expected, expected_path, found: "no extended key".to_owned() });
    };
    if xpub.xkey.network != NetworkKind::from(network) {
        let found = if xpub.xkey.network.is_mainnet() { "mainnet" } else { "test networks" };
        return Err(WalletError::Network { expected: network, found });
    }
    let path = xpub.derivation_path.as_ref();
    let is_branch = path.last().is_some_and(|step| *step == branch.number().into());
    if xpub.wildcard != Wildcard::Unhardened || !is_branch {
        return Err(WalletError::Path {
            expected,
            expected_path,
            found: keys.iter().map(ToString::to_string).collect(),
        });
    }
    let before = path.split_last().map_or(&[][..], |(_, before)| before);
    Ok(format!("{:?} {} {before:?}", xpub.origin, xpub.xkey))
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
        assert!(matches!(d(&[format!("pkh({TPUB_84}/<0;1>/*)")]), WalletError::Unsupported(_)));
        assert!(matches!(
            d(&[format!("tr({TPUB_84}/<0;1>/*,pk({TPUB_84}/<0;1>/*))")]),
            WalletError::Unsupported(_)
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
}
