//! Replies: small, canonical, and worth nothing but by the PSBT that they are merged into.

mod common;

use bitcoin::{Amount, OutPoint, Psbt, Sequence};
use common::{Payment, WALLETS, payment, payment_after, payment_from, payment_of};
use ed25519_dalek::{Signer, SigningKey};
use policies::codec::{Canonical, Encoder};
use policies::evidence::Evidence;
use policies::id::{PermitId, SpendId};
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::{Receipt, ReceiptStatement, vault_id};
use policies::request::Head;
use policies::signature::InputSignature;
use policies::spend::{Spend, SpendInput};
use policies::wallet::{Branch, Keypath, ScriptKind};
use proptest::prelude::*;
use psbt_tools::Error;
use psbt_tools::document::{DocumentKind, Encoding, recognise};
use psbt_tools::import::{Context, Imported, import};
use psbt_tools::qr::{self, Format, Frames, Version};
use psbt_tools::reply::{MAX_LEN, Reply, merge};
use std::sync::OnceLock;
use std::time::Instant;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey::ed25519(key(n).verifying_key().to_bytes())
}

fn statement(spend: &Spend, n: u8) -> ReceiptStatement {
    ReceiptStatement {
        network: spend.network(),
        wallet: spend.wallet(),
        head: Head { vault: vault_id(&public(n)), sequence: 7, hash: [9; 32] },
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        permit: Some(PermitId::of(b"permit")),
    }
}

/// A vault's receipt, signed by the key of a number.
fn signed(statement: ReceiptStatement, n: u8) -> Receipt {
    let bytes = statement.to_bytes();
    let signature =
        SshSig::create(&public(n), Namespace::Receipt, &bytes, |data| key(n).sign(data).to_bytes());
    Receipt { statement, signature }
}

fn receipt(spend: &Spend, n: u8) -> Receipt {
    signed(statement(spend, n), n)
}

fn imported(bytes: Vec<u8>, payment: &Payment) -> Imported {
    import(bytes, std::slice::from_ref(&payment.wallet), &Context::default()).unwrap()
}

/// What vault `n`, with one key of the wallet, answers to a file.
fn answer(file: Vec<u8>, payment: &Payment, n: usize) -> (Reply, Vec<u8>) {
    let asked = imported(file, payment);
    let signatures = payment.signatures_by(&asked.psbt().unsigned_tx, n);
    let receipt = receipt(&payment.spend(), n as u8 + 1);
    let whole = asked.answered(&signatures, &[receipt.to_bytes()]).unwrap();
    (Reply::to(&asked, &signatures, &receipt).unwrap(), whole)
}

fn refusal(result: Result<Vec<u8>, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    assert!(error.hint().is_some(), "{error}");
    error.code()
}

#[test]
fn a_merged_reply_is_the_whole_file_byte_for_byte_for_every_wallet() {
    for (template, keys) in WALLETS {
        let payment = payment_from(template);
        let unsigned = payment.psbt().serialize();
        let mut file = unsigned.clone();
        for n in keys {
            let (reply, whole) = answer(file.clone(), &payment, *n);
            assert_eq!(Reply::read(&reply.to_bytes()).unwrap(), reply, "{template}");
            assert_eq!(merge(&imported(file, &payment), &reply).unwrap(), whole, "{template}");
            // It carries what was signed before as well, so that nobody needs the files in between.
            let from_the_start = merge(&imported(unsigned.clone(), &payment), &reply).unwrap();
            assert_eq!(from_the_start, whole, "{template}");
            // The file's own scripts are enough.
            let stranger = import(unsigned.clone(), &[], &Context::default()).unwrap();
            assert_eq!(merge(&stranger, &reply).unwrap(), whole, "{template}");
            file = whole;
        }
        let mut psbt = Psbt::deserialize(&file).unwrap();
        psbt_tools::finalize::finalize(&mut psbt).unwrap();
    }
}

#[test]
fn replies_of_several_vaults_merge_in_any_order() {
    let payment = payment_from("wsh(sortedmulti(2,@0,@1,@2))");
    let file = payment.psbt().serialize();
    let replies: Vec<Reply> = [0, 2].map(|n| answer(file.clone(), &payment, n).0).to_vec();
    let merged = |order: [usize; 2]| {
        let once = merge(&imported(file.clone(), &payment), &replies[order[0]]).unwrap();
        let twice = merge(&imported(once, &payment), &replies[order[1]]).unwrap();
        let mut psbt = Psbt::deserialize(&twice).unwrap();
        psbt_tools::manifest::remove(&mut psbt);
        psbt_tools::finalize::finalize(&mut psbt.clone()).unwrap();
        psbt
    };
    assert_eq!(merged([0, 1]), merged([1, 0]), "but for who sent the last");
}

#[test]
fn the_answer_is_in_the_form_of_the_question() {
    let payment = payment(ScriptKind::Wpkh);
    for encoding in [Encoding::Base64, Encoding::Hex] {
        let (reply, whole) = answer(encoding.encode(&payment.psbt()), &payment, 0);
        assert!(whole.is_ascii() && whole.ends_with(b"\n"));
        assert_eq!(merge(&imported(encoding.encode(&payment.psbt()), &payment), &reply).unwrap(), whole);
    }
    let second = psbt_tools::convert::to_version_2(&payment.psbt().serialize()).unwrap();
    let (reply, whole) = answer(second.clone(), &payment, 0);
    assert_eq!(merge(&imported(second, &payment), &reply).unwrap(), whole);
}

#[test]
fn what_is_final_already_is_for_the_whole_file() {
    let payment = payment_from("wsh(multi(1,@0,@1))");
    let mut psbt = payment.signed_by(&[0]);
    let unsigned = payment.psbt();
    psbt_tools::finalize::finalize(&mut psbt).unwrap();
    psbt.inputs[1] = unsigned.inputs[1].clone();
    let asked = imported(psbt.serialize(), &payment);
    let signatures: Vec<InputSignature> =
        payment.signatures_by(&unsigned.unsigned_tx, 1).into_iter().filter(|s| s.input == 1).collect();
    let error = Reply::to(&asked, &signatures, &receipt(&payment.spend(), 2)).unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("not-written", 3));
}

#[test]
fn a_reply_is_small_and_recognised_in_every_encoding() {
    for (kind, each) in [(ScriptKind::Tr, 66), (ScriptKind::Wpkh, 66)] {
        let payment = payment(kind);
        let (reply, whole) = answer(payment.psbt().serialize(), &payment, 0);
        let bytes = reply.to_bytes();
        assert_eq!((reply.signatures(), reply.inputs()), (2, 2));
        assert!(bytes.len() < 1_100 + 2 * each && bytes.len() < whole.len(), "{} bytes", bytes.len());
        for encoding in [Encoding::Binary, Encoding::Base64, Encoding::Hex] {
            let written = encoding.encode_bytes(bytes.clone());
            assert_eq!(recognise(&written), DocumentKind::Reply(encoding));
            assert_eq!(Reply::read(&written).unwrap(), reply);
            assert_eq!(psbt_tools::manifest::of(&written).as_ref(), Some(reply.manifest()));
        }
        let named = psbt_tools::document::Document::parse(bytes).unwrap_err();
        assert!(named.to_string().starts_with("this is a reply"), "{named}");
        let says = reply.lines();
        assert!(says[0].starts_with("says: from \"vault "), "{says:?}");
        assert_eq!(reply.to_json()["spend_id"], payment.spend().id().to_string());
    }
}

#[test]
fn a_reply_to_another_payment_or_attempt_is_refused() {
    let payment = payment(ScriptKind::Wpkh);
    let (reply, _) = answer(payment.psbt().serialize(), &payment, 0);
    let mut higher = common::payment(ScriptKind::Wpkh);
    higher.parts.outputs[1].value -= bitcoin::Amount::from_sat(500);
    let another = imported(higher.psbt().serialize(), &higher);
    assert_eq!(refusal(merge(&another, &reply)), "other-spend");
    let stranger = import(higher.psbt().serialize(), &[], &Context::default()).unwrap();
    assert_eq!(refusal(merge(&stranger, &reply)), "other-spend");
    let somebody = payment_of(ScriptKind::Wpkh, 9);
    assert_eq!(refusal(merge(&imported(somebody.psbt().serialize(), &somebody), &reply)), "other-spend");
}

/// A forger writes the whole reply, manifest and all, and vouches for it with a vault of their own.
fn forged(payment: &Payment, signatures: &[(u32, u8, Vec<u8>)]) -> Vec<u8> {
    built(payment.spend().id(), &[receipt(&payment.spend(), 99)], signatures)
}

/// Canonical bytes of a reply with these entries: input, kind of key and sighash, what follows.
fn built(spend: SpendId, receipts: &[Receipt], signatures: &[(u32, u8, Vec<u8>)]) -> Vec<u8> {
    let mut rest = Encoder::default();
    rest.fixed(spend.as_bytes());
    rest.list(receipts, |to, receipt| to.string(&receipt.to_bytes()));
    let mut before = 0;
    rest.list(signatures, |to, (input, how, bytes)| {
        to.u8((input - before) as u8);
        before = *input;
        to.u8(*how);
        to.fixed(bytes);
    });
    let rest = rest.finish();
    let mut tag = Encoder::default();
    tag.string(b"airlock/reply/1");
    let tag = tag.finish();
    let document = [tag.clone(), rest.clone()].concat();
    let hash = <bitcoin::hashes::sha256::Hash as bitcoin::hashes::Hash>::hash(&document);
    let mut manifest = Encoder::default();
    manifest.string(b"airlock/manifest/1");
    manifest.string(b"the gatekeeper of Two Friends GmbH");
    manifest.string(b"rent");
    manifest.network(bitcoin::Network::Regtest);
    manifest.fixed(&[7; 32]);
    manifest.u8(0);
    manifest.u32(signatures.len() as u32);
    manifest.u32(0);
    manifest.u64(document.len() as u64);
    manifest.fixed(bitcoin::hashes::Hash::as_byte_array(&hash));
    let mut named = Encoder::default();
    named.string(&manifest.finish());
    [tag, named.finish(), rest].concat()
}

/// The entries of an honest taproot answer.
fn honest(payment: &Payment) -> Vec<(u32, u8, Vec<u8>)> {
    let signatures = payment.signatures_by(&payment.psbt().unsigned_tx, 0);
    signatures.into_iter().map(|signature| (signature.input, 0, signature.signature)).collect()
}

#[test]
fn no_claim_makes_a_signature_good() {
    let payment = payment(ScriptKind::Tr);
    let base = || imported(payment.psbt().serialize(), &payment);
    let merged = |entries: &[(u32, u8, Vec<u8>)]| {
        merge(&base(), &Reply::read(&forged(&payment, entries)).expect("well formed"))
    };
    let good = honest(&payment);
    // Signatures are good whoever brings them; the receipt of a stranger is kept, and counts for nothing where vaults are pinned.
    assert!(merged(&good).is_ok(), "the control");
    let mut flipped = good.clone();
    flipped[1].2[63] ^= 1;
    assert_eq!(refusal(merged(&flipped)), "C28", "a signature that does not verify");
    let swapped = [(0, 0, good[1].2.clone()), (1, 0, good[0].2.clone())];
    assert_eq!(refusal(merged(&swapped)), "C28", "signatures of each other's inputs");
    let mut beyond = good.clone();
    beyond.push((2, 0, good[0].2.clone()));
    assert_eq!(refusal(merged(&beyond)), "C28", "an input that is not there");
    assert_eq!(refusal(merged(&[(0, 1, [vec![0], good[0].2.clone()].concat())])), "C28", "no script there");
    assert_eq!(refusal(merged(&[(0, 2, [vec![1; 5], good[0].2.clone()].concat())])), "C28", "no leaf there");
    let mut whole = Encoder::default();
    whole.string(&[3; 32]);
    whole.option(None::<&u8>, |_, _| {});
    assert_eq!(
        refusal(merged(&[(0, 3, [whole.finish(), good[0].2.clone()].concat())])),
        "C28",
        "another key"
    );
    assert_eq!(refusal(merged(&[(0, 0x10, good[0].2.clone())])), "C28", "another sighash type");
    assert_eq!(base().psbt(), &payment.psbt(), "and nothing was changed by any of it");
}

#[test]
fn a_signature_for_an_input_that_is_not_the_wallets_is_refused() {
    let ours = payment(ScriptKind::Wpkh);
    let theirs = payment_of(ScriptKind::Tr, 9);
    let mut psbt = ours.psbt();
    let other = theirs.psbt();
    psbt.unsigned_tx.input.push(other.unsigned_tx.input[0].clone());
    psbt.inputs.push(other.inputs[0].clone());
    let base = import(psbt.serialize(), std::slice::from_ref(&ours.wallet), &Context::default()).unwrap();
    let statement =
        ReceiptStatement { unsigned_txid: psbt.unsigned_tx.compute_txid(), ..statement(&ours.spend(), 99) };
    let entry = [(2, 0, vec![1; 64])];
    let reply = Reply::read(&built(ours.spend().id(), &[signed(statement, 99)], &entry)).unwrap();
    assert!(["C12", "C28"].contains(&refusal(merge(&base, &reply)).as_str()));
}

#[test]
fn every_broken_reply_is_refused_for_its_own_reason() {
    let payment = payment(ScriptKind::Tr);
    let spend = payment.spend();
    let good = honest(&payment);
    let own = receipt(&spend, 99);
    let reads = |bytes: &[u8]| {
        let error = Reply::read(bytes).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("malformed", 3), "{error}");
        error.to_string()
    };
    let elsewhere = common::payment_of(ScriptKind::Tr, 9).spend();
    let of = |receipts: &[Receipt]| reads(&built(spend.id(), receipts, &good));
    assert!(of(&[]).contains("there is none"));
    assert!(of(&[receipt(&elsewhere, 99)]).contains("it is for spend"), "a swapped receipt");
    assert!(of(&[signed(statement(&spend, 99), 98)]).contains("not authentic"), "signed by another vault");
    let mut lying = statement(&spend, 98);
    lying.unsigned_txid = elsewhere.unsigned_txid();
    assert!(of(&[own.clone(), signed(lying, 98)]).contains("different payments"));
    assert!(of(&[own.clone(), own.clone()]).contains("twice"));
    let mut two = [receipt(&spend, 97), receipt(&spend, 98)];
    two.sort_by_key(|receipt| std::cmp::Reverse(receipt.to_bytes()));
    assert!(of(&[own.clone(), two[0].clone(), two[1].clone()]).contains("out of order"));
    let entries =
        |entries: &[(u32, u8, Vec<u8>)]| reads(&built(spend.id(), std::slice::from_ref(&own), entries));
    assert!(entries(&[]).contains("there is none"));
    assert!(entries(&[good[0].clone(), good[0].clone()]).contains("twice"));
    assert!(entries(&[(0, 4, good[0].2.clone())]).contains("no kind 4"));
    assert!(entries(&[(0, 0x20, good[0].2.clone())]).contains("no kind 32"));
    assert!(entries(&[(0, 0, vec![1; 63])]).contains("signature"));
    assert!(entries(&[(0, 0, vec![1; 65])]).contains("follow the end"));
    let far = [vec![0xff, 0, 0, 0, 1], vec![0], vec![1; 64]].concat();
    let long_way = built(spend.id(), std::slice::from_ref(&own), &[(0xff, far[5], far[6..].to_vec())]);
    reads(&long_way);
    assert!(reads(b"\x00\x00\x00\x0fairlock/reply/2").contains("another version"));
    assert!(reads(b"psbt\xff").contains("no reply"));
    // A million signatures are announced and none is there: refused by the count, before anything is kept.
    let empty = built(spend.id(), std::slice::from_ref(&own), &[]);
    let mut bomb = empty[..empty.len() - 4].to_vec();
    bomb.extend(u32::MAX.to_be_bytes());
    assert!(Reply::read(&bomb).is_err());
    assert_eq!(Reply::read(&vec![0; 3 * MAX_LEN + 1]).unwrap_err().code(), "C27");
}

/// An honest reply, made once.
fn sample() -> &'static (Reply, Vec<u8>) {
    static SAMPLE: OnceLock<(Reply, Vec<u8>)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let payment = payment_from("tr(@0,{pk(@1),multi_a(2,@2,@3)})");
        let (reply, _) = answer(payment.psbt().serialize(), &payment, 3);
        let bytes = reply.to_bytes();
        (reply, bytes)
    })
}

#[test]
fn a_reply_cut_extended_or_changed_anywhere_is_refused() {
    let (_, bytes) = sample();
    for at in 0..bytes.len() {
        assert!(Reply::read(&bytes[..at]).is_err(), "cut at {at}");
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            match Reply::read(&changed) {
                Err(error) => assert_eq!(error.exit_code(), 3),
                // Who sent it and what for is nobody's to prove; everything else has its hash.
                Ok(reply) => assert_ne!(reply.manifest(), sample().0.manifest(), "changed at {at}"),
            }
        }
    }
    let mut extended = bytes.clone();
    extended.push(0);
    assert_eq!(Reply::read(&extended).unwrap_err().code(), "damaged");
    let mut cut = bytes.clone();
    cut.truncate(bytes.len() - 10);
    let error = Reply::read(&cut).unwrap_err();
    assert_eq!(error.code(), "damaged");
    assert!(error.to_string().contains("damaged on its way"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), tagged: bool) {
        let bytes = if tagged { [&sample().1[..19], &bytes].concat() } else { bytes };
        let _ = Reply::read(&bytes);
        let _ = recognise(&bytes);
    }

    #[test]
    fn spliced_replies_never_panic(from in 0usize..2_000, to in 0usize..2_000, len in 0usize..200) {
        let mut bytes = sample().1.clone();
        let at = |n: usize| n % bytes.len();
        let part: Vec<u8> = bytes[at(from)..(at(from) + len).min(bytes.len())].to_vec();
        let to = at(to);
        bytes.splice(to..(to + part.len()).min(bytes.len()), part);
        let _ = Reply::read(&bytes);
    }
}

#[test]
fn a_timelocked_path_answers_as_well() {
    let payment = payment_after("wsh(or_d(pk(@0),and_v(v:pkh(@1),older(144))))", 144);
    let (reply, whole) = answer(payment.psbt().serialize(), &payment, 1);
    let stranger = import(payment.psbt().serialize(), &[], &Context::default()).unwrap();
    assert_eq!(merge(&stranger, &reply).unwrap(), whole, "a key that its script only hashes");
}

/// Ten thousand taproot inputs: how long the answer is, and in how many symbols it is shown.
#[test]
fn ten_thousand_taproot_inputs_are_answered_in_qr_codes() {
    if std::env::var_os("AIRLOCK_LONG").is_none() {
        eprintln!("skipped: AIRLOCK_LONG is not set");
        return;
    }
    const INPUTS: u32 = 10_000;
    let mut payment = payment(ScriptKind::Tr);
    let coin = |index| {
        let at = Keypath { branch: Branch::External, index };
        let previous = common::funding(&payment.wallet, at, 100_000);
        let outpoint = OutPoint { txid: previous.compute_txid(), vout: 1 };
        let value = Amount::from_sat(100_000);
        (SpendInput { outpoint, sequence: Sequence::MAX, value, keypath: at }, previous)
    };
    let (inputs, previous): (Vec<_>, Vec<_>) = (0..INPUTS).map(coin).unzip();
    payment.parts.inputs = inputs;
    payment.parts.outputs.truncate(1);
    payment.parts.outputs[0].value = Amount::from_sat(u64::from(INPUTS) * 99_000);
    payment.evidence = Evidence::new(previous);
    let file = payment.psbt().serialize();
    let begun = Instant::now();
    let (reply, whole) = answer(file.clone(), &payment, 0);
    eprintln!("answered in {:.1?}", begun.elapsed());
    let bytes = reply.to_bytes();
    assert_eq!(reply.signatures(), INPUTS as usize);
    assert!(bytes.len() < 66 * INPUTS as usize + 1_500, "{} bytes", bytes.len());
    eprintln!("request {} bytes, signed {} bytes, reply {} bytes", file.len(), whole.len(), bytes.len());
    for version in [20, 27, 40] {
        let frames =
            Frames::new(Format::Ur, qr::Kind::Bytes, &bytes, Version::new(version).unwrap()).unwrap();
        let alone = frames.parts();
        eprintln!("version {version}: {alone} parts; at 8 frames a second {} s", alone / 8);
        assert!(alone <= qr::MAX_PARTS);
    }
    let begun = Instant::now();
    assert_eq!(merge(&imported(file, &payment), &Reply::read(&bytes).unwrap()).unwrap(), whole);
    eprintln!("read and merged in {:.1?}", begun.elapsed());
}
