//! One spend and what became of it.

use bitcoin::Txid;
use policies::id::SpendId;

use super::movement::Movement;
use crate::stage::Stage;

/// What became of one spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Asked for here, permitted and signed by those who were pinned.
    Authorised,
    /// The same, and a relay took it; the source has not shown it since.
    Broadcast,
    /// Asked for, permitted and signed; another attempt of the same payment is confirmed in its place.
    Replaced,
    /// The vault says that it signed what was asked for and permitted, or it came back signed; nobody sent it.
    SignedNotBroadcast,
    /// Asked for here; a permit or a receipt was not brought yet, or a permit cannot be verified here.
    Incomplete,
    /// Money left a wallet that obeys no authority, while one is pinned: nobody had to permit it.
    ///
    /// A company that pins an authority means that nothing leaves without its permit. A wallet beside it whose key obeys
    /// nobody is where that can be got around: deposits are led to it, and one person pays them out. So it is a refusal
    /// until somebody names the wallet, each time, as one that is meant to be like this.
    Ungoverned,
    /// Nobody here asked for it, or it has neither permit nor receipt, or the vault's own list does not name it, or the
    /// vault signed it without the permit.
    Unauthorised,
}

impl Verdict {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Authorised => "authorised",
            Verdict::Broadcast => "broadcast",
            Verdict::Replaced => "replaced",
            Verdict::SignedNotBroadcast => "signed-not-broadcast",
            Verdict::Incomplete => "incomplete",
            Verdict::Ungoverned => "ungoverned",
            Verdict::Unauthorised => "unauthorised",
        }
    }
}

/// What is known of a document that a spend may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The wallet obeys no authority, or no vault of it is known.
    NotNeeded,
    /// Verified, for exactly this spend.
    Verified,
    /// Not there.
    Missing,
    /// The wallet obeys an authority that is not pinned here.
    Unverifiable,
    /// A receipt by the vault that names another permit than a verified one, or none.
    Mismatched,
}

impl Proof {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Proof::NotNeeded => "not-needed",
            Proof::Verified => "verified",
            Proof::Missing => "missing",
            Proof::Unverifiable => "unverifiable",
            Proof::Mismatched => "mismatched",
        }
    }
}

/// One spend and what is known of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The transaction; of one that only a receipt names, as it is unsigned.
    pub txid: Txid,
    /// Its txid without signatures.
    pub unsigned_txid: Txid,
    /// Height of its block.
    pub height: Option<u32>,
    /// Names of the wallets whose coins it spends.
    pub wallets: Vec<String>,
    /// The payment that asked for it: `P-0042`.
    pub payment: Option<String>,
    /// Which attempt of it; 1 is the first.
    pub attempt: Option<u32>,
    /// Where that attempt stands.
    pub stage: Option<Stage>,
    /// The payment's spend.
    pub spend: Option<SpendId>,
    /// What it moved, as far as known: nothing when only a receipt names it.
    pub movement: Movement,
    /// The gatekeeper's permit.
    pub permit: Proof,
    /// The vault's receipt.
    pub receipt: Proof,
    /// What follows.
    pub verdict: Verdict,
}

impl Finding {
    /// Why it is not authorised, and what to do, for a spend that is neither authorised nor merely incomplete.
    pub fn alarm(&self) -> Option<(&'static str, &'static str)> {
        const STOLEN: &str = "treat the keys as stolen: stop signing, move what is left to a wallet of other keys, then \
                              find out who holds a copy of the seed";
        const ASKED: &str =
            "it went past the gatekeeper: stop signing, and find out who had the vault sign it";
        match (self.verdict, self.payment.is_some()) {
            (Verdict::Unauthorised, false) => Some(("nobody here asked for it", STOLEN)),
            (Verdict::Unauthorised, true) => Some(match (self.permit, self.receipt) {
                (_, Proof::Mismatched) => ("the vault signed it without the permit", ASKED),
                (Proof::Missing, Proof::Missing) => ("it has neither permit nor receipt", STOLEN),
                (_, Proof::Missing) => ("the vault's own list of receipts does not name it", STOLEN),
                _ => ("nobody permitted it", ASKED),
            }),
            (Verdict::Ungoverned, _) => Some((
                "its wallet obeys no authority, so nobody had to permit it",
                "name the wallet with --accept-ungoverned when that is meant; else move its coins to a wallet that obeys \
                 the authority",
            )),
            _ => None,
        }
    }
}
