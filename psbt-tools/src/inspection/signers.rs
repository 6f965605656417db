//! Who has signed and who is missing, and which of the wallet's paths this transaction can take.

use super::Subject;
use crate::checks::signatures::Signed;
use bitcoin::{Psbt, TxIn};
use policies::examine::key_name;
use policies::wallet::{Locks, SpendingPath, Wallet};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One way to spend the wallet's coins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathView {
    /// Whose signatures it needs, and what it waits for, in words.
    pub text: String,
    /// How old every coin must be, as a sequence number (BIP68).
    pub older: Option<u32>,
    /// From which height or time on it is open, as a locktime (BIP65).
    pub after: Option<u32>,
    /// Whether every input's sequence and the locktime open it.
    pub open: bool,
    /// Whether every input has the signatures that it needs, or is final.
    pub met: bool,
}

impl PathView {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "text": self.text,
            "older": self.older,
            "after": self.after,
            "open": self.open,
            "met": self.met,
        })
    }
}

/// The paths of a wallet of several keys.
pub(super) fn paths(subject: &Subject<'_>) -> Vec<PathView> {
    let Subject { psbt, ownership, signed, .. } = subject;
    let Some(wallet) = ownership.wallet.filter(|wallet| !wallet.kind().is_single()) else {
        return Vec::new();
    };
    // What inputs of one sequence and the same signers say is said once.
    let inputs: BTreeSet<_> = psbt
        .unsigned_tx
        .input
        .iter()
        .zip(signed.iter())
        .map(|(txin, signed)| (txin.sequence, signed.is_final, &signed.places))
        .collect();
    let of_path = |path: &SpendingPath| {
        let locks = |sequence| Locks { sequence, ..locks(psbt, &TxIn::default()) };
        PathView {
            text: path.text(&|place| key_name(wallet, place)),
            older: path.older().map(|older| older.to_consensus_u32()),
            after: path.after().map(|after| after.to_consensus_u32()),
            open: inputs.iter().all(|(sequence, ..)| path.is_open(&locks(*sequence))),
            met: inputs
                .iter()
                .all(|(sequence, is_final, places)| *is_final || path.is_met_by(places, &locks(*sequence))),
        }
    };
    wallet.paths().iter().map(of_path).collect()
}

/// What the script of an input sees of time.
pub(super) fn locks(psbt: &Psbt, txin: &TxIn) -> Locks {
    let transaction = &psbt.unsigned_tx;
    Locks { version: transaction.version, lock_time: transaction.lock_time, sequence: txin.sequence }
}

/// The names of the keys that have signed an input, and of those that are missing.
pub(super) fn of(wallet: &Wallet, locks: Locks, signed: &Signed) -> (Vec<String>, Vec<String>) {
    let names = |places: &BTreeSet<usize>| {
        let mut names: Vec<String> = Vec::new();
        for name in places.iter().map(|place| key_name(wallet, *place)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let met = signed.is_final || wallet.paths().iter().any(|path| path.is_met_by(&signed.places, &locks));
    let counting = || wallet.paths().iter().flat_map(|path| path.signers(&locks));
    let missing = if met {
        BTreeSet::new()
    } else {
        counting().filter(|place| !signed.places.contains(place)).collect()
    };
    (names(&signed.places), names(&missing))
}
