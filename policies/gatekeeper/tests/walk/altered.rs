//! A PSBT that was altered after somebody agreed to it is refused, and what changed is named.

use crate::office::{Office, Payment};
use bitcoin::{Amount, Psbt, ScriptBuf, TxOut};
use psbt_tools::envelope::{Envelope, Kind};

/// The documents of one file on the payment of another.
fn transplant(office: &Office, from: &str, payment: &Payment, name: &str) {
    let read = |name: &str| Psbt::deserialize(&std::fs::read(office.path(name)).unwrap()).unwrap();
    office.unsigned(payment, office.request(payment), "other.psbt");
    let mut psbt = read("other.psbt");
    psbt.proprietary.clear();
    Envelope::read(&read(from)).unwrap().write(&mut psbt);
    // Whoever alters a file leaves no manifest that would give them away.
    psbt_tools::manifest::remove(&mut psbt);
    office.write(name, psbt.serialize());
}

/// Each way in which somebody may change a payment of 0.3 BTC, and what must be said of it.
fn changes(payment: &Payment) -> Vec<(&'static str, Payment, &'static str)> {
    let mut more = payment.clone();
    more.recipients[0].value = Amount::from_sat(40_000_000);
    let mut besides = payment.clone();
    let script_pubkey = ScriptBuf::new_p2wpkh(&bitcoin::hashes::Hash::from_byte_array([6; 20]));
    besides.recipients.push(TxOut { value: Amount::from_sat(1_000_000), script_pubkey });
    let other_coin = Payment { coin: 9, ..payment.clone() };
    let fee = Payment { fee: 20_001, ..payment.clone() };
    vec![
        ("more", more, "0.400 000 00 BTC"),
        ("another payee", payment.clone().to(7), "bcrt1"),
        ("one payee more", besides, "0.010 000 00 BTC"),
        ("another coin", other_coin, "anchor"),
        ("a higher fee", fee, "fee"),
    ]
}

#[test]
fn what_was_altered_before_the_approval_is_not_approved() {
    let Some(office) = Office::with_managers() else { return };
    let payment = Payment::new(1, 30_000_000);
    office.requested(&payment, "1.psbt");
    for (what, other, named) in changes(&payment) {
        transplant(&office, "1.psbt", &other, "altered.psbt");
        let said = office.run_json(&["approve", "altered.psbt", "--key", "anna", "-o", "out.psbt"]);
        assert_eq!(said.code(), (3, "C34".to_owned()), "{what}");
        assert!(said.message().contains(named), "{what}: {}", said.message());
        assert!(!office.exists("out.psbt"), "{what}");
    }
}

#[test]
fn what_was_altered_after_the_approval_is_not_permitted() {
    let Some(office) = Office::with_managers() else { return };
    let payment = Payment::new(1, 30_000_000);
    office.requested(&payment, "1.psbt");
    office.run(&["approve", "1.psbt", "--key", "anna", "-o", "approved.psbt"]).done();
    for (what, other, named) in changes(&payment) {
        transplant(&office, "approved.psbt", &other, "altered.psbt");
        for command in
            [&["submit", "altered.psbt"][..], &["issue", "altered.psbt", "-o", "altered-permitted.psbt"]]
        {
            let said = office.run_json(command);
            assert!(said.refusals().contains(&"C34".to_owned()), "{what}");
            assert!(said.message().contains(named), "{what}: {}", said.message());
        }
        assert!(!office.exists("altered-permitted.psbt"), "{what}");
    }
    assert_eq!(office.events(), 2);
    office.run(&["submit", "approved.psbt", "-o", "out.psbt"]).done();
}

#[test]
fn what_was_altered_after_the_permit_is_refused_naming_what_changed() {
    let Some(office) = Office::open() else { return };
    let payment = Payment::new(1, 30_000_000);
    office.requested(&payment, "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    let before = office.events();
    let mut all = changes(&payment);
    // Within what was asked for, but not what was permitted.
    all.push(("another fee", Payment { fee: 15_000, ..payment.clone() }, "fee was 0.000 100 00 BTC"));
    for (what, other, named) in all {
        transplant(&office, "1-permitted.psbt", &other, "altered.psbt");
        assert_eq!(office.documents("altered.psbt", Kind::Permit).len(), 1);
        let said = office.run_json(&["submit", "altered.psbt", "-o", "out.psbt"]);
        assert!(said.refusals().contains(&"C34".to_owned()), "{what}");
        let message = said.message();
        assert!(message.contains(named) && message.contains("changed since the permit"), "{what}: {message}");
    }
    assert_eq!(office.events(), before);
}
