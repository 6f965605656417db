//! What a terminal signs, and what it does not.

use crate::office::{Office, Payment};
use bitcoin::{Amount, OutPoint};
use policies::policy::Requester;

#[test]
fn a_terminal_signs_the_request_that_it_shows() {
    let Some(office) = Office::without_ledger() else { return };
    let payment = Payment::new(42, 40_000_000);
    office.unsigned(&payment, office.request(&payment), "draft.psbt");
    let said = office.run(&["request", "draft.psbt", "--key", "desk", "-o", "signed.psbt"]).done();
    let shown = said.stdout.replace(&office.key("desk").fingerprint(), "SHA256:…");
    let words = |shown: String, name: &str, instead: &str| shown.replace(&office.words(name), instead);
    insta::assert_snapshot!(words(words(shown, "draft.psbt", "WORDS"), "signed.psbt", "OUT WORDS"));
    let signed = office.signed_request("signed.psbt");
    assert_eq!(signed.request, office.request(&payment));
    assert_eq!(signed.requester().map(Requester::Key), Ok(Requester::Key(office.key("desk"))));
}

#[test]
fn a_request_that_its_psbt_contradicts_is_not_signed() {
    let Some(office) = Office::without_ledger() else { return };
    let payment = Payment::new(1, 40_000_000);
    let honest = office.request(&payment);
    let mut cases = vec![];
    let mut edit = |name: &str, change: &dyn Fn(&mut policies::request::Request)| {
        let mut request = honest.clone();
        change(&mut request);
        cases.push((name.to_owned(), request));
    };
    edit("another amount", &|r| r.recipients[0].amount = Amount::from_sat(1));
    edit("paid twice", &|r| r.recipients.push(r.recipients[0].clone()));
    edit("another anchor", &|r| r.anchor = OutPoint::null());
    edit("a lower fee ceiling", &|r| r.max_fee = Amount::from_sat(9_999));
    edit("expired", &|r| r.expires = 1);
    for (name, request) in cases {
        office.unsigned(&payment, request, &name);
        let said = office.run_json(&["request", &name, "--key", "desk", "-o", "out.psbt"]);
        assert_eq!((said.code, &said.json()["error"]["code"]), (3, &"C34".into()), "{name}");
        assert!(!office.exists("out.psbt"), "{name}");
    }
    office.unsigned(&payment, honest.clone(), "honest");
    office.run(&["request", "honest", "--key", "desk", "-o", "out.psbt"]).done();
}
