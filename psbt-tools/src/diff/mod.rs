//! What changed between two PSBTs, in words. Whether a change is right is the business of [`crate::import`].

mod change;
mod pairing;
mod transaction;

pub use change::{Change, Shown};

use crate::Error;
use crate::checks::coins;
use crate::envelope::{Envelope, Kind};
use crate::field::{self, Sort};
use crate::maps::{Fields, Maps, Place};
use crate::strict::fields::GLOBAL_UNSIGNED_TX;
use bitcoin::{Amount, Network, Psbt};
use policies::check::Check;
use serde_json::{Value, json};
use transaction::{Comparison, compare, here};

/// All that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whether both have the same unsigned transaction.
    pub same_transaction: bool,
    /// The transaction's changes first, then each map's.
    pub changes: Vec<Change>,
}

/// Compares two PSBTs. Inputs are told apart by the coins they spend. Addresses are shown for the network, or scripts
/// without one.
///
/// # Errors
/// Check C21 for one of our documents that was damaged, C27 for more than is read.
pub fn diff(before: &Psbt, after: &Psbt, network: Option<Network>) -> Result<Difference, Error> {
    Envelope::read(before)?;
    Envelope::read(after)?;
    let Comparison { inputs, outputs, mut changes } =
        compare(&before.unsigned_tx, &after.unsigned_tx, network);
    let (old, new) = (Maps::of(before)?, Maps::of(after)?);
    let (worth, is_worth) = (amounts(before), amounts(after));
    fields(&mut changes, "global map", Place::Global, (&old.global, &new.global), network);
    for (from, to) in inputs.pairs() {
        let place = here(Place::Input(from), to);
        let (was, is) = (worth.get(from).copied().flatten(), is_worth.get(to).copied().flatten());
        if was != is {
            changes.push(Change {
                place: place.clone(),
                what: "amount".to_owned(),
                before: was.map(Shown::Amount),
                after: is.map(Shown::Amount),
                grown: false,
            });
        }
        if let (Some(old), Some(new)) = (old.inputs.get(from), new.inputs.get(to)) {
            fields(&mut changes, &place, Place::Input(from), (old, new), network);
        }
    }
    for (from, to) in outputs.pairs() {
        if let (Some(old), Some(new)) = (old.outputs.get(from), new.outputs.get(to)) {
            fields(&mut changes, &here(Place::Output(from), to), Place::Output(from), (old, new), network);
        }
    }
    Ok(Difference { same_transaction: before.unsigned_tx == after.unsigned_tx, changes })
}

/// The first difference of two unsigned transactions, in words; `None` when they are equal.
pub(crate) fn first_difference(before: &Psbt, after: &Psbt) -> Option<Change> {
    compare(&before.unsigned_tx, &after.unsigned_tx, None).changes.into_iter().next()
}

impl Difference {
    /// Whether nothing changed, or only signatures and documents were added.
    ///
    /// # Errors
    /// Check C33 when the transaction is another one; [`Error::Changed`] for every other change.
    pub fn require_growth(&self) -> Result<(), Error> {
        let Some(first) = self.changes.iter().find(|change| !change.grown) else { return Ok(()) };
        if self.same_transaction {
            return Err(Error::Changed(first.to_string()));
        }
        Err(Error::Refused {
            check: Check::AS_REQUESTED,
            message: format!("the transaction itself differs: {first}"),
            hint: Some("a signature or permit for one of them is none for the other".to_owned()),
        })
    }

    /// `{"same_transaction", "changes": [{"where", "what", "before", "after"}]}`.
    pub fn to_json(&self) -> Value {
        let changes: Vec<_> = self.changes.iter().map(Change::to_json).collect();
        json!({ "same_transaction": self.same_transaction, "changes": changes })
    }
}

/// What differs between two maps, but for the unsigned transaction.
fn fields(
    changes: &mut Vec<Change>,
    named: &str,
    place: Place,
    (before, after): (&Fields, &Fields),
    network: Option<Network>,
) {
    let map = place.map();
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    for key in gone.chain(after.keys()) {
        let (was, is) = (before.get(key), after.get(key));
        if was == is || (place == Place::Global && *key == [GLOBAL_UNSIGNED_TX]) {
            continue;
        }
        let shown = |value: Option<&Vec<u8>>| value.map(|value| field::value(map, key, value, network));
        let (mut was_shown, mut is_shown) = (shown(was), shown(is));
        if was_shown == is_shown {
            (was_shown, is_shown) =
                (was.map(|value| field::digest(value)), is.map(|value| field::digest(value)));
        }
        changes.push(Change {
            place: named.to_owned(),
            what: field::name(map, key),
            before: was_shown.map(Shown::Text),
            after: is_shown.map(Shown::Text),
            grown: match field::sort(map, key) {
                Sort::Other => false,
                // Each writer puts its own in the place of the one before.
                Sort::Document(Kind::Manifest) => true,
                Sort::Signature | Sort::Document(_) => was.is_none(),
            },
        });
    }
}

/// What each input is worth, as far as the file tells.
fn amounts(psbt: &Psbt) -> Vec<Option<Amount>> {
    // Contradictions are for `inspect`; here they only leave an amount unknown.
    let coins = coins::as_told(psbt, &mut Vec::new());
    coins.into_iter().map(|coin| coin.output.map(|output| output.value)).collect()
}
