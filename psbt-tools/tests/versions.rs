//! Both versions of a PSBT: whatever is valid is read, written again as it was, and converted both ways.

mod common;
mod raw;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::FromHex;
use bitcoin::psbt::raw::Key;
use bitcoin::{Sequence, VarInt, consensus::serialize};
use common::payment;
use policies::wallet::ScriptKind;
use proptest::collection::vec;
use proptest::prelude::*;
use psbt_tools::combine::{Combined, Part, combine};
use psbt_tools::convert::{to_version_0, to_version_2};
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::attach_signatures;
use psbt_tools::finalize::{extract, finalize};
use psbt_tools::import::{Context, import};
use psbt_tools::{Error, strict};
use raw::{Fields, file, maps};

/// Two points of the curve (SEC 2's generator, and twice it), without their prefix.
const POINTS: [&str; 2] = [
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
];

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..most)
}

fn point() -> impl Strategy<Value = Vec<u8>> {
    (0usize..2).prop_map(|at| Vec::from_hex(POINTS[at]).unwrap())
}

fn public_key() -> impl Strategy<Value = Vec<u8>> {
    (2u8..4, point()).prop_map(|(prefix, point)| [vec![prefix], point].concat())
}

fn origin() -> impl Strategy<Value = Vec<u8>> {
    (1usize..6).prop_flat_map(|words| vec(any::<u8>(), words * 4))
}

/// A field of a type with its keydata and value.
fn field(
    kind: u8,
    keydata: impl Strategy<Value = Vec<u8>> + 'static,
    value: impl Strategy<Value = Vec<u8>> + 'static,
) -> BoxedStrategy<(Vec<u8>, Vec<u8>)> {
    (keydata, value).prop_map(move |(keydata, value)| ([vec![kind], keydata].concat(), value)).boxed()
}

/// What nobody here understands, in every map.
fn foreign() -> BoxedStrategy<(Vec<u8>, Vec<u8>)> {
    let proprietary = (bytes(6), any::<u8>(), bytes(6)).prop_map(|(prefix, subtype, rest)| {
        [serialize(&prefix), serialize(&VarInt(u64::from(subtype))), rest].concat()
    });
    prop_oneof![
        field(0x77, bytes(5), bytes(40)),
        field(0x35, bytes(2), bytes(5)),
        field(0xfc, proprietary, bytes(40))
    ]
    .boxed()
}

fn input_field() -> BoxedStrategy<(Vec<u8>, Vec<u8>)> {
    let none = || Just(Vec::new());
    let signature = (1u8..120, 1u8..120).prop_map(|(r, s)| vec![0x30, 6, 2, 1, r, 2, 1, s, 1]);
    let leaf = || (bytes(30), Just(0xc0u8)).prop_map(|(script, version)| [script, vec![version]].concat());
    let control = (point(), vec(any::<u8>(), 32)).prop_map(|(key, step)| [vec![0xc0], key, step].concat());
    let taproot_origin = origin().prop_map(|origin| [vec![0], origin].concat());
    let keys = || vec(public_key(), 2).prop_map(|keys| keys.concat());
    prop_oneof![
        field(0x01, none(), (vec(any::<u8>(), 8), bytes(40)).prop_map(|(v, s)| [v, serialize(&s)].concat())),
        field(0x02, public_key(), signature),
        field(0x03, none(), vec(any::<u8>(), 4)),
        field(0x04, none(), bytes(30)),
        field(0x05, none(), bytes(30)),
        field(0x06, public_key(), origin()),
        field(0x07, none(), bytes(30)),
        field(
            0x08,
            none(),
            vec(bytes(9), 0..3).prop_map(|items| {
                [serialize(&VarInt::from(items.len())), items.iter().flat_map(serialize).collect()].concat()
            })
        ),
        field(0x09, none(), bytes(9)),
        bytes(20).prop_map(|value| (
            [vec![0x0b], sha256::Hash::hash(&value).to_byte_array().to_vec()].concat(),
            value
        )),
        field(0x13, none(), vec(any::<u8>(), 64)),
        field(
            0x14,
            (point(), vec(any::<u8>(), 32)).prop_map(|(key, leaf)| [key, leaf].concat()),
            vec(any::<u8>(), 64)
        ),
        field(0x15, control, leaf()),
        field(0x16, point(), taproot_origin),
        field(0x17, none(), point()),
        field(0x18, none(), vec(any::<u8>(), 32)),
        field(0x1a, public_key(), keys()),
        field(0x1b, keys(), vec(any::<u8>(), 66)),
        field(0x1c, keys(), vec(any::<u8>(), 32)),
        foreign(),
    ]
    .boxed()
}

fn output_field() -> BoxedStrategy<(Vec<u8>, Vec<u8>)> {
    let none = || Just(Vec::new());
    let tree = vec(bytes(9), 3).prop_map(|scripts| {
        let leaf = |(depth, script): (&u8, &Vec<u8>)| [vec![*depth, 0xc0], serialize(script)].concat();
        [1u8, 2, 2].iter().zip(&scripts).flat_map(leaf).collect::<Vec<_>>()
    });
    prop_oneof![
        field(0x00, none(), bytes(30)),
        field(0x01, none(), bytes(30)),
        field(0x02, public_key(), origin()),
        field(0x05, none(), point()),
        field(0x06, none(), tree),
        field(0x07, point(), origin().prop_map(|origin| [vec![0], origin].concat())),
        field(0x08, public_key(), public_key()),
        foreign(),
    ]
    .boxed()
}

/// What a transaction and version 2 say of an input.
#[derive(Debug, Clone)]
struct Spent {
    outpoint: [u8; 36],
    sequence: Option<u32>,
    time: Option<u32>,
    height: Option<u32>,
    fields: Fields,
}

fn spent(times: bool) -> impl Strategy<Value = Spent> {
    let fields = vec(input_field(), 0..5).prop_map(|fields| fields.into_iter().collect());
    let lock = |range: std::ops::RangeInclusive<u32>| proptest::option::of(range);
    let locks = (lock(1..=499_999_999), lock(500_000_000..=u32::MAX), any::<bool>());
    (any::<[u8; 32]>(), any::<u32>(), any::<Option<u32>>(), locks, fields).prop_map(
        move |(txid, vout, sequence, (height, time, both), fields)| {
            let mut outpoint = [0; 36];
            outpoint[..32].copy_from_slice(&txid);
            outpoint[32..].copy_from_slice(&vout.to_le_bytes());
            // Every input that has a lock has one of the kind, so that there is a locktime.
            let (own, other) = if times { (time, height) } else { (height, time) };
            let other = other.filter(|_| both && own.is_some());
            let (time, height) = if times { (own, other) } else { (other, own) };
            Spent { outpoint, sequence, time, height, fields }
        },
    )
}

#[derive(Debug, Clone)]
struct Parts {
    version: u32,
    fallback: Option<u32>,
    modifiable: Option<u8>,
    global: Fields,
    inputs: Vec<Spent>,
    outputs: Vec<(u64, Vec<u8>, Fields)>,
}

fn parts() -> impl Strategy<Value = Parts> {
    let global = vec(foreign(), 0..4).prop_map(|fields| fields.into_iter().collect());
    let fields = vec(output_field(), 0..5).prop_map(|fields| fields.into_iter().collect());
    let outputs = vec((any::<u64>(), bytes(50), fields), 0..4);
    let inputs = any::<bool>().prop_flat_map(|times| vec(spent(times), 0..4));
    (2u32..0x8000_0000, any::<Option<u32>>(), any::<Option<u8>>(), global, inputs, outputs).prop_map(
        |(version, fallback, modifiable, global, inputs, outputs)| Parts {
            version,
            fallback,
            modifiable,
            global,
            inputs,
            outputs,
        },
    )
}

impl Parts {
    fn version_2(&self) -> Vec<u8> {
        let mut global = self.global.clone();
        let count = |len: usize| serialize(&VarInt::from(len));
        global.insert(vec![0xfb], vec![2, 0, 0, 0]);
        global.insert(vec![0x02], self.version.to_le_bytes().to_vec());
        global.extend(self.fallback.map(|lock| (vec![0x03], lock.to_le_bytes().to_vec())));
        global.insert(vec![0x04], count(self.inputs.len()));
        global.insert(vec![0x05], count(self.outputs.len()));
        global.extend(self.modifiable.map(|flags| (vec![0x06], vec![flags])));
        let inputs = self.inputs.iter().map(|input| {
            let mut fields = input.fields.clone();
            fields.insert(vec![0x0e], input.outpoint[..32].to_vec());
            fields.insert(vec![0x0f], input.outpoint[32..].to_vec());
            for (kind, number) in [(0x10, input.sequence), (0x11, input.time), (0x12, input.height)] {
                fields.extend(number.map(|number| (vec![kind], number.to_le_bytes().to_vec())));
            }
            fields
        });
        let outputs = self.outputs.iter().map(|(amount, script, fields)| {
            let mut fields = fields.clone();
            fields.insert(vec![0x03], amount.to_le_bytes().to_vec());
            fields.insert(vec![0x04], script.clone());
            fields
        });
        file(&[global].into_iter().chain(inputs).chain(outputs).collect::<Vec<_>>())
    }

    /// In version 0, with the fallback for the locktime.
    fn version_0(&self) -> Vec<u8> {
        let mut transaction = self.version.to_le_bytes().to_vec();
        transaction.extend(serialize(&VarInt::from(self.inputs.len())));
        for input in &self.inputs {
            transaction.extend(input.outpoint);
            transaction.push(0);
            transaction.extend(input.sequence.unwrap_or(u32::MAX).to_le_bytes());
        }
        transaction.extend(serialize(&VarInt::from(self.outputs.len())));
        for (amount, script, _) in &self.outputs {
            transaction.extend(amount.to_le_bytes());
            transaction.extend(serialize(script));
        }
        transaction.extend(self.fallback.unwrap_or(0).to_le_bytes());
        let mut global = self.global.clone();
        global.insert(vec![0], transaction);
        let inputs = self.inputs.iter().map(|input| input.fields.clone());
        let outputs = self.outputs.iter().map(|(_, _, fields)| fields.clone());
        file(&[global].into_iter().chain(inputs).chain(outputs).collect::<Vec<_>>())
    }
}

/// The maps without the flags of what may still be added, which signatures clear.
fn without_flags(bytes: &[u8]) -> Vec<Fields> {
    let mut maps = maps(bytes);
    maps[0].remove(&[0x06][..]);
    maps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn version_2_is_read_and_every_field_is_written_as_it_was(parts in parts()) {
        let bytes = parts.version_2();
        let (psbt, form) = strict::read(&bytes).unwrap();
        prop_assert_eq!(form.version(), 2);
        prop_assert_eq!(without_flags(&form.serialize(&psbt)), without_flags(&bytes));
        prop_assert_eq!(to_version_2(&bytes).unwrap(), bytes.clone(), "it is of version 2 already");
        let one = to_version_0(&bytes).unwrap();
        prop_assert_eq!(strict::read(&one).unwrap(), (psbt.clone(), form.to_version_0()));
        prop_assert_eq!(strict::parse(&to_version_2(&one).unwrap()).unwrap(), psbt);
    }

    #[test]
    fn version_0_through_version_2_loses_nothing(parts in parts()) {
        let bytes = parts.version_0();
        let (psbt, form) = strict::read(&bytes).unwrap();
        prop_assert_eq!(maps(&form.serialize(&psbt)), maps(&bytes));
        let two = to_version_2(&bytes).unwrap();
        prop_assert_eq!(strict::parse(&two).unwrap(), psbt);
        prop_assert_eq!(maps(&to_version_0(&two).unwrap()), maps(&bytes));
    }

    #[test]
    fn a_cut_or_changed_byte_never_panics(parts in parts(), first: bool, at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = if first { parts.version_0() } else { parts.version_2() };
        let at = at.index(bytes.len());
        prop_assert!(strict::read(&bytes[..at]).is_err(), "no part of a PSBT is one");
        bytes[at] = byte;
        if let Ok((psbt, form)) = strict::read(&bytes) {
            prop_assert_eq!(strict::parse(&form.serialize(&psbt)).unwrap(), psbt);
        }
    }
}

/// The smallest PSBT of version 2 with one input and one output, with an edit.
fn edited(edit: impl FnOnce(&mut [Fields])) -> Result<(), Error> {
    let parts = Parts {
        version: 2,
        fallback: None,
        modifiable: None,
        global: Fields::new(),
        inputs: vec![Spent {
            outpoint: [7; 36],
            sequence: None,
            time: None,
            height: None,
            fields: Fields::new(),
        }],
        outputs: vec![(1_000, vec![0x51], Fields::new())],
    };
    let mut maps = maps(&parts.version_2());
    edit(&mut maps);
    strict::parse(&file(&maps)).map(|_| ())
}

#[test]
fn each_fault_of_version_2_is_named() {
    let with = |at: usize, kind: u8, value: &[u8]| {
        let value = value.to_vec();
        edited(|maps| drop(maps[at].insert(vec![kind], value)))
    };
    let without = |at: usize, kind: u8| edited(|maps| drop(maps[at].remove(&[kind][..])));
    let refused = |result: Result<(), Error>, number: &str, expected: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.code(), number, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    assert!(edited(|_| {}).is_ok());
    for (at, kind, name) in [
        (0, 0x02, "PSBT_GLOBAL_TX_VERSION is missing"),
        (0, 0x04, "PSBT_GLOBAL_INPUT_COUNT is missing"),
        (0, 0x05, "PSBT_GLOBAL_OUTPUT_COUNT is missing"),
        (1, 0x0e, "PSBT_IN_PREVIOUS_TXID is missing"),
        (1, 0x0f, "PSBT_IN_OUTPUT_INDEX is missing"),
        (2, 0x03, "PSBT_OUT_AMOUNT is missing"),
        (2, 0x04, "PSBT_OUT_SCRIPT is missing"),
    ] {
        refused(without(at, kind), "C21", name);
    }
    refused(with(0, 0x00, &[0; 60]), "C21", "PSBT_GLOBAL_UNSIGNED_TX belongs to PSBT version 0");
    refused(with(0, 0x02, &[1, 0, 0, 0]), "C21", "PSBT_GLOBAL_TX_VERSION: the value 01000000 is not allowed");
    refused(with(0, 0x02, &[2, 0, 0, 0x80]), "C21", "PSBT_GLOBAL_TX_VERSION");
    refused(with(0, 0x04, &[0]), "C21", "");
    refused(with(0, 0x04, &[2]), "C21", "");
    refused(with(0, 0x05, &[2]), "C21", "");
    refused(with(0, 0x04, &[1, 0]), "C21", "1 bytes follow the number");
    refused(with(0, 0x04, &[0xfd, 1, 0]), "C21", "shortest");
    refused(with(0, 0x04, &[0xfe, 0xa1, 0x86, 1, 0]), "C27", "100001 inputs");
    refused(with(0, 0x05, &[0xff, 0, 0, 0, 0, 0, 0, 0, 1]), "C27", "outputs");
    refused(with(0, 0x06, &[1, 0]), "C21", "PSBT_GLOBAL_TX_MODIFIABLE");
    refused(with(0, 0x03, &[0; 3]), "C21", "PSBT_GLOBAL_FALLBACK_LOCKTIME");
    refused(with(1, 0x0e, &[7; 31]), "C21", "PSBT_IN_PREVIOUS_TXID");
    refused(with(1, 0x11, &499_999_999u32.to_le_bytes()), "C21", "PSBT_IN_REQUIRED_TIME_LOCKTIME");
    refused(with(1, 0x12, &500_000_000u32.to_le_bytes()), "C21", "PSBT_IN_REQUIRED_HEIGHT_LOCKTIME");
    refused(with(1, 0x12, &[0; 4]), "C21", "PSBT_IN_REQUIRED_HEIGHT_LOCKTIME");
    refused(with(2, 0x03, &[0; 7]), "C21", "PSBT_OUT_AMOUNT");
    refused(with(2, 0x04, &vec![0; 1_000_000]), "C27", "more than a block's 1000000");
    assert!(with(1, 0x12, &499_999_999u32.to_le_bytes()).is_ok());
    assert!(with(1, 0x11, &500_000_000u32.to_le_bytes()).is_ok());
    let keydata = edited(|maps| drop(maps[1].insert(vec![0x0f, 1], vec![0; 4])));
    refused(keydata, "C21", "PSBT_IN_OUTPUT_INDEX: 1 bytes of key data");
}

#[test]
fn a_payment_of_version_2_is_judged_signed_and_finalised_as_one_of_version_0() {
    for kind in [ScriptKind::Wpkh, ScriptKind::Tr] {
        let payment = payment(kind);
        let one = payment.psbt().serialize();
        let mut fields = maps(&to_version_2(&one).unwrap());
        fields[0].insert(vec![0x06], vec![0x0b]);
        let two = file(&fields);
        let read = |bytes: &[u8]| {
            import(bytes.to_vec(), std::slice::from_ref(&payment.wallet), &Context::default()).unwrap()
        };
        let (first, second) = (read(&one), read(&two));
        assert_eq!((first.spend(), first.verdict()), (second.spend(), second.verdict()));
        assert_eq!(second.inspection().to_json()["psbt_version"], 2);
        assert_eq!(first.inspection().to_json()["psbt_version"], 0);

        let mut envelope = Envelope::default();
        envelope.insert(Kind::Request, b"a request".to_vec()).unwrap();
        let (psbt, form) = strict::read(&second.with_envelope(&envelope)).unwrap();
        assert_eq!(Envelope::read(&psbt).unwrap(), envelope);
        assert_eq!(maps(&form.serialize(&psbt))[0][&[0x06][..]], [0x0b], "documents change no flag");

        let signatures = payment.signatures(&psbt.unsigned_tx);
        let signed = second.with_signatures(&signatures, &[]).unwrap();
        assert_eq!(maps(&signed)[0][&[0x06][..]], [0x08], "what is signed cannot grow; other flags are kept");
        let (mut psbt, form) = strict::read(&signed).unwrap();
        assert_eq!(form.version(), 2);
        finalize(&mut psbt).unwrap();
        let last = strict::parse(&form.serialize(&psbt)).unwrap();
        extract(&last, &Default::default()).unwrap();
    }
}

#[test]
fn version_2_of_an_old_transaction_is_not_written() {
    let mut psbt = payment(ScriptKind::Wpkh).psbt();
    psbt.unsigned_tx.version.0 = 1;
    let error = to_version_2(&psbt.serialize()).unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("not-written", 3));
    assert!(error.hint().is_some());
}

/// Version 2 of the honest payment, with edits of its maps.
fn version_2(edit: impl FnOnce(&mut [Fields])) -> Vec<u8> {
    let mut maps = maps(&to_version_2(&payment(ScriptKind::Wpkh).psbt().serialize()).unwrap());
    edit(&mut maps);
    file(&maps)
}

fn combined(files: &[&[u8]]) -> Result<Combined, Error> {
    let read: Vec<_> = files.iter().map(|bytes| strict::read(bytes).unwrap()).collect();
    let parts: Vec<_> = read.iter().map(|(psbt, form)| Part { name: "a file", psbt, form }).collect();
    combine(&parts)
}

fn refusal(files: &[&[u8]]) -> (String, String) {
    let error = combined(files).unwrap_err();
    let turned: Vec<_> = files.iter().rev().copied().collect();
    assert_eq!(combined(&turned).unwrap_err().code(), error.code(), "in either order");
    (error.code(), error.to_string())
}

#[test]
fn copies_of_version_2_unite_what_only_it_says() {
    let rich = version_2(|maps| {
        maps[0].insert(vec![0x06], vec![0x03]);
        maps[1].insert(vec![0x77], vec![1]);
    });
    let poor = version_2(|maps| {
        maps[0].insert(vec![0x06], vec![0x09]);
        maps[2].insert(vec![0x78], vec![2]);
    });
    let Combined { psbt, form, .. } = combined(&[&rich, &poor]).unwrap();
    let united = form.serialize(&psbt);
    assert_eq!(maps(&united)[0][&[0x06][..]], [0x09], "all must allow what may be added");
    assert_eq!((&maps(&united)[1][&[0x77][..]], &maps(&united)[2][&[0x78][..]]), (&vec![1], &vec![2]));
    let turned = combined(&[&poor, &rich]).unwrap();
    assert_eq!(turned.form.serialize(&turned.psbt), united);
    assert_eq!(combined(&[&united, &rich]).unwrap().form.serialize(&psbt), united, "idempotent");
}

#[test]
fn a_sequence_that_only_one_copy_says_holds_for_both_and_two_are_a_conflict() {
    let silent = version_2(|maps| drop(maps[1].remove(&[0x10][..])));
    let said = version_2(|_| {});
    let combined = combined(&[&silent, &said]).unwrap();
    assert_eq!(combined.psbt.unsigned_tx.input[0].sequence, Sequence::ENABLE_RBF_NO_LOCKTIME);
    assert_eq!(strict::parse(&combined.form.serialize(&combined.psbt)).unwrap(), combined.psbt);
    let other = version_2(|maps| drop(maps[1].insert(vec![0x10], vec![5, 0, 0, 0])));
    let (code, message) = refusal(&[&silent, &said, &other]);
    assert_eq!(code, "C21");
    assert!(message.contains("input 0: sequence is 0xfffffffd, and in a file 0x00000005"), "{message}");
    let one = payment(ScriptKind::Wpkh).psbt().serialize();
    assert_eq!(refusal(&[&one, &silent]).0, "C33", "version 0 says every sequence");
}

#[test]
fn locktimes_that_contradict_each_other_are_refused() {
    let lock = |kind: u8, number: u32| {
        move |maps: &mut [Fields]| drop(maps[1].insert(vec![kind], number.to_le_bytes().to_vec()))
    };
    let (nine, seven) = (version_2(lock(0x12, 9)), version_2(lock(0x12, 7)));
    assert_eq!(refusal(&[&nine, &seven]).0, "C33");
    let fallback = |number: u32| {
        version_2(move |maps| {
            maps[0].insert(vec![0x03], number.to_le_bytes().to_vec());
            lock(0x12, 9)(maps);
        })
    };
    let (code, message) = refusal(&[&fallback(1), &fallback(2)]);
    assert_eq!(code, "C21");
    assert!(message.contains("fallback locktime is 1, and in a file 2"), "{message}");
    // Each makes the height 9, both together a time: the first copy's inputs name no time alone.
    let height_only = version_2(lock(0x12, 9));
    let on_the_other = version_2(|maps| {
        maps[2].insert(vec![0x12], 9u32.to_le_bytes().to_vec());
        maps[2].insert(vec![0x11], 500_000_009u32.to_le_bytes().to_vec());
    });
    assert!(combined(&[&height_only, &on_the_other]).is_ok(), "the height is common to both");
}

#[test]
fn copies_of_both_versions_combine_into_the_version_of_the_first() {
    let payment = payment(ScriptKind::Wpkh);
    let unsigned = payment.psbt();
    let mut signed = unsigned.clone();
    attach_signatures(&mut signed, &payment.signatures(&unsigned.unsigned_tx)).unwrap();
    let (one, two) = (signed.serialize(), to_version_2(&unsigned.serialize()).unwrap());
    for (files, number) in [([&one, &two], 0), ([&two, &one], 2)] {
        let combined = combined(&files.map(Vec::as_slice)).unwrap();
        assert_eq!((combined.psbt, combined.form.version()), (signed.clone(), number));
    }
}

#[test]
fn a_tree_whose_branches_are_turned_round_is_the_same_tree() {
    let leaf = |depth: u8, op: u8| vec![depth, 0xc0, 1, op];
    let psbt = |leaves: [Vec<u8>; 3]| {
        let mut maps = maps(&payment(ScriptKind::Tr).psbt().serialize());
        maps.last_mut().unwrap().insert(vec![0x06], leaves.concat());
        file(&maps)
    };
    let one = psbt([leaf(1, 0x51), leaf(2, 0x52), leaf(2, 0x53)]);
    let turned = psbt([leaf(2, 0x53), leaf(2, 0x52), leaf(1, 0x51)]);
    let other = psbt([leaf(1, 0x51), leaf(2, 0x52), leaf(2, 0x54)]);
    for bytes in [&one, &turned, &other] {
        let (psbt, form) = strict::read(bytes).unwrap();
        assert_eq!(maps(&form.serialize(&psbt)), maps(bytes), "kept as it is written");
        let two = to_version_2(bytes).unwrap();
        assert_eq!(maps(&to_version_0(&two).unwrap()), maps(bytes));
    }
    let united = |files: &[&[u8]]| {
        let Combined { psbt, form, .. } = combined(files).unwrap();
        form.serialize(&psbt)
    };
    assert_eq!(united(&[&one, &turned]), united(&[&turned, &one]));
    assert_eq!(refusal(&[&one, &other]).0, "C21");
}

#[test]
fn unknown_fields_survive_signing_in_version_2() {
    let payment = payment(ScriptKind::Tr);
    let mut psbt = payment.psbt();
    psbt.inputs[0].unknown.insert(Key { type_value: 0x77, key: vec![1, 2] }, vec![3; 300]);
    let two = to_version_2(&psbt.serialize()).unwrap();
    let imported = import(two, std::slice::from_ref(&payment.wallet), &Context::default()).unwrap();
    let signed = imported.with_signatures(&payment.signatures(&psbt.unsigned_tx), &[]).unwrap();
    assert_eq!(maps(&signed)[1][&[0x77, 1, 2][..]], [3; 300]);
}
