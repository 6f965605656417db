//! Somebody else holds a copy of the seed: coins, balance and payments follow the chain, and the alarm says all of it.

use bitcoin::{Address, Network};
use serde_json::json;
use watch_node::chain::Relay;
use watch_node::chain::embedded::Embedded;

use crate::Walk;
use crate::pay::TO;
use crate::people::{SINGLE, Vault, thief};

#[test]
fn a_foreign_spend_of_one_of_a_payment_s_coins_frees_the_other_once_it_is_confirmed() {
    for kind in SINGLE {
        let vault = Vault::new(kind, 8);
        let walk = Walk::funded(&vault);
        walk.fund("0.2btc");
        let paid = walk.done(&format!("pay savings --to {TO}=1.1btc --feerate 5 -o a.psbt"));
        assert_eq!(paid["inputs"], 2);
        walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
        let file = walk.read("a.psbt");
        let first = bitcoin::Psbt::deserialize(&file).unwrap().unsigned_tx.input[0].previous_output;
        let inputs = vault.spend(&file).inputs().to_vec();
        let taken = inputs.iter().find(|input| input.outpoint == first).unwrap().value.to_sat();
        let left = inputs.iter().find(|input| input.outpoint != first).unwrap();

        // A part comes back, to an address that nobody was given yet.
        let own = walk.done("address savings")["address"].as_str().unwrap().to_owned();
        let own_script = own.parse::<Address<_>>().unwrap().require_network(Network::Regtest).unwrap();
        let stolen = taken - 1_000_000 - 5_000;
        let foreign =
            vault.elsewhere(&file, 1, &[(thief(), stolen), (own_script.script_pubkey(), 1_000_000)]);
        let txid = foreign.compute_txid().to_string();
        Embedded::open(&walk.path("node")).unwrap().submit(&foreign).unwrap();
        walk.done("sync");
        // Unconfirmed: told at once, and nothing is given up yet.
        assert_eq!(walk.state(), "exported");
        let balance = walk.done("balance savings");
        let left_sat = left.value.to_sat();
        assert_eq!(
            (&balance["confirmed_sat"], &balance["pending_sat"]),
            (&json!(left_sat), &json!(1_000_000))
        );
        assert_eq!(balance["reserved_sat"], left_sat);
        walk.refused("reconcile", 3, "unauthorised");
        walk.refused("submit signed.psbt", 3, "transaction-refused");

        walk.done("regtest mine 1");
        walk.done("sync");
        let payment = walk.done("payments")["payments"][0].clone();
        assert_eq!((&payment["state"], &payment["replaced_by"]), (&json!("replaced"), &json!(txid)));
        let balance = walk.done("balance savings");
        assert_eq!(balance["confirmed_sat"], left_sat + 1_000_000);
        assert_eq!((&balance["pending_sat"], &balance["reserved_sat"]), (&json!(0), &json!(0)));
        let coins = walk.done("coins savings")["coins"].clone();
        let mut outpoints: Vec<_> =
            coins.as_array().unwrap().iter().map(|coin| coin["outpoint"].as_str().unwrap()).collect();
        outpoints.sort_unstable();
        let mut expected = [left.outpoint.to_string(), format!("{txid}:1")];
        expected.sort_unstable();
        assert_eq!(outpoints, expected);
        walk.refused("submit signed.psbt", 3, "transaction-refused");

        // The alarm names everything that somebody needs who acts on it.
        let answer = walk.run("reconcile");
        assert_eq!((answer.code, answer.error().as_str()), (3, "unauthorised"));
        assert!(answer.stderr.contains("hint: treat the keys as stolen"));
        let told = answer.json();
        let spend = told["spends"].as_array().unwrap().iter().find(|spend| spend["txid"] == txid).unwrap();
        assert_eq!((&spend["wallets"], &spend["payment"]), (&json!(["savings"]), &json!(null)));
        assert_eq!(
            spend["inputs"],
            json!([{"outpoint": first.to_string(), "value_sat": taken, "wallet": "savings"}])
        );
        let to = Address::from_script(&thief(), Network::Regtest).unwrap().to_string();
        let out = |n: usize, key: &str| spend["outputs"][n][key].clone();
        assert_eq!(
            (out(0, "address"), out(0, "value_sat"), out(0, "wallet")),
            (json!(to), json!(stolen), json!(null))
        );
        assert_eq!((out(1, "address"), out(1, "wallet")), (json!(own), json!("savings")));
        assert_eq!(spend["reason"], "nobody here asked for it");
        assert!(spend["hint"].as_str().unwrap().contains("stop signing"));
        let text = walk.text("reconcile");
        for part in
            [txid.as_str(), to.as_str(), &first.to_string(), "of savings", "back to savings", "why   nobody"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }

        // What is left can be moved.
        walk.done("pay savings --to self --feerate 5 -o b.psbt");
        walk.write("b-signed.psbt", &vault.answer(&walk.read("b.psbt"), Some(5), Some(8)));
        walk.done("submit b-signed.psbt");
        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(walk.done("payments")["payments"][1]["state"], "confirmed");
        walk.refused("reconcile", 3, "unauthorised");
    }
}
