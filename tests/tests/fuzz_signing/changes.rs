//! Changes at random: of a PSBT's values, of its bytes, and of what a lying reader hands to the vault.

use bitcoin::absolute::LockTime;
use bitcoin::psbt::{Input, Output, Psbt, PsbtSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, TxOut};
use cold_wire::Bundle;
use policies::evidence::Evidence;
use policies::spend::{Spend, SpendParts};
use policies::wallet::{Branch, Keypath};

use crate::corpus::maps::{self, Pair};
use crate::corpus::payment::{Payment, stranger};
use crate::dice::Dice;

/// Indexes far out: within the gap, beyond it, and beyond everything.
pub const FAR: [u32; 3] = [900, 2_000, 1 << 30];

/// One change of values.
pub fn of_psbt(dice: &mut Dice, psbt: &mut Psbt, payment: &Payment) {
    let (inputs, outputs) = (psbt.inputs.len(), psbt.outputs.len());
    if inputs == 0 || outputs == 0 {
        return;
    }
    let (one, other) = (pick(dice, inputs), pick(dice, inputs));
    let (out, another) = (pick(dice, outputs), pick(dice, outputs));
    let transaction = &mut psbt.unsigned_tx;
    match dice.below(30) {
        0..=2 => transaction.output[out].value = amount(dice, transaction.output[out].value),
        3 | 4 => {
            let moved = Amount::from_sat(dice.below(transaction.output[out].value.to_sat().min(1 << 30) + 1));
            transaction.output[out].value -= moved;
            transaction.output[another].value += moved;
        }
        5 | 6 => transaction.output[out].script_pubkey = script(dice, payment),
        7 => transaction.output.swap(out, another),
        8 => psbt.outputs.swap(out, another),
        9 => {
            transaction.output.swap(out, another);
            psbt.outputs.swap(out, another);
        }
        10 => transaction.input.swap(one, other),
        11 => psbt.inputs.swap(one, other),
        12 => {
            transaction.input.swap(one, other);
            psbt.inputs.swap(one, other);
        }
        13 => {
            let value = amount(dice, Amount::from_sat(1_000));
            transaction.output.push(TxOut { value, script_pubkey: script(dice, payment) });
            psbt.outputs.push(if dice.percent(50) { psbt.outputs[out].clone() } else { Output::default() });
        }
        14 => {
            transaction.output.remove(out);
            psbt.outputs.remove(out);
        }
        15 => {
            transaction.input.remove(one);
            psbt.inputs.remove(one);
        }
        16 => {
            transaction.input.push(transaction.input[one].clone());
            psbt.inputs.push(psbt.inputs[one].clone());
        }
        17 => transaction.input[one].previous_output.vout = dice.below(4) as u32,
        18 => {
            let sequences = [0, 1, 9, 10, 144, 145, 0x40_0001, 0xffff_fffd, 0xffff_fffe, 0xffff_ffff];
            transaction.input[one].sequence = Sequence(*dice.one(&sequences));
        }
        19 => {
            let locks = [1, 500, 700_000, 499_999_999, 500_000_000, 1_700_000_000, 4_000_000_000];
            transaction.lock_time = LockTime::from_consensus(*dice.one(&locks));
        }
        20 => transaction.version = Version(*dice.one(&[0, 1, 3, 4, -1])),
        21 | 22 => another_coin(dice, psbt, one),
        23 => coin_of_another(dice, psbt, payment, one),
        24..=26 => input(dice, psbt, one, other),
        _ => output(dice, psbt, payment, out, another),
    }
}

/// The previous transaction pays another amount or script, and the input spends that one: consistent, and another coin.
fn another_coin(dice: &mut Dice, psbt: &mut Psbt, at: usize) {
    let vout = psbt.unsigned_tx.input[at].previous_output.vout as usize;
    let input = &mut psbt.inputs[at];
    let Some(previous) = &mut input.non_witness_utxo else { return };
    let Some(spent) = previous.output.get_mut(vout) else { return };
    spent.value = amount(dice, spent.value);
    let spent = spent.clone();
    if dice.percent(70) {
        psbt.unsigned_tx.input[at].previous_output.txid = previous.compute_txid();
    }
    if input.witness_utxo.is_some() && dice.percent(70) {
        input.witness_utxo = Some(spent);
    }
}

/// A coin of a stranger, of another wallet of the vault, or of another cosigner's.
fn coin_of_another(dice: &mut Dice, psbt: &mut Psbt, payment: &Payment, at: usize) {
    let purse = match dice.below(3) {
        0 => payment.foreign(),
        1 => payment.other().clone(),
        _ if payment.purse().keys.len() > 1 => {
            payment.purse().with_a_stranger(&crate::corpus::purse::vault_seed())
        }
        _ => payment.foreign(),
    };
    let kind = purse.kind;
    let donor = Payment::new(&std::sync::Arc::new(vec![purse]), kind, payment.number).psbt();
    psbt.inputs[at] = donor.inputs[0].clone();
    if dice.percent(80) {
        psbt.unsigned_tx.input[at].previous_output = donor.unsigned_tx.input[0].previous_output;
    }
}

fn input(dice: &mut Dice, psbt: &mut Psbt, one: usize, other: usize) {
    let neighbour: Input = psbt.inputs[other].clone();
    let input = &mut psbt.inputs[one];
    match dice.below(14) {
        0 => input.non_witness_utxo = None,
        1 => input.non_witness_utxo = neighbour.non_witness_utxo,
        2 => input.witness_utxo = None,
        3 => input.witness_utxo = neighbour.witness_utxo,
        4 => {
            if let Some(output) = &mut input.witness_utxo {
                output.value = amount(dice, output.value);
            }
        }
        5 => input.bip32_derivation = neighbour.bip32_derivation,
        6 => input.tap_key_origins = neighbour.tap_key_origins,
        7 => input.redeem_script = neighbour.redeem_script,
        8 => input.witness_script = neighbour.witness_script,
        9 => input.tap_scripts = neighbour.tap_scripts,
        10 => input.tap_internal_key = neighbour.tap_internal_key,
        11 => input.tap_merkle_root = None,
        12 => {
            let types = [0, 1, 2, 3, 0x80, 0x81, 0x82, 0x83, 0x101];
            input.sighash_type = Some(PsbtSighashType::from_u32(*dice.one(&types)));
        }
        _ => *input = Input { non_witness_utxo: neighbour.non_witness_utxo, ..Input::default() },
    }
}

fn output(dice: &mut Dice, psbt: &mut Psbt, payment: &Payment, one: usize, other: usize) {
    let own = own(dice);
    let neighbour: Output = psbt.outputs[other].clone();
    let output = &mut psbt.outputs[one];
    match dice.below(6) {
        0 => *output = Output::default(),
        1 => *output = neighbour,
        2 => output.redeem_script = Some(stranger(8)),
        3 => output.witness_script = neighbour.witness_script,
        4 => output.bip32_derivation.values_mut().for_each(|source| source.1 = source.1.child(7.into())),
        // What is not ours is said to be, in the right words.
        _ => {
            let wallet = &payment.purse().wallet;
            let keys = &wallet.derived(own).expect("a keypath").keys;
            for (place, key) in keys.iter().enumerate() {
                let Some(source) = wallet.source(place, own) else { continue };
                if wallet.is_taproot() {
                    output.tap_key_origins.insert(key.inner.x_only_public_key().0, (vec![], source));
                } else {
                    output.bip32_derivation.insert(key.inner, source);
                }
            }
        }
    }
}

fn pick(dice: &mut Dice, from: usize) -> usize {
    dice.below(from as u64) as usize
}

fn amount(dice: &mut Dice, value: Amount) -> Amount {
    let by = *dice.one(&[1, 330, 546, 1_000, 9_990, 200_000, 7_000_000]);
    let up = value.checked_add(Amount::from_sat(by)).unwrap_or(Amount::MAX_MONEY);
    let down = value.checked_sub(Amount::from_sat(by)).unwrap_or(Amount::ZERO);
    *dice.one(&[down, up, down, up, Amount::ZERO, Amount::MAX_MONEY])
}

fn own(dice: &mut Dice) -> Keypath {
    let branch = *dice.one(&Branch::ALL);
    let index = if dice.percent(70) { dice.below(30) as u32 } else { *dice.one(&FAR) };
    Keypath { branch, index }
}

fn script(dice: &mut Dice, payment: &Payment) -> ScriptBuf {
    let at = own(dice);
    let of = |wallet: &policies::wallet::Wallet| wallet.script(at).expect("a keypath");
    match dice.below(7) {
        0 | 1 => of(&payment.purse().wallet),
        2 => of(&payment.other().wallet),
        3 => of(&payment.foreign().wallet),
        4 => ScriptBuf::new_op_return([b'x'; 20]),
        5 => ScriptBuf::from_bytes((0..dice.below(40)).map(|n| n as u8).collect()),
        _ => stranger(dice.below(256) as u8),
    }
}

/// One change of bytes: of fields where the bytes are still a PSBT's, else of any.
pub fn of_bytes(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let fields = maps::try_read(bytes).filter(|maps| maps.iter().any(|map| !map.is_empty()));
    let fields = fields.filter(|_| dice.percent(85));
    match fields {
        Some(mut fields) => {
            of_fields(dice, &mut fields);
            *bytes = maps::write(&fields);
        }
        None => of_any(dice, bytes),
    }
}

fn of_fields(dice: &mut Dice, maps: &mut [Vec<Pair>]) {
    let full: Vec<usize> = (0..maps.len()).filter(|at| !maps[*at].is_empty()).collect();
    let (one, other) = (*dice.one(&full), *dice.one(&full));
    let (a, b) = (pick(dice, maps[one].len()), pick(dice, maps[other].len()));
    let stolen = maps[other][b].clone();
    match dice.below(12) {
        // A value in the place of another's.
        0 => maps[one][a].1 = stolen.1,
        // Of the same type where there is one.
        1..=3 => {
            let kind = stolen.0[0];
            if let Some(pair) = maps[one].iter_mut().find(|(key, _)| key[0] == kind) {
                *pair = stolen;
            }
        }
        4 => maps[one].push(stolen),
        5 => {
            maps[other].remove(b);
            maps[one].push(stolen);
        }
        6 => drop(maps[one].remove(a)),
        7 => {
            let value = &mut maps[one][a].1;
            if !value.is_empty() {
                let at = pick(dice, value.len());
                value[at] ^= 1 << dice.below(8);
            }
        }
        8 => {
            let key = &mut maps[one][a].0;
            let at = pick(dice, key.len());
            key[at] = dice.below(256) as u8;
        }
        9 => {
            let value = &mut maps[one][a].1;
            let len = pick(dice, value.len() + 3);
            value.resize(len, 0);
        }
        10 => maps.swap(one, other),
        _ => {
            let value = (0..dice.below(80)).map(|n| n as u8).collect();
            maps[one].push((vec![dice.below(256) as u8], value));
        }
    }
}

fn of_any(dice: &mut Dice, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let (from, at) = (pick(dice, bytes.len()), pick(dice, bytes.len()));
    let to = (from + pick(dice, 60)).min(bytes.len());
    match dice.below(6) {
        0 | 1 => bytes[at] ^= 1 << dice.below(8),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(from..to)),
        4 => {
            let copied = bytes[from..to].to_vec();
            bytes.splice(at..at, copied);
        }
        _ => bytes[at] = dice.below(256) as u8,
    }
}

/// A lie of the reader's; what is no spend at all is not said.
pub fn of_bundle(dice: &mut Dice, bundle: &mut Bundle, payment: &Payment) {
    let spend = &bundle.spend;
    let mut parts = SpendParts {
        network: spend.network(),
        wallet: spend.wallet(),
        version: spend.version(),
        lock_time: spend.lock_time(),
        inputs: spend.inputs().to_vec(),
        outputs: spend.outputs().to_vec(),
    };
    let (input, output) = (pick(dice, parts.inputs.len()), pick(dice, parts.outputs.len()));
    match dice.below(10) {
        0 => parts.inputs[input].value = amount(dice, parts.inputs[input].value),
        1 => parts.inputs[input].keypath = own(dice),
        2 => parts.inputs[input].outpoint.vout ^= 1,
        3 => parts.outputs[output].value = amount(dice, parts.outputs[output].value),
        4 => parts.outputs[output].script = script(dice, payment),
        5 => parts.outputs[output].own = Some(own(dice)),
        6 => parts.outputs[output].own = None,
        7 => parts.wallet = payment.other().wallet.id(),
        8 => bundle.evidence = Evidence::default(),
        _ => {
            let mut previous: Vec<_> = bundle.evidence.transactions().cloned().collect();
            if let Some(transaction) = previous.first_mut() {
                transaction.output.iter_mut().for_each(|output| output.value += Amount::ONE_SAT);
            }
            bundle.evidence = Evidence::new(previous);
        }
    }
    if let Ok(spend) = Spend::new(parts) {
        bundle.spend = spend;
    }
}
