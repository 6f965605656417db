//! Hostile PSBTs over the numbered checks: none is signed, exactly one check sees each, and each has a twin that differs by
//! one named edit and is signed.

#[path = "hostile_corpus/authority.rs"]
mod authority;
#[path = "hostile_corpus/corpus/mod.rs"]
mod corpus;
#[path = "hostile_corpus/disabled.rs"]
mod disabled;
#[path = "hostile_corpus/edits.rs"]
mod edits;
#[path = "hostile_corpus/elsewhere.rs"]
mod elsewhere;

use std::collections::{BTreeMap, BTreeSet};

use airlock_tests::company;
use corpus::desk::Desk;
use corpus::row::{Fixture, Off};
use corpus::rows;

#[test]
fn every_hostile_file_is_refused_by_its_check_alone_and_its_twin_is_signed() {
    let mut desk = Desk::open();
    let fixtures = rows::all();
    let mut wrong = Vec::new();
    for fixture in &fixtures {
        wrong
            .extend(judged(&mut desk, fixture).into_iter().map(|what| format!("{}: {what}", fixture.name())));
    }
    let mut checks: BTreeMap<u8, usize> = BTreeMap::new();
    fixtures.iter().for_each(|fixture| *checks.entry(fixture.row.check).or_default() += 1);
    eprintln!("corpus: {} hostile files, by check {checks:?}", fixtures.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), fixtures.len(), wrong.join("\n"));
    assert!(fixtures.len() >= 150);
}

/// What is not as it must be.
fn judged(desk: &mut Desk, fixture: &Fixture) -> Vec<String> {
    let row = fixture.row;
    let mut wrong = Vec::new();
    let own: BTreeSet<_> = [format!("C{:02}", row.check)].into();
    let others: BTreeSet<_> = row.accepted.iter().map(|check| format!("C{check:02}")).collect();
    let payment = desk.payment(fixture.kind);
    let hostile = fixture.hostile(desk, &payment, row.accepted);
    let mut expect = |holds: bool, what: String| {
        if !holds {
            wrong.push(what)
        }
    };
    let said = hostile.said.join("; ");
    expect(!hostile.is_signed(), "it is signed".to_owned());
    if row.asks {
        expect(hostile.refused.is_empty(), format!("refused by {:?}: {said}", hostile.refused));
        expect(hostile.asked.difference(&others).eq(&own), format!("asked by {:?}: {said}", hostile.asked));
        expect(hostile.exit == 4, format!("exit {}", hostile.exit));
        let accepted = [row.accepted, &[row.check]].concat();
        let without_earlier = fixture.hostile_again(desk, &payment, &accepted);
        expect(without_earlier.is_signed(), format!("not signed when accepted: {:?}", without_earlier.said));
    } else {
        expect(hostile.refused == own, format!("refused by {:?}: {said}", hostile.refused));
        expect(hostile.asked.is_subset(&others), format!("asked by {:?}: {said}", hostile.asked));
        expect(hostile.exit == 3, format!("exit {}", hostile.exit));
    }
    let payment = if fixture.shares_coins() { payment } else { desk.payment(fixture.kind) };
    let twin = fixture.twin(desk, &payment);
    expect(twin.is_signed(), format!("the twin is not signed: {:?} {:?}", twin.refused, twin.said));
    expect(twin.asked.is_subset(&others), format!("the twin is asked about: {:?}", twin.asked));
    wrong
}

#[test]
fn papers_that_do_not_hold_are_refused_and_honest_ones_are_signed() {
    let mut office = authority::Office::open();
    let own: BTreeSet<_> = ["C34".to_owned()].into();
    for case in authority::CASES {
        let hostile = office.hostile(case);
        assert!(!hostile.is_signed(), "{}", case.name);
        assert_eq!((&hostile.refused, hostile.exit), (&own, 3), "{}: {:?}", case.name, hostile.said);
        let twin = office.twin();
        assert!(twin.is_signed(), "the twin of {}: {:?}", case.name, twin.said);
    }
    eprintln!("corpus: {} hostile files by check C34", authority::CASES.len());
}

#[test]
fn c09_what_must_not_be_registered_is_refused_and_the_honest_wallet_signs() {
    let (mut desk, purse) = elsewhere::waiting();
    let mut wrong = Vec::new();
    for registration in elsewhere::REGISTRATIONS {
        let code = registration.refused(&mut desk, &purse);
        if code.as_deref() != Some("C09") {
            wrong.push(format!("{}: {code:?}", registration.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(elsewhere::registered(&mut desk, purse).is_signed());
    eprintln!("corpus: {} hostile registrations by check C09", elsewhere::REGISTRATIONS.len());
}

#[test]
fn c12_a_signature_is_put_at_no_strangers_input() {
    let mut desk = Desk::open();
    for kind in elsewhere::KINDS {
        let error = elsewhere::attached(&mut desk, kind, true).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("C12", 3), "{kind:?}");
        assert!(elsewhere::attached(&mut desk, kind, false).is_ok(), "{kind:?}");
    }
}

#[test]
fn c32_a_message_is_not_signed_as_a_payment() {
    let mut desk = Desk::open();
    let mut wrong = Vec::new();
    for kind in elsewhere::KINDS {
        let came = elsewhere::message(&mut desk, kind);
        if !came.refused.contains("C32") || came.signatures.is_some() {
            wrong.push(format!("{kind:?}: {:?} {:?}", came.refused, came.said));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_check_alone_is_what_stops_its_files() {
    let came = disabled::run_all();
    let rows = rows::all();
    let rows = rows.iter().map(|fixture| (fixture.name(), fixture.row.off));
    let cases = authority::CASES.iter().map(|case| (case.title(), case.off));
    let registrations = elsewhere::REGISTRATIONS.iter().map(|it| (it.title(), it.off));
    let others = elsewhere::KINDS.iter().flat_map(|kind| {
        [(12, elsewhere::attached_off(*kind)), (32, Off::Alone)]
            .map(|(check, off)| (format!("C{check} {}", kind.name()), off))
    });
    let (mut signed, mut never, mut wrong) = (0, 0, Vec::new());
    for (name, off) in rows.chain(cases).chain(registrations).chain(others) {
        let what = came.get(&name).unwrap_or_else(|| panic!("{name} did not run"));
        match (off, what.starts_with("signed")) {
            (Off::Alone | Off::With(_), true) => signed += 1,
            (Off::Never(_), false) => never += 1,
            _ => wrong.push(format!("{name}: {what}")),
        }
    }
    eprintln!(
        "corpus: {signed} files are signed when their check is off, {never} hold nothing that could be"
    );
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
