//! Valid PSBTs of every kind of wallet, changed at random: each is refused, or every signature that the vault released
//! spends exactly what its review showed. Reader and vault are the real ones, in this process.
//!
//! `PROPTEST_CASES` sets the number of cases, `AIRLOCK_SEED` the first: a case that fails names its seed.

#[path = "fuzz_signing/changes.rs"]
mod changes;
#[path = "fuzz_signing/checker.rs"]
mod checker;
#[path = "hostile_corpus/corpus/mod.rs"]
mod corpus;
#[allow(dead_code, reason = "the oracle uses the rest")]
#[path = "../../policies/tests/oracle/dice.rs"]
mod dice;
#[path = "fuzz_signing/shown.rs"]
mod shown;
#[path = "fuzz_signing/subject.rs"]
mod subject;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bitcoin::{Amount, EcdsaSighashType, TapSighashType};
use checker::Checker;
use cold_wire::Bundle;
use corpus::attempt::{Attempt, Tampering, attempt};
use corpus::desk::Desk;
use corpus::purse::{ALL, Kind};
use corpus::signing::{Types, sign_input};
use dice::Dice;
use policies::signature::InputSignature;
use shown::Shown;
use subject::Subject;

/// Cases of a normal run.
const CASES: u64 = 250;

/// Cases of a long run, where `PROPTEST_CASES` says no other number.
const LONG: u64 = 20_000;

/// After so many signed payments there is a new vault: a long journal takes long to read.
const SIGNED_BY_ONE: u64 = 300;

/// Every question is answered by yes: what is signed is then the more.
const ACCEPTED: &[u8] = &[5, 8, 16, 19, 20, 31];

/// What came of one case.
enum Came {
    /// By a number or another code.
    Refused(String),
    Signed(Kind),
}

#[test]
fn a_changed_file_is_refused_or_signed_for_exactly_what_was_shown() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let long = std::env::var("AIRLOCK_LONG").is_ok_and(|value| value == "1");
    let cases: u64 = number("PROPTEST_CASES").unwrap_or(if long { LONG } else { CASES });
    let first = number("AIRLOCK_SEED").unwrap_or(0);
    let mut desk = Desk::open();
    let checker = Checker::of(&desk.purses);
    let (mut signed, mut by_one) = (BTreeMap::<Kind, u64>::new(), 0);
    let mut refused = BTreeMap::<String, u64>::new();
    for seed in first..first + cases {
        let came = catch_unwind(AssertUnwindSafe(|| case(&mut desk, &checker, seed)));
        match came.unwrap_or_else(|_| panic!("AIRLOCK_SEED={seed}: reader or vault panicked")) {
            Ok(Came::Refused(code)) => *refused.entry(code).or_default() += 1,
            Ok(Came::Signed(kind)) => {
                *signed.entry(kind).or_default() += 1;
                by_one += 1;
            }
            Err(what) => panic!("AIRLOCK_SEED={seed}: {what}"),
        }
        if by_one == SIGNED_BY_ONE {
            (desk, by_one) = (Desk::open(), 0);
        }
    }
    let total: u64 = signed.values().sum();
    eprintln!("fuzz: {cases} files, {total} signed as shown {signed:?}, refused by {refused:?}");
    if cases >= CASES {
        assert_eq!(signed.len(), ALL.len(), "a kind of wallet was never signed: {signed:?}");
        assert!(refused.len() >= 10, "too few checks were met: {refused:?}");
        assert!(total * 10 >= cases && total * 10 <= cases * 9, "{total} of {cases} are signed");
    }
}

/// One file, and what must hold of it.
fn case(desk: &mut Desk, checker: &Checker, seed: u64) -> Result<Came, String> {
    let mut dice = Dice::seeded(seed);
    let subject = Subject::of(&mut dice, desk);
    // The honest payment first: what comes then is a repeat, a replacement, or a second payment of the same coins.
    let is_first = !dice.percent(15);
    if !is_first {
        let honest = subject.payment.psbt().serialize();
        let came = attempt(desk, honest, ACCEPTED, Tampering::default());
        if !came.is_signed() {
            return Err(format!("the honest payment is not signed: {:?}", came.said));
        }
    }
    let mut lie = dice.percent(10).then(|| dice.clone());
    let mut handed = None;
    let tampering = Tampering {
        bundle: Some(Box::new(|bundle: &mut Bundle| {
            if let Some(dice) = &mut lie {
                changes::of_bundle(dice, bundle, &subject.payment);
            }
            handed = Some(bundle.clone());
        })),
        ..Tampering::default()
    };
    let came = attempt(desk, subject.bytes.clone(), ACCEPTED, tampering);
    let is_honest = subject.changes == 0 && lie.is_none() && is_first;
    if is_honest && !came.is_signed() {
        return Err(format!("an honest {:?} is not signed: {:?}", subject.payment.kind, came.said));
    }
    let Some(bundle) = handed.filter(|_| came.signatures.is_some()) else {
        let code = came.refused.first().cloned().ok_or(format!("exit {} without a reason", came.exit))?;
        return Ok(Came::Refused(code));
    };
    let what = |error| format!("{:?}, {} changes: {error}", subject.payment.kind, subject.changes);
    agrees(checker, &came, &bundle).map_err(what)?;
    match &came.file {
        Some(_) => Ok(Came::Signed(subject.payment.kind)),
        // The vault believed a reader that lied, showed the lie, and signed what it showed: it is not for this file.
        None => Ok(Came::Refused(came.refused.first().cloned().unwrap_or_default())),
    }
}

/// Whether review and signatures are those of what the vault was handed, and of the file that came out.
fn agrees(checker: &Checker, came: &Attempt, bundle: &Bundle) -> Result<(), String> {
    let review = came.review.as_ref().ok_or("signed without a review")?;
    let signatures = came.signatures.as_ref().ok_or("no signatures")?;
    checker.check(review, signatures, &Shown::of_bundle(bundle, checker))?;
    let Some(file) = &came.file else { return Ok(()) };
    let shown = Shown::of_file(file)?;
    checker.check(review, signatures, &shown)?;
    let absent = signatures.iter().find(|signature| !shown.holds(signature));
    absent.map_or(Ok(()), |absent| Err(format!("a signature for input {} is not in the file", absent.input)))
}

#[test]
fn what_was_not_shown_is_seen() {
    let mut desk = Desk::open();
    let checker = Checker::of(&desk.purses);
    for kind in ALL {
        let payment = desk.payment(*kind);
        let mut handed = None;
        let keep = |bundle: &mut Bundle| handed = Some(bundle.clone());
        let tampering = Tampering { bundle: Some(Box::new(keep)), ..Tampering::default() };
        let came = attempt(&mut desk, payment.psbt().serialize(), &[], tampering);
        let bundle = handed.unwrap();
        assert_eq!(agrees(&checker, &came, &bundle), Ok(()), "{kind:?}");

        let review = came.review.clone().unwrap();
        let reviewed = |edit: &dyn Fn(&mut cold_wire::Review)| {
            let mut review = review.clone();
            edit(&mut review);
            let shown = Shown::of_file(came.file.as_ref().unwrap()).unwrap();
            checker.check(&review, came.signatures.as_ref().unwrap(), &shown)
        };
        assert!(reviewed(&|_| ()).is_ok());
        assert!(reviewed(&|review| review.fee += Amount::ONE_SAT).is_err());
        assert!(reviewed(&|review| review.input_sum -= Amount::ONE_SAT).is_err());
        assert!(reviewed(&|review| review.inputs += 1).is_err());
        assert!(reviewed(&|review| review.recipients[0].amount -= Amount::ONE_SAT).is_err());
        assert!(reviewed(&|review| review.recipients[0].script = corpus::payment::stranger(77)).is_err());
        assert!(reviewed(&|review| drop(review.recipients.pop())).is_err());
        assert!(reviewed(&|review| review.change[0].keypath.index += 1).is_err());
        assert!(reviewed(&|review| drop(review.change.pop())).is_err());
        assert!(reviewed(&|review| review.unsigned_txid = payment.previous[0].compute_txid()).is_err());
        assert!(reviewed(&|review| review.wallet = "another".to_owned()).is_err());

        let honest = came.signatures.clone().unwrap();
        let with = |edit: &dyn Fn(&mut Vec<InputSignature>)| {
            let mut signatures = honest.clone();
            edit(&mut signatures);
            let forged =
                Attempt { signatures: Some(signatures), review: came.review.clone(), ..Attempt::default() };
            agrees(&checker, &forged, &bundle)
        };
        assert!(with(&|_| ()).is_ok());
        assert!(with(&|all| all[0].signature[20] ^= 1).is_err(), "{kind:?}");
        assert!(with(&|all| all[0].input = 1).is_err(), "{kind:?}");
        assert!(with(&|all| all[0].input = 9).is_err(), "{kind:?}");
        assert!(with(&|all| all[0].public_key[5] ^= 1).is_err(), "{kind:?}");
        assert!(with(&|all| all[0].leaf = Some(subject::any_leaf())).is_err(), "{kind:?}");
        assert!(with(&|all| drop(all.remove(0))).is_err(), "{kind:?}");
        assert!(with(&|all| all.clear()).is_err(), "{kind:?}");
        // Genuine signatures: by the own key but of another type, and of all but by a cosigner's.
        let none = Types(EcdsaSighashType::None, TapSighashType::None);
        let mut open = payment.psbt();
        sign_input(&mut open, &payment, 0, 0, none);
        assert!(with(&|all| all[0].signature = subject::signature(&open, 0)).is_err(), "{kind:?}");
        if payment.purse().keys.len() > 1 {
            let mut by_other = payment.psbt();
            sign_input(&mut by_other, &payment, 0, 1, corpus::signing::EVERYTHING);
            assert!(with(&|all| all[0].signature = subject::signature(&by_other, 0)).is_err(), "{kind:?}");
        }
        // What came out is another payment than what was shown, or lacks the signature.
        let with_file = |edit: &dyn Fn(&mut bitcoin::Psbt)| {
            let mut psbt = bitcoin::Psbt::deserialize(came.file.as_ref().unwrap()).unwrap();
            edit(&mut psbt);
            let altered = Attempt {
                signatures: came.signatures.clone(),
                review: came.review.clone(),
                file: Some(psbt.serialize()),
                ..Attempt::default()
            };
            agrees(&checker, &altered, &bundle)
        };
        assert_eq!(with_file(&|_| ()), Ok(()), "{kind:?}");
        assert!(with_file(&|psbt| psbt.unsigned_tx.output[0].value -= Amount::ONE_SAT).is_err());
        assert!(with_file(&|psbt| psbt.unsigned_tx.input[0].sequence.0 -= 1).is_err());
        assert!(with_file(&|psbt| subject::strip(&mut psbt.inputs[0])).is_err(), "{kind:?}");
    }
}
