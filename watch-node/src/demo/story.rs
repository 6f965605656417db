//! The steps of the demo, in order.

use bitcoin::{Address, Network};
use serde_json::Value;

use super::DemoChain;
use super::forgery::forgery;
use super::node::Node;
use super::stage::Stage;
use crate::chain::embedded::miner_script;
use crate::error::{Error, Result};

/// What the demo showed.
pub struct Ending {
    /// The payment's transaction.
    pub txid: String,
    /// How deep it is.
    pub confirmations: u64,
    /// Why the second payment was refused.
    pub refusal: String,
    /// The verdict on everything that left the wallet.
    pub reconciliation: String,
}

/// Options of every `cold-signer` command here.
const SIGNER: [&str; 5] = ["--store", "vault.store", "--passphrase-file", "pass", "--allow-network"];

/// Somebody else's address on regtest: the first of BIP84's test vector's seed, on test networks.
const SUPPLIER: &str = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk";

/// Plays all of it.
pub fn tell(stage: &mut Stage, chain: DemoChain) -> Result<Ending> {
    stage.say("One payment, from a new key to a clean reconciliation. Everything is regtest: the coins are worth nothing.");
    stage.say(&format!("Folder: {}", psbt_tools::display::escape(&stage.dir().to_string_lossy())));
    keys_of_people(stage)?;
    policy(stage)?;
    vault(stage)?;
    let node = watch(stage, chain)?;
    fund(stage, node.as_ref())?;
    request_and_permit(stage)?;
    sign(stage)?;
    forgery(stage, node.as_ref())?;
    let txid = broadcast(stage, node.as_ref())?;
    let confirmations = confirm(stage, node.as_ref(), &txid)?;
    let refusal = too_much(stage)?;
    let reconciliation = reconcile(stage)?;
    Ok(Ending { txid, confirmations, refusal, reconciliation })
}

fn keys_of_people(stage: &mut Stage) -> Result<()> {
    stage.step("A terminal and a gatekeeper get their SSH keys");
    for name in ["desk", "permit_key"] {
        let made = stage.run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name]);
        made.map_err(|error| match &error {
            Error::Demo { reason, .. } if reason.contains("does not start") => Error::MissingProgram {
                program: "ssh-keygen".to_owned(),
                looked_for: "PATH".to_owned(),
                hint: "install OpenSSH's client: apt install openssh-client",
            },
            _ => error,
        })?;
    }
    Ok(())
}

fn policy(stage: &mut Stage) -> Result<()> {
    stage.step("The gatekeeper's policy: the desk may pay anyone, at most 1 BTC at a time");
    let desk = String::from_utf8(stage.read("desk.pub")?).map_err(|_| stage.fault("desk.pub is no text"))?;
    let mut words = desk.split_whitespace();
    let (Some(kind), Some(key)) = (words.next(), words.next()) else {
        return Err(stage.fault("desk.pub holds no key"));
    };
    let policy = format!(
        r#"schema  = "airlock-policy/1"
company = "Two Friends GmbH"
version = 1
network = "regtest"

[people]
desk = "{kind} {key}"

[wallet.savings]

[[allow]]
name = "Desk pays anyone"
requesters = "desk"
wallet = "savings"
to = ["anyone"]

[[limit]]
name = "A payment"
per_payment = "1 BTC"

[[limit]]
name = "Fees"
fee = {{ amount = "0.002 BTC", percent = 3, sat_per_vbyte = 200 }}
"#
    );
    stage.write("policy.toml", policy.as_bytes())?;
    stage.run(&["cat", "policy.toml"])?;
    stage.run(&[
        "gatekeeper",
        "init",
        "--data",
        "gate",
        "--policy",
        "policy.toml",
        "--permit-key",
        "permit_key",
    ])?;
    Ok(())
}

fn vault(stage: &mut Stage) -> Result<()> {
    stage.step("The offline signer pins the authority, then makes a key that obeys it for ever");
    stage.say("For the demo only: the passphrase comes from a file, its key derivation is at its floor, and the network may be up.");
    stage.write("pass", b"demonstration only, never for real coins\n")?;
    let with =
        |command: &[&'static str]| -> Vec<&'static str> { command.iter().copied().chain(SIGNER).collect() };
    stage.run(&with(&["cold-signer", "trust", "--authority", "gate/authority.pub", "--kdf-floor"]))?;
    stage.say(
        "\nA demo has no terminal and nobody who writes down backup words, so this key goes without: \
         signers allow that on test networks only.",
    );
    stage.run(&with(&[
        "cold-signer",
        "new-key",
        "--wallet",
        "savings",
        "--network",
        "regtest",
        "--script",
        "wpkh",
        "--words-unseen",
    ]))?;
    stage.run(&with(&["cold-signer", "export", "--wallet", "savings", "-o", "savings.json"]))?;
    stage.step("The gatekeeper learns the vault");
    stage.run(&["gatekeeper", "vault", "add", "savings.json", "--data", "gate"])?;
    Ok(())
}

fn watch(stage: &mut Stage, chain: DemoChain) -> Result<Option<Node>> {
    stage.step("The online node watches the wallet; it has no private key");
    let node = match chain {
        DemoChain::Embedded => {
            stage.run(&[
                "watch-node",
                "init",
                "--data",
                "node",
                "--network",
                "regtest",
                "--chain",
                "embedded",
            ])?;
            None
        }
        DemoChain::Core => {
            let node = Node::start(stage)?;
            stage.run(&[
                "watch-node",
                "init",
                "--data",
                "node",
                "--network",
                "regtest",
                "--chain",
                "core",
                "--url",
                &node.url,
                "--cookie-file",
                "bitcoin/regtest/.cookie",
            ])?;
            Some(node)
        }
    };
    stage.run(&["watch-node", "trust", "gate/authority.pub", "--data", "node"])?;
    stage.run(&["watch-node", "wallet", "import", "savings", "--file", "savings.json", "--data", "node"])?;
    Ok(node)
}

fn fund(stage: &mut Stage, node: Option<&Node>) -> Result<()> {
    stage.step("Somebody pays the wallet");
    let said = stage.run(&["watch-node", "address", "savings", "--data", "node"])?;
    let address = said.lines().next().unwrap_or_default().trim().to_owned();
    match node {
        None => {
            stage.run(&["watch-node", "regtest", "mine", "101", "--data", "node"])?;
            stage.run(&["watch-node", "regtest", "fund", &address, "5btc", "--data", "node"])?;
        }
        Some(node) => {
            stage.json_to_file(&node.command(&["generatetoaddress", "1", &address]), "rewards.json", 0)?;
        }
    }
    mine(stage, node, if node.is_some() { "100" } else { "1" }, "first-blocks.json")?;
    stage.run(&["watch-node", "sync", "--data", "node"])?;
    stage.run(&["watch-node", "balance", "savings", "--data", "node"])?;
    Ok(())
}

fn request_and_permit(stage: &mut Stage) -> Result<()> {
    stage.step("A payment of 0.4 BTC: the node builds it, the desk asks, the gatekeeper permits");
    let to = format!("{SUPPLIER}=0.4btc");
    stage.run(&[
        "watch-node",
        "pay",
        "savings",
        "--to",
        &to,
        "--feerate",
        "5",
        "--purpose",
        "invoice 2026-117",
        "-o",
        "pay.psbt",
        "--data",
        "node",
    ])?;
    stage.run(&["gatekeeper", "request", "pay.psbt", "--key", "desk", "-o", "pay-request.psbt"])?;
    stage.run(&["gatekeeper", "submit", "pay-request.psbt", "-o", "pay-permitted.psbt", "--data", "gate"])?;
    Ok(())
}

fn sign(stage: &mut Stage) -> Result<()> {
    stage.step("The offline signer judges it again, shows it, and signs after consent");
    let with =
        |command: &[&'static str]| -> Vec<&'static str> { command.iter().copied().chain(SIGNER).collect() };
    stage.run(&with(&["cold-signer", "review", "pay-permitted.psbt"]))?;
    let review = stage.json_to_file(
        &with(&["cold-signer", "review", "pay-permitted.psbt", "--json"]),
        "review.json",
        0,
    )?;
    let spend = text(stage, &review, "spend_id")?;
    let mut line = vec![
        "cold-signer",
        "sign",
        "pay-permitted.psbt",
        "--consent",
        spend.as_str(),
        "-o",
        "pay-signed.psbt",
    ];
    line.extend(SIGNER);
    stage.run(&line)?;
    let export: Value = serde_json::from_slice(&stage.read("savings.json")?)
        .map_err(|error| stage.fault(format!("savings.json: {error}")))?;
    let (external, internal) = (text(stage, &export, "external")?, text(stage, &export, "internal")?);
    stage.run(&[
        "psbt-tools",
        "inspect",
        "pay-signed.psbt",
        "--network",
        "regtest",
        "--descriptor",
        &external,
        "--descriptor",
        &internal,
    ])?;
    Ok(())
}

fn broadcast(stage: &mut Stage, node: Option<&Node>) -> Result<String> {
    stage.step("The node checks the signed payment against what was asked for, and broadcasts it");
    let answer = stage.json_to_file(
        &["watch-node", "submit", "pay-signed.psbt", "--json", "--data", "node"],
        "submitted.json",
        0,
    )?;
    let submitted = answer.pointer("/submitted/0").cloned().unwrap_or_default();
    let txid = text(stage, &submitted, "txid")?;
    stage.say("Once more, as after a lost connection: the same bytes, nothing is paid twice.");
    stage.run(&["watch-node", "submit", "pay-signed.psbt", "--data", "node"])?;
    if let Some(node) = node {
        stage.run(&node.command(&["getmempoolentry", &txid]))?;
    }
    Ok(txid)
}

fn confirm(stage: &mut Stage, node: Option<&Node>, txid: &str) -> Result<u64> {
    stage.step("Blocks confirm it");
    mine(stage, node, "6", "later-blocks.json")?;
    stage.run(&["watch-node", "sync", "--data", "node"])?;
    stage.run(&["watch-node", "payments", "--data", "node"])?;
    let listed =
        stage.json_to_file(&["watch-node", "payments", "--json", "--data", "node"], "payments.json", 0)?;
    let first = listed.pointer("/payments/0").cloned().unwrap_or_default();
    let confirmations = first.get("confirmations").and_then(Value::as_u64).unwrap_or_default();
    if text(stage, &first, "txid")? != txid || confirmations < 6 {
        return Err(stage.fault(format!("{txid} has {confirmations} confirmations, expected 6")));
    }
    Ok(confirmations)
}

fn too_much(stage: &mut Stage) -> Result<String> {
    stage.step("A payment of 2 BTC: above the limit, so the gatekeeper refuses and says why");
    let to = format!("{SUPPLIER}=2btc");
    stage.run(&[
        "watch-node",
        "pay",
        "savings",
        "--to",
        &to,
        "--feerate",
        "5",
        "--purpose",
        "invoice 2026-118",
        "-o",
        "large.psbt",
        "--data",
        "node",
    ])?;
    stage.run(&["gatekeeper", "request", "large.psbt", "--key", "desk", "-o", "large-request.psbt"])?;
    let line = ["gatekeeper", "submit", "large-request.psbt", "-o", "large-permitted.psbt", "--data", "gate"];
    let refused = stage.expect(&line, 3)?;
    let reason = refused.stderr.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default();
    if reason.is_empty() || stage.dir().join("large-permitted.psbt").exists() {
        return Err(stage.fault("the refusal gives no reason, or a permitted file was written"));
    }
    Ok(reason.trim().to_owned())
}

fn reconcile(stage: &mut Stage) -> Result<String> {
    stage.step("Did anything leave that nobody permitted?");
    let mut line = vec!["cold-signer", "receipts", "-o", "receipts.json"];
    line.extend(SIGNER);
    stage.run(&line)?;
    let said = stage.run(&["watch-node", "reconcile", "--receipts", "receipts.json", "--data", "node"])?;
    let verdict = said.lines().last().unwrap_or_default().trim().to_owned();
    if verdict.starts_with("clean") {
        Ok(verdict)
    } else {
        Err(stage.fault(format!("reconciliation: {verdict}")))
    }
}

fn mine(stage: &Stage, node: Option<&Node>, count: &str, file: &str) -> Result<()> {
    match node {
        None => {
            stage.run(&["watch-node", "regtest", "mine", count, "--data", "node"])?;
        }
        Some(node) => {
            let miner = Address::from_script(&miner_script()?, Network::Regtest)
                .map_err(|error| stage.fault(error.to_string()))?
                .to_string();
            stage.json_to_file(&node.command(&["generatetoaddress", count, &miner]), file, 0)?;
        }
    }
    Ok(())
}

pub(super) fn text(stage: &Stage, object: &Value, key: &str) -> Result<String> {
    object
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| stage.fault(format!("no {key} in {object}")))
}
