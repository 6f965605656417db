//! The steps in which a payment needs somebody's approval, and then a higher fee.

use serde_json::Value;

use super::node::Node;
use super::stage::Stage;
use super::story::{SUPPLIER, confirmations, mine, sign, submit};
use crate::error::Result;

/// A payment above the day's sum waits for Anna; with her approval it is permitted, signed and broadcast.
pub fn approve(stage: &mut Stage) -> Result<()> {
    stage.step("A payment of 0.3 BTC: with today's 0.4 that is above 0.5 BTC, so Anna has to agree");
    stage.typed(&format!(
        "watch-node pay savings --to {SUPPLIER}=0.3btc --feerate 2 --max-fee 20000sat --purpose 'invoice 2026-118' -o more.psbt --data node"
    ))?;
    stage.typed("gatekeeper request more.psbt --key desk -o more-request.psbt")?;
    stage.typed_expect("gatekeeper submit more-request.psbt -o more-permitted.psbt --data gate", 4)?;
    stage.typed("gatekeeper pending --data gate")?;
    stage.say("\nAnna reads what she signs, on any machine:");
    stage.typed("gatekeeper approve more-request.psbt --key anna -o more-approved.psbt")?;
    stage.typed("gatekeeper issue more-approved.psbt -o more-permitted.psbt --data gate")?;
    sign(stage, "more")
}

/// Nobody mines a payment at 2 sat/vB, so its fee is raised, within what was asked for and approved.
pub fn bump(stage: &mut Stage, node: Option<&Node>) -> Result<String> {
    stage.step("It is broadcast, and no miner takes it: the fee was too low");
    let stuck = submit(stage, "more-signed.psbt", "submitted-2.json")?;
    stage.step("The same payment with a higher fee, below the ceiling that the desk and Anna signed: nobody is asked again");
    stage.typed("watch-node bump P-0002 --feerate 25 -o bump.psbt --data node")?;
    stage.typed("gatekeeper submit bump.psbt -o bump-permitted.psbt --data gate")?;
    sign(stage, "bump")?;
    let replacement = submit(stage, "bump-signed.psbt", "submitted-3.json")?;
    if replacement == stuck {
        return Err(stage.fault("the bump is the same transaction"));
    }
    stage.step("Blocks confirm the one with the higher fee, and only that");
    mine(stage, node, "6", "blocks-after-bump.json")?;
    stage.typed("watch-node sync --data node")?;
    stage.typed("watch-node payments --data node")?;
    confirmations(stage, 1, &replacement, "payments-2.json")?;
    paid_once(stage)?;
    stage.step("The gatekeeper charges the group of both once, with the one that was mined");
    stage.typed("watch-node facts -o facts-2 --data node")?;
    stage.typed("gatekeeper reconcile --facts facts-2 --data gate")?;
    stage.typed("gatekeeper budget --data gate")?;
    Ok(replacement)
}

/// The payments took 0.7 BTC and fees from the wallet, and not a satoshi more.
fn paid_once(stage: &Stage) -> Result<()> {
    let history = stage.typed_to_file("watch-node history savings --json --data node", "history.json", 0)?;
    let entries = history.pointer("/history").and_then(Value::as_array).into_iter().flatten();
    let confirmed = entries.filter(|entry| entry.get("height").is_some_and(|height| !height.is_null()));
    let deltas = confirmed.filter_map(|entry| entry.get("delta_sat")?.as_i64());
    let gone: i64 = deltas.filter(|delta| *delta < 0).sum::<i64>().saturating_neg();
    let fees = gone.saturating_sub(70_000_000);
    if !(1..=40_000).contains(&fees) {
        return Err(stage.fault(format!("{gone} sat left the wallet, expected 70000000 sat and fees")));
    }
    stage.say(&format!("Two payments, 0.7 BTC and {fees} sat of fees: the replaced one was not paid too."));
    Ok(())
}
