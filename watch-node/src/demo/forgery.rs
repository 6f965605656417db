//! The step of the demo in which somebody changes one bit of a signature.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Psbt, Transaction, Witness};
use policies::examine::FeeBounds;
use serde_json::Value;

use super::node::Node;
use super::stage::Stage;
use super::story::text;
use crate::error::Result;

/// One bit of one signature is flipped: neither the node nor Bitcoin Core may take it.
pub fn forgery(stage: &mut Stage, node: Option<&Node>) -> Result<()> {
    stage.step("A copy with one flipped bit in a signature is refused");
    let bytes = stage.read("pay-signed.psbt")?;
    let psbt = Psbt::deserialize(&bytes).map_err(|error| stage.fault(error.to_string()))?;
    stage.write("pay-forged.psbt", &flipped_file(stage, &psbt, &bytes)?)?;
    stage.expect(&["watch-node", "submit", "pay-forged.psbt", "--data", "node"], 3)?;
    if let Some(node) = node {
        let mut transaction = final_transaction(psbt)?;
        let verdict = accepts(stage, node, &transaction, "true-one.json")?;
        if verdict.get("allowed") != Some(&Value::Bool(true)) {
            return Err(stage.fault(format!("Bitcoin Core refuses the true one: {verdict}")));
        }
        flip_witness(stage, &mut transaction)?;
        let verdict = accepts(stage, node, &transaction, "forged-one.json")?;
        if verdict.get("allowed") != Some(&Value::Bool(false)) {
            return Err(stage.fault(format!("Bitcoin Core accepts the forged one: {verdict}")));
        }
        let reason = text(stage, &verdict, "reject-reason")?;
        stage.say(&format!("Bitcoin Core takes the true one and refuses the forged one: {reason}"));
    }
    Ok(())
}

fn accepts(stage: &Stage, node: &Node, transaction: &Transaction, file: &str) -> Result<Value> {
    let argument = format!("[\"{}\"]", serialize_hex(transaction));
    let verdict = stage.json_to_file(&node.command(&["testmempoolaccept", &argument]), file, 0)?;
    verdict.get(0).cloned().ok_or_else(|| stage.fault("testmempoolaccept said nothing"))
}

fn final_transaction(mut psbt: Psbt) -> Result<Transaction> {
    psbt_tools::finalize::finalize(&mut psbt)?;
    Ok(psbt_tools::finalize::extract(&psbt, &FeeBounds::default())?)
}

/// The file with one bit of its first signature flipped; the signature keeps its form.
fn flipped_file(stage: &Stage, psbt: &Psbt, bytes: &[u8]) -> Result<Vec<u8>> {
    let signature = psbt.inputs.first().and_then(|input| {
        let ecdsa = input.partial_sigs.values().next().map(|signature| signature.to_vec());
        ecdsa.or_else(|| input.tap_key_sig.map(|signature| signature.to_vec()))
    });
    let signature = signature.ok_or_else(|| stage.fault("the signed file holds no signature"))?;
    let at = bytes.windows(signature.len()).position(|window| window == signature);
    let at = at.and_then(|at| at.checked_add(place(signature.len())));
    let mut forged = bytes.to_vec();
    match at.and_then(|at| forged.get_mut(at)) {
        Some(byte) => *byte ^= 1,
        None => return Err(stage.fault("the signature is not in the file")),
    }
    Ok(forged)
}

fn flip_witness(stage: &Stage, transaction: &mut Transaction) -> Result<()> {
    let input = transaction.input.first_mut().ok_or_else(|| stage.fault("no input"))?;
    let mut items: Vec<Vec<u8>> = input.witness.iter().map(<[u8]>::to_vec).collect();
    let flipped = items.first_mut().and_then(|signature| {
        let at = place(signature.len());
        signature.get_mut(at)
    });
    *flipped.ok_or_else(|| stage.fault("no signature in the witness"))? ^= 1;
    input.witness = Witness::from_slice(&items);
    Ok(())
}

/// A byte near the end of a signature: inside the number `s`, after every length.
fn place(length: usize) -> usize {
    length.saturating_sub(10)
}
