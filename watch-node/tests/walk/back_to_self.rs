//! A payment back to the wallet itself: no recipients, one output.

use bitcoin::Psbt;
use policies::codec::Canonical;
use policies::request::SignedRequest;
use policies::wallet::{Branch, ScriptKind};
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::json;

use crate::Walk;
use crate::pay::TO;
use crate::people::Vault;

fn funded(vault: &Vault) -> Walk {
    let walk = Walk::funded(vault);
    walk.fund("0.2btc");
    walk.fund("0.3btc");
    walk
}

#[test]
fn all_coins_become_one_and_nothing_leaves_but_the_fee() {
    for kind in [ScriptKind::Wpkh, ScriptKind::Tr] {
        let vault = Vault::new(kind, 8);
        let walk = funded(&vault);
        let paid = walk.done("pay savings --to self --feerate 3 -o a.psbt");
        assert_eq!((&paid["inputs"], &paid["recipients"]), (&json!(3), &json!([])));
        let (fee, change) = (paid["fee_sat"].as_u64().unwrap(), paid["change_sat"].as_u64().unwrap());
        assert_eq!(fee + change, 150_000_000);
        let rate: f64 = paid["feerate_sat_per_vb"].as_f64().unwrap();
        assert!((3.0..3.1).contains(&rate), "{rate}");
        let file = walk.read("a.psbt");
        let spend = vault.spend(&file);
        assert_eq!(spend.external_outputs().count(), 0);
        let own: Vec<_> = spend.outputs().iter().map(|output| output.own.unwrap().branch).collect();
        assert_eq!(own, [Branch::Internal]);
        let envelope = Envelope::read(&Psbt::deserialize(&file).unwrap()).unwrap();
        let request = SignedRequest::from_bytes(envelope.get(Kind::Request).next().unwrap()).unwrap().request;
        assert_eq!((request.recipients.len(), request.max_fee.to_sat()), (0, fee));
        assert_eq!(request.differences(&spend, request.created), vec![]);

        walk.write("signed.psbt", &vault.answer(&file, Some(5), Some(8)));
        walk.done("submit signed.psbt");
        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(walk.done("balance savings")["total_sat"], change);
        let told = walk.done("reconcile");
        assert_eq!(told["spends"][0]["verdict"], "authorised");
        assert_eq!(told["spends"][0]["outputs"][0]["wallet"], "savings");
        let shown = walk.done("payments show 1");
        assert_eq!((&shown["amount_sat"], &shown["state"]), (&json!(0), &json!("confirmed")));
        assert!(walk.text("payments show 1").contains("to       itself"));
    }
}

#[test]
fn named_coins_alone_go_back() {
    let walk = funded(&Vault::new(ScriptKind::Wpkh, 8));
    let coins = walk.done("coins savings")["coins"].clone();
    let coin = coins.as_array().unwrap().iter().find(|coin| coin["value_sat"] == 20_000_000).unwrap();
    let line = format!("pay savings --to self --coin {} --feerate 1", coin["outpoint"].as_str().unwrap());
    assert!(walk.text(&format!("{line} -o a.psbt")).contains("to      itself, 1 coin into one"));
    assert_eq!(walk.done("balance savings")["reserved_sat"], 20_000_000);
    walk.refused(&format!("{line} -o b.psbt"), 3, "coin-unavailable");
}

#[test]
fn coins_that_are_not_worth_their_fee_stay() {
    let walk = funded(&Vault::new(ScriptKind::Wpkh, 8));
    walk.fund("1000sat");
    let answer = walk.run("pay savings --to self --feerate 20 -o a.psbt");
    assert_eq!((answer.code, &answer.json()["inputs"]), (0, &json!(3)));
    assert!(answer.stderr.contains("note: 1 coins stay"), "{}", answer.stderr);
    // Named, it is tried, and cannot pay its way.
    let coin = walk.done("coins savings")["coins"]
        .as_array()
        .unwrap()
        .iter()
        .find(|coin| coin["value_sat"] == 1_000)
        .unwrap()["outpoint"]
        .as_str()
        .unwrap()
        .to_owned();
    for rate in [8, 20] {
        let line = format!("pay savings --to self --coin {coin} --feerate {rate} -o b.psbt");
        walk.refused(&line, 3, "insufficient-funds");
    }
    walk.done(&format!("pay savings --to self --coin {coin} --feerate 2 -o b.psbt"));
    walk.refused("pay savings --to self --feerate 1 -o c.psbt", 3, "insufficient-funds");
}

#[test]
fn self_has_no_company_and_a_list_names_somebody() {
    let walk = funded(&Vault::new(ScriptKind::Wpkh, 8));
    walk.write("list.csv", format!("{TO},0.1btc\n").as_bytes());
    walk.write("empty.csv", b"\n\n");
    for rest in [
        format!("--to self --to {TO}=0.1btc"),
        "--to self --to self".to_owned(),
        "--to self --csv list.csv".to_owned(),
        "--to self=0.1btc --to self".to_owned(),
        "--csv empty.csv".to_owned(),
    ] {
        walk.refused(&format!("pay savings {rest} --feerate 1 -o a.psbt"), 2, "usage");
    }
    walk.refused("pay savings --to self=0.1btc --feerate 1 -o a.psbt", 2, "bad-address");
    walk.refused("pay savings --to self --feerate 1000 --max-fee 500sat -o a.psbt", 3, "fee-too-high");
    assert_eq!(walk.done("payments")["payments"], json!([]));
}
