//! Who must agree, who did, and what comes of it.

use crate::office::{Office, Payment, Said};
use policies::approval::Approval;
use policies::codec::Canonical;
use policies::identity::SshSig;
use psbt_tools::envelope::Kind;
use serde_json::{Value, json};

const NEEDED: i32 = 4;

fn approve(office: &Office, file: &str, key: &str, out: &str) -> Said {
    office.run_json(&["approve", file, "--key", key, "-o", out])
}

/// What is missing: how many of whom, and who could.
fn missing(said: &Said) -> Vec<(String, u64, Vec<String>)> {
    assert_eq!(said.code(), (NEEDED, "approvals-missing".to_owned()), "{said:?}");
    let json = said.json();
    assert_eq!(json["verdict"], "needs-approvals");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |entry: &Value| {
        let who = entry["who"].as_array().unwrap().iter().map(text).collect();
        (text(&entry["from"]), entry["count"].as_u64().unwrap(), who)
    };
    json["missing"].as_array().unwrap().iter().map(entry).collect()
}

fn lacks(from: &str, count: u64, who: &[&str]) -> (String, u64, Vec<String>) {
    (from.to_owned(), count, who.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn above_a_sum_a_payment_waits_until_somebody_agreed() {
    let Some(office) = Office::with_managers() else { return };
    office.requested(&Payment::new(1, 30_000_000), "1.psbt");
    let dry = office.run_json(&["check", "1.psbt"]);
    assert_eq!(missing(&dry), [lacks("managers", 1, &["anna", "ben"])]);
    assert_eq!(missing(&office.run_json(&["issue", "1.psbt", "-o", "1-permitted.psbt"])), missing(&dry));
    assert_eq!(office.events(), 2, "neither writes anything");
    let said = office.run_json(&["submit", "1.psbt"]);
    assert_eq!(missing(&said), missing(&dry));
    assert!(said.message().contains("asked for by desk: 0.300 100 00 BTC"), "{said:?}");
    assert_eq!(said.json()["requirements"][0]["rule"], "Manager");
    assert!(!office.exists("1-permitted.psbt"));
    office.run(&["submit", "1.psbt"]);
    assert_eq!(office.events(), 3, "it waits once");

    let pending = office.run_json(&["pending"]).done().json()["pending"].clone();
    assert_eq!(pending.as_array().unwrap().len(), 1);
    let pending = &pending[0];
    assert_eq!((&pending["payment"], &pending["state"]), (&"P-0001".into(), &"needs-approvals".into()));
    assert_eq!((&pending["outflow_sat"], &pending["requester"]), (&30_010_000.into(), &"desk".into()));
    assert_eq!(pending["missing"][0]["who"], json!(["anna", "ben"]));
    assert_eq!(pending["recipients"][0]["amount_sat"], 30_000_000);
    let spoken = office.run(&["pending"]).done().stdout;
    assert!(spoken.contains("missing   `Manager` needs 1 more of `managers`: anna, ben"), "{spoken}");

    let said = approve(&office, "1.psbt", "ben", "1-ben.psbt").done().json();
    assert_eq!(said["approver"], office.key("ben").fingerprint());
    let said = office.run_json(&["issue", "1-ben.psbt", "-o", "1-permitted.psbt"]).done().json();
    assert_eq!(said["approved"], json!(["ben"]));
    let permit = office.permit("1-permitted.psbt").statement;
    let [approval]: [_; 1] = office.documents("1-permitted.psbt", Kind::Approval).try_into().unwrap();
    assert_eq!(permit.approvals, [Approval::from_bytes(&approval).unwrap().digest()]);
    assert_eq!(office.run_json(&["pending"]).done().json()["pending"], json!([]));
    // The draft without the approval is enough from now on: the identical permit comes out.
    office.run(&["submit", "1.psbt", "-o", "again.psbt"]).done();
    assert_eq!(office.permit("again.psbt").statement, permit);
    assert_eq!(office.documents("again.psbt", Kind::Approval), [approval]);
}

#[test]
fn approvals_of_separate_copies_merge_as_a_set_and_one_person_fills_one_place() {
    let Some(office) = Office::with_managers() else { return };
    office.requested(&Payment::new(1, 80_000_000), "1.psbt");
    let both = [lacks("board", 2, &["anna", "carl"]), lacks("managers", 1, &["anna", "ben"])];
    assert_eq!(missing(&office.run_json(&["submit", "1.psbt"])), both);
    for name in ["anna", "ben", "carl"] {
        approve(&office, "1.psbt", name, &format!("{name}.psbt")).done();
    }
    let said = office.run_json(&["submit", "carl.psbt"]);
    assert_eq!(missing(&said), [lacks("board", 1, &["anna"]), lacks("managers", 1, &["anna", "ben"])]);
    let said = office.run_json(&["submit", "anna.psbt"]);
    assert_eq!(missing(&said), [lacks("managers", 1, &["ben"])], "anna fills one place, not two");
    assert_eq!(said.json()["approved"], json!(["anna", "carl"]));
    let before = office.events();
    office.run(&["submit", "anna.psbt"]);
    assert_eq!(office.events(), before, "what is known is not recorded again");
    office.run(&["issue", "ben.psbt", "-o", "out.psbt"]).done();
    assert_eq!(office.permit("out.psbt").statement.approvals.len(), 3);
    assert_eq!(office.documents("out.psbt", Kind::Approval).len(), 3);
    let why = office.run_json(&["why", "P-0001"]).done().json()["payments"][0].clone();
    assert_eq!(why["approved"], json!(["anna", "ben", "carl"]));
    assert_eq!(why["requirements"].as_array().unwrap().len(), 2);
}

#[test]
fn splitting_a_payment_does_not_avoid_the_approval() {
    let Some(office) = Office::with_managers() else { return };
    office.requested(&Payment::new(1, 6_000_000), "1.psbt");
    office.requested(&Payment::new(2, 6_000_000).to(7), "2.psbt");
    office.requested_by("anna", &Payment::new(3, 4_100_000), "3.psbt");
    office.run(&["submit", "1.psbt"]).done();
    assert_eq!(missing(&office.run_json(&["submit", "2.psbt"])).len(), 1, "by requester");
    let said = office.run_json(&["submit", "3.psbt"]);
    assert_eq!(missing(&said), [lacks("managers", 1, &["ben"])], "by destination, and never anna herself");
    assert!(said.message().contains("paid to "), "{said:?}");
}

#[test]
fn nobody_approves_their_own_request() {
    let Some(office) = Office::with_managers() else { return };
    office.requested_by("anna", &Payment::new(1, 30_000_000), "1.psbt");
    let said = approve(&office, "1.psbt", "anna", "out.psbt");
    assert_eq!(said.code(), (3, "C34".to_owned()));
    assert!(said.message().contains("does not count") && !office.exists("out.psbt"), "{said:?}");
    // Put in by hand it counts for nothing, and is not recorded.
    let request = office.signed_request("1.psbt").request;
    let armor = office.sign("anna", "airlock-approve", request.approval_text());
    let approval = Approval { request: request.id(), signature: SshSig::from_armor(&armor).unwrap() };
    office.add_document("1.psbt", Kind::Approval, approval.to_bytes());
    let said = office.run_json(&["submit", "1.psbt"]);
    assert_eq!(
        (missing(&said), &said.json()["approved"]),
        (vec![lacks("managers", 1, &["ben"])], &json!([]))
    );
    approve(&office, "1.psbt", "ben", "ben.psbt").done();
    office.run(&["issue", "ben.psbt", "-o", "out.psbt"]).done();
    assert_eq!(office.documents("out.psbt", Kind::Approval).len(), 1, "only ben's goes on");
}

#[test]
fn an_approval_by_somebody_whom_no_rule_names_counts_for_nothing() {
    let Some(office) = Office::with_managers() else { return };
    office.requested(&Payment::new(1, 30_000_000), "1.psbt");
    for name in ["stranger", "carl"] {
        approve(&office, "1.psbt", name, &format!("{name}.psbt")).done();
        assert_eq!(missing(&office.run_json(&["submit", &format!("{name}.psbt")])).len(), 1, "{name}");
    }
    let why = office.run_json(&["why", "P-0001"]).done().json()["payments"][0].clone();
    assert_eq!(why["approved"], json!(["carl"]), "whom another rule names");
    approve(&office, "carl.psbt", "ben", "ben.psbt").done();
    office.run(&["issue", "ben.psbt", "-o", "out.psbt"]).done();
    assert_eq!(office.permit("out.psbt").statement.approvals.len(), 1, "carl's was not counted");
}

#[test]
fn openssh_alone_makes_an_approval() {
    let Some(office) = Office::with_managers() else { return };
    office.requested(&Payment::new(1, 30_000_000), "1.psbt");
    let text = office.signed_request("1.psbt").request.approval_text();
    assert_eq!(office.run(&["approve", "1.psbt", "--text"]).done().stdout, text, "to the byte");
    office.run(&["approve", "1.psbt", "--text", "-o", "approval.txt"]).done();
    assert_eq!(std::fs::read_to_string(office.path("approval.txt")).unwrap(), text);
    assert_eq!(office.run_json(&["approve", "1.psbt", "--text"]).done().json()["text"], text);

    let add = |armor: String, out: &str| {
        office.write("sig", armor);
        office.run_json(&["approve", "1.psbt", "--signature", "sig", "-o", out])
    };
    for (wrong, armor) in [
        ("namespace", office.sign("anna", "airlock-request", &text)),
        ("text", office.sign("anna", "airlock-approve", text.trim_end())),
        ("own", office.sign("desk", "airlock-approve", &text)),
        ("noise", "noise".to_owned()),
    ] {
        assert_eq!(add(armor, "out.psbt").code(), (3, "C34".to_owned()), "{wrong}");
        assert!(!office.exists("out.psbt"), "{wrong}");
    }
    let said = add(office.sign("anna", "airlock-approve", &text), "anna.psbt").done().json();
    assert_eq!(said["approver"], office.key("anna").fingerprint());
    office.run(&["submit", "anna.psbt", "-o", "out.psbt"]).done();
    // The program signs the same.
    approve(&office, "1.psbt", "anna", "program.psbt").done();
    let approvals = ["anna.psbt", "program.psbt"].map(|name| office.documents(name, Kind::Approval));
    assert_eq!(approvals[0], approvals[1]);
}

#[test]
fn an_approver_reads_what_the_file_pays_and_signs_only_what_a_terminal_signed() {
    let Some(office) = Office::with_managers() else { return };
    let payment = Payment::new(1, 30_000_000);
    office.requested(&payment, "1.psbt");
    let said = office.run(&["approve", "1.psbt", "--key", "anna", "-o", "out.psbt"]).done().stdout;
    let said =
        ["desk", "anna"].iter().fold(said, |said, name| said.replace(&office.key(name).fingerprint(), name));
    let request = office.signed_request("1.psbt").request.id().to_string();
    let said = said.replace(&office.words("1.psbt"), "WORDS").replace(&office.words("out.psbt"), "OUT WORDS");
    insta::assert_snapshot!(said.replace(&request, "REQUEST"));
    office.unsigned(&payment, office.request(&payment), "draft.psbt");
    assert_eq!(approve(&office, "draft.psbt", "anna", "x.psbt").code(), (3, "C34".to_owned()));
    let both = office.run_json(&["approve", "1.psbt", "--key", "anna", "--text"]);
    assert_eq!(both.code(), (2, "usage".to_owned()));
    assert_eq!(office.run_json(&["approve", "1.psbt"]).code(), (2, "usage".to_owned()));
    // Several at once, each beside its own.
    office.requested(&Payment::new(2, 30_000_000), "2-request.psbt");
    office.run(&["approve", "1.psbt", "2-request.psbt", "--key", "ben"]).done();
    assert!(office.exists("1-approved.psbt") && office.exists("2-approved.psbt"));
}

#[test]
fn a_request_that_expired_waits_no_more() {
    let Some(office) = Office::with_managers() else { return };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let payment = Payment { expires: now + 3, ..Payment::new(1, 30_000_000) };
    office.requested(&payment, "1.psbt");
    missing(&office.run_json(&["submit", "1.psbt"]));
    assert_eq!(office.run_json(&["pending"]).done().json()["pending"].as_array().unwrap().len(), 1);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(office.run_json(&["pending"]).done().json()["pending"], json!([]));
    assert_eq!(approve(&office, "1.psbt", "ben", "out.psbt").code(), (3, "C34".to_owned()));
    assert_eq!(office.run_json(&["submit", "1.psbt"]).refusals(), ["C34"]);
}

#[test]
fn errors_about_approvals_say_what_was_found_and_what_to_do() {
    let Some(office) = Office::with_managers() else { return };
    office.requested(&Payment::new(1, 80_000_000), "1.psbt");
    let payment = Payment::new(2, 30_000_000);
    office.unsigned(&payment, office.request(&payment), "unsigned.psbt");
    office.write("noise.sig", "noise");
    let shown = [
        office.error(&["submit", "1.psbt"]),
        office.error(&["approve", "1.psbt", "--key", "desk", "-o", "out.psbt"]),
        office.error(&["approve", "unsigned.psbt", "--text"]),
        office.error(&["why", "P-0007"]),
        office.error(&["why", "abc"]),
    ];
    let shown = shown.join("\n").replace(&office.key("desk").fingerprint(), "SHA256:…");
    insta::assert_snapshot!(shown);
}
