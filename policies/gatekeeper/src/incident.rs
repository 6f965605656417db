//! How alarms read.

use crate::ledger::alarm::Alarm;
use crate::ledger::state::State;
use bitcoin::Amount;
use policies::id::WalletId;
use policies::text::amount_text;
use psbt_tools::display::hex;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One sentence: which transaction, whose coins, how much.
pub fn text(state: &State, alarm: &Alarm) -> String {
    match alarm {
        Alarm::Transaction(txid) | Alarm::Stale(txid) => {
            let spent = spent(state, alarm);
            let from = wallets(state, alarm).join(" and ");
            let place = match state.seen().confirmed(txid) {
                Some(confirmed) => format!("in block {}", confirmed.height),
                None => "in a block that was replaced".to_owned(),
            };
            format!(
                "transaction {txid}, {place}, spends {} of wallet {from} without a permit",
                amount_text(spent)
            )
        }
        Alarm::Receipt(hash) => match state.seen().receipt(hash) {
            Some(receipt) => format!(
                "vault {} signed transaction {} of wallet {} {}",
                receipt.head.vault,
                receipt.unsigned_txid,
                name(state, &receipt.wallet),
                match receipt.permit {
                    Some(permit) => format!("under permit {permit}, which is not the one for it here"),
                    None => "without a permit".to_owned(),
                }
            ),
            None => format!("receipt {}", hex(hash)),
        },
        Alarm::Fork { vault, sequence } => {
            format!("vault {vault} has two different records {sequence}: it was set back, or runs twice")
        }
    }
}

/// `{"kind": "transaction"|"receipt"|"fork", "message", …}`.
pub fn json(state: &State, alarm: &Alarm) -> Value {
    let mut object = match alarm {
        Alarm::Transaction(txid) | Alarm::Stale(txid) => {
            let confirmed = state.seen().confirmed(txid);
            let seen = state.seen().transaction(txid);
            let inputs: Vec<_> = seen
                .iter()
                .flat_map(|seen| seen.spent.values())
                .map(|coin| {
                    json!({
                        "outpoint": coin.outpoint.to_string(),
                        "wallet": name(state, &coin.wallet),
                        "value_sat": coin.value.to_sat(),
                    })
                })
                .collect();
            let outputs: Vec<_> = seen
                .iter()
                .flat_map(|seen| &seen.transaction.output)
                .map(|output| {
                    let script = policies::evidence::script_text(&output.script_pubkey, state.network());
                    json!({ "to": script, "value_sat": output.value.to_sat() })
                })
                .collect();
            json!({
                "kind": "transaction",
                "txid": txid.to_string(),
                "wallets": wallets(state, alarm),
                "spent_sat": spent(state, alarm).to_sat(),
                "inputs": inputs,
                "outputs": outputs,
                "height": confirmed.map(|confirmed| confirmed.height),
                "confirmations": confirmed.map_or(0, |confirmed| confirmed.depth),
            })
        }
        Alarm::Receipt(hash) => {
            let receipt = state.seen().receipt(hash);
            json!({
                "kind": "receipt",
                "receipt": hex(hash),
                "txid": receipt.map(|receipt| receipt.unsigned_txid.to_string()),
                "spend_id": receipt.map(|receipt| receipt.spend.to_string()),
                "wallets": wallets(state, alarm),
                "vault": receipt.map(|receipt| receipt.head.vault.to_string()),
                "permit": receipt.and_then(|receipt| receipt.permit).map(|permit| permit.to_string()),
            })
        }
        Alarm::Fork { vault, sequence } => {
            json!({ "kind": "fork", "vault": vault.to_string(), "sequence": sequence })
        }
    };
    if let Some(object) = object.as_object_mut() {
        object.insert("message".to_owned(), text(state, alarm).into());
    }
    object
}

/// Every incident for JSON, each with its alarms.
pub fn all(state: &State) -> Value {
    let incidents = state.seen().incidents().iter();
    incidents
        .map(|incident| {
            let alarms: Vec<_> = incident.alarms.iter().map(|alarm| json(state, alarm)).collect();
            json!({
                "incident": incident.id.to_string(),
                "at": incident.at,
                "alarms": alarms,
                "ended": incident.ended,
            })
        })
        .collect()
}

fn spent(state: &State, alarm: &Alarm) -> Amount {
    let (Alarm::Transaction(txid) | Alarm::Stale(txid)) = alarm else { return Amount::ZERO };
    let coins = state.seen().transaction(txid).into_iter().flat_map(|seen| seen.spent.values());
    coins.fold(Amount::ZERO, |sum, coin| sum.checked_add(coin.value).unwrap_or(Amount::MAX_MONEY))
}

fn wallets(state: &State, alarm: &Alarm) -> Vec<String> {
    let ids: BTreeSet<WalletId> = match alarm {
        Alarm::Transaction(txid) | Alarm::Stale(txid) => {
            let seen = state.seen().transaction(txid).into_iter();
            seen.flat_map(|seen| seen.spent.values()).map(|coin| coin.wallet).collect()
        }
        Alarm::Receipt(hash) => {
            state.seen().receipt(hash).into_iter().map(|receipt| receipt.wallet).collect()
        }
        Alarm::Fork { .. } => BTreeSet::new(),
    };
    ids.iter().map(|id| name(state, id)).collect()
}

fn name(state: &State, wallet: &WalletId) -> String {
    state.wallet(wallet).map_or_else(|| wallet.to_string(), |bound| bound.name.clone())
}
