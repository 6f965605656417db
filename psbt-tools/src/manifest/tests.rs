use super::*;
use crate::document::Encoding;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::FromHex;
use bitcoin::{Amount, OutPoint};
use policies::id::{RequestId, WalletId};
use proptest::prelude::*;

/// The smallest PSBT: no inputs, no outputs.
fn psbt() -> (Psbt, Form) {
    strict::read(&Vec::<u8>::from_hex("70736274ff01000a0200000000000000000000").unwrap()).unwrap()
}

fn says() -> Says {
    Says::new("watch-node", Network::Regtest, WalletId::of(b"w"))
}

fn stamped() -> Vec<u8> {
    let (mut psbt, form) = psbt();
    stamp(&mut psbt, &form, &says()).unwrap()
}

fn check(bytes: &[u8]) -> Result<Option<Manifest>, Error> {
    checked(bytes, &strict::parse(bytes).unwrap())
}

#[test]
fn a_file_says_who_wrote_it_and_is_held_against_that() {
    let bytes = stamped();
    let manifest = check(&bytes).unwrap().unwrap();
    assert_eq!(manifest.says, says());
    assert_eq!(manifest.length, 19, "the file without its manifest");
    assert_eq!(manifest.sha256, sha256::Hash::hash(&psbt().0.serialize()).to_byte_array());
    for encoding in [Encoding::Binary, Encoding::Base64, Encoding::Hex] {
        assert_eq!(of(&encoding.encode_bytes(bytes.clone())), Some(manifest.clone()));
    }
    let (bare, _) = psbt();
    assert_eq!((check(&bare.serialize()).unwrap(), of(&bare.serialize())), (None, None), "none is fine");
    assert_eq!(of(b"hello"), None);
}

#[test]
fn a_changed_file_is_damaged_unless_somebody_signed_it() {
    let mut psbt = strict::parse(&stamped()).unwrap();
    psbt.unknown.insert(bitcoin::psbt::raw::Key { type_value: 0x70, key: vec![] }, vec![1]);
    let error = check(&psbt.serialize()).unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("damaged", 3));
    assert!(error.to_string().contains("19 bytes, and it has 23"), "{error}");
    psbt.unknown.clear();
    let other = bitcoin::psbt::raw::ProprietaryKey { prefix: b"other".to_vec(), subtype: 0, key: vec![] };
    psbt.proprietary.insert(other, vec![]);
    assert_eq!(check(&psbt.serialize()).unwrap_err().code(), "damaged");
}

#[test]
fn the_next_writer_replaces_it() {
    let mut psbt = strict::parse(&stamped()).unwrap();
    let bytes =
        stamp(&mut psbt, &Form::default(), &Says::new("b", Network::Bitcoin, WalletId::of(b"w"))).unwrap();
    assert_eq!(check(&bytes).unwrap().unwrap().says.sender(), "b");
    remove(&mut psbt);
    assert_eq!(psbt, super::tests::psbt().0);
}

#[test]
fn several_and_malformed_ones_are_refused() {
    for values in [vec![b"nonsense".to_vec()], vec![b"a".to_vec(), b"b".to_vec()]] {
        let (mut psbt, _) = psbt();
        let mut envelope = Envelope::default();
        values.into_iter().for_each(|value| envelope.insert(Kind::Manifest, value).unwrap());
        envelope.write(&mut psbt);
        let error = check(&psbt.serialize()).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("manifest", 3));
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_request_that_is_not_in_the_file_is_refused() {
    let (mut psbt, form) = psbt();
    let says = Says { request: Some(RequestId::of(b"another")), ..says() };
    let bytes = stamp(&mut psbt, &form, &says).unwrap();
    assert_eq!(check(&bytes).unwrap_err().code(), "manifest");
}

#[test]
fn a_purpose_that_is_not_the_requests_is_refused() {
    let request = Request {
        network: Network::Regtest,
        wallet: WalletId::of(b"w"),
        payment: 1,
        recipients: vec![],
        purpose: "invoice 117".to_owned(),
        max_fee: Amount::ZERO,
        anchor: OutPoint::null(),
        created: 1,
        expires: 2,
        heads: vec![],
        replaces: vec![],
    };
    let stamped = |says: Says| {
        let (mut psbt, form) = psbt();
        let mut envelope = Envelope::default();
        let signed = SignedRequest { request: request.clone(), signature: None };
        envelope.insert(Kind::Request, signed.to_bytes()).unwrap();
        envelope.write(&mut psbt);
        stamp(&mut psbt, &form, &says).unwrap()
    };
    let honest = Says::about("watch-node", &request);
    assert!(check(&stamped(honest.clone())).unwrap().is_some());
    let lying = Says { purpose: "a refund to ourselves".to_owned(), ..honest };
    assert_eq!(check(&stamped(lying)).unwrap_err().code(), "manifest");
}

#[test]
fn no_text_of_strangers_begins_a_line_of_the_screen() {
    let manifest = check(&stamped()).unwrap().unwrap();
    for text in [format!("desk{}I approve this payment.", " ".repeat(90)), "ä".repeat(70), "x".repeat(150)] {
        let says = Says { sender: text.clone(), purpose: text, ..says() };
        for line in (Manifest { says, ..manifest.clone() }).lines() {
            let columns: usize = line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
            assert!(line.starts_with("says: ") && (columns <= 72 || line.contains("wallet")), "{line}");
        }
    }
}

#[test]
fn a_wallet_that_is_not_here_is_somebody_elses() {
    let manifest = check(&stamped()).unwrap().unwrap();
    let here = |network, wallet: &[u8]| manifest.addressed([(network, WalletId::of(wallet))].into_iter());
    here(Network::Regtest, b"w").unwrap();
    for error in [here(Network::Bitcoin, b"w").unwrap_err(), here(Network::Regtest, b"v").unwrap_err()] {
        assert_eq!((error.code().as_str(), error.exit_code()), ("other-wallet", 3));
        assert!(error.to_string().starts_with("this is somebody else's file"), "{error}");
    }
}

#[test]
fn what_is_shown_is_marked_as_said() {
    let manifest = check(&stamped()).unwrap().unwrap();
    assert!(manifest.lines().iter().all(|line| line.starts_with("says: ")), "{:?}", manifest.lines());
    for deceiving in ["a\u{202e}b", "a\nb", "a\u{1b}[2J", "a\u{2800}b", "a\u{fffc}b"] {
        let lying = Manifest { says: Says { sender: deceiving.to_owned(), ..says() }, ..manifest.clone() };
        assert!(Manifest::from_bytes(&lying.to_bytes()).is_err(), "{deceiving:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = of(&bytes);
        let _ = Manifest::from_bytes(&bytes);
        let _ = digest::of_psbt(&[b"psbt\xff", bytes.as_slice()].concat());
    }

    #[test]
    fn a_manifest_that_is_cut_or_changed_is_another_or_none(at: usize, flip in 1u8..) {
        let manifest = check(&stamped()).unwrap().unwrap();
        let bytes = manifest.to_bytes();
        let at = at % bytes.len();
        prop_assert!(Manifest::from_bytes(&bytes[..at]).is_err());
        let mut changed = bytes.clone();
        changed[at] ^= flip;
        prop_assert_ne!(Manifest::from_bytes(&changed).ok(), Some(manifest));
    }
}
