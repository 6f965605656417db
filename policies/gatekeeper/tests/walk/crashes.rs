//! Between reserving and permitting, and several processes at once.

use crate::office::{Office, Payment, said};

#[test]
fn a_reservation_without_a_permit_gets_exactly_its_permit_later() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 90_000_000), "1.psbt");
    // The signer fails after the budget was reserved, as a crash would have it.
    std::fs::rename(office.path("permit"), office.path("elsewhere")).unwrap();
    let failed = office.run_json(&["submit", "1.psbt"]);
    assert_eq!((failed.code, &failed.json()["error"]["code"]), (1, &"signer".into()));
    let reserved = office.run_json(&["show"]).done().json()["payments"][0].clone();
    assert_eq!(reserved["state"], "reserved");

    // The budget is charged already: two more of the kind are one too many.
    std::fs::rename(office.path("elsewhere"), office.path("permit")).unwrap();
    for number in [2, 3] {
        office.requested(&Payment::new(number, 90_000_000), &format!("{number}.psbt"));
    }
    office.run(&["submit", "2.psbt"]).done();
    assert_eq!(office.run_json(&["submit", "3.psbt"]).refusals(), ["limit-per-window"]);

    office.run(&["submit", "1.psbt"]).done();
    let statement = office.permit("1-permitted.psbt").statement;
    assert_eq!(reserved["at"], statement.issued);
    assert_eq!(reserved["expires"], statement.expires);
    assert_eq!(statement.vaults[0].sequence, 1);
    let shown = office.run_json(&["show"]).done().json();
    assert_eq!(shown["payments"].as_array().unwrap().len(), 2);
    assert_eq!(shown["payments"][0]["state"], "permitted");
}

#[test]
fn processes_at_once_never_exceed_a_window() {
    let Some(office) = Office::open() else { return };
    let numbers = 1..=6u32;
    for number in numbers.clone() {
        office.requested(&Payment::new(number, 90_000_000), &format!("{number}.psbt"));
    }
    let children: Vec<_> =
        numbers.map(|number| office.start(&["submit", &format!("{number}.psbt"), "--json"])).collect();
    let said: Vec<_> = children.into_iter().map(|child| said(child.wait_with_output().unwrap())).collect();
    let permitted = said.iter().filter(|said| said.code == 0).count();
    assert_eq!(permitted, 2, "2 BTC hold two payments of 0.9 BTC: {said:?}");
    for refused in said.iter().filter(|said| said.code != 0) {
        assert_eq!(refused.refusals(), ["limit-per-window"]);
    }
    office.run(&["log", "verify"]).done();
}

#[test]
fn one_file_submitted_by_many_processes_gets_one_permit() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    let outs: Vec<_> = (0..5).map(|n| format!("out-{n}.psbt")).collect();
    let children: Vec<_> = outs.iter().map(|out| office.start(&["submit", "1.psbt", "-o", out])).collect();
    for child in children {
        said(child.wait_with_output().unwrap()).done();
    }
    let first = office.permit(&outs[0]);
    assert!(outs.iter().all(|out| office.permit(out) == first));
    assert_eq!(office.run_json(&["log", "verify"]).done().json()["events"], 4);
}

#[test]
fn a_missing_ledger_is_never_a_new_one() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    std::fs::remove_file(office.path("ledger/ledger.sqlite")).unwrap();
    let said = office.run_json(&["submit", "1.psbt"]);
    assert_eq!((said.code, &said.json()["error"]["code"]), (1, &"ledger-missing".into()));
    assert!(!office.exists("ledger/ledger.sqlite"));
    let said = office.run_json(&["init", "--policy", "policy.toml", "--permit-key", "permit"]);
    assert_eq!((said.code, &said.json()["error"]["code"]), (3, &"exists".into()));
}
