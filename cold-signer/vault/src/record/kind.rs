//! The types of records.

/// What a record says. The numbers are fixed for ever; they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// First record: store format, audit public key in clear, audit secret key sealed.
    Genesis,
    /// A passphrase: KDF parameters, commitment, wrapped data key.
    Keyslot,
    /// Names the sequence number of a keyslot that no longer opens.
    KeyslotRetire,
    /// A key: chain in clear, seed sealed.
    Key,
    /// A registered descriptor pair.
    Wallet,
    /// A pinned authority.
    Authority,
    /// A pinned policy.
    PolicyPin,
    /// A revocation list.
    Revocations,
    /// A permit that was accepted.
    Permit,
    /// The vault will sign this spend.
    Intent,
    /// The signatures of an intent left.
    Done,
    /// A clock reading that raises the floor.
    Clock,
    /// Totals, so that replay may start here.
    Checkpoint,
    /// Closes a torn tail.
    Tear,
    /// This copy was restored from a backup.
    Restore,
    /// The store is closed for ever (rekeyed elsewhere).
    Seal,
    /// The vault will sign this message.
    Message,
    /// A type of a later version that says of itself that it may be skipped.
    Unknown(u16),
}

impl Kind {
    /// Every known kind, in order of its number.
    pub const KNOWN: [Self; 17] = [
        Self::Genesis,
        Self::Keyslot,
        Self::KeyslotRetire,
        Self::Key,
        Self::Wallet,
        Self::Authority,
        Self::PolicyPin,
        Self::Revocations,
        Self::Permit,
        Self::Intent,
        Self::Done,
        Self::Clock,
        Self::Checkpoint,
        Self::Tear,
        Self::Restore,
        Self::Seal,
        Self::Message,
    ];

    /// The number in the file.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Genesis => 1,
            Self::Keyslot => 2,
            Self::KeyslotRetire => 3,
            Self::Key => 4,
            Self::Wallet => 5,
            Self::Authority => 6,
            Self::PolicyPin => 7,
            Self::Revocations => 8,
            Self::Permit => 9,
            Self::Intent => 10,
            Self::Done => 11,
            Self::Clock => 12,
            Self::Checkpoint => 13,
            Self::Tear => 14,
            Self::Restore => 15,
            Self::Seal => 16,
            Self::Message => 17,
            Self::Unknown(number) => number,
        }
    }

    /// The word shown by `log`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Keyslot => "keyslot",
            Self::KeyslotRetire => "keyslot-retire",
            Self::Key => "key",
            Self::Wallet => "wallet",
            Self::Authority => "authority",
            Self::PolicyPin => "policy-pin",
            Self::Revocations => "revocations",
            Self::Permit => "permit",
            Self::Intent => "intent",
            Self::Done => "done",
            Self::Clock => "clock",
            Self::Checkpoint => "checkpoint",
            Self::Tear => "tear",
            Self::Restore => "restore",
            Self::Seal => "seal",
            Self::Message => "message",
            Self::Unknown(_) => "unknown",
        }
    }

    pub(super) fn from_number(number: u16) -> Self {
        Self::KNOWN.into_iter().find(|kind| kind.number() == number).unwrap_or(Self::Unknown(number))
    }
}
