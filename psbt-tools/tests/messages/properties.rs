//! What is signed verifies; whatever differs does not.

use crate::signer::{Kind, SCRIPTS, message, sign};
use bitcoin::Sequence;
use bitcoin::absolute::LockTime;
use policies::message::bip322::Locks;
use proptest::prelude::*;
use psbt_tools::message::signature::Signature;
use psbt_tools::message::{Verdict, verify, verify_text};

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(SCRIPTS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_and_survives_being_written(
        text in ".{0,40}",
        kind in kinds(),
        coins in prop::collection::vec(kinds(), 0..4),
        lock in 0..2000u32,
        sequence in 0..200u32,
    ) {
        let locks = Locks { lock_time: LockTime::from_consensus(lock), sequence: Sequence(sequence) };
        let (to_sign, signature) = sign(&text, kind, locks, &coins);
        let written = signature.encode();
        let read = Signature::decode(&written).unwrap();
        prop_assert_eq!(&read, &signature);
        let Verdict::Valid(valid) = verify(&message(&text), &kind.script(), &read) else {
            return Err(TestCaseError::fail("valid"));
        };
        prop_assert_eq!(valid.locks, locks);
        prop_assert_eq!(valid.coins.len() + 1, to_sign.prevouts().len());
        prop_assert_eq!(signature.form().as_str() == "bip322-simple", to_sign.is_simple());
        for other in SCRIPTS.iter().filter(|other| **other != kind) {
            prop_assert_eq!(verify(&message(&text), &other.script(), &read).as_str(), "invalid");
        }
        prop_assert_eq!(verify(&message(&format!("{text}.")), &kind.script(), &read).as_str(), "invalid");
    }

    #[test]
    fn an_altered_signature_is_never_valid(
        kind in kinds(),
        coins in prop::collection::vec(kinds(), 0..2),
        at in any::<prop::sample::Index>(),
        with in "[A-Za-z0-9+/]",
    ) {
        let (_, signature) = sign("text", kind, Locks::NONE, &coins);
        let written = signature.encode();
        let at = 3 + at.index(written.len() - 3);
        let altered = format!("{}{with}{}", &written[..at], &written[at + 1..]);
        let same = match (Signature::decode(&altered), &signature) {
            // A PSBT may hold more than what is signed, and a global field that is not understood.
            (Ok(Signature::ProofOfFunds(read)), Signature::ProofOfFunds(psbt)) => {
                read.clone().extract_tx_unchecked_fee_rate() == psbt.clone().extract_tx_unchecked_fee_rate()
            }
            (read, signature) => read.as_ref() == Ok(signature),
        };
        let verdict = verify_text(&message("text"), &kind.script(), &altered);
        prop_assert!(same || verdict.as_str() != "valid", "{}", altered);
    }

    #[test]
    fn arbitrary_texts_are_not_valid_and_do_not_panic(
        prefix in prop::sample::select(vec!["", "smp", "ful", "pof"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        use bitcoin::base64::Engine;
        let text = format!("{prefix}{}", bitcoin::base64::prelude::BASE64_STANDARD.encode(bytes));
        for kind in SCRIPTS {
            prop_assert_ne!(verify_text(&message("text"), &kind.script(), &text).as_str(), "valid");
        }
    }
}
