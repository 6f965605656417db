//! C06 to C08, C10, C11 and C30: whose the inputs and outputs are.

use std::sync::Arc;

use bitcoin::bip32::{DerivationPath, Fingerprint, KeySource, Xpriv, Xpub};
use bitcoin::psbt::{Psbt, PsbtSighashType};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::taproot::TapNodeHash;
use bitcoin::{Network, ScriptBuf};
use policies::wallet::{Branch, Keypath};

use super::super::payment::{COIN, Payment, stranger};
use super::super::purse::Kind::{
    Internal, Leaf, Owner, Pkh, Recovery, ShMulti, ShWpkh, ShWsh, Tr, Wpkh, Wsh,
};
use super::super::purse::{Purse, SEVERAL, SINGLE};
use super::super::row::Change::{self, Earlier};
use super::super::row::{Off, Row, Versions, ask, refuse};
use super::coins::edit_spend;

pub const ROWS: &[Row] = &[
    refuse(
        6,
        "change with our key and a stranger's script",
        SINGLE,
        &[Change::Psbt(|psbt, _| {
            psbt.unsigned_tx.output[1].script_pubkey = stranger(8);
            psbt.outputs[1].redeem_script = None;
        })],
    ),
    refuse(
        6,
        "change with our key under another fingerprint",
        &[Wpkh, Tr, Pkh],
        &[Change::Psbt(|psbt, _| {
            psbt.unsigned_tx.output[1].script_pubkey = stranger(8);
            sources(psbt, 1, |source| source.0 = Fingerprint::from([1, 2, 3, 4]));
        })],
    ),
    refuse(
        6,
        "change with a stranger's key under our origin",
        SINGLE,
        &[Change::Psbt(|psbt, payment| {
            let ours = source(psbt, 1);
            take_output(psbt, 1, &Payment::new(&Arc::new(vec![payment.foreign()]), payment.kind, 1));
            sources(psbt, 1, |source| *source = ours.clone());
        })],
    ),
    refuse(
        6,
        "change with another index than its script has",
        &[Wpkh, Tr, Pkh],
        &[Change::Psbt(|psbt, _| {
            sources(psbt, 1, |source| {
                let mut steps: Vec<_> = source.1.as_ref().to_vec();
                steps.pop();
                steps.push(6.into());
                source.1 = steps.into();
            });
        })],
    ),
    refuse(
        6,
        "change on a branch that is none",
        &[Wpkh, ShWpkh],
        &[Change::Psbt(|psbt, _| {
            sources(psbt, 1, |source| {
                let mut steps: Vec<_> = source.1.as_ref().to_vec();
                let at = steps.len() - 2;
                steps[at] = 2.into();
                source.1 = steps.into();
            });
        })],
    ),
    refuse(
        6,
        "change with a hidden script tree",
        &[Tr],
        &[Change::Psbt(|psbt, payment| {
            let keypath = Keypath { branch: Branch::Internal, index: 5 };
            let internal = payment.purse().wallet.public_key(keypath).unwrap().inner.x_only_public_key().0;
            let root = TapNodeHash::assume_hidden([3; 32]);
            psbt.unsigned_tx.output[1].script_pubkey =
                ScriptBuf::new_p2tr(policies::wallet::secp(), internal, Some(root));
        })],
    ),
    refuse(
        6,
        "a reader that claims a stranger's script as change",
        SINGLE,
        &[Change::Bundle(|bundle, _| {
            edit_spend(bundle, |parts| parts.outputs[1].script = stranger(2));
        })],
    ),
    refuse(
        6,
        "a reader that claims the recipient's output as change",
        &[Wpkh, Tr],
        &[Change::Bundle(|bundle, _| {
            edit_spend(bundle, |parts| {
                parts.outputs[0].own = Some(Keypath { branch: Branch::Internal, index: 6 });
            });
        })],
    ),
    refuse(
        7,
        "change with a cosigner exchanged",
        &[Wsh, ShMulti, ShWsh, Owner, Recovery, Leaf, Internal],
        &[Change::Psbt(|psbt, payment| {
            let seed = super::super::purse::vault_seed();
            take_output(psbt, 1, &paid_by(payment.purse().with_a_stranger(&seed), payment.number));
        })],
    ),
    refuse(
        7,
        "change with a lower threshold",
        &[Wsh, ShMulti, ShWsh],
        &[Change::Psbt(|psbt, payment| {
            take_output(
                psbt,
                1,
                &paid_by(variant(payment, |text| text.replace("(2,", "(1,")), payment.number),
            );
        })],
    ),
    refuse(
        7,
        "change with a shorter recovery",
        &[Recovery, Owner, Leaf],
        &[Change::Psbt(|psbt, payment| {
            take_output(
                psbt,
                1,
                &paid_by(variant(payment, |text| text.replace("older(10)", "older(1)")), payment.number),
            );
        })],
    ),
    refuse(
        7,
        "change with a cosigner on another branch",
        &[Wsh, ShWsh, Leaf],
        &[Change::Psbt(|psbt, payment| {
            let other = payment.purse().keys[1];
            let xpub = Xpub::from_priv(&Secp256k1::new(), &other).to_string();
            let moved = |text: String, from: u8, to: u8| {
                text.replace(&format!("{xpub}/{from}/*"), &format!("{xpub}/{to}/*"))
            };
            take_output(
                psbt,
                1,
                &paid_by(variant(payment, |text| moved(moved(text, 1, 3), 0, 2)), payment.number),
            );
        })],
    ),
    refuse(
        7,
        "a reader that claims a script with a cosigner exchanged",
        SEVERAL,
        &[Change::Bundle(|bundle, payment| {
            let other = payment.purse().with_a_stranger(&super::super::purse::vault_seed());
            edit_spend(bundle, |parts| {
                parts.outputs[1].script = other.wallet.script(parts.outputs[1].own.unwrap()).unwrap();
            });
        })],
    ),
    refuse(
        8,
        "change at a far index",
        &[Wpkh, Tr, Pkh, ShWpkh, Wsh, Leaf],
        &[Change::Payment(|payment| payment.change_to(Branch::Internal, 1_000_000))],
    ),
    refuse(
        8,
        "change at the last index of the other branch",
        &[Wsh, Wpkh, ShMulti],
        &[Change::Payment(|payment| payment.change_to(Branch::External, 0x7fff_ffff))],
    ),
    Row {
        versions: Versions::Zero,
        both: &[Earlier(another_payment)],
        twin: &[Change::Payment(|payment| payment.change_to(Branch::Internal, 1_005))],
        ..refuse(
            8,
            "change one index beyond the gap",
            &[Recovery],
            &[Change::Payment(|payment| payment.change_to(Branch::Internal, 1_006))],
        )
    },
    ask(
        8,
        "change within reach of a far coin of this very spend only",
        &[Tr, Wsh, Wpkh],
        &[Change::Payment(|payment| {
            payment.add_coin(Keypath { branch: Branch::Internal, index: 50_000 }, COIN);
            payment.change_to(Branch::Internal, 50_001);
            payment.parts.outputs[1].value += COIN;
        })],
    ),
    Row {
        off: Off::With(&[11]),
        ..refuse(
            10,
            "an input of another wallet of the vault",
            &[Wpkh, Tr, Pkh, Wsh, Leaf],
            &[Change::Psbt(|psbt, payment| {
                take_input(
                    psbt,
                    &Payment::new(&payment.purses, payment.other().kind, payment.number + 900_000),
                );
            })],
        )
    },
    refuse(
        11,
        "a stranger's input",
        &[Wpkh, Tr, Pkh, ShWpkh, Wsh, Leaf],
        &[Change::Psbt(|psbt, payment| {
            take_input(psbt, &paid_by(payment.foreign(), payment.number));
        })],
    ),
    refuse(
        11,
        "a stranger's input and output",
        &[Tr, ShWsh],
        &[Change::Psbt(|psbt, payment| {
            take_input(psbt, &paid_by(payment.foreign(), payment.number));
            psbt.unsigned_tx.output.push(psbt.unsigned_tx.output[0].clone());
            psbt.outputs.push(Default::default());
            let paid = psbt.unsigned_tx.output[0].value;
            psbt.unsigned_tx.output[1].value -= paid;
        })],
    ),
    refuse(
        11,
        "a stranger's input under our fingerprint",
        &[Wpkh, Tr],
        &[Change::Psbt(|psbt, payment| {
            let ours = input_source(psbt, 0).0;
            take_input(psbt, &paid_by(payment.foreign(), payment.number));
            let input = psbt.inputs.last_mut().unwrap();
            input.bip32_derivation.values_mut().for_each(|source| source.0 = ours);
            input.tap_key_origins.values_mut().for_each(|(_, source)| source.0 = ours);
        })],
    ),
    Row {
        off: Off::Never("nothing says where in which wallet the inputs are, and a spend says it"),
        ..refuse(
            11,
            "inputs without derivations",
            &[Wpkh, Tr, Wsh],
            &[Change::Psbt(|psbt, _| {
                for input in &mut psbt.inputs {
                    input.bip32_derivation.clear();
                    input.tap_key_origins.clear();
                }
            })],
        )
    },
    refuse(
        11,
        "a coin behind a script with a cosigner exchanged",
        &[Wsh, ShWsh, Leaf, ShMulti],
        &[Change::Psbt(|psbt, payment| {
            let other = payment.purse().with_a_stranger(&super::super::purse::vault_seed());
            let theirs = paid_by(other, payment.number).psbt();
            psbt.unsigned_tx.input[0] = theirs.unsigned_tx.input[0].clone();
            psbt.inputs[0] = theirs.inputs[0].clone();
        })],
    ),
    refuse(
        11,
        "a reader that names another index of ours",
        &[Wpkh, Tr, Wsh, Leaf],
        &[Change::Bundle(|bundle, _| {
            edit_spend(bundle, |parts| parts.inputs[0].keypath.index += 1);
        })],
    ),
    Row {
        twin: &[Change::Psbt(|psbt, _| add_xpub(psbt, Network::Regtest))],
        ..refuse(
            30,
            "an extended key of mainnet",
            &[Wpkh, Tr, Wsh],
            &[Change::Psbt(|psbt, _| {
                add_xpub(psbt, Network::Bitcoin);
            })],
        )
    },
    Row {
        twin: &[Change::Context(|context| context.network = Some(Network::Regtest))],
        ..refuse(
            30,
            "another network than was meant",
            &[Wpkh, Tr, Pkh, Wsh],
            &[Change::Context(|context| {
                context.network = Some(Network::Signet);
            })],
        )
    },
    refuse(
        30,
        "a reader that names another network",
        &[Wpkh, Tr, Wsh],
        &[Change::Bundle(|bundle, _| {
            edit_spend(bundle, |parts| parts.network = Network::Signet);
        })],
    ),
    Row {
        both: &[Change::Psbt(|psbt, _| psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(1)))],
        ..refuse(
            30,
            "an extended key of mainnet beside a sighash type",
            &[Pkh],
            &[Change::Psbt(|psbt, _| {
                add_xpub(psbt, Network::Bitcoin);
            })],
        )
    },
];

/// A payment of other coins of the same wallet.
fn another_payment(payment: &mut Payment) {
    *payment = Payment::new(&payment.purses.clone(), payment.kind, payment.number + 500_000);
}

/// A payment by a purse of its own.
pub fn paid_by(purse: Purse, number: u32) -> Payment {
    let kind = purse.kind;
    Payment::new(&Arc::new(vec![purse]), kind, number + 800_000)
}

/// The payment's purse with an edit of its descriptor.
fn variant(payment: &Payment, edit: impl Fn(String) -> String) -> Purse {
    let purse = payment.purse();
    let descriptors = purse.descriptors().into_iter().map(|text| {
        let bare = text.split('#').next().unwrap_or_default().to_owned();
        edit(bare)
    });
    purse.described(&descriptors.collect::<Vec<_>>())
}

/// Change as another payment has it, instead of ours.
fn take_output(psbt: &mut Psbt, at: usize, other: &Payment) {
    let theirs = other.psbt();
    psbt.unsigned_tx.output[at].script_pubkey = theirs.unsigned_tx.output[at].script_pubkey.clone();
    psbt.outputs[at] = theirs.outputs[at].clone();
}

/// The first input of another payment, besides ours; its value comes back to us.
pub fn take_input(psbt: &mut Psbt, other: &Payment) {
    let theirs = other.psbt();
    psbt.unsigned_tx.input.push(theirs.unsigned_tx.input[0].clone());
    psbt.inputs.push(theirs.inputs[0].clone());
    psbt.inputs[2].non_witness_utxo = Some(other.previous[0].clone());
    psbt.unsigned_tx.output[1].value += COIN;
}

/// Every derivation of an output.
fn sources(psbt: &mut Psbt, at: usize, mut edit: impl FnMut(&mut KeySource)) {
    let output = &mut psbt.outputs[at];
    output.bip32_derivation.values_mut().for_each(&mut edit);
    output.tap_key_origins.values_mut().for_each(|(_, source)| edit(source));
}

fn source(psbt: &Psbt, at: usize) -> KeySource {
    let output = &psbt.outputs[at];
    let taproot = output.tap_key_origins.values().map(|(_, source)| source);
    output.bip32_derivation.values().chain(taproot).next().unwrap().clone()
}

fn input_source(psbt: &Psbt, at: usize) -> KeySource {
    let input = &psbt.inputs[at];
    let taproot = input.tap_key_origins.values().map(|(_, source)| source);
    input.bip32_derivation.values().chain(taproot).next().unwrap().clone()
}

fn add_xpub(psbt: &mut Psbt, network: Network) {
    let master = Xpriv::new_master(network, &[60; 32]).unwrap();
    let xpub = Xpub::from_priv(&Secp256k1::new(), &master);
    psbt.xpub.insert(xpub, (xpub.fingerprint(), DerivationPath::master()));
}
