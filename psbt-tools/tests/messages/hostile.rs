//! Signatures that consensus rules alone would accept, and transactions that are not the message's.

use crate::signer::{Kind, coin, key, legacy, message, satisfy, segwit, sign, taproot};
use bitcoin::absolute::LockTime;
use bitcoin::consensus::serialize;
use bitcoin::opcodes::all as op;
use bitcoin::script::Builder;
use bitcoin::secp256k1::ecdsa;
use bitcoin::sighash::{EcdsaSighashType, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, Transaction, TxOut, Witness};
use policies::evidence::Evidence;
use policies::message::bip322::{Locks, Satisfaction, ToSign};
use psbt_tools::message::signature::{MAX_SIGNED_LEN, Signature, SignatureError};
use psbt_tools::message::{Verdict, verify, verify_text};

const TEXT: &str = "hello";
const ALL: EcdsaSighashType = EcdsaSighashType::All;

fn to_sign(script: &ScriptBuf) -> ToSign {
    ToSign::new(&message(TEXT), script, Locks::NONE, &[]).unwrap()
}

/// Bitcoin Core's engine on the first input: what the stricter rules add shows where it says yes.
fn core_accepts(transaction: &Transaction, script: &ScriptBuf) -> bool {
    let spent = [bitcoinconsensus::Utxo {
        script_pubkey: script.as_bytes().as_ptr(),
        script_pubkey_len: script.len() as u32,
        value: 0,
    }];
    let flags = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;
    let bytes = serialize(transaction);
    bitcoinconsensus::verify_with_flags(script.as_bytes(), 0, &bytes, Some(&spent), 0, flags).is_ok()
}

/// The verdict on a transaction with this satisfaction, which Core accepts.
fn judged(script: &ScriptBuf, satisfaction: Satisfaction) -> (&'static str, String) {
    let transaction = to_sign(script).satisfied(vec![satisfaction]).unwrap();
    assert!(core_accepts(&transaction, script), "the control: consensus rules accept it");
    words(verify(&message(TEXT), script, &Signature::Full(transaction)))
}

fn words(verdict: Verdict) -> (&'static str, String) {
    let word = verdict.as_str();
    match verdict {
        Verdict::Valid(_) => (word, String::new()),
        Verdict::Inconclusive(reason) | Verdict::Invalid(reason) => (word, reason),
    }
}

fn witness(items: &[Vec<u8>]) -> Satisfaction {
    Satisfaction { witness: Witness::from_slice(items), ..Satisfaction::default() }
}

/// A satisfaction of a p2wsh script: the items that `items` makes of the signatures of keys 7 and 8.
fn wsh(script: &ScriptBuf, items: impl Fn(Vec<u8>, Vec<u8>) -> Vec<Vec<u8>>) -> (&'static str, String) {
    let address = script.to_p2wsh();
    let to_sign = to_sign(&address);
    let by = |n| segwit(to_sign.transaction(), to_sign.prevouts(), 0, script, n, ALL);
    let mut items = items(by(7), by(8));
    items.push(script.to_bytes());
    judged(&address, witness(&items))
}

fn pk(n: u8) -> Builder {
    Builder::new().push_key(&key(n)).push_opcode(op::OP_CHECKSIG)
}

#[test]
fn other_sighash_types_are_refused() {
    let script = Kind::Wpkh.script();
    let pkh = ScriptBuf::new_p2pkh(&key(7).pubkey_hash());
    for kind in [
        EcdsaSighashType::None,
        EcdsaSighashType::Single,
        EcdsaSighashType::AllPlusAnyoneCanPay,
        EcdsaSighashType::NonePlusAnyoneCanPay,
        EcdsaSighashType::SinglePlusAnyoneCanPay,
    ] {
        let to_sign = to_sign(&script);
        let signature = segwit(to_sign.transaction(), to_sign.prevouts(), 0, &pkh, 7, kind);
        let (word, reason) = judged(&script, witness(&[signature, key(7).to_bytes()]));
        assert!(word == "invalid" && reason.contains("is not ALL"), "{kind}: {word} {reason}");
    }
    let script = Kind::Tr.script();
    for (kind, expected) in [
        (TapSighashType::Default, "valid"),
        (TapSighashType::All, "valid"),
        (TapSighashType::None, "invalid"),
        (TapSighashType::Single, "invalid"),
        (TapSighashType::AllPlusAnyoneCanPay, "invalid"),
    ] {
        let to_sign = to_sign(&script);
        let signature = taproot(to_sign.transaction(), to_sign.prevouts(), 0, kind);
        assert_eq!(judged(&script, witness(&[signature])).0, expected, "{kind}");
    }
}

#[test]
fn a_high_s_is_refused() {
    let script = Kind::Wpkh.script();
    let honest = Kind::Wpkh.satisfy(to_sign(&script).transaction(), to_sign(&script).prevouts(), 0);
    let signature = honest.witness.nth(0).unwrap();
    let parsed = ecdsa::Signature::from_der(&signature[..signature.len() - 1]).unwrap();
    let mut compact = parsed.serialize_compact();
    let mut s = [0; 32];
    s.copy_from_slice(&compact[32..]);
    let high = bitcoin::secp256k1::SecretKey::from_slice(&s).unwrap().negate();
    compact[32..].copy_from_slice(&high.secret_bytes());
    let high = ecdsa::Signature::from_compact(&compact).unwrap();
    let high = [high.serialize_der().as_ref(), &[1]].concat();
    assert_eq!(
        judged(&script, witness(&[high, key(7).to_bytes()])),
        ("invalid", "a signature has a high S".to_owned())
    );
    assert_eq!(judged(&script, honest).0, "valid");
}

#[test]
fn the_argument_of_an_if_is_one_or_empty() {
    let script = Builder::new().push_opcode(op::OP_IF).push_key(&key(7)).push_opcode(op::OP_ELSE);
    let script =
        script.push_key(&key(8)).push_opcode(op::OP_ENDIF).push_opcode(op::OP_CHECKSIG).into_script();
    assert_eq!(wsh(&script, |seven, _| vec![seven, vec![1]]).0, "valid");
    assert_eq!(wsh(&script, |_, eight| vec![eight, vec![]]).0, "valid");
    for (argument, own) in
        [(vec![2], true), (vec![1, 1], true), (key(7).to_bytes(), true), (vec![0x80], false)]
    {
        let (word, reason) =
            wsh(&script, |seven, eight| vec![if own { seven } else { eight }, argument.clone()]);
        assert!(word == "invalid" && reason.contains("neither 1 nor empty"), "{word} {reason}");
    }
}

#[test]
fn a_signature_that_fails_is_empty() {
    // Either key may sign: a failing first signature is forgotten by consensus.
    let script = pk(7).push_opcode(op::OP_IFDUP).push_opcode(op::OP_NOTIF).push_key(&key(8));
    let script = script.push_opcode(op::OP_CHECKSIG).push_opcode(op::OP_ENDIF).into_script();
    assert_eq!(wsh(&script, |seven, _| vec![seven]).0, "valid");
    assert_eq!(wsh(&script, |_, eight| vec![eight, vec![]]).0, "valid");
    let failing = wsh(&script, |_, eight| vec![eight.clone(), eight]);
    assert_eq!(failing, ("invalid", "a signature does not verify".to_owned()));
    // The same for several keys: 2-of-2 or the first alone.
    let script = Builder::new().push_int(1).push_key(&key(7)).push_int(1).push_opcode(op::OP_CHECKMULTISIG);
    let script = script.push_opcode(op::OP_NOTIF).push_key(&key(8)).push_opcode(op::OP_CHECKSIG);
    let script = script.push_opcode(op::OP_ELSE).push_int(1).push_opcode(op::OP_ENDIF).into_script();
    assert_eq!(wsh(&script, |seven, _| vec![vec![], seven]).0, "valid");
    assert_eq!(wsh(&script, |_, eight| vec![eight, vec![], vec![]]).0, "valid");
    assert_eq!(wsh(&script, |_, eight| vec![eight.clone(), vec![], eight]).0, "invalid");
}

#[test]
fn forbidden_and_reserved_operations_are_told_apart() {
    let with = |opcode| Builder::new().push_opcode(opcode).push_key(&key(7)).push_opcode(op::OP_CHECKSIG);
    let (word, reason) = wsh(&with(op::OP_NOP1).into_script(), |seven, _| vec![seven]);
    assert_eq!((word, reason.as_str()), ("inconclusive", "OP_NOP1 is reserved for upgrades"));
    // Before it, so that the signature's code begins after it: BIP143.
    let script = with(op::OP_CODESEPARATOR).into_script();
    let after = pk(7).into_script();
    let address = script.to_p2wsh();
    let made = to_sign(&address);
    let signature = segwit(made.transaction(), made.prevouts(), 0, &after, 7, ALL);
    let (word, reason) = judged(&address, witness(&[signature, script.to_bytes()]));
    assert_eq!((word, reason.as_str()), ("invalid", "OP_CODESEPARATOR is forbidden"));
    let script = pk(7).push_opcode(op::OP_DEPTH).push_opcode(op::OP_DROP).into_script();
    assert_eq!(wsh(&script, |seven, _| vec![seven]).0, "inconclusive");
    // A push of one byte by a longer operation than needed.
    let script = ScriptBuf::from_bytes([&[0x4c, 1, 42, 0x75][..], pk(7).into_script().as_bytes()].concat());
    let (word, reason) = wsh(&script, |seven, _| vec![seven]);
    assert!(word == "invalid" && reason.contains("malformed"), "{reason}");
}

#[test]
fn a_script_that_needs_no_signature_is_inconclusive() {
    let script = Builder::new().push_int(1).into_script();
    let (word, reason) = wsh(&script, |_, _| vec![]);
    assert_eq!((word, reason.contains("everyone could satisfy it")), ("inconclusive", true));
    let (word, _) = judged(
        &script.to_p2sh(),
        Satisfaction {
            script_sig: ScriptBuf::builder().push_slice([0x51]).into_script(),
            ..Satisfaction::default()
        },
    );
    assert_eq!(word, "inconclusive");
}

#[test]
fn what_may_be_upgraded_is_inconclusive() {
    let future = ScriptBuf::from_hex(&format!("5220{}", "11".repeat(32))).unwrap();
    let anchor = ScriptBuf::from_hex("51024e73").unwrap();
    for script in [future.clone(), anchor] {
        assert_eq!(judged(&script, witness(&[vec![1]])).0, "inconclusive");
    }
    let nested = Satisfaction {
        script_sig: Builder::new()
            .push_slice(bitcoin::script::PushBytesBuf::try_from(future.to_bytes()).unwrap())
            .into_script(),
        ..witness(&[vec![1]])
    };
    assert_eq!(judged(&future.to_p2sh(), nested).0, "inconclusive");
    let (to_sign, signature) = sign(TEXT, Kind::Pkh, Locks::NONE, &[]);
    let Signature::Full(mut transaction) = signature else { panic!("full") };
    transaction.version = Version(1);
    let script = Kind::Pkh.script();
    transaction.input[0].script_sig = Kind::Pkh.satisfy(&transaction, to_sign.prevouts(), 0).script_sig;
    let (word, reason) = words(verify(&message(TEXT), &script, &Signature::Full(transaction)));
    assert_eq!((word, reason.as_str()), ("inconclusive", "the transaction's version is 1, expected 0 or 2"));
}

#[test]
fn only_one_item_is_left_of_a_legacy_script() {
    let script = Kind::ShMulti.script();
    let made = to_sign(&script);
    let by = |n| legacy(made.transaction(), 0, &crate::signer::multi(), n);
    let items = [vec![42], vec![], by(7), by(8), crate::signer::multi().to_bytes()];
    let script_sig = items.into_iter().fold(Builder::new(), |script, item| {
        script.push_slice(bitcoin::script::PushBytesBuf::try_from(item).unwrap())
    });
    let satisfaction = Satisfaction { script_sig: script_sig.into_script(), ..Satisfaction::default() };
    let (word, reason) = judged(&script, satisfaction);
    assert_eq!((word, reason.as_str()), ("invalid", "its script leaves 2 items, expected one"));
}

/// Signs a transaction that someone altered: the signature is good, the transaction is not the message's.
fn altered(alter: impl Fn(&mut Transaction)) -> (&'static str, String) {
    let script = Kind::Pkh.script();
    let to_sign = to_sign(&script);
    let mut transaction = to_sign.transaction().clone();
    alter(&mut transaction);
    transaction.input[0].script_sig = Kind::Pkh.satisfy(&transaction, to_sign.prevouts(), 0).script_sig;
    assert!(core_accepts(&transaction, &script) || transaction.input.len() > 1);
    words(verify(&message(TEXT), &script, &Signature::Full(transaction)))
}

#[test]
fn a_transaction_that_is_not_the_messages_is_invalid() {
    assert_eq!(altered(|_| ()).0, "valid");
    let other = |value, script: &str| TxOut {
        value: Amount::from_sat(value),
        script_pubkey: ScriptBuf::from_hex(script).unwrap(),
    };
    for (name, (word, _)) in [
        ("another message", altered(|t| t.input[0].previous_output.txid = t.compute_txid())),
        ("another output of it", altered(|t| t.input[0].previous_output.vout = 1)),
        ("an output more", altered(|t| t.output.push(t.output[0].clone()))),
        ("no output", altered(|t| t.output.clear())),
        ("an amount", altered(|t| t.output[0].value = Amount::ONE_SAT)),
        ("a text", altered(|t| t.output[0] = other(0, "6a0142"))),
        ("a payment", altered(|t| t.output[0] = other(1, "51"))),
        ("an input more", altered(|t| t.input.push(coin_input()))),
        ("an input before", altered(|t| t.input.insert(0, coin_input()))),
    ] {
        assert_eq!(word, "invalid", "{name}");
    }
    let locked = altered(|t| {
        t.lock_time = LockTime::from_consensus(1);
        t.version = Version::TWO;
    });
    assert_eq!(locked.0, "valid");
}

fn coin_input() -> bitcoin::TxIn {
    bitcoin::TxIn { previous_output: coin(Kind::Pkh, 3).0.outpoint, ..bitcoin::TxIn::default() }
}

#[test]
fn simple_signatures_are_of_native_segwit_without_locks() {
    for kind in [Kind::ShWpkh, Kind::Pkh] {
        let made = to_sign(&kind.script());
        let satisfaction = kind.satisfy(made.transaction(), made.prevouts(), 0);
        let (word, reason) =
            words(verify(&message(TEXT), &kind.script(), &Signature::Simple(satisfaction.witness)));
        assert!(word == "invalid" && reason.contains("native segwit"), "{reason}");
    }
    let locks = Locks { lock_time: LockTime::from_consensus(9), sequence: Sequence::ZERO };
    let (_, signature) = sign(TEXT, Kind::Wpkh, locks, &[]);
    let Signature::Full(transaction) = &signature else { panic!("full") };
    let simple = Signature::Simple(transaction.input[0].witness.clone());
    assert_eq!(verify(&message(TEXT), &Kind::Wpkh.script(), &simple).as_str(), "invalid");
    let Verdict::Valid(valid) = verify(&message(TEXT), &Kind::Wpkh.script(), &signature) else { panic!() };
    assert_eq!((valid.locks, valid.is_unlocked()), (locks, false));
}

#[test]
fn a_proof_of_funds_says_what_its_coins_are_and_lies_are_invalid() {
    let coins = [Kind::Wpkh, Kind::Pkh];
    let (_, signature) = sign(TEXT, Kind::Tr, Locks::NONE, &coins);
    let address = Kind::Tr.script();
    assert_eq!(verify(&message(TEXT), &address, &signature).as_str(), "valid");
    let Signature::ProofOfFunds(honest) = &signature else { panic!("a proof of funds") };
    type Edit = Box<dyn Fn(&mut bitcoin::Psbt)>;
    let edits: Vec<(&str, Edit)> = vec![
        ("a larger amount", Box::new(|p| p.inputs[1].witness_utxo.as_mut().unwrap().value = Amount::ONE_BTC)),
        (
            "a larger amount beside its transaction",
            Box::new(|p| {
                p.inputs[1].non_witness_utxo = Some(coin(Kind::Wpkh, 1).1);
                p.inputs[1].witness_utxo.as_mut().unwrap().value = Amount::ONE_BTC;
            }),
        ),
        (
            "the transaction of another coin",
            Box::new(|p| p.inputs[1].non_witness_utxo = Some(coin(Kind::Wpkh, 2).1)),
        ),
        (
            "a legacy coin by its output only",
            Box::new(|p| {
                let previous = p.inputs[2].non_witness_utxo.take().unwrap();
                p.inputs[2].witness_utxo = Some(previous.output[0].clone());
            }),
        ),
        (
            "a larger legacy amount",
            Box::new(|p| {
                p.inputs[2].non_witness_utxo.as_mut().unwrap().output[0].value = Amount::ONE_BTC;
            }),
        ),
        ("a coin that nothing tells of", Box::new(|p| p.inputs[2].non_witness_utxo = None)),
        ("an output that is not there", Box::new(|p| p.unsigned_tx.input[2].previous_output.vout = 1)),
        (
            "a coin less",
            Box::new(|p| {
                p.unsigned_tx.input.pop();
                p.inputs.pop();
            }),
        ),
        (
            "a coin twice",
            Box::new(|p| {
                p.unsigned_tx.input.push(p.unsigned_tx.input[1].clone());
                p.inputs.push(p.inputs[1].clone());
            }),
        ),
        (
            "coins in another order",
            Box::new(|p| {
                p.unsigned_tx.input.swap(1, 2);
                p.inputs.swap(1, 2);
            }),
        ),
        (
            "the message last",
            Box::new(|p| {
                p.unsigned_tx.input.swap(0, 2);
                p.inputs.swap(0, 2);
            }),
        ),
        ("an unsigned coin", Box::new(|p| p.inputs[1].final_script_witness = None)),
        (
            "another first output",
            Box::new(|p| p.inputs[0].witness_utxo.as_mut().unwrap().value = Amount::ONE_SAT),
        ),
        (
            "another message beside",
            Box::new(|p| {
                let key = bitcoin::psbt::raw::Key { type_value: 9, key: vec![] };
                p.unknown.insert(key, b"goodbye".to_vec());
            }),
        ),
    ];
    for (name, edit) in edits {
        let mut psbt = honest.clone();
        edit(&mut psbt);
        let edited = Signature::ProofOfFunds(psbt);
        assert_ne!(edited, signature, "{name}");
        assert_eq!(verify(&message(TEXT), &address, &edited).as_str(), "invalid", "{name}");
        assert_eq!(verify_text(&message(TEXT), &address, &edited.encode()).as_str(), "invalid", "{name}");
    }
}

#[test]
fn one_transaction_may_prove_several_coins_and_stand_once() {
    let (first, mut previous) = coin(Kind::Pkh, 1);
    previous.output.push(previous.output[0].clone());
    let txid = previous.compute_txid();
    let coins = [0, 1].map(|vout| policies::message::bip322::ClaimedCoin {
        outpoint: bitcoin::OutPoint { txid, vout },
        ..first.clone()
    });
    let to_sign = ToSign::new(&message(TEXT), &Kind::Wpkh.script(), Locks::NONE, &coins).unwrap();
    let satisfactions = satisfy(&to_sign, &[Kind::Wpkh, Kind::Pkh, Kind::Pkh]);
    let none = Signature::new(&to_sign, satisfactions.clone(), &Evidence::default());
    assert_eq!(none, Err(SignatureError::PreviousTransaction(0)));
    let signature = Signature::new(&to_sign, satisfactions, &Evidence::new([previous])).unwrap();
    let Signature::ProofOfFunds(mut psbt) = signature else { panic!("a proof of funds") };
    psbt.inputs[2].non_witness_utxo = None;
    let Verdict::Valid(valid) = verify(&message(TEXT), &Kind::Wpkh.script(), &Signature::ProofOfFunds(psbt))
    else {
        panic!("BIP322 lets the second stand without");
    };
    assert_eq!(valid.coins, coins);
}

#[test]
fn what_is_too_long_is_not_read() {
    let base64 = "A".repeat(MAX_SIGNED_LEN * 2 + 4);
    for prefix in ["", "smp", "ful"] {
        let read = Signature::decode(&format!("{prefix}{base64}"));
        assert!(matches!(read, Err(SignatureError::TooLong(..))), "{prefix}");
    }
    let fits = "A".repeat(MAX_SIGNED_LEN / 3 * 4 + 8);
    for prefix in ["", "smp", "ful"] {
        let read = Signature::decode(&format!("{prefix}{fits}"));
        assert!(matches!(read, Err(SignatureError::TooLong(..))), "{prefix}");
    }
    // A count that no memory could hold.
    let read = Signature::decode("smp/v////8=");
    assert!(matches!(read, Err(SignatureError::Malformed { .. })), "{read:?}");
}

#[test]
fn prefixes_mean_one_form() {
    let (_, signature) = sign(TEXT, Kind::Wpkh, Locks::NONE, &[]);
    let written = signature.encode();
    let bare = written.strip_prefix("smp").unwrap();
    for (text, word) in [
        (written.clone(), "valid"),
        (bare.to_owned(), "valid"),
        (format!("ful{bare}"), "invalid"),
        (format!("pof{bare}"), "invalid"),
        (format!("SMP{bare}"), "invalid"),
        (format!("smpsmp{bare}"), "invalid"),
        (format!("{written} "), "invalid"),
        (format!("{written}AAAA"), "invalid"),
    ] {
        assert_eq!(verify_text(&message(TEXT), &Kind::Wpkh.script(), &text).as_str(), word, "{text}");
    }
    let (_, full) = sign(TEXT, Kind::Pkh, Locks::NONE, &[]);
    let bare = full.encode().strip_prefix("ful").unwrap().to_owned();
    assert_eq!(verify_text(&message(TEXT), &Kind::Pkh.script(), &bare).as_str(), "invalid");
}

#[test]
fn a_proof_of_funds_carries_each_previous_transaction_once_and_none_for_segwit() {
    let (_, signature) =
        sign(TEXT, Kind::Wpkh, Locks::NONE, &[Kind::Wpkh, Kind::ShWpkh, Kind::Tr, Kind::Pkh]);
    let Signature::ProofOfFunds(psbt) = signature else { panic!("a proof of funds") };
    let given = |of: fn(&bitcoin::psbt::Input) -> bool| psbt.inputs.iter().map(of).collect::<Vec<_>>();
    assert_eq!(given(|input| input.witness_utxo.is_some()), [true, true, true, true, false]);
    assert_eq!(given(|input| input.non_witness_utxo.is_some()), [false, false, false, false, true]);
}

#[test]
fn the_unsigned_psbt_of_a_message_says_what_it_is() {
    let (made, previous) = coin(Kind::Pkh, 1);
    let to_sign = ToSign::new(&message(TEXT), &Kind::Pkh.script(), Locks::NONE, &[made]).unwrap();
    let none = psbt_tools::message::proof::unsigned(&message(TEXT), &to_sign, &Evidence::default());
    assert_eq!(none, Err(SignatureError::PreviousTransaction(0)));
    let evidence = Evidence::new([previous.clone()]);
    let psbt = psbt_tools::message::proof::unsigned(&message(TEXT), &to_sign, &evidence).unwrap();
    let key = bitcoin::psbt::raw::Key { type_value: 9, key: vec![] };
    assert_eq!(psbt.unknown.get(&key).map(Vec::as_slice), Some(TEXT.as_bytes()), "BIP322's global field");
    assert_eq!(psbt.inputs[0].non_witness_utxo.as_ref(), Some(to_sign.to_spend()));
    assert_eq!(psbt.inputs[1].non_witness_utxo.as_ref(), Some(&previous));
    assert_eq!(psbt_tools::strict::parse(&psbt.serialize()).unwrap(), psbt);
}
