//! What differs between two unsigned transactions, and which input and output is which.

use super::change::{Change, Shown};
use super::pairing::Pairing;
use crate::field::destination;
use crate::maps::Place;
use crate::money::amount_text;
use bitcoin::{Address, Network, ScriptBuf, Transaction, TxOut};

/// Two unsigned transactions held against each other.
pub(super) struct Comparison {
    pub(super) inputs: Pairing,
    pub(super) outputs: Pairing,
    pub(super) changes: Vec<Change>,
}

/// Compares them; without changes they are equal.
pub(super) fn compare(before: &Transaction, after: &Transaction, network: Option<Network>) -> Comparison {
    let mut changes = Vec::new();
    let mut differs = |place: String, what: &str, before: Option<Shown>, after: Option<Shown>| {
        if before != after {
            changes.push(Change { place, what: what.to_owned(), before, after, grown: false });
        }
    };
    let whole = || "transaction".to_owned();
    differs(whole(), "version", Shown::text(before.version), Shown::text(after.version));
    let lock_time = |transaction: &Transaction| Shown::text(transaction.lock_time.to_consensus_u32());
    differs(whole(), "locktime", lock_time(before), lock_time(after));

    let inputs = inputs(before, after);
    let coin = |transaction: &Transaction, at: usize| {
        transaction.input.get(at).and_then(|input| Shown::text(input.previous_output))
    };
    inputs.removed().for_each(|at| differs(Place::Input(at).to_string(), "coin", coin(before, at), None));
    inputs.added().for_each(|at| differs(Place::Input(at).to_string(), "coin", None, coin(after, at)));
    for (from, to) in inputs.moved() {
        differs(Place::Input(from).to_string(), "position", Shown::text(from), Shown::text(to));
    }
    let sequence = |transaction: &Transaction, at: usize| {
        let input = transaction.input.get(at)?;
        Shown::text(format_args!("0x{:08x}", input.sequence.to_consensus_u32()))
    };
    for (from, to) in inputs.pairs() {
        differs(here(Place::Input(from), to), "sequence", sequence(before, from), sequence(after, to));
    }

    let outputs = outputs(before, after);
    let payment = |transaction: &Transaction, at: usize| {
        let output = transaction.output.get(at)?;
        Shown::text(format_args!(
            "{} to {}",
            amount_text(output.value),
            destination(&output.script_pubkey, network)
        ))
    };
    for (from, to) in outputs.pairs() {
        let (Some(old), Some(new)) = (before.output.get(from), after.output.get(to)) else { continue };
        let place = || here(Place::Output(from), to);
        differs(
            place(),
            "address",
            Some(address(&old.script_pubkey, network)),
            Some(address(&new.script_pubkey, network)),
        );
        differs(place(), "amount", Some(Shown::Amount(old.value)), Some(Shown::Amount(new.value)));
    }
    for at in outputs.removed() {
        differs(Place::Output(at).to_string(), "payment", payment(before, at), None);
    }
    outputs
        .added()
        .for_each(|at| differs(Place::Output(at).to_string(), "payment", None, payment(after, at)));
    for (from, to) in outputs.moved() {
        differs(Place::Output(from).to_string(), "position", Shown::text(from), Shown::text(to));
    }
    Comparison { inputs, outputs, changes }
}

/// An entry's name: its number before, and after where that is another.
pub(super) fn here(place: Place, after: usize) -> String {
    match place {
        Place::Input(before) | Place::Output(before) if before != after => format!("{place}, now {after}"),
        Place::Global | Place::Input(_) | Place::Output(_) => place.to_string(),
    }
}

/// An input is the coin it spends.
fn inputs(before: &Transaction, after: &Transaction) -> Pairing {
    let coins = |transaction: &Transaction| -> Vec<_> {
        transaction.input.iter().map(|input| input.previous_output).collect()
    };
    Pairing::new(before.input.len(), after.input.len()).by(coins(before), coins(after))
}

/// An output is the same when nothing of it changed; else by its script, else by its position.
fn outputs(before: &Transaction, after: &Transaction) -> Pairing {
    let whole = |transaction: &Transaction| -> Vec<TxOut> { transaction.output.clone() };
    let scripts = |transaction: &Transaction| -> Vec<ScriptBuf> {
        transaction.output.iter().map(|output| output.script_pubkey.clone()).collect()
    };
    let (count, counted) = (before.output.len(), after.output.len());
    Pairing::new(count, counted)
        .by(whole(before), whole(after))
        .by(scripts(before), scripts(after))
        .by(0..count, 0..counted)
}

fn address(script: &ScriptBuf, network: Option<Network>) -> Shown {
    match network.and_then(|network| Address::from_script(script, network).ok()) {
        Some(address) => Shown::Address(address.to_string()),
        None => Shown::Text(destination(script, network)),
    }
}
