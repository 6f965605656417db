//! The reader as a real process.

mod common;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, OutPoint, Psbt, Sequence, TxOut};
use cold_signer::reader::{Descriptors, Open, Reader, Reading};
use cold_signer::{Error, Result};
use common::authority::sign;
use common::{console, psbt, signature, spend, wallet};
use policies::approval::Approval;
use policies::check::{Check, Code, Outcome, verdict};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::id::RequestId;
use policies::identity::Namespace;
use policies::spend::{Spend, SpendInput, SpendParts};
use policies::wallet::{Branch, Keypath};
use psbt_tools::document::Encoding;
use psbt_tools::envelope::{Envelope, Kind};

/// Inputs of the large document, each of which carries a transaction with as many outputs.
const COINS: u32 = 500;

fn open(document: Vec<u8>) -> (Reader, Result<Reading>) {
    let wallet = wallet();
    let mut reader = Reader::spawn(console()).unwrap();
    let wallets = vec![Descriptors {
        network: wallet.network(),
        external: wallet.descriptor(Branch::External),
        internal: wallet.descriptor(Branch::Internal),
    }];
    let reading = reader.open(Open { document, wallets, now: 1_795_240_249 });
    (reader, reading)
}

#[test]
fn a_document_comes_back_as_its_spend_and_with_its_signatures() {
    let wallet = wallet();
    let (spend, evidence) = spend(&wallet, None);
    let document = psbt(&wallet).serialize();
    let (reader, reading) = open(document.clone());
    let reading = reading.unwrap();
    assert_eq!(reading.sha256, sha256::Hash::hash(&document).to_byte_array());
    assert_eq!(reading.psbt_version, 0);
    assert_ne!(verdict(&reading.findings), Outcome::Refuse, "{:?}", reading.findings);
    let bundle = reading.bundle.unwrap();
    assert_eq!((&bundle.spend, &bundle.evidence), (&spend, &evidence));
    assert!(bundle.request.is_none() && bundle.permits.is_empty());

    let written = reader.attach(vec![signature(&spend, &wallet)], b"receipt".to_vec()).unwrap();
    let mut signed = Psbt::deserialize(&written).unwrap();
    assert_eq!(Envelope::read(&signed).unwrap().get(Kind::Receipt).collect::<Vec<_>>(), [b"receipt"]);
    psbt_tools::finalize::finalize(&mut signed).unwrap();
    assert_eq!(signed.extract_tx().unwrap().compute_txid(), spend.unsigned_txid());
}

#[test]
fn the_answer_has_the_encoding_of_the_document() {
    let wallet = wallet();
    let (spend, _) = spend(&wallet, None);
    for encoding in [Encoding::Base64, Encoding::Hex] {
        let (reader, reading) = open(encoding.encode(&psbt(&wallet)));
        reading.unwrap();
        let written = reader.attach(vec![signature(&spend, &wallet)], vec![1]).unwrap();
        assert!(written.is_ascii() && written.ends_with(b"\n"));
    }
}

#[test]
fn a_signature_that_does_not_verify_is_not_attached() {
    let wallet = wallet();
    let (spend, _) = spend(&wallet, None);
    let (reader, reading) = open(psbt(&wallet).serialize());
    reading.unwrap();
    let mut wrong = signature(&spend, &wallet);
    wrong.signature[20] ^= 1;
    let error = reader.attach(vec![wrong], vec![1]).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
}

#[test]
fn what_is_no_psbt_is_named() {
    let (_reader, reading) = open(b"hello".to_vec());
    let error = reading.unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("malformed", 3));
}

#[test]
fn a_wallet_that_is_not_in_the_store_is_refused() {
    let wallet = wallet();
    let mut reader = Reader::spawn(console()).unwrap();
    let reading = reader.open(Open { document: psbt(&wallet).serialize(), wallets: vec![], now: 0 });
    match reading {
        Ok(reading) => assert!(reading.bundle.is_none() || verdict(&reading.findings) == Outcome::Refuse),
        Err(error) => assert_eq!(error.exit_code(), 3),
    }
}

#[test]
fn a_malformed_document_is_refused_and_not_overlooked() {
    for kind in [Kind::Permit, Kind::Approval, Kind::Request] {
        let mut psbt = psbt(&wallet());
        let mut envelope = Envelope::default();
        envelope.insert(kind, b"nonsense".to_vec()).unwrap();
        envelope.write(&mut psbt);
        let (_reader, reading) = open(psbt.serialize());
        let reading = reading.unwrap();
        let refused: Vec<_> =
            reading.findings.into_iter().filter(|finding| finding.outcome == Outcome::Refuse).collect();
        assert_eq!(refused.len(), 1, "{kind:?}");
        assert_eq!(refused[0].code, Code::Check(Check::AUTHORISATION));
        let said = format!("the {} in the file is malformed", kind.as_str());
        assert!(refused[0].message.starts_with(&said), "{}", refused[0].message);
    }
}

#[test]
fn approvals_are_passed_on_and_facts_stay_in_the_file() {
    let wallet = wallet();
    let (spend, _) = spend(&wallet, None);
    let approvals: Vec<_> = (1..=3)
        .map(|n| Approval { request: RequestId::of(&[n]), signature: sign(n, Namespace::Approve, b"text") })
        .collect();
    let mut psbt = psbt(&wallet);
    let mut envelope = Envelope::default();
    for approval in &approvals {
        envelope.insert(Kind::Approval, approval.to_bytes()).unwrap();
    }
    envelope.insert(Kind::Facts, b"no facts at all".to_vec()).unwrap();
    envelope.write(&mut psbt);
    let (reader, reading) = open(psbt.serialize());
    let reading = reading.unwrap();
    assert_ne!(verdict(&reading.findings), Outcome::Refuse, "{:?}", reading.findings);
    let bundle = reading.bundle.unwrap();
    assert_eq!(bundle.approvals.len(), 3);
    assert!(approvals.iter().all(|approval| bundle.approvals.contains(approval)));
    let written = reader.attach(vec![signature(&spend, &wallet)], b"receipt".to_vec()).unwrap();
    let kept = Envelope::read(&Psbt::deserialize(&written).unwrap()).unwrap();
    assert_eq!(kept.get(Kind::Facts).collect::<Vec<_>>(), [b"no facts at all"]);
    assert_eq!(kept.get(Kind::Approval).count(), 3);
}

#[test]
fn orders_out_of_turn_end_the_reader() {
    let reader = Reader::spawn(console()).unwrap();
    let error = reader.attach(vec![], vec![]).unwrap_err();
    assert!(matches!(error, Error::ReaderStopped(_)), "{error}");
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn a_program_that_is_no_reader_is_an_error_and_not_a_hang() {
    let error = Reader::spawn(std::path::Path::new("/bin/true")).unwrap_err();
    assert!(matches!(error, Error::ReaderStopped(_)), "{error}");
    let error = Reader::spawn(std::path::Path::new("/nowhere")).unwrap_err();
    assert_eq!(error.exit_code(), 1);
}

#[test]
fn large_hostile_documents_are_answered_or_stopped_within_the_memory_limit() {
    for document in
        [vec![0xff; 60 << 20], vec![b'A'; 60 << 20], [b"psbt\xff".to_vec(), vec![1; 60 << 20]].concat()]
    {
        let (_reader, reading) = open(document);
        assert_eq!(reading.unwrap_err().exit_code(), 3);
    }
}

#[test]
fn a_large_honest_document_fits_into_the_sandbox() {
    let wallet = wallet();
    let keypath = |index| Keypath { branch: Branch::External, index };
    let mut funding = common::funding(&wallet);
    funding.output = (0..COINS)
        .map(|index| TxOut {
            value: Amount::from_sat(100_000),
            script_pubkey: wallet.script(keypath(index)).unwrap(),
        })
        .collect();
    let txid = funding.compute_txid();
    let (template, _) = spend(&wallet, None);
    let spend = Spend::new(SpendParts {
        network: template.network(),
        wallet: template.wallet(),
        version: template.version(),
        lock_time: template.lock_time(),
        inputs: (0..COINS)
            .map(|index| SpendInput {
                outpoint: OutPoint { txid, vout: index },
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                value: Amount::from_sat(100_000),
                keypath: keypath(index),
            })
            .collect(),
        outputs: template.outputs()[..1].to_vec(),
    })
    .unwrap();
    let psbt = psbt_tools::build::build(&spend, &Evidence::new([funding]), &wallet).unwrap();
    let document = Encoding::Hex.encode(&psbt);
    assert!(document.len() > 10 << 20);
    let (_reader, reading) = open(document);
    assert_eq!(reading.unwrap().bundle.unwrap().spend.id(), spend.id());
}
