//! The steps of the demo, in order.

use bitcoin::{Address, Network};
use serde_json::Value;

use super::DemoChain;
use super::approval::{approve, bump};
use super::forgery::forgery;
use super::node::Node;
use super::stage::Stage;
use super::theft::theft;
use crate::chain::embedded::miner_script;
use crate::error::{Error, Result};

/// What the demo showed.
pub struct Ending {
    /// The first payment's transaction.
    pub txid: String,
    /// How deep it is.
    pub confirmations: u64,
    /// The transaction with the higher fee that took the place of the second payment's.
    pub replacement: String,
    /// Why the third payment was refused.
    pub refusal: String,
    /// The verdict on everything that left the wallets.
    pub reconciliation: String,
    /// How the theft was noticed.
    pub caught: String,
}

/// Options of every `cold-signer` command here.
pub(super) const SIGNER: &str = "--store vault.store --passphrase-file pass --allow-network";

/// Somebody else's address on regtest: the first of BIP84's test vector's seed, on test networks.
pub(super) const SUPPLIER: &str = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk";

/// Plays all of it.
pub fn tell(stage: &mut Stage, chain: DemoChain) -> Result<Ending> {
    stage.say("Payments from a new key to a clean reconciliation, and a theft. Everything is regtest: the coins are worth nothing.");
    stage.say(&format!("Folder: {}", psbt_tools::display::escape(&stage.dir().to_string_lossy())));
    keys_of_people(stage)?;
    policy(stage)?;
    vault(stage)?;
    let node = watch(stage, chain)?;
    let node = node.as_ref();
    fund(stage, node)?;
    request_and_permit(stage)?;
    sign(stage, "pay")?;
    inspect(stage)?;
    forgery(stage, node)?;
    let txid = broadcast(stage, node)?;
    let confirmations = confirm(stage, node, &txid)?;
    settle(stage)?;
    approve(stage)?;
    let replacement = bump(stage, node)?;
    let refusal = too_much(stage)?;
    let reconciliation = reconcile(stage)?;
    let caught = theft(stage, node)?;
    Ok(Ending { txid, confirmations, replacement, refusal, reconciliation, caught })
}

fn keys_of_people(stage: &mut Stage) -> Result<()> {
    stage.step("A terminal, an approver and a gatekeeper get their SSH keys");
    for name in ["desk", "anna", "permit_key"] {
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
    stage.step("The gatekeeper's policy: the desk may pay anyone, at most 1 BTC at a time; above 0.5 BTC a day Anna agrees");
    let (desk, anna) = (public_key(stage, "desk.pub")?, public_key(stage, "anna.pub")?);
    let policy = format!(
        r#"schema  = "airlock-policy/1"
company = "Two Friends GmbH"
version = 1
network = "regtest"

[people]
desk = "{desk}"
anna = "{anna}"

[wallet.savings]

[wallet.reserve]                      # nobody may pay from it yet

[[allow]]
name = "Desk pays anyone"
requesters = "desk"
wallet = "savings"
to = ["anyone"]

[[limit]]
name = "A payment"
per_payment = "1 BTC"

[[limit]]
name = "A day"
per_window = {{ window = "24 hours", amount = "3 BTC", count = 10 }}

[[limit]]
name = "Fees"
fee = {{ amount = "0.002 BTC", percent = 3, sat_per_vbyte = 200 }}

[[require]]
name = "Anna sees the large ones"
above = {{ window = "24 hours", amount = "0.5 BTC", by = ["requester", "destination"] }}
approvals = [{{ from = "anna", count = 1 }}]
"#
    );
    stage.write("policy.toml", policy.as_bytes())?;
    stage.typed("cat policy.toml")?;
    stage.typed("gatekeeper init --data gate --policy policy.toml --permit-key permit_key")?;
    Ok(())
}

/// Kind and key of an OpenSSH public key file, without its comment.
fn public_key(stage: &Stage, file: &str) -> Result<String> {
    let line = String::from_utf8(stage.read(file)?).map_err(|_| stage.fault(format!("{file} is no text")))?;
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some(kind), Some(key)) => Ok(format!("{kind} {key}")),
        _ => Err(stage.fault(format!("{file} holds no key"))),
    }
}

fn vault(stage: &mut Stage) -> Result<()> {
    stage.step("The offline signer pins the authority, then makes a key that obeys it for ever");
    stage.say("For the demo only: the passphrase comes from a file, its key derivation is at its floor, and the network may be up.");
    stage.write("pass", b"demonstration only, never for real coins\n")?;
    stage.typed(&format!("cold-signer trust --authority gate/authority.pub --kdf-floor {SIGNER}"))?;
    stage.say(
        "\nA demo has no terminal and nobody who writes down backup words, so this key goes without: \
         signers allow that on test networks only.",
    );
    stage.typed(&format!(
        "cold-signer new-key --wallet savings --network regtest --script wpkh --words-unseen {SIGNER}"
    ))?;
    stage.typed(&format!("cold-signer export --wallet savings -o savings.json {SIGNER}"))?;
    stage.say("\nA second wallet comes from words on paper: those of BIP39's test vectors, which the whole world knows.");
    stage.write("words", b"legal winner thank year wave sausage worth useful legal winner thank yellow\n")?;
    stage.typed(&format!(
        "cold-vault restore --wallet reserve --network regtest --script wpkh --words 12 --words-file words {SIGNER}"
    ))?;
    stage.typed(&format!("cold-signer export --wallet reserve -o reserve.json {SIGNER}"))?;
    stage.step("The gatekeeper learns the vault");
    stage.typed("gatekeeper vault add savings.json --data gate")?;
    stage.typed("gatekeeper vault add reserve.json --data gate")?;
    Ok(())
}

fn watch(stage: &mut Stage, chain: DemoChain) -> Result<Option<Node>> {
    stage.step("The online node watches the wallets; it has no private key");
    let node = match chain {
        DemoChain::Embedded => {
            stage.typed("watch-node init --data node --network regtest --chain embedded")?;
            None
        }
        DemoChain::Core => {
            let node = Node::start(stage)?;
            stage.typed(&format!(
                "watch-node init --data node --network regtest --chain core --url {} --cookie-file bitcoin/regtest/.cookie",
                node.url
            ))?;
            Some(node)
        }
    };
    stage.typed("watch-node trust gate/authority.pub --data node")?;
    stage.typed("watch-node wallet import savings --file savings.json --data node")?;
    stage.typed("watch-node wallet import reserve --file reserve.json --data node")?;
    Ok(node)
}

fn fund(stage: &mut Stage, node: Option<&Node>) -> Result<()> {
    stage.step("Somebody pays the wallets");
    if node.is_none() {
        stage.typed("watch-node regtest mine 101 --data node")?;
    }
    for wallet in ["savings", "reserve"] {
        let said = stage.typed(&format!("watch-node address {wallet} --data node"))?;
        let address = said.lines().next().unwrap_or_default().trim().to_owned();
        match node {
            None => {
                stage.typed(&format!("watch-node regtest fund {address} 5btc --data node"))?;
            }
            Some(node) => {
                let file = format!("rewards-{wallet}.json");
                stage.json_to_file(&node.command(&["generatetoaddress", "1", &address]), &file, 0)?;
            }
        }
    }
    mine(stage, node, if node.is_some() { "100" } else { "1" }, "first-blocks.json")?;
    stage.typed("watch-node sync --data node")?;
    stage.typed("watch-node balance --data node")?;
    Ok(())
}

fn request_and_permit(stage: &mut Stage) -> Result<()> {
    stage.step("A payment of 0.4 BTC: the node builds it, the desk asks, the gatekeeper permits");
    stage.typed(&format!(
        "watch-node pay savings --to {SUPPLIER}=0.4btc --feerate 5 --purpose 'invoice 2026-117' -o pay.psbt --data node"
    ))?;
    stage.typed("gatekeeper request pay.psbt --key desk -o pay-request.psbt")?;
    stage.typed("gatekeeper submit pay-request.psbt -o pay-permitted.psbt --data gate")?;
    Ok(())
}

/// Reviews and signs `NAME-permitted.psbt` as `NAME-signed.psbt`, on the other side of the gap.
pub(super) fn sign(stage: &mut Stage, name: &str) -> Result<()> {
    let transport = stage.transport();
    let (permitted, signed) = (format!("{name}-permitted.psbt"), format!("{name}-signed.psbt"));
    let there = transport.name_there(&permitted);
    transport.carry(stage, &permitted, &there)?;
    stage.step("The offline signer judges it again, shows it, and signs after consent");
    stage.typed(&format!("cold-signer review {there} {SIGNER}"))?;
    let answer = transport.name_there(&signed);
    consent(stage, &there, &answer, SIGNER)?;
    transport.carry(stage, &answer, &signed)
}

/// Signs a file with the consent that its review asks for.
pub(super) fn consent(stage: &Stage, file: &str, out: &str, signer: &str) -> Result<()> {
    let answer = format!("{file}.json");
    let review = stage.typed_to_file(&format!("cold-signer review {file} --json {signer}"), &answer, 0)?;
    let spend = text(stage, &review, "spend_id")?;
    stage.typed(&format!("cold-signer sign {file} --consent {spend} -o {out} {signer}"))?;
    Ok(())
}

fn inspect(stage: &Stage) -> Result<()> {
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
    let txid = submit(stage, "pay-signed.psbt", "submitted.json")?;
    stage.say("Once more, as after a lost connection: the same bytes, nothing is paid twice.");
    stage.typed("watch-node submit pay-signed.psbt --data node")?;
    if let Some(node) = node {
        stage.run(&node.command(&["getmempoolentry", &txid]))?;
    }
    Ok(txid)
}

/// Submits a signed file; gives the txid.
pub(super) fn submit(stage: &Stage, file: &str, answer: &str) -> Result<String> {
    let line = format!("watch-node submit {file} --json --data node");
    let submitted =
        stage.typed_to_file(&line, answer, 0)?.pointer("/submitted/0").cloned().unwrap_or_default();
    text(stage, &submitted, "txid")
}

fn confirm(stage: &mut Stage, node: Option<&Node>, txid: &str) -> Result<u64> {
    stage.step("Blocks confirm it");
    mine(stage, node, "6", "later-blocks.json")?;
    stage.typed("watch-node sync --data node")?;
    stage.typed("watch-node payments --data node")?;
    confirmations(stage, 0, txid, "payments.json")
}

/// How deep the payment at this place of the list is; that it is this transaction and six deep.
pub(super) fn confirmations(stage: &Stage, place: usize, txid: &str, answer: &str) -> Result<u64> {
    let listed = stage.typed_to_file("watch-node payments --json --data node", answer, 0)?;
    let payment = listed.pointer(&format!("/payments/{place}")).cloned().unwrap_or_default();
    let confirmations = payment.get("confirmations").and_then(Value::as_u64).unwrap_or_default();
    if text(stage, &payment, "txid")? != txid || confirmations < 6 {
        return Err(stage.fault(format!("{txid} has {confirmations} confirmations, expected 6: {payment}")));
    }
    Ok(confirmations)
}

fn settle(stage: &mut Stage) -> Result<()> {
    stage.step("The gatekeeper learns what became of its permit: headers and merkle proofs, which it verifies itself");
    stage.typed("watch-node facts -o facts --data node")?;
    stage.typed(&format!("cold-signer receipts -o receipts.json {SIGNER}"))?;
    stage.typed("gatekeeper reconcile --facts facts --receipts receipts.json --data gate")?;
    Ok(())
}

fn too_much(stage: &mut Stage) -> Result<String> {
    stage.step("A payment of 2 BTC: above the limit, so the gatekeeper refuses and says why");
    stage.typed(&format!(
        "watch-node pay savings --to {SUPPLIER}=2btc --feerate 5 --purpose 'invoice 2026-119' -o large.psbt --data node"
    ))?;
    stage.typed("gatekeeper request large.psbt --key desk -o large-request.psbt")?;
    let line = "gatekeeper submit large-request.psbt -o large-permitted.psbt --data gate";
    let refused = stage.typed_expect(line, 3)?;
    let reason = refused.stderr.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default();
    if reason.is_empty() || stage.dir().join("large-permitted.psbt").exists() {
        return Err(stage.fault("the refusal gives no reason, or a permitted file was written"));
    }
    Ok(reason.trim().to_owned())
}

fn reconcile(stage: &mut Stage) -> Result<String> {
    stage.step("Did anything leave that nobody permitted?");
    stage.typed(&format!("cold-signer receipts -o receipts-2.json {SIGNER}"))?;
    let said = stage.typed("watch-node reconcile --receipts receipts-2.json --data node")?;
    let verdict = said.lines().last().unwrap_or_default().trim().to_owned();
    if verdict.starts_with("clean") {
        Ok(verdict)
    } else {
        Err(stage.fault(format!("reconciliation: {verdict}")))
    }
}

/// Mines blocks to somebody else.
pub(super) fn mine(stage: &Stage, node: Option<&Node>, count: &str, file: &str) -> Result<()> {
    match node {
        None => {
            stage.typed(&format!("watch-node regtest mine {count} --data node"))?;
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
