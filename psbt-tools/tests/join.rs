//! PSBTs that nobody has signed become one; whatever is bound to its transaction is refused.

mod common;
mod raw;

use bitcoin::absolute::LockTime;
use bitcoin::psbt::raw::{Key, ProprietaryKey};
use bitcoin::{Amount, OutPoint, Psbt, Sequence};
use common::{KINDS, funding, payment, payment_of};
use policies::evidence::Evidence;
use policies::examine::FeeBounds;
use policies::spend::{Spend, SpendInput};
use policies::wallet::{Branch, Keypath, ScriptKind};
use psbt_tools::build::build;
use psbt_tools::combine::Part;
use psbt_tools::convert::to_version_2;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::attach_signatures;
use psbt_tools::finalize::{extract, finalize};
use psbt_tools::join::{Joined, join};
use psbt_tools::{Error, strict};
use raw::{Fields, file, maps};

fn joined(files: &[Vec<u8>]) -> Result<Joined, Error> {
    let names = ["one.psbt", "two.psbt", "three.psbt"];
    let read: Vec<_> = files.iter().map(|bytes| strict::read(bytes).unwrap()).collect();
    let parts: Vec<_> =
        read.iter().zip(names).map(|((psbt, form), name)| Part { name, psbt, form }).collect();
    join(&parts)
}

fn refusal(one: &[u8], two: &[u8]) -> (String, String) {
    let refused = |files: [&[u8]; 2]| {
        let error = joined(&files.map(<[u8]>::to_vec)).unwrap_err();
        assert!(error.hint().is_some() && error.exit_code() == 3, "{error}");
        (error.code(), error.to_string())
    };
    assert_eq!(refused([one, two]).0, refused([two, one]).0, "in either order");
    refused([one, two])
}

/// Two payments that spend different coins.
fn payments() -> [Psbt; 2] {
    [payment_of(ScriptKind::Wpkh, 7).psbt(), payment_of(ScriptKind::Tr, 8).psbt()]
}

fn edited(psbt: &Psbt, edit: impl FnOnce(&mut Psbt)) -> Vec<u8> {
    let mut psbt = psbt.clone();
    edit(&mut psbt);
    psbt.serialize()
}

/// Version 2 with its flags and other edits.
fn version_2(psbt: &Psbt, flags: u8, edit: impl FnOnce(&mut [Fields])) -> Vec<u8> {
    let mut maps = maps(&to_version_2(&psbt.serialize()).unwrap());
    maps[0].insert(vec![0x06], vec![flags]);
    edit(&mut maps);
    file(&maps)
}

#[test]
fn inputs_and_outputs_stand_behind_each_other_with_all_their_fields() {
    let [one, two] = payments();
    let foreign = |psbt: &mut Psbt, n: u8| {
        psbt.unknown.insert(Key { type_value: 0x77, key: vec![n] }, vec![n]);
        psbt.inputs[1].unknown.insert(Key { type_value: 0x77, key: vec![] }, vec![n]);
        let key = ProprietaryKey { prefix: b"other".to_vec(), subtype: 1, key: vec![n] };
        psbt.outputs[0].proprietary.insert(key, vec![n]);
    };
    let files = [edited(&one, |psbt| foreign(psbt, 1)), edited(&two, |psbt| foreign(psbt, 2))];
    let Joined { psbt, form } = joined(&files).unwrap();
    assert_eq!(form.version(), 0);
    let [a, b] = files.each_ref().map(|bytes| maps(bytes));
    let whole = maps(&psbt.serialize());
    assert_eq!(whole[1..], [&a[1..3], &b[1..3], &a[3..], &b[3..]].concat());
    assert_eq!((&whole[0][&[0x77, 1][..]], &whole[0][&[0x77, 2][..]]), (&vec![1], &vec![2]));
    let coins =
        |psbt: &Psbt| psbt.unsigned_tx.input.iter().map(|i| i.previous_output).collect::<Vec<OutPoint>>();
    assert_eq!(coins(&psbt), [coins(&one), coins(&two)].concat());
    assert_eq!(psbt.unsigned_tx.output, [one.unsigned_tx.output, two.unsigned_tx.output].concat());
}

#[test]
fn a_joined_payment_is_signed_and_finalised() {
    for kind in KINDS {
        let mut whole = payment(kind);
        let coin = Keypath { branch: Branch::External, index: 9 };
        let previous = funding(&whole.wallet, coin, 70_000);
        let mut parts = whole.parts.clone();
        parts.inputs = vec![SpendInput {
            outpoint: OutPoint { txid: previous.compute_txid(), vout: 1 },
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            value: Amount::from_sat(70_000),
            keypath: coin,
        }];
        parts.outputs.truncate(1);
        parts.outputs[0].value = Amount::from_sat(60_000);
        let second = build(&Spend::new(parts.clone()).unwrap(), &Evidence::new([previous]), &whole.wallet);
        let files = [whole.psbt().serialize(), second.unwrap().serialize()];
        let Joined { mut psbt, .. } = joined(&files).unwrap();
        whole.parts.inputs.extend(parts.inputs);
        let signatures = whole.signatures(&psbt.unsigned_tx);
        attach_signatures(&mut psbt, &signatures).unwrap();
        finalize(&mut psbt).unwrap();
        extract(&psbt, &FeeBounds::default()).unwrap();
    }
}

#[test]
fn the_latest_locktime_holds_for_the_whole() {
    let [one, two] = payments();
    let lock = |psbt: &Psbt, number: u32| {
        edited(psbt, |psbt| psbt.unsigned_tx.lock_time = LockTime::from_consensus(number))
    };
    for (a, b, expected) in [(0, 0, 0), (7, 0, 7), (7, 9, 9), (0, 500_000_009, 500_000_009)] {
        let joined = joined(&[lock(&one, a), lock(&two, b)]).unwrap();
        assert_eq!(joined.psbt.unsigned_tx.lock_time.to_consensus_u32(), expected);
    }
    let (code, message) = refusal(&lock(&one, 7), &lock(&two, 500_000_000));
    assert_eq!(code, "not-joined");
    assert!(message.contains("a height and another a time"), "{message}");
}

#[test]
fn what_is_bound_to_its_transaction_is_refused() {
    let [one, two] = payments();
    let other = two.serialize();
    let payment = payment(ScriptKind::Wpkh);
    let mut signed = one.clone();
    attach_signatures(&mut signed, &payment.signatures(&one.unsigned_tx)).unwrap();
    let (code, message) = refusal(&signed.serialize(), &other);
    assert_eq!(code, "not-joined");
    assert!(message.contains("one.psbt: input 0 is signed"), "{message}");
    finalize(&mut signed).unwrap();
    assert!(refusal(&signed.serialize(), &other).1.contains("is signed"), "finalised");

    let requested = edited(&one, |psbt| {
        let mut envelope = Envelope::default();
        envelope.insert(Kind::Request, b"a request".to_vec()).unwrap();
        envelope.write(psbt);
    });
    assert!(refusal(&requested, &other).1.contains("has documents"));
    let old = edited(&one, |psbt| psbt.unsigned_tx.version.0 = 1);
    assert!(refusal(&old, &other).1.contains("version 1"));
    assert!(refusal(&version_2(&one, 3, |_| {}), &other).1.contains("PSBT version"));
}

#[test]
fn a_coin_is_spent_once_and_a_key_has_one_value() {
    let [one, two] = payments();
    assert_eq!(refusal(&one.serialize(), &one.serialize()).0, "C15");
    let coin = one.unsigned_tx.input[1].previous_output;
    let again = edited(&two, |psbt| psbt.unsigned_tx.input[0].previous_output = coin);
    let (code, message) = refusal(&one.serialize(), &again);
    assert_eq!(code, "C15");
    assert!(message.contains(&coin.to_string()), "{message}");
    let with = |psbt: &Psbt, n: u8| {
        edited(psbt, |psbt| drop(psbt.unknown.insert(Key { type_value: 0x77, key: vec![] }, vec![n])))
    };
    assert_eq!(refusal(&with(&one, 1), &with(&two, 2)).0, "C21");
    assert!(joined(&[with(&one, 1), with(&two, 1)]).is_ok());
}

#[test]
fn version_2_grows_only_as_its_flags_allow() {
    let [one, two] = payments();
    let open = version_2(&two, 3, |_| {});
    for (flags, what) in [(0, "no inputs"), (1, "no outputs"), (2, "no inputs"), (7, "bound in pairs")] {
        let (code, message) = refusal(&version_2(&one, flags, |_| {}), &open);
        assert_eq!(code, "not-joined");
        assert!(message.contains(what), "{message}");
    }
    let silent = to_version_2(&one.serialize()).unwrap();
    assert!(refusal(&silent, &open).1.contains("no inputs"), "without the field nothing may be added");
    let Joined { psbt, form } = joined(&[version_2(&one, 0x0b, |_| {}), open]).unwrap();
    let whole = maps(&form.serialize(&psbt));
    assert_eq!(
        (whole[0][&[0x04][..]].as_slice(), whole[0][&[0x05][..]].as_slice()),
        (&[4u8][..], &[4u8][..])
    );
    assert_eq!(whole[0][&[0x06][..]], [0x0b]);
    assert_eq!(strict::parse(&form.serialize(&psbt)).unwrap(), psbt);
}

#[test]
fn version_2_keeps_what_its_inputs_require() {
    let [one, two] = payments();
    let lock = |psbt: &Psbt, kind: u8, number: u32| {
        version_2(psbt, 3, |maps| drop(maps[2].insert(vec![kind], number.to_le_bytes().to_vec())))
    };
    let Joined { psbt, form } = joined(&[lock(&one, 0x12, 700), lock(&two, 0x12, 900)]).unwrap();
    assert_eq!(psbt.unsigned_tx.lock_time.to_consensus_u32(), 900);
    let whole = maps(&form.serialize(&psbt));
    assert_eq!(whole[2][&[0x12][..]], 700u32.to_le_bytes());
    assert_eq!(whole[4][&[0x12][..]], 900u32.to_le_bytes());
    let (code, _) = refusal(&lock(&one, 0x12, 700), &lock(&two, 0x11, 500_000_000));
    assert_eq!(code, "not-joined");
}

#[test]
fn one_file_is_nothing_to_join() {
    let [one, _] = payments();
    assert_eq!(joined(&[one.serialize()]).unwrap_err().code(), "malformed");
}
