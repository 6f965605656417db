//! What is permitted, and what a permit says.

use crate::office::{Office, Payment};
use bitcoin::{Amount, ScriptBuf, TxOut};
use policies::authority::SignedAuthority;
use policies::permit::vault_id;

#[test]
fn a_payment_within_limits_is_permitted_for_exactly_its_spend() {
    let Some(office) = Office::open() else { return };
    let payment = Payment::new(1, 40_000_000);
    office.requested(&payment, "P-0001-request.psbt");
    let said = office.run_json(&["submit", "P-0001-request.psbt"]).done().json();
    let permit = office.permit("P-0001-permitted.psbt");
    let authority = std::fs::read_to_string(office.path("ledger/authority.pub")).unwrap();
    let authority = SignedAuthority::from_armor(&authority).unwrap();
    assert_eq!(authority.verified().unwrap().verify(&permit), Ok(office.key("permit")));

    let (spend, _) = office.spend(&payment);
    let vault = vault_id(&office.key("audit"));
    let statement = &permit.statement;
    assert_eq!(statement.differences(&spend, vault, statement.issued), []);
    assert_eq!(statement.request, office.signed_request("P-0001-permitted.psbt").request.id());
    assert_eq!(statement.policy, authority.authority.policy.id());
    assert_eq!(statement.expires - statement.issued, 8 * 86_400);
    assert_eq!((statement.vaults[0].sequence, statement.vaults[0].previous), (1, [0; 32]));
    assert_eq!(said["verdict"], "permitted");
    assert_eq!(said["spend_id"], spend.id().to_string());
    assert_eq!(said["payment"], "P-0001");
    assert_eq!((&said["outflow_sat"], &said["fee_sat"]), (&40_010_000.into(), &10_000.into()));
    assert_eq!(said["permit"]["id"], statement.id().to_string());
    assert_eq!(said["words"], office.words("P-0001-request.psbt"));
    assert_eq!(said["out_words"], office.words("P-0001-permitted.psbt"));
}

#[test]
fn permits_of_a_vault_are_a_chain() {
    let Some(office) = Office::open() else { return };
    for number in [1, 2] {
        office.requested(&Payment::new(number, 10_000_000), &format!("{number}.psbt"));
    }
    office.run(&["submit", "1.psbt", "2.psbt"]).done();
    let [first, second] = ["1-permitted.psbt", "2-permitted.psbt"].map(|name| office.permit(name).statement);
    let vault = vault_id(&office.key("audit"));
    assert_eq!(second.vaults[0].sequence, 2);
    assert_eq!(Some(second.vaults[0].previous), first.chain_after(vault));
}

#[test]
fn the_same_file_again_gets_the_identical_permit_and_is_charged_once() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 40_000_000), "1.psbt");
    office.run(&["submit", "1.psbt", "-o", "a.psbt"]).done();
    office.run(&["submit", "1.psbt", "-o", "b.psbt"]).done();
    office.run(&["issue", "a.psbt", "-o", "c.psbt"]).done();
    assert_eq!(office.permit("a.psbt"), office.permit("b.psbt"));
    assert_eq!(office.permit("a.psbt"), office.permit("c.psbt"));
    let shown = office.run_json(&["show"]).done().json();
    assert_eq!(shown["payments"].as_array().unwrap().len(), 1);
    // Founded, vault added, reserved, permitted.
    assert_eq!(office.run_json(&["log", "verify"]).done().json()["events"], 4);
}

#[test]
fn a_check_judges_and_writes_nothing() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 40_000_000), "1.psbt");
    let said = office.run_json(&["check", "1.psbt"]).done().json();
    assert_eq!((&said["verdict"], &said["dry_run"]), (&"permitted".into(), &true.into()));
    assert_eq!(office.run_json(&["log", "verify"]).done().json()["events"], 2);
}

#[test]
fn what_asks_is_permitted_only_when_it_is_accepted_by_its_number() {
    let Some(office) = Office::open() else { return };
    let mut payment = Payment::new(1, 40_000_000);
    let note = ScriptBuf::new_op_return(b"hello");
    payment.recipients.push(TxOut { value: Amount::ZERO, script_pubkey: note });
    office.requested(&payment, "1.psbt");
    assert_eq!(office.run_json(&["submit", "1.psbt"]).refusals(), ["C19"]);
    assert_eq!(office.run_json(&["submit", "1.psbt", "--accept", "C20"]).refusals(), ["C19"]);
    office.run(&["submit", "1.psbt", "--accept", "C19,C20"]).done();
    // What was accepted once is not asked for the same spend again.
    office.run(&["submit", "1.psbt", "-o", "again.psbt"]).done();
}

#[test]
fn a_second_vault_is_named_by_the_next_permit() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    office.requested(&Payment::new(2, 10_000_000), "2.psbt");
    office.run(&["submit", "1.psbt"]).done();
    office.vault("audit-2", "second.json");
    office.run(&["vault", "add", "second.json"]).done();
    office.run(&["submit", "2.psbt"]).done();
    let places = office.permit("2-permitted.psbt").statement.vaults;
    let sequences: Vec<_> = places.iter().map(|place| (place.vault, place.sequence)).collect();
    assert_eq!(sequences, [(vault_id(&office.key("audit")), 2), (vault_id(&office.key("audit-2")), 1)]);
}
