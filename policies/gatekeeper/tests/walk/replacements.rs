//! Payments that take the place of earlier ones, and what the chain decides.

use crate::blocks::{Blocks, transaction};
use crate::office::{Office, Payment};
use policies::request::Request;
use serde_json::Value;

/// A payment with a higher fee.
fn bumped(payment: &Payment, fee: u64) -> Payment {
    Payment { fee, ..payment.clone() }
}

fn day(office: &Office) -> Value {
    let limits = office.run_json(&["budget"]).done().json()["limits"].clone();
    limits.as_array().unwrap().iter().find(|limit| limit["name"] == "A day").unwrap().clone()
}

/// A request of another number for a payment, which says what it replaces.
fn instead(office: &Office, payment: &Payment, number: u32, of: &[&Request]) -> Request {
    let mut request = office.request(&Payment { number, ..payment.clone() });
    request.max_fee = bitcoin::Amount::from_sat(90_000);
    request.replaces = of.iter().map(|request| request.id()).collect();
    request
}

#[test]
fn a_higher_fee_within_the_request_needs_nobody_again_and_is_charged_once() {
    let Some(office) = Office::with_managers() else { return };
    let payment = Payment::new(1, 30_000_000);
    office.requested(&payment, "1.psbt");
    office.run(&["approve", "1.psbt", "--key", "anna", "-o", "approved.psbt"]).done();
    office.run(&["submit", "approved.psbt", "-o", "a.psbt"]).done();
    // The bump carries the request alone: the ledger knows who agreed.
    let signed = office.signed_request("1.psbt");
    office.file(&bumped(&payment, 15_000), &signed, "2.psbt");
    office.run(&["submit", "2.psbt", "-o", "b.psbt"]).done();
    office.file(&bumped(&payment, 12_000), &signed, "3.psbt");
    office.run(&["submit", "3.psbt", "-o", "c.psbt"]).done();
    let [a, b, c] = ["a.psbt", "b.psbt", "c.psbt"].map(|name| office.permit(name).statement);
    assert_eq!((a.replaces.len(), &b.replaces, &c.replaces), (0, &vec![a.id()], &vec![a.id(), b.id()]));
    assert_eq!(b.approvals, a.approvals);
    let day = day(&office);
    assert_eq!((&day["used_sat"], &day["used_count"]), (&30_015_000.into(), &1.into()), "the largest, once");
    assert_eq!(office.run_json(&["why", "P-0001"]).done().json()["payments"].as_array().unwrap().len(), 3);
    // Above what was asked for.
    office.file(&bumped(&payment, 20_001), &signed, "4.psbt");
    assert!(office.run_json(&["submit", "4.psbt"]).refusals().contains(&"C34".to_owned()));
}

#[test]
fn another_request_replaces_only_what_it_names_and_pays_the_same_or_nobody() {
    let Some(office) = Office::open() else { return };
    let payment = Payment::new(1, 30_000_000);
    office.requested(&payment, "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    let first = office.signed_request("1.psbt").request;
    let submit = |payment: &Payment, request: Request, name: &str| {
        office.requested_as("desk", payment, request, name);
        office.run_json(&["submit", name])
    };
    let higher = bumped(&payment, 25_000);
    let silent = instead(&office, &higher, 2, &[]);
    assert_eq!(submit(&higher, silent, "silent.psbt").refusals(), ["not-replaceable"]);
    let mut other = higher.clone().to(7);
    other.number = 3;
    let request = instead(&office, &other, 3, &[&first]);
    assert_eq!(submit(&other, request, "other.psbt").refusals(), ["not-replaceable"]);
    let second = instead(&office, &higher, 4, &[&first]);
    submit(&higher, second.clone(), "4.psbt").done();
    // A coin of the group without its anchor is another payment's.
    let mut joined = Payment::new(5, 1_000_000);
    joined.more_coins = vec![1];
    let codes = submit(&joined, office.request(&joined), "5.psbt").refusals();
    assert_eq!(codes[..2], ["C05", "C05"], "both members reserve it");
    // Back to the wallet itself, which ends it.
    let back = Payment { recipients: vec![], fee: 21_000, ..payment.clone() };
    let request = instead(&office, &back, 6, &[&first, &second]);
    submit(&back, request, "6.psbt").done();
    let permit = office.permit("6-permitted.psbt").statement;
    assert_eq!(permit.replaces.len(), 2);
    assert_eq!(day(&office)["used_sat"], 30_025_000, "until one of them is mined");
}

#[test]
fn of_a_group_the_settled_one_counts_and_frees_the_coins_of_the_others() {
    let Some(office) = Office::open() else { return };
    let payment = Payment::new(1, 30_000_000);
    office.requested(&payment, "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    let first = office.signed_request("1.psbt").request;
    // The second adds a coin; a third may not leave it out.
    let second = Payment { more_coins: vec![11], fee: 25_000, ..payment.clone() };
    office.requested_as("desk", &second, instead(&office, &second, 2, &[&first]), "2.psbt");
    office.run(&["submit", "2.psbt"]).done();
    let asked = office.signed_request("2.psbt").request;
    let without = Payment { fee: 26_000, ..payment.clone() };
    office.requested_as("desk", &without, instead(&office, &without, 5, &[&first, &asked]), "5.psbt");
    let said = office.run_json(&["submit", "5.psbt"]);
    assert_eq!(said.refusals(), ["not-replaceable"]);
    assert!(said.message().contains("leave out its coin"), "{said:?}");
    let free = Payment { coin: 11, ..Payment::new(3, 1_000_000) };
    office.requested(&free, "3.psbt");
    assert_eq!(office.run_json(&["submit", "3.psbt"]).refusals(), ["C05"]);
    assert_eq!(day(&office)["used_sat"], 30_025_000);

    let mut blocks = Blocks::new();
    blocks.mine_empty(1, 12);
    blocks.mine(1, &[transaction(&office, &payment)]);
    let fork = blocks.clone();
    let told = |blocks: &Blocks, name| {
        office.run(&["reconcile", "--facts", blocks.write(&office, 1, name)]).done();
    };
    told(&blocks, "confirmed");
    // One of them is in a block: nothing takes its place any more.
    let third = Payment { more_coins: vec![11], fee: 28_000, ..payment.clone() };
    office.requested_as("desk", &third, instead(&office, &third, 4, &[&first, &asked]), "4.psbt");
    let said = office.run_json(&["submit", "4.psbt"]);
    assert!(said.refusals().contains(&"not-replaceable".to_owned()));
    assert!(said.message().contains("P-0001 is confirmed already"), "{said:?}");
    blocks.mine_empty(1, 4);
    told(&blocks, "five");
    assert_eq!(office.run_json(&["check", "3.psbt"]).refusals(), ["C05"], "five deep is not settled");
    blocks.mine_empty(1, 1);
    told(&blocks, "six");
    assert_eq!(day(&office)["unsettled_sat"], 0);
    let permits = office.run_json(&["reconcile"]).done().json()["permits"].clone();
    let states = [&permits[0]["state"], &permits[1]["state"]];
    assert_eq!(states, ["settled", "replaced"]);
    assert_eq!(day(&office)["used_sat"], 30_010_000, "what was mined counts, not what was permitted");
    office.run(&["submit", "3.psbt"]).done();
    // The coin that was spent pays nothing else.
    let spent = Payment { coin: 1, ..Payment::new(7, 1_000_000) };
    office.requested(&spent, "7.psbt");
    assert!(office.run_json(&["submit", "7.psbt"]).refusals().contains(&"not-replaceable".to_owned()));
    // A heavier branch takes the settlement back.
    let mut fork = fork.up_to(12);
    fork.mine_empty(2, 10);
    told(&fork, "fork");
    assert_eq!(day(&office)["unsettled_sat"], 30_025_000 + 1_010_000);
    office.run(&["log", "verify"]).done();
}

#[test]
fn a_foreign_spend_that_settled_frees_the_other_coins_and_no_budget() {
    let Some(office) = Office::open() else { return };
    let mut payment = Payment::new(1, 30_000_000);
    payment.more_coins = vec![11];
    office.requested(&payment, "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    let foreign = Payment { coin: 1, ..Payment::new(66, 99_000_000) };
    let mut blocks = Blocks::new();
    blocks.mine_empty(1, 12);
    blocks.mine(1, &[transaction(&office, &foreign)]);
    blocks.mine_empty(1, 5);
    let said = office.run_json(&["reconcile", "--facts", blocks.write(&office, 1, "facts")]);
    let incident = said.json()["unauthorised"][0]["incident"].as_str().unwrap().to_owned();
    office.run(&["unfreeze", "--incident", &incident, "--reason", "CFO: own sweep"]).done();
    let free = Payment { coin: 11, ..Payment::new(3, 1_000_000) };
    office.requested(&free, "3.psbt");
    office.run(&["submit", "3.psbt"]).done();
    assert_eq!(day(&office)["used_sat"], 30_010_000 + 1_010_000, "what can never be mined stays charged");
    let spent = Payment { coin: 1, ..Payment::new(4, 1_000_000) };
    office.requested(&spent, "4.psbt");
    let said = office.run_json(&["submit", "4.psbt"]);
    assert!(
        said.refusals().contains(&"C05".to_owned()) && said.message().contains("was spent by"),
        "{said:?}"
    );
}
