//! Differential: what the run here accepts, Bitcoin Core's engine accepts; where Core accepts and the run refuses, it names
//! a rule of BIP322 that consensus does not have.

use super::*;
use crate::message::engine::first_refused;
use bitcoin::absolute::LockTime;
use bitcoin::opcodes::all as op;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Sequence, Witness};
use policies::message::Message;
use policies::message::bip322::{Locks, ToSign};
use proptest::prelude::*;

/// The operations that are understood here, but for signatures: those the tests of whole messages make.
const OPERATIONS: [Opcode; 30] = [
    op::OP_NOP,
    op::OP_IF,
    op::OP_NOTIF,
    op::OP_ELSE,
    op::OP_ENDIF,
    op::OP_VERIFY,
    op::OP_TOALTSTACK,
    op::OP_FROMALTSTACK,
    op::OP_DROP,
    op::OP_2DROP,
    op::OP_DUP,
    op::OP_IFDUP,
    op::OP_SWAP,
    op::OP_SIZE,
    op::OP_EQUAL,
    op::OP_EQUALVERIFY,
    op::OP_0NOTEQUAL,
    op::OP_NOT,
    op::OP_ADD,
    op::OP_BOOLAND,
    op::OP_BOOLOR,
    op::OP_NUMEQUAL,
    op::OP_NUMEQUALVERIFY,
    op::OP_RIPEMD160,
    op::OP_SHA256,
    op::OP_HASH160,
    op::OP_HASH256,
    op::OP_CLTV,
    op::OP_CSV,
    op::OP_CHECKMULTISIG,
];

/// Reasons that consensus does not know.
const RULES: [&str; 4] =
    ["neither 1 nor empty", "is not minimal", "malformed", "neither compressed nor uncompressed"];

#[derive(Debug, Clone)]
enum Step {
    Number(i64),
    Item(Vec<u8>),
    Operation(Opcode),
}

fn items() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => Just(vec![1]),
        3 => Just(vec![]),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        1 => prop::sample::select(vec![vec![0], vec![0x80], vec![2], vec![0, 0x80], vec![0xff; 5], vec![0xff, 0x7f]]),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (-2i64..20).prop_map(Step::Number),
        1 => items().prop_map(Step::Item),
        5 => prop::sample::select(OPERATIONS.to_vec()).prop_map(Step::Operation),
    ]
}

fn script(steps: &[Step]) -> ScriptBuf {
    let script = steps.iter().fold(Builder::new(), |script, step| match step {
        Step::Number(number) => script.push_int(*number),
        Step::Item(item) => script.push_slice(PushBytesBuf::try_from(item.clone()).unwrap()),
        Step::Operation(opcode) => script.push_opcode(*opcode),
    });
    script.into_script()
}

/// What both say of a satisfaction of `p2wsh` or, without `segwit`, of `p2sh`.
fn both(script: &ScriptBuf, items: &[Vec<u8>], segwit: bool, locks: Locks) -> (bool, Result<(), Fault>) {
    let address = if segwit { script.to_p2wsh() } else { script.to_p2sh() };
    let to_sign = ToSign::new(&Message::new("").unwrap(), &address, locks, &[]).unwrap();
    let mut transaction = to_sign.transaction().clone();
    if segwit {
        let mut witness = Witness::from_slice(items);
        witness.push(script.as_bytes());
        transaction.input[0].witness = witness;
    } else {
        let pushes = items.iter().chain([&script.to_bytes()]).fold(Builder::new(), |sig, item| {
            match item.as_slice() {
                [number @ 1..=16] => sig.push_int(i64::from(*number)),
                [0x81] => sig.push_int(-1),
                item => sig.push_slice(PushBytesBuf::try_from(item.to_vec()).unwrap()),
            }
        });
        transaction.input[0].script_sig = pushes.into_script();
    }
    let core = first_refused(&transaction, to_sign.prevouts()).is_none();
    (core, Judge::new(&transaction, to_sign.prevouts()).input(0))
}

/// Without signatures the best answer is that none was needed.
fn satisfied(answer: &Result<(), Fault>) -> bool {
    matches!(answer, Err(Fault::Unknown(reason)) if reason.contains("needs no signature"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn both_runs_agree_but_for_the_rules_of_bip322(
        steps in prop::collection::vec(steps(), 1..12),
        items in prop::collection::vec(items(), 0..5),
        segwit in any::<bool>(),
        lock in 0..4u32,
        sequence in 0..4u32,
    ) {
        let locks = Locks { lock_time: LockTime::from_consensus(lock), sequence: Sequence(sequence) };
        let (core, answer) = both(&script(&steps), &items, segwit, locks);
        prop_assert!(core || !satisfied(&answer), "a wrong yes");
        if core && let Err(Fault::Broken(reason)) = &answer {
            // BIP16 leaves what is under the last item.
            let clean = !segwit && reason.contains("items, expected one");
            prop_assert!(clean || RULES.iter().any(|rule| reason.contains(rule)), "a wrong no: {}", reason);
        }
    }
}

#[test]
fn timelocks_agree_with_core() {
    let lock = |number, opcode| {
        let script = Builder::new().push_int(number).push_opcode(opcode).push_opcode(op::OP_DROP);
        script.push_int(1).into_script()
    };
    let numbers = [
        -1,
        0,
        1,
        9,
        10,
        11,
        144,
        65_535,
        65_536,
        4_194_304 + 9,
        499_999_999,
        500_000_000,
        1 << 31,
        1 << 32,
        1 << 39,
    ];
    let locktimes = [0, 1, 10, 499_999_999, 500_000_000, 500_000_010];
    let sequences = [0, 10, 4_194_304 + 10, 1 << 31, u32::MAX - 1, u32::MAX];
    let mut yes = 0;
    for number in numbers {
        for opcode in [op::OP_CLTV, op::OP_CSV] {
            for lock_time in locktimes.map(LockTime::from_consensus) {
                for sequence in sequences.map(Sequence) {
                    let (core, answer) =
                        both(&lock(number, opcode), &[], true, Locks { lock_time, sequence });
                    assert_eq!(
                        core,
                        satisfied(&answer),
                        "{number} {opcode} {lock_time} {sequence}: {answer:?}"
                    );
                    yes += usize::from(core);
                }
            }
        }
    }
    assert!(yes > 100);
}

#[test]
fn an_age_needs_version_2() {
    let script = Builder::new().push_int(1).push_opcode(op::OP_CSV).into_script();
    let prevouts = [TxOut { value: Amount::ZERO, script_pubkey: script.to_p2wsh() }];
    let locks = Locks { lock_time: LockTime::ZERO, sequence: Sequence(1) };
    let to_sign = ToSign::new(&Message::new("").unwrap(), &script.to_p2wsh(), locks, &[]).unwrap();
    for (version, accepted) in [(-1, true), (0, false), (1, false), (2, true)] {
        let mut transaction = to_sign.transaction().clone();
        transaction.version = Version(version);
        transaction.input[0].witness.push(script.as_bytes());
        assert_eq!(first_refused(&transaction, &prevouts).is_none(), accepted);
        assert_eq!(satisfied(&Judge::new(&transaction, &prevouts).input(0)), accepted);
    }
}
