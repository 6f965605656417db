//! Why: by which rules, with the figures, and what would pass instead.

use crate::office::{Office, Payment};
use serde_json::{Value, json};

#[test]
fn a_permitted_payment_says_which_rules_let_it_through() {
    let Some(office) = Office::open() else { return };
    for number in [1, 2] {
        office.requested(&Payment::new(number, 30_000_000), &format!("{number}.psbt"));
        office.run(&["submit", &format!("{number}.psbt")]).done();
    }
    let spend = office.permit("1-permitted.psbt").statement.spend.to_string();
    let request = office.signed_request("1.psbt").request.id().to_string();
    let answers = ["P-0001", "1", &spend, &spend[..8], &request[..12]]
        .map(|what| office.run_json(&["why", what]).done().json()["payments"].clone());
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let first = &answers[0][0];
    assert_eq!((&first["state"], &first["requester"]), (&"permitted".into(), &"desk".into()));
    assert_eq!(first["allowed_by"], json!(["Desk pays anyone"]));
    let day = |answer: &Value| {
        answer["limits"].as_array().unwrap().iter().find(|l| l["name"] == "A day").unwrap().clone()
    };
    assert_eq!(
        (&day(first)["used_sat"], &day(first)["used_count"]),
        (&30_010_000.into(), &1.into()),
        "of that moment"
    );
    let second = office.run_json(&["why", "P-0002"]).done().json()["payments"][0].clone();
    assert_eq!((&day(&second)["used_sat"], &day(&second)["used_count"]), (&60_020_000.into(), &2.into()));
    for unknown in ["P-0003", "00000000", "1234567", "nothing"] {
        assert_eq!(office.run_json(&["why", unknown]).code(), (3, "unknown".to_owned()), "{unknown}");
    }
}

#[test]
fn a_refused_file_says_what_would_pass_instead() {
    let Some(office) = Office::open() else { return };
    let mut large = Payment::new(1, 150_000_000);
    large.more_coins = vec![11];
    office.requested(&large, "1.psbt");
    let said = office.run_json(&["why", "1.psbt"]).done().json();
    assert_eq!((&said["verdict"], &said["dry_run"]), (&"refused".into(), &true.into()));
    assert_eq!(said["refusals"][0]["code"], "limit-per-payment");
    assert_eq!((&said["largest_sat"], &said["fits_from"]), (&100_000_000.into(), &Value::Null));
    // That amount passes, and one satoshi more does not.
    let mut most = large.clone();
    most.recipients[0].value = bitcoin::Amount::from_sat(100_000_000 - large.fee);
    office.requested(&most, "most.psbt");
    office.run(&["check", "most.psbt"]).done();
    most.recipients[0].value += bitcoin::Amount::from_sat(1);
    office.requested(&most, "over.psbt");
    assert_eq!(office.run_json(&["check", "over.psbt"]).refusals(), ["limit-per-payment"]);

    office.requested_by("stranger", &Payment::new(2, 10_000_000), "2.psbt");
    let said = office.run_json(&["why", "2.psbt"]).done().json();
    assert_eq!(said["refusals"][0]["code"], "not-allowed");
    assert!(said["refusals"][0]["nearest"][0].as_str().unwrap().contains("desk may pay"), "{said}");
    let mut fee = Payment::new(3, 500_000);
    fee.fee = 19_000;
    office.requested(&fee, "3.psbt");
    let said = office.run_json(&["why", "3.psbt"]).done().json();
    assert!(said.to_string().contains("a fee of at most 0.000 150 00 BTC"), "{said}");
    let spoken = office.run(&["why", "3.psbt"]).done().stdout;
    insta::assert_snapshot!(spoken);
    assert_eq!(office.events(), 2, "nothing was written");
}
