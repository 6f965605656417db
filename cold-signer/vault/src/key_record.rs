//! What a KEY record holds: the BIP39 seed, and in which wallet, network and authority it may be used.

use bitcoin::{Network, NetworkKind};
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::id::AuthorityId;
use policies::policy::{MAX_NAME_LEN, Window};
use policies::wallet::{ScriptKind, Wallet};

use crate::Error;
use crate::derive::Account;
use crate::secret::Secret;

/// Length of a BIP39 seed in bytes; the sealed part of a KEY record begins with it.
pub const SEED_LEN: usize = 64;

/// Everything about a key but its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTerms {
    /// Its name: the wallet's name in the policy.
    pub wallet: String,
    /// Its network, for ever.
    pub network: Network,
    /// What its account is for.
    pub kind: ScriptKind,
    /// Account level of its path (BIP44).
    pub account: u32,
    /// Unix time of creation, in seconds.
    pub created: u64,
    /// Whether it was restored from words.
    pub restored: bool,
    /// Whether its words were shown and asked back, or typed in.
    pub backed_up: bool,
    /// Authority that it obeys, for ever; `None` for a standalone key.
    pub authority: Option<AuthorityId>,
    /// Own limit of a standalone key.
    pub limit: Option<Window>,
}

impl Canonical for KeyTerms {
    const TAG: &'static str = "airlock/key/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(self.wallet.as_bytes());
        to.network(self.network);
        self.kind.encode(to);
        to.u32(self.account);
        to.u64(self.created);
        to.u8(u8::from(self.restored));
        to.u8(u8::from(self.backed_up));
        to.option(self.authority.as_ref(), |to, id| to.fixed(id.as_bytes()));
        to.option(self.limit.as_ref(), |to, limit| limit.encode(to));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            wallet: from.text("wallet", MAX_NAME_LEN)?,
            network: from.network("network")?,
            kind: ScriptKind::decode(from)?,
            account: from.u32("account")?,
            created: from.u64("created")?,
            restored: from.boolean("restored")?,
            backed_up: from.boolean("backed up")?,
            authority: from
                .option("authority", |from| from.fixed("authority").map(AuthorityId::from_bytes))?,
            limit: from.option("limit", Window::decode)?,
        })
    }
}

impl KeyTerms {
    /// The account's private key, from a seed.
    ///
    /// # Errors
    /// [`Error::Derivation`], [`Error::System`].
    pub fn account(&self, seed: &Secret) -> Result<Account, Error> {
        Account::derive(seed, NetworkKind::from(self.network), self.kind, self.account)
    }

    /// The wallet of an account of this key; `None` where one key makes none.
    ///
    /// # Errors
    /// [`Error::Derivation`]; cannot happen for descriptors of this vault's making.
    pub fn wallet(&self, account: &Account) -> Result<Option<Wallet>, Error> {
        let descriptor = self.kind.descriptor(&format!("{}/<0;1>/*", account.key()));
        descriptor
            .map(|text| Wallet::new(self.network, &[text]))
            .transpose()
            .map_err(|error| Error::Derivation(error.to_string()))
    }
}

/// The sealed part of a KEY record: seed, then terms.
///
/// # Errors
/// [`Error::System`] when memory cannot be locked.
pub fn seal_content(seed: &Secret, terms: &KeyTerms) -> Result<Secret, Error> {
    let terms = terms.to_bytes();
    let mut content = Secret::zeroed(SEED_LEN.saturating_add(terms.len()))?;
    let places = content.expose_mut().iter_mut();
    for (place, byte) in places.zip(seed.expose().iter().chain(&terms)) {
        *place = *byte;
    }
    Ok(content)
}

/// Seed and terms of the sealed part of a KEY record.
///
/// # Errors
/// [`CodecError`] when it is not what [`seal_content`] made, as [`Error::Record`].
pub fn open_content(content: &Secret) -> Result<(Secret, KeyTerms), Error> {
    let (seed, terms) = content
        .expose()
        .split_at_checked(SEED_LEN)
        .ok_or(Error::Record(CodecError::Truncated { what: "seed", needed: SEED_LEN }))?;
    let terms = KeyTerms::from_bytes(terms).map_err(Error::Record)?;
    let mut copy = Secret::zeroed(SEED_LEN)?;
    copy.expose_mut().copy_from_slice(seed);
    Ok((copy, terms))
}
