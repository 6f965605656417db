//! What blocks show: permits that are confirmed, settled and unconfirmed again, and spends that nobody permitted.

use crate::blocks::{Blocks, transaction};
use crate::office::{Office, Payment, Said};
use bitcoin::{Amount, Network, ScriptBuf, Transaction};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use psbt_tools::envelope::Kind;
use psbt_tools::facts::Facts;
use serde_json::Value;

fn events(office: &Office) -> u64 {
    office.run_json(&["log", "verify"]).done().json()["events"].as_u64().unwrap()
}

fn state(said: &Value, at: usize) -> (String, u64) {
    let permit = &said["permits"][at];
    (permit["state"].as_str().unwrap().to_owned(), permit["confirmations"].as_u64().unwrap())
}

fn code(said: &Said) -> (i32, String) {
    (said.code, said.json()["error"]["code"].as_str().unwrap().to_owned())
}

/// A payment that was permitted, and one that never was.
fn two(office: &Office) -> (Payment, Payment) {
    let permitted = Payment::new(1, 40_000_000);
    office.requested(&permitted, "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    (permitted, Payment::new(66, 99_000_000))
}

#[test]
fn a_permit_is_confirmed_settled_and_unconfirmed_again() {
    let Some(office) = Office::open() else { return };
    let (payment, _) = two(&office);
    let clean = office.run_json(&["reconcile"]).done().json();
    assert_eq!(state(&clean, 0), ("permitted".to_owned(), 0));
    assert_eq!((&clean["height"], &clean["verdict"]), (&0.into(), &"clean".into()));

    let mut blocks = Blocks::new();
    blocks.mine_empty(1, 12);
    let fork = blocks.clone();
    blocks.mine(1, &[transaction(&office, &payment)]);
    let first = blocks.write(&office, 1, "first");
    let said = office.run_json(&["reconcile", "--facts", first]).done().json();
    assert_eq!(state(&said, 0), ("confirmed".to_owned(), 1));
    assert_eq!(said["permits"][0]["txid"], office.spend(&payment).0.unsigned_txid().to_string());
    assert_eq!(
        (&said["height"], &said["bitcoin_time"]),
        (&13.into(), &u64::from(blocks.header(8).time).into())
    );
    assert_eq!(said["unauthorised"], serde_json::json!([]));

    blocks.mine_empty(1, 4);
    let more = blocks.write(&office, 10, "more");
    assert_eq!(state(&office.run_json(&["reconcile", "--facts", more]).done().json(), 0).1, 5);
    blocks.mine_empty(1, 1);
    let last = blocks.write(&office, 18, "last");
    let said = office.run_json(&["reconcile", "--facts", last]).done().json();
    assert_eq!(state(&said, 0), ("settled".to_owned(), 6));
    let time = said["bitcoin_time"].clone();

    // What is known already leaves no trace.
    let before = events(&office);
    office.run(&["reconcile", "--facts", first, "--facts", more, "--facts", last]).done();
    assert_eq!(events(&office), before);

    // A heavier branch takes it back, and a lower time does not turn bitcoin time back.
    let mut fork = fork.up_to(2);
    fork.mine_empty(2, 17);
    let other = fork.write(&office, 1, "other");
    let said = office.run_json(&["reconcile", "--facts", other]).done().json();
    assert_eq!(state(&said, 0), ("permitted".to_owned(), 0));
    assert_eq!(said["height"], 19);
    assert!(said["bitcoin_time"].as_u64() >= time.as_u64());
    // And the other branch confirms it again.
    fork.mine(2, &[transaction(&office, &payment)]);
    let again = fork.write(&office, 15, "again");
    let said = office.run_json(&["reconcile", "--facts", again]).done().json();
    assert_eq!(state(&said, 0), ("confirmed".to_owned(), 1));
    let shown = office.run_json(&["show"]).done().json();
    assert_eq!((&shown["height"], &shown["frozen"]), (&20.into(), &false.into()));
}

#[test]
fn a_spend_that_nobody_permitted_freezes_until_somebody_looked_into_it() {
    let Some(office) = Office::open() else { return };
    let (permitted, planted) = two(&office);
    office.requested(&Payment::new(3, 1_000_000), "3.psbt");
    let mut blocks = Blocks::new();
    blocks.mine(1, &[transaction(&office, &permitted), transaction(&office, &planted)]);
    let facts = blocks.write(&office, 0, "facts");

    let said = office.run_json(&["reconcile", "--facts", facts]);
    assert_eq!(code(&said), (3, "unauthorised".to_owned()));
    let json = said.json();
    let txid = office.spend(&planted).0.unsigned_txid().to_string();
    let alarm = &json["unauthorised"][0];
    assert_eq!(json["unauthorised"].as_array().unwrap().len(), 1);
    assert_eq!((&alarm["kind"], &alarm["txid"]), (&"transaction".into(), &txid.as_str().into()));
    assert_eq!((&alarm["wallets"][0], &alarm["spent_sat"]), (&"savings".into(), &100_000_000.into()));
    assert_eq!((&json["verdict"], &json["frozen"]), (&"unauthorised".into(), &true.into()));
    assert_eq!(state(&json, 0), ("confirmed".to_owned(), 1), "the permitted one is none of it");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&txid) && message.contains("savings") && message.contains("1.000 000 00 BTC"),
        "{message}"
    );
    let spoken = office.run(&["reconcile"]);
    assert_eq!(spoken.code, 3);
    assert!(spoken.stdout.contains("P-0001  confirmed 1") && spoken.stdout.contains("FROZEN"), "{spoken:?}");

    // Nothing is permitted, what was permitted is not handed out again, and no dry run says otherwise.
    let frozen = (5, "frozen".to_owned());
    assert_eq!(code(&office.run_json(&["submit", "3.psbt"])), frozen);
    assert_eq!(code(&office.run_json(&["submit", "1.psbt", "-o", "again.psbt"])), frozen);
    assert_eq!(code(&office.run_json(&["issue", "1.psbt", "-o", "again.psbt"])), frozen);
    assert_eq!(code(&office.run_json(&["check", "3.psbt"])), frozen);
    assert!(!office.exists("3-permitted.psbt") && !office.exists("again.psbt"));
    let submitted = office.run_json(&["submit", "3.psbt"]).json();
    let incident = alarm["incident"].as_str().unwrap();
    assert!(
        submitted["error"]["hint"].as_str().unwrap().contains(&format!("unfreeze --incident {incident}"))
    );
    let shown = office.run_json(&["show"]).done().json();
    assert_eq!((&shown["frozen"], &shown["incidents"][0]["incident"]), (&true.into(), &incident.into()));

    // Only who names the incident ends it.
    let wrong = "00".repeat(32);
    let said = office.run_json(&["unfreeze", "--incident", &wrong, "--reason", "hurry"]);
    assert_eq!(code(&said), (3, "incident".to_owned()));
    assert_eq!(
        code(&office.run_json(&["unfreeze", "--incident", "x", "--reason", "hurry"])),
        (2, "usage".to_owned())
    );
    let said = office.run_json(&["unfreeze", "--incident", incident, "--reason", " "]);
    assert_eq!(code(&said), (2, "usage".to_owned()));
    assert_eq!(code(&office.run_json(&["submit", "3.psbt"])), frozen);
    let said =
        office.run_json(&["unfreeze", "--incident", incident, "--reason", "CFO: own sweep"]).done().json();
    assert_eq!(said["frozen"], false);
    let said = office.run_json(&["unfreeze", "--incident", incident, "--reason", "again"]);
    assert_eq!(code(&said), (3, "incident".to_owned()));
    office.run(&["submit", "3.psbt"]).done();

    // What was looked into stays known and does not freeze again, in whatever block it is.
    let said = office.run_json(&["reconcile", "--facts", facts]).done().json();
    assert_eq!((&said["verdict"], &said["unauthorised"]), (&"clean".into(), &serde_json::json!([])));
    assert_eq!(said["acknowledged"][0]["txid"], txid);
    let mut elsewhere = Blocks::new();
    elsewhere.mine_empty(9, 3);
    elsewhere.mine(9, &[transaction(&office, &planted)]);
    office.run(&["reconcile", "--facts", elsewhere.write(&office, 0, "elsewhere")]).done();
    let shown = office.run_json(&["show"]).done().json();
    assert_eq!(shown["incidents"][0]["ended"], "CFO: own sweep");
}

#[test]
fn a_second_incident_needs_its_own_end() {
    let Some(office) = Office::open() else { return };
    let mut blocks = Blocks::new();
    let mut incidents = Vec::new();
    for (number, name) in [(66, "one"), (67, "two")] {
        blocks.mine(1, &[transaction(&office, &Payment::new(number, 1_000_000))]);
        let said = office.run_json(&["reconcile", "--facts", blocks.write(&office, 0, name)]).json();
        let last = said["unauthorised"].as_array().unwrap().last().unwrap().clone();
        incidents.push(last["incident"].as_str().unwrap().to_owned());
    }
    assert_ne!(incidents[0], incidents[1]);
    let unfreeze = |at: usize| {
        office.run_json(&["unfreeze", "--incident", &incidents[at], "--reason", "CFO"]).done().json()["frozen"].clone()
    };
    assert_eq!((unfreeze(1), unfreeze(0)), (true.into(), false.into()));
}

#[test]
fn a_reserved_coin_that_another_transaction_spends_is_noticed_without_being_claimed() {
    let Some(office) = Office::open() else { return };
    let (permitted, _) = two(&office);
    let mut theft = transaction(&office, &permitted);
    theft.0.output[0].value -= Amount::ONE_SAT;
    let mut blocks = Blocks::new();
    blocks.mine(1, std::slice::from_ref(&theft));
    let mut facts = blocks.facts(&office, 0);
    facts.transactions[0].own.clear();
    facts.previous = Evidence::default();
    office.write("facts", facts.to_bytes());
    let said = office.run_json(&["reconcile", "--facts", "facts"]);
    assert_eq!(code(&said), (3, "unauthorised".to_owned()));
    let json = said.json();
    assert_eq!(json["unauthorised"][0]["txid"], theft.0.compute_txid().to_string());
    assert_eq!(json["unauthorised"][0]["spent_sat"], 100_000_000);
    assert_eq!(state(&json, 0).0, "permitted");
}

#[test]
fn a_spend_in_a_block_that_was_replaced_was_signed_all_the_same() {
    let Some(office) = Office::open() else { return };
    let mut blocks = Blocks::new();
    let mut best = blocks.clone();
    best.mine_empty(2, 5);
    office.run(&["reconcile", "--facts", best.write(&office, 0, "best")]).done();
    blocks.mine(1, &[transaction(&office, &Payment::new(66, 1_000_000))]);
    let said = office.run_json(&["reconcile", "--facts", blocks.write(&office, 0, "stale")]);
    assert_eq!(code(&said), (3, "unauthorised".to_owned()));
    assert_eq!(said.json()["unauthorised"][0]["confirmations"], 0);
}

#[test]
fn a_spend_in_a_branch_from_far_below_freezes_only_when_it_is_in_the_best_chain() {
    let Some(office) = Office::open() else { return };
    let mut best = Blocks::new();
    best.mine_empty(2, 101);
    office.run(&["reconcile", "--facts", best.write(&office, 0, "best")]).done();
    let mut forged = Blocks::new();
    forged.mine(9, &[transaction(&office, &Payment::new(66, 1_000_000))]);
    let said = office.run_json(&["reconcile", "--facts", forged.write(&office, 0, "stale")]).done().json();
    assert_eq!((&said["frozen"], &said["unauthorised"]), (&false.into(), &serde_json::json!([])));
    // One block higher, its branch begins near enough.
    let mut near = best.up_to(1);
    near.mine(9, &[transaction(&office, &Payment::new(67, 1_000_000))]);
    let said = office.run_json(&["reconcile", "--facts", near.write(&office, 0, "near")]);
    assert_eq!(code(&said), (3, "unauthorised".to_owned()));
    assert_eq!(said.json()["unauthorised"].as_array().unwrap().len(), 1);
    // Headers alone bring the first one into the best chain.
    forged.mine_empty(9, 101);
    let mut headers = forged.facts(&office, 1);
    headers.transactions.clear();
    office.write("headers", headers.to_bytes());
    let said = office.run_json(&["reconcile", "--facts", "headers"]).json();
    let txid = office.spend(&Payment::new(66, 1_000_000)).0.unsigned_txid().to_string();
    assert_eq!(
        (&said["unauthorised"][1]["txid"], &said["unauthorised"][1]["height"]),
        (&txid.into(), &1.into())
    );
    office.run(&["log", "verify"]).done();
}

#[test]
fn a_theft_that_was_looked_into_on_another_branch_freezes_again_when_it_happens() {
    let Some(office) = Office::open() else { return };
    let theft = transaction(&office, &Payment::new(66, 99_000_000));
    let mut best = Blocks::new();
    best.mine_empty(2, 30);
    office.run(&["reconcile", "--facts", best.write(&office, 0, "best")]).done();
    let mut forged = Blocks::new();
    forged.mine(9, std::slice::from_ref(&theft));
    let end = |said: Said| {
        assert_eq!(code(&said), (3, "unauthorised".to_owned()));
        let incident = said.json()["unauthorised"][0]["incident"].as_str().unwrap().to_owned();
        office.run_json(&["unfreeze", "--incident", &incident, "--reason", "CFO"]).done();
        incident
    };
    let stale = end(office.run_json(&["reconcile", "--facts", forged.write(&office, 0, "stale")]));
    best.mine(2, &[theft]);
    let facts = best.write(&office, 25, "real");
    let said = office.run_json(&["reconcile", "--facts", facts]);
    assert_eq!(said.json()["unauthorised"][0]["height"], 31);
    assert_ne!(end(said), stale);
    // In the best chain it was looked into for good.
    office.run(&["reconcile", "--facts", facts]).done();
    office.run(&["log", "verify"]).done();
}

#[test]
fn a_transaction_of_other_people_is_not_kept() {
    let Some(office) = Office::open() else { return };
    let mut blocks = Blocks::new();
    let (mut foreign, _) = transaction(&office, &Payment::new(66, 1_000_000));
    foreign.input[0].previous_output.vout = 7;
    blocks.mine(1, &[(foreign, Evidence::default())]);
    let mut facts = blocks.facts(&office, 0);
    facts.transactions[0].own[0].wallet = policies::id::WalletId::of(b"another wallet");
    facts.headers.truncate(2);
    office.write("facts", facts.to_bytes());
    office.run(&["reconcile", "--facts", "facts"]).done();
    let before = events(&office);
    office.run(&["reconcile", "--facts", "facts"]).done();
    assert_eq!(events(&office), before);
}

type Change<'a> = (&'a str, &'a dyn Fn(&mut Facts));

/// Facts that are good but for one thing each.
fn bad(office: &Office) -> Vec<(String, Facts)> {
    let mut blocks = Blocks::new();
    blocks.mine_empty(1, 3);
    blocks.mine(1, &[transaction(office, &Payment::new(66, 1_000_000))]);
    let good = blocks.facts(office, 0);
    let other = |facts: &Facts| -> Transaction {
        let mut transaction = facts.transactions[0].transaction.clone();
        transaction.output[0].value = Amount::ONE_BTC;
        transaction
    };
    let changes: [Change<'_>; 10] = [
        ("another network", &|f| f.network = Network::Signet),
        ("a gap", &|f| {
            f.from = 2;
            f.headers.drain(..2);
        }),
        ("no work", &|f| {
            let last = f.headers.last_mut().unwrap();
            while last.target().is_met_by(last.block_hash()) {
                last.nonce += 1;
            }
        }),
        ("a missing header", &|f| f.headers = [&f.headers[..2], &f.headers[3..]].concat()),
        ("another transaction", &|f| f.transactions[0].transaction = other(f)),
        ("another block", &|f| f.transactions[0].block = f.headers[1].block_hash()),
        ("an unknown block", &|f| f.headers.truncate(4)),
        ("no previous transaction", &|f| f.previous = Evidence::default()),
        ("another address", &|f| f.transactions[0].own[0].keypath.index = 1),
        ("an input that is not there", &|f| f.transactions[0].own[0].input = 1),
    ];
    let changed = |(name, change): &Change<'_>| {
        let mut facts = good.clone();
        change(&mut facts);
        ((*name).to_owned(), facts)
    };
    let mut all: Vec<_> = changes.iter().map(changed).collect();
    // A previous transaction whose output pays somebody else under the same claim.
    let mut forged = good.clone();
    let mut previous = good.previous.transactions().next().unwrap().clone();
    previous.output[0].script_pubkey = ScriptBuf::new_op_return([1; 20]);
    forged.previous = Evidence::new([previous]);
    all.push(("a forged previous transaction".to_owned(), forged));
    all
}

#[test]
fn facts_that_are_not_proven_are_refused_and_leave_no_trace() {
    let Some(office) = Office::open() else { return };
    for (name, facts) in bad(&office) {
        office.write("facts", facts.to_bytes());
        assert_eq!(
            code(&office.run_json(&["reconcile", "--facts", "facts"])),
            (3, "facts".to_owned()),
            "{name}"
        );
        office.requested(&Payment::new(1, 1_000_000), "1.psbt");
        office.add_document("1.psbt", Kind::Facts, facts.to_bytes());
        assert_eq!(code(&office.run_json(&["submit", "1.psbt"])), (3, "facts".to_owned()), "{name}");
        assert_eq!(code(&office.run_json(&["check", "1.psbt"])), (3, "facts".to_owned()), "{name}");
        assert!(!office.exists("1-permitted.psbt"));
        std::fs::remove_file(office.path("1.psbt")).unwrap();
    }
    office.write("facts", "noise");
    assert_eq!(code(&office.run_json(&["reconcile", "--facts", "facts"])), (3, "malformed".to_owned()));
    // The clock bounds how far ahead a header may be.
    let mut ahead = Blocks::new();
    ahead.mine_empty(1, 1);
    let mut facts = ahead.facts(&office, 1);
    facts.headers[0].time = u32::MAX;
    while !facts.headers[0].target().is_met_by(facts.headers[0].block_hash()) {
        facts.headers[0].nonce += 1;
    }
    office.write("facts", facts.to_bytes());
    let said = office.run_json(&["reconcile", "--facts", "facts"]);
    assert_eq!(code(&said), (3, "facts".to_owned()));
    assert!(said.json()["error"]["message"].as_str().unwrap().contains("ahead of the clock"), "{said:?}");
    assert_eq!(events(&office), 2);
}

#[test]
fn facts_that_ride_with_a_payment_are_taken_first_and_stay_behind() {
    let Some(office) = Office::open() else { return };
    let (earlier, _) = two(&office);
    let mut blocks = Blocks::new();
    blocks.mine(1, &[transaction(&office, &earlier)]);
    office.requested(&Payment::new(2, 1_000_000), "2.psbt");
    office.add_document("2.psbt", Kind::Facts, blocks.facts(&office, 1).to_bytes());
    let before = events(&office);
    office.run(&["check", "2.psbt"]).done();
    assert_eq!(events(&office), before, "a dry run takes nothing");
    office.run(&["submit", "2.psbt"]).done();
    assert_eq!(events(&office), before + 3, "facts, reservation, permit");
    assert_eq!(office.documents("2-permitted.psbt", Kind::Facts).len(), 0);
    assert_eq!(office.documents("2-permitted.psbt", Kind::Request).len(), 1);
    let said = office.run_json(&["reconcile"]).done().json();
    assert_eq!((state(&said, 0).0.as_str(), &said["height"]), ("confirmed", &1.into()));

    // They are true also when the payment is refused.
    blocks.mine_empty(1, 2);
    let expensive = Payment::new(3, 10_000_000);
    office.requested_by("stranger", &expensive, "3.psbt");
    office.add_document("3.psbt", Kind::Facts, blocks.facts(&office, 1).to_bytes());
    assert_eq!(office.run_json(&["submit", "3.psbt"]).refusals(), ["not-allowed"]);
    assert_eq!(office.run_json(&["show"]).done().json()["height"], 3);
}

#[test]
fn an_unauthorised_spend_that_rides_with_a_payment_freezes_before_it_is_judged() {
    let Some(office) = Office::open() else { return };
    let planted = Payment::new(66, 1_000_000);
    let mut blocks = Blocks::new();
    blocks.mine(1, &[transaction(&office, &planted)]);
    office.requested(&Payment::new(1, 1_000_000), "1.psbt");
    office.add_document("1.psbt", Kind::Facts, blocks.facts(&office, 1).to_bytes());
    assert_eq!(code(&office.run_json(&["check", "1.psbt"])), (5, "frozen".to_owned()));
    assert_eq!(office.run_json(&["show"]).done().json()["frozen"], false, "a dry run freezes nothing");
    let said = office.run_json(&["submit", "1.psbt"]);
    assert_eq!(code(&said), (5, "frozen".to_owned()));
    let txid = office.spend(&planted).0.unsigned_txid().to_string();
    assert!(said.json()["error"]["message"].as_str().unwrap().contains(&txid));
    assert!(!office.exists("1-permitted.psbt"));
    assert_eq!(events(&office), 4, "the facts and the freezing, one step");
}

#[test]
fn a_chain_begins_at_the_checkpoint_that_the_company_chose() {
    let Some(office) = Office::without_ledger() else { return };
    let mut blocks = Blocks::new();
    blocks.mine_empty(1, 30);
    let init = |checkpoint: &str| {
        office.run_json(&[
            "init",
            "--policy",
            "policy.toml",
            "--permit-key",
            "permit",
            "--checkpoint",
            checkpoint,
        ])
    };
    for wrong in ["20", "20:", "x:00", "20:00"] {
        assert_eq!(code(&init(wrong)), (2, "usage".to_owned()), "{wrong}");
    }
    let hash = blocks.header(20).block_hash().to_string();
    let said = init(&format!("20:{hash}")).done().json();
    assert_eq!(said["checkpoint"], serde_json::json!({ "height": 20, "hash": hash }));
    assert_eq!(office.run_json(&["show"]).done().json()["height"], Value::Null);

    let mut fork = blocks.up_to(10);
    fork.mine_empty(2, 40);
    let said = office.run_json(&["reconcile", "--facts", fork.write(&office, 1, "fork")]);
    assert_eq!(code(&said), (3, "facts".to_owned()));
    assert!(said.json()["error"]["message"].as_str().unwrap().contains(&hash));
    assert_eq!(
        code(&office.run_json(&["reconcile", "--facts", blocks.write(&office, 21, "high")])),
        (3, "facts".to_owned())
    );
    let said = office.run_json(&["reconcile", "--facts", blocks.write(&office, 20, "from")]).done().json();
    assert_eq!(
        (&said["height"], &said["bitcoin_time"]),
        (&30.into(), &u64::from(blocks.header(25).time).into())
    );
    office.run(&["log", "verify"]).done();
}
