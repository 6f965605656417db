//! C16 to C19, C27 and C31: fees, sums, dust, unusual outputs, sizes, and what is not standard.

use bitcoin::opcodes::all::{OP_CHECKMULTISIG, OP_CHECKSIG, OP_PUSHNUM_1};
use bitcoin::psbt::Psbt;
use bitcoin::psbt::raw::Key;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{Amount, PublicKey, ScriptBuf, TxOut};

use super::super::maps;
use super::super::payment::{Payment, stranger};
use super::super::purse::Kind::{Leaf, Owner, Pkh, ShMulti, ShWpkh, Tr, Wpkh, Wsh};
use super::super::row::Change;
use super::super::row::{Off, Row, Versions, ask, refuse};

/// One more output of a file, out of the change.
fn more(psbt: &mut Psbt, sat: u64, script_pubkey: ScriptBuf) {
    psbt.unsigned_tx.output.push(TxOut { value: Amount::from_sat(sat), script_pubkey });
    psbt.outputs.push(Default::default());
    psbt.unsigned_tx.output[1].value -= Amount::from_sat(sat);
}

fn p2pkh() -> ScriptBuf {
    use bitcoin::hashes::Hash;
    ScriptBuf::new_p2pkh(&bitcoin::PubkeyHash::from_byte_array([4; 20]))
}

fn any_key(payment: &Payment) -> PublicKey {
    payment.purse().wallet.derived(payment.parts.inputs[0].keypath).unwrap().keys[0]
}

pub const ROWS: &[Row] = &[
    refuse(
        16,
        "a fee of 0.06 BTC",
        &[Wpkh, Tr, Pkh, ShMulti, Wsh, Leaf],
        &[Change::Payment(|payment| payment.less_change(6_000_000))],
    ),
    refuse(
        16,
        "a fee of half of what is paid",
        &[Wpkh, Tr, Owner],
        &[Change::Payment(|payment| {
            payment.parts.outputs[0].value = Amount::from_sat(40_000);
            payment.parts.outputs[1].value = Amount::from_sat(99_940_000);
        })],
    ),
    refuse(
        16,
        "all change as a fee",
        &[ShWpkh],
        &[Change::Payment(|payment| drop(payment.parts.outputs.pop()))],
    ),
    ask(
        16,
        "a fee of 0.0025 BTC",
        &[Pkh, ShMulti, Wsh],
        &[Change::Payment(|payment| payment.less_change(240_000))],
    ),
    ask(
        16,
        "a fee of some 400 sat/vB",
        &[Wpkh, Tr, Leaf],
        &[Change::Payment(|payment| payment.less_change(70_000))],
    ),
    ask(
        16,
        "a fee of 7% of what is paid",
        &[Wpkh, Tr],
        &[Change::Payment(|payment| {
            payment.parts.outputs[0].value = Amount::from_sat(150_000);
            payment.parts.outputs[1].value = Amount::from_sat(99_840_000);
        })],
    ),
    Row {
        accepted: &[31],
        ..refuse(
            17,
            "outputs above the inputs",
            &[Wpkh, Tr, Pkh, Wsh, Leaf],
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.output[1].value += Amount::from_sat(10_001);
            })],
        )
    },
    Row {
        accepted: &[31],
        ..refuse(
            17,
            "outputs that add up to more than there will be",
            &[Wpkh, Tr],
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.output[0].value = Amount::MAX_MONEY;
            })],
        )
    },
    Row {
        off: Off::Never("no document of ours holds an amount above 21 million BTC"),
        ..refuse(
            17,
            "an amount above all money",
            &[Wpkh, Tr, Wsh],
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.output[1].value = Amount::MAX;
            })],
        )
    },
    Row {
        twin: &[Change::Psbt(|psbt, _| more(psbt, 294, stranger(4)))],
        ..refuse(
            18,
            "a payment below the dust limit",
            &[Wpkh, Tr, Pkh, Wsh, Leaf],
            &[Change::Psbt(|psbt, _| {
                more(psbt, 293, stranger(4));
            })],
        )
    },
    Row {
        twin: &[Change::Psbt(|psbt, _| more(psbt, 546, p2pkh()))],
        ..refuse(
            18,
            "a payment to a key hash below its dust limit",
            &[Wpkh, Tr],
            &[Change::Psbt(|psbt, _| {
                more(psbt, 545, p2pkh());
            })],
        )
    },
    refuse(
        18,
        "a payment of nothing",
        &[Tr, Wpkh, ShWpkh],
        &[Change::Psbt(|psbt, _| more(psbt, 0, stranger(4)))],
    ),
    Row {
        accepted: &[31],
        ..refuse(
            18,
            "change below the dust limit",
            &[Wpkh, Pkh],
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.output[0].value = Amount::from_sat(99_989_999 - 100);
                psbt.unsigned_tx.output[1].value = Amount::from_sat(101);
            })],
        )
    },
    ask(
        19,
        "an OP_RETURN",
        &[Wpkh, Tr, Pkh, Wsh],
        &[Change::Psbt(|psbt, _| {
            more(psbt, 0, ScriptBuf::new_op_return(b"pay \x1b[2J"));
        })],
    ),
    ask(
        19,
        "an OP_RETURN that burns",
        &[Wpkh, Leaf],
        &[Change::Psbt(|psbt, _| {
            more(psbt, 100_000, ScriptBuf::new_op_return(b"burnt"));
        })],
    ),
    ask(
        19,
        "a bare key",
        &[Tr, Wpkh],
        &[Change::Psbt(|psbt, payment| {
            let script = Builder::new().push_key(&any_key(payment)).push_opcode(OP_CHECKSIG).into_script();
            more(psbt, 10_000, script);
        })],
    ),
    ask(
        19,
        "a bare multisig",
        &[Wpkh],
        &[Change::Psbt(|psbt, payment| {
            let one = Builder::new().push_opcode(OP_PUSHNUM_1).push_key(&any_key(payment));
            more(psbt, 10_000, one.push_opcode(OP_PUSHNUM_1).push_opcode(OP_CHECKMULTISIG).into_script());
        })],
    ),
    ask(
        19,
        "what anyone can take",
        &[Wsh],
        &[Change::Psbt(|psbt, _| {
            more(psbt, 10_000, Builder::new().push_opcode(OP_PUSHNUM_1).into_script());
        })],
    ),
    Row {
        versions: Versions::Zero,
        accepted: &[31],
        ..refuse(
            27,
            "a transaction larger than a block",
            &[Wpkh],
            &[Change::Psbt(|psbt, _| many(psbt, 33_000))],
        )
    },
    Row {
        versions: Versions::Zero,
        ..refuse(
            27,
            "too many fields in one map",
            &[Wpkh, Pkh],
            &[Change::Bytes(|bytes, _| {
                maps::edit(bytes, |maps| {
                    maps[1].extend((0..4_200u16).map(|n| ([&[0x77][..], &n.to_be_bytes()].concat(), vec![])));
                });
            })],
        )
    },
    Row {
        off: Off::Never("the file is shorter than it says"),
        versions: Versions::Two,
        ..refuse(
            27,
            "a count of inputs that no file holds",
            &[Wpkh, Tr],
            &[Change::Bytes(|bytes, _| {
                maps::change(bytes, 0, &[4], |value| *value = vec![0xfe, 0xff, 0xff, 0xff, 0x7f]);
            })],
        )
    },
    Row {
        off: Off::Never("the file is shorter than it says"),
        versions: Versions::Two,
        ..refuse(
            27,
            "a count of outputs just too high",
            &[Wsh],
            &[Change::Bytes(|bytes, _| {
                maps::change(bytes, 0, &[5], |value| *value = vec![0xfe, 0xa1, 0x86, 0x01, 0x00]);
            })],
        )
    },
    Row {
        versions: Versions::Zero,
        off: Off::Never("bytes beyond the limit are not read"),
        ..refuse(
            27,
            "a file above 64 MiB",
            &[Wpkh],
            &[Change::Bytes(|bytes, _| {
                bytes.resize((64 << 20) + 1, 0);
            })],
        )
    },
    ask(
        31,
        "change that costs more than it is worth",
        &[Wpkh],
        &[Change::Payment(|payment| {
            payment.parts.outputs[0].value = Amount::from_sat(99_989_700);
            payment.parts.outputs[1].value = Amount::from_sat(300);
        })],
    ),
    Row {
        versions: Versions::Zero,
        ..ask(
            31,
            "a version that nodes do not relay",
            &[Wpkh, Tr, Wsh],
            &[Change::Payment(|payment| payment.parts.version = Version(4))],
        )
    },
    ask(
        31,
        "a fee below what nodes relay",
        &[Wpkh, Tr, Pkh, Wsh],
        &[Change::Payment(|payment| payment.parts.outputs[1].value += Amount::from_sat(9_990))],
    ),
    ask(
        31,
        "heavier than nodes relay",
        &[Wpkh, Tr],
        &[Change::Psbt(|psbt, _| {
            many(psbt, 3_300);
            psbt.unsigned_tx.output[1].value -= Amount::from_sat(110_000);
        })],
    ),
    Row {
        both: &[Change::Psbt(|psbt, _| {
            psbt.unknown.insert(Key { type_value: 0x78, key: vec![] }, vec![1]);
        })],
        accepted: &[31],
        ..refuse(
            17,
            "a negative fee beside an unknown field",
            &[Pkh],
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.output[0].value += Amount::from_sat(10_001);
            })],
        )
    },
];

/// So many more outputs of 1,000 sat.
fn many(psbt: &mut Psbt, count: u64) {
    let output = TxOut { value: Amount::from_sat(1_000), script_pubkey: stranger(3) };
    psbt.unsigned_tx.output.extend((0..count).map(|_| output.clone()));
    psbt.outputs.extend((0..count).map(|_| Default::default()));
    psbt.unsigned_tx.output[1].value -= Amount::from_sat(1_000 * count);
}
