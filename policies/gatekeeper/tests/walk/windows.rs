//! Windows slide on bitcoin time; charges leave them after they settled.

use crate::blocks::{Blocks, transaction};
use crate::office::{Office, Payment};
use serde_json::Value;

fn limit(office: &Office, name: &str) -> Value {
    let said = office.run_json(&["budget"]).done().json();
    said["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == name).unwrap().clone()
}

#[test]
fn a_payment_leaves_the_window_when_its_block_is_as_old_and_not_before() {
    let Some(office) = Office::open() else { return };
    let payment = Payment::new(1, 90_000_000);
    for number in 1..=3 {
        office.requested(&Payment::new(number, 90_000_000), &format!("{number}.psbt"));
    }
    office.run(&["submit", "1.psbt", "2.psbt"]).done();
    let mut blocks = Blocks::new();
    blocks.mine_empty(1, 12);
    blocks.mine(1, &[transaction(&office, &payment), transaction(&office, &Payment::new(2, 90_000_000))]);
    let fork = blocks.up_to(12);
    blocks.mine_empty(1, 4);
    let told = |blocks: &Blocks, name| {
        office.run_json(&["reconcile", "--facts", blocks.write(&office, 1, name)]).done().json()
    };
    told(&blocks, "five");
    let day = limit(&office, "A day");
    assert_eq!((&day["used_sat"], &day["unsettled_sat"]), (&180_020_000.into(), &180_020_000.into()));
    assert_eq!((&day["remaining_sat"], &day["remaining_count"]), (&19_980_000.into(), &18.into()));
    assert_eq!((&day["window_seconds"], &day["amount_sat"]), (&86_400.into(), &200_000_000.into()));
    let why = office.run_json(&["why", "3.psbt"]).done().json();
    assert_eq!((&why["verdict"], &why["fits_from"]), (&"refused".into(), &Value::Null), "not settled");
    assert_eq!(why["largest_sat"], 19_980_000);

    blocks.mine_empty(1, 1);
    told(&blocks, "six");
    assert_eq!(limit(&office, "A day")["unsettled_sat"], 0);
    let why = office.run_json(&["why", "3.psbt"]).done().json();
    // The time of block 13 is that of block 8: the median of eleven.
    let settled = u64::from(blocks.header(8).time);
    assert_eq!(why["fits_from"], settled + 86_400);
    assert!(why["refusals"][0]["nearest"][0].as_str().unwrap().contains("0.199 800 00 BTC"), "{why}");

    // 24 hours are 144 blocks of ten minutes: the last but one is too early.
    blocks.mine_empty(1, 13 + 143 - 18);
    assert_eq!(told(&blocks, "early")["bitcoin_time"], settled + 86_400 - 600);
    assert_eq!(office.run_json(&["submit", "3.psbt"]).refusals(), ["limit-per-window"]);
    let before = blocks.clone();
    blocks.mine_empty(1, 1);
    assert_eq!(told(&blocks, "time")["bitcoin_time"], settled + 86_400);
    assert_eq!(limit(&office, "A day")["used_sat"], 0);
    office.run(&["check", "3.psbt"]).done();

    // A heavier branch without them takes the settlements back: they are charged again, though bitcoin time stands.
    let mut fork = fork;
    fork.mine_empty(2, 150);
    let said = told(&fork, "fork");
    assert!(said["bitcoin_time"].as_u64().unwrap() >= settled + 86_400);
    assert_eq!(limit(&office, "A day")["unsettled_sat"], 180_020_000);
    assert_eq!(office.run_json(&["submit", "3.psbt"]).refusals(), ["limit-per-window"]);
    let mut before = before;
    before.mine_empty(1, 20);
    told(&before, "back");
    office.run(&["submit", "3.psbt"]).done();
    let permit = office.permit("3-permitted.psbt").statement;
    assert_eq!(permit.issued_mtp, said["bitcoin_time"].as_u64().unwrap().max(permit.issued_mtp));
    office.run(&["log", "verify"]).done();
}

#[test]
fn a_budget_names_requesters_where_the_limit_does() {
    let Some(office) = Office::without_ledger() else { return };
    let policy = std::fs::read_to_string(office.path("policy.toml")).unwrap();
    let more = "[[limit]]\nname = \"Desk\"\nrequesters = \"desk\"\nper_window = { window = \"7 days\", count = 3 }\n";
    office.write("policy.toml", policy.replace("[permit]", &format!("{more}\n[permit]")));
    office.found();
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    let desk = limit(&office, "Desk");
    assert_eq!(
        (&desk["amount_sat"], &desk["count"], &desk["remaining_count"]),
        (&Value::Null, &3.into(), &2.into())
    );
    assert_eq!(
        desk["requesters"],
        serde_json::json!([{ "who": "desk", "used_sat": 10_010_000, "used_count": 1 }])
    );
    assert_eq!(office.run_json(&["budget"]).done().json()["bitcoin_time"], 0);
    insta::assert_snapshot!(office.run(&["budget"]).done().stdout);
}

#[test]
fn nothing_is_permitted_with_old_headers_where_time_is_real() {
    let Some(office) = Office::without_ledger() else { return };
    let policy = std::fs::read_to_string(office.path("policy.toml")).unwrap();
    office.write("policy.toml", policy.replace("network = \"regtest\"", "network = \"testnet\""));
    office.run(&["init", "--policy", "policy.toml", "--permit-key", "permit"]).done();
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    for command in [&["submit", "1.psbt"][..], &["check", "1.psbt"], &["issue", "1.psbt", "-o", "out.psbt"]] {
        let said = office.run_json(command);
        assert_eq!(said.code(), (5, "stale".to_owned()), "{command:?}");
        assert!(said.json()["error"]["hint"].as_str().unwrap().contains("watch-node facts"));
    }
    let why = office.run_json(&["why", "1.psbt"]).done().json();
    assert_eq!(why["blocked"]["code"], "stale");
}
