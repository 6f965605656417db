//! An honest payment at random, and what is changed in its file.

use bitcoin::Amount;
use bitcoin::hashes::Hash;
use bitcoin::psbt::raw::Key;
use bitcoin::psbt::{Input, Psbt, PsbtSighashType};
use bitcoin::taproot::TapLeafHash;
use policies::wallet::{Branch, Keypath};
use psbt_tools::convert::to_version_2;

use crate::changes;
use crate::corpus::desk::Desk;
use crate::corpus::payment::{COIN, Payment, stranger};
use crate::corpus::purse::{ALL, TAPROOT};
use crate::corpus::signing::sign;
use crate::dice::Dice;

/// A file.
pub struct Subject {
    /// The honest payment behind it.
    pub payment: Payment,
    /// How many changes were made.
    pub changes: u64,
    pub bytes: Vec<u8>,
}

impl Subject {
    pub fn of(dice: &mut Dice, desk: &mut Desk) -> Self {
        let payment = payment(dice, desk);
        let mut psbt = payment.psbt();
        dress(dice, &mut psbt, &payment);
        let count = [0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 6][dice.below(12) as usize];
        let in_values = dice.between(0, count);
        for _ in 0..in_values {
            changes::of_psbt(dice, &mut psbt, &payment);
        }
        // A cosigner that looked at nothing signs what is there now.
        let same_coins = psbt.unsigned_tx.input.len() == payment.parts.inputs.len()
            && psbt
                .unsigned_tx
                .input
                .iter()
                .zip(&payment.parts.inputs)
                .all(|(txin, input)| txin.previous_output == input.outpoint);
        if same_coins && psbt.inputs.len() == psbt.unsigned_tx.input.len() {
            for key in 1..payment.purse().keys.len() {
                if dice.percent(30) {
                    sign(&mut psbt, &payment, key);
                }
            }
        }
        let mut bytes = psbt.serialize();
        if dice.percent(40)
            && let Ok(converted) = to_version_2(&bytes)
        {
            bytes = converted;
        }
        for _ in in_values..count {
            changes::of_bytes(dice, &mut bytes);
        }
        Self { payment, changes: count, bytes }
    }
}

/// Of coins that nobody has seen before.
fn payment(dice: &mut Dice, desk: &mut Desk) -> Payment {
    let mut payment = desk.payment(*dice.one(ALL));
    for index in 0..dice.below(3) as u32 {
        payment.add_coin(Keypath { branch: Branch::External, index: 10 + index }, COIN);
        payment.parts.outputs[1].value += COIN;
    }
    for n in 0..dice.below(3) {
        payment.pay(Amount::from_sat(1_000_000 + n), stranger(50 + n as u8));
        payment.less_change(1_000_000 + n);
    }
    if dice.percent(10) {
        payment.change_to(Branch::External, 12);
    }
    payment
}

/// Fields that an honest file may have or lack.
fn dress(dice: &mut Dice, psbt: &mut Psbt, payment: &Payment) {
    if dice.percent(20) {
        psbt.unknown.insert(Key { type_value: 0x78, key: vec![1, 2] }, vec![3; 40]);
    }
    if dice.percent(20) {
        psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(1));
    }
    let is_taproot = TAPROOT.contains(&payment.kind);
    if is_taproot && dice.percent(50) {
        psbt.inputs.iter_mut().for_each(|input| input.non_witness_utxo = None);
    }
    if dice.percent(20) {
        psbt.outputs.iter_mut().for_each(|output| *output = Default::default());
    }
}

/// The first signature of an input.
pub fn signature(psbt: &Psbt, at: usize) -> Vec<u8> {
    let input = &psbt.inputs[at];
    let ecdsa = input.partial_sigs.values().next().map(|signature| signature.to_vec());
    let taproot = input.tap_key_sig.iter().chain(input.tap_script_sigs.values()).next();
    ecdsa.or_else(|| taproot.map(|signature| signature.to_vec())).expect("a signature")
}

/// Takes every signature out.
pub fn strip(input: &mut Input) {
    input.partial_sigs.clear();
    input.tap_script_sigs.clear();
    input.tap_key_sig = None;
}

/// A leaf that no wallet has.
pub fn any_leaf() -> TapLeafHash {
    TapLeafHash::from_byte_array([9; 32])
}
