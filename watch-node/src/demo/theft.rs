//! The last steps: somebody who has a copy of the paper words spends past everybody, and is noticed.

use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, Network, Sequence, Transaction, absolute};
use policies::evidence::Evidence;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use psbt_tools::build::build;

use super::node::Node;
use super::stage::Stage;
use super::story::{SIGNER, consent, mine};
use crate::chain::Relay;
use crate::chain::embedded::Embedded;
use crate::coins::unspent;
use crate::error::{Error, Result};
use crate::payment::evidence_for;
use crate::store::Store;
use crate::wallet::OpenWallet;

/// The thief's own signer: the same words, and no authority.
const THIEF: &str = "--store thief.store --passphrase-file pass --allow-network";

/// Where the thief sends it: the second address of BIP84's test vector's seed, on test networks.
const LOOT: &str = "bcrt1qd7spv5q28348xl4myc8zmh983w5jx32cs707jh";

/// Steals the reserve with a copy of its words; gives the sentence by which it was noticed.
pub fn theft(stage: &mut Stage, node: Option<&Node>) -> Result<String> {
    stage.step("A thief: somebody photographed the paper words of `reserve` and restored them in a signer of their own");
    stage.say("Paper words obey no policy. No program here can stop this; it must not stay unseen.");
    stage.typed(&format!(
        "cold-vault restore --wallet reserve --network regtest --script wpkh --words 12 --words-file words --kdf-floor {THIEF}"
    ))?;
    stage.write("stolen.psbt", &unpermitted(stage)?)?;
    consent(stage, "stolen.psbt", "stolen-signed.psbt", THIEF)?;
    send(stage, node)?;
    mine(stage, node, "1", "blocks-after-theft.json")?;
    stage.typed("watch-node sync --data node")?;

    stage.step("The node finds a spend that nobody asked for, and alarms");
    stage.typed(&format!("cold-signer receipts -o receipts-3.json {SIGNER}"))?;
    let alarm = stage.typed_expect("watch-node reconcile --receipts receipts-3.json --data node", 3)?;
    let caught =
        alarm.stderr.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default().to_owned();
    if !caught.contains("unauthorised") {
        return Err(stage.fault(format!("the alarm does not say `unauthorised`: {caught}")));
    }

    stage.step("The gatekeeper sees the proof and permits nothing more until somebody has looked into it");
    stage.typed("watch-node facts -o facts-3 --data node")?;
    stage.typed_expect("gatekeeper reconcile --facts facts-3 --data gate", 3)?;
    stage.typed_expect("gatekeeper submit large-request.psbt -o frozen.psbt --data gate", 5)?;
    Ok(caught)
}

/// A PSBT of all coins of `reserve` that no node here was asked for.
fn unpermitted(stage: &Stage) -> Result<Vec<u8>> {
    let store = Store::open(&stage.dir().join("node"))?;
    let wallets = OpenWallet::all(&store)?;
    let wallet = wallets.iter().find(|wallet| wallet.name() == "reserve");
    let wallet = wallet.ok_or_else(|| stage.fault("no wallet `reserve`"))?;
    let coins = unspent(&store, Some(wallet.row.id))?;
    let evidence: Evidence = evidence_for(&store, &coins)?;
    let loot = LOOT
        .parse::<Address<_>>()
        .and_then(|address| address.require_network(Network::Regtest))
        .map_err(|error| stage.fault(error.to_string()))?
        .script_pubkey();
    let value = coins.iter().map(|coin| coin.value).sum::<Amount>();
    let value = value.checked_sub(Amount::from_sat(1_000)).ok_or(Error::Overflow)?;
    let inputs = coins.iter().map(|coin| SpendInput {
        outpoint: coin.outpoint,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        value: coin.value,
        keypath: coin.place.into(),
    });
    let spend = Spend::new(SpendParts {
        network: Network::Regtest,
        wallet: wallet.rules.id(),
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        inputs: inputs.collect(),
        outputs: vec![SpendOutput { value, script: loot, own: None }],
    });
    let spend = spend.map_err(|findings| stage.fault(format!("{findings:?}")))?;
    Ok(build(&spend, &evidence, &wallet.rules)?.serialize())
}

/// The thief sends it, past the watch-node.
fn send(stage: &Stage, node: Option<&Node>) -> Result<()> {
    stage.typed("psbt-tools finalize stolen-signed.psbt -o stolen-final.psbt")?;
    let hex = stage.typed("psbt-tools extract stolen-final.psbt")?;
    match node {
        Some(node) => {
            stage.run(&node.command(&["sendrawtransaction", hex.trim()]))?;
        }
        None => {
            stage.say("\n(The thief gives it to a miner of the embedded chain.)");
            let transaction: Transaction = bitcoin::consensus::encode::deserialize_hex(hex.trim())
                .map_err(|error| stage.fault(error.to_string()))?;
            Embedded::open(&stage.dir().join("node"))?.submit(&transaction)?;
        }
    }
    Ok(())
}
