//! Everything that a PSBT says, for people and for programs.

use crate::checks::amounts::signed_weight;
use crate::checks::coins::Coin;
use crate::checks::ownership::Ownership;
use crate::checks::signatures;
use crate::display::hex;
use crate::document::Document;
use crate::money::Feerate;
use bitcoin::sighash::{EcdsaSighashType, TapSighashType};
use bitcoin::{Address, Amount, Network, OutPoint, Psbt, Script, ScriptBuf, Sequence, Txid};
use policies::check::{Finding, Outcome, verdict};
use policies::id::SpendId;
use policies::spend::Spend;
use policies::wallet::Keypath;
use serde_json::{Map, Value, json};

/// What `inspect` shows. Whether it is true is said by `findings`.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// SHA-256 of the file as it came.
    pub sha256: [u8; 32],
    /// The network the addresses are of.
    pub network: Network,
    /// Txid of the transaction without signatures.
    pub unsigned_txid: Txid,
    /// The spend's identifier, when there is a spend.
    pub spend_id: Option<SpendId>,
    /// Every input in order.
    pub inputs: Vec<InputView>,
    /// Every output in order.
    pub outputs: Vec<OutputView>,
    /// Inputs less outputs, when all amounts are known and the sum is no nonsense.
    pub fee: Option<Amount>,
    /// The fee for each virtual byte of the signed transaction, at most.
    pub feerate: Option<Feerate>,
    /// What recipients outside the wallet get, when the wallet is known.
    pub external: Option<Amount>,
    /// What every check came to.
    pub findings: Vec<Finding>,
}

/// An input as it is shown.
#[derive(Debug, Clone)]
pub struct InputView {
    /// The coin.
    pub outpoint: OutPoint,
    /// Its amount, when it is established.
    pub value: Option<Amount>,
    /// Whether its previous transaction proves the amount.
    pub proven: bool,
    /// `p2wpkh`, `p2tr`, `p2wsh`, `p2sh`, `p2pkh` or `unknown`.
    pub script_type: &'static str,
    /// Where in the wallet it is, when it is ours.
    pub keypath: Option<Keypath>,
    /// Its sequence number.
    pub sequence: Sequence,
    /// The sighash type that is asked for: `ALL`, `DEFAULT`, or what is refused.
    pub sighash: String,
    /// How many signatures it has.
    pub signatures: usize,
}

/// An output as it is shown.
#[derive(Debug, Clone)]
pub struct OutputView {
    /// Its address, when the script has one.
    pub address: Option<Address>,
    /// Its script.
    pub script: ScriptBuf,
    /// Its amount.
    pub value: Amount,
    /// Where in the wallet it is, when it is ours.
    pub keypath: Option<Keypath>,
}

impl Inspection {
    pub(crate) fn new(
        document: &Document,
        psbt: &Psbt,
        coins: &[Coin],
        ownership: &Ownership<'_>,
        spend: Option<&Spend>,
        network: Network,
        findings: &[Finding],
    ) -> Self {
        let fee = fee(psbt, coins);
        let weight = match spend.zip(ownership.wallet) {
            Some((spend, wallet)) => Some(spend.signed_weight(wallet)),
            None => signed_weight(psbt, coins),
        };
        Self {
            sha256: document.sha256(),
            network,
            unsigned_txid: psbt.unsigned_tx.compute_txid(),
            spend_id: spend.map(Spend::id),
            inputs: inputs(psbt, coins, ownership),
            outputs: psbt
                .unsigned_tx
                .output
                .iter()
                .zip(&ownership.outputs)
                .map(|(output, keypath)| OutputView {
                    address: Address::from_script(&output.script_pubkey, network).ok(),
                    script: output.script_pubkey.clone(),
                    value: output.value,
                    keypath: *keypath,
                })
                .collect(),
            fee,
            feerate: fee.zip(weight).and_then(|(fee, weight)| Feerate::of(fee, weight)),
            external: spend.map(Spend::external_sum),
            findings: findings.to_vec(),
        }
    }

    /// The gravest outcome of the checks.
    pub fn verdict(&self) -> Outcome {
        verdict(&self.findings)
    }

    /// `clean`, `ask` or `refuse`.
    pub fn verdict_word(&self) -> &'static str {
        match self.verdict() {
            Outcome::NotApplicable | Outcome::Pass => "clean",
            Outcome::Ask => "ask",
            Outcome::Refuse => "refuse",
        }
    }

    /// The object that `inspect --json` prints; after a refusal it also has `error`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("sha256", hex(&self.sha256).into());
        put("psbt_version", 0.into());
        put("network", self.network.to_string().into());
        put("unsigned_txid", self.unsigned_txid.to_string().into());
        if let Some(id) = self.spend_id {
            put("spend_id", id.to_string().into());
        }
        put("inputs", self.inputs.iter().map(InputView::to_json).collect());
        put("outputs", self.outputs.iter().map(OutputView::to_json).collect());
        put("fee_sat", sat(self.fee));
        put("feerate_sat_per_vb", self.feerate.map_or(Value::Null, Feerate::to_json));
        put("external_sat", sat(self.external));
        put("checks", self.findings.iter().map(finding_json).collect());
        put("verdict", self.verdict_word().into());
        if let Some(refusal) = self.findings.iter().find(|finding| finding.outcome == Outcome::Refuse)
            && let Value::Object(mut error) = crate::Error::from(refusal).to_json()
        {
            object.append(&mut error);
        }
        Value::Object(object)
    }
}

impl InputView {
    fn to_json(&self) -> Value {
        let mut value = json!({
            "outpoint": self.outpoint.to_string(),
            "value_sat": sat(self.value),
            "proven": self.proven,
            "script_type": self.script_type,
            "ours": self.keypath.is_some(),
            "sequence": self.sequence.to_consensus_u32(),
            "sighash": self.sighash,
            "signatures": self.signatures,
        });
        optional(&mut value, "path", self.keypath.map(|keypath| keypath.to_string()));
        value
    }
}

impl OutputView {
    fn to_json(&self) -> Value {
        let mut value = json!({
            "script_hex": self.script.to_hex_string(),
            "value_sat": self.value.to_sat(),
            "ours": self.keypath.is_some(),
        });
        optional(&mut value, "address", self.address.as_ref().map(ToString::to_string));
        optional(&mut value, "path", self.keypath.map(|keypath| keypath.to_string()));
        let payload = self.script.is_op_return().then(|| self.script.as_bytes().get(1..).map(hex));
        optional(&mut value, "op_return_hex", payload.flatten());
        value
    }
}

/// One check's outcome as JSON; every program prints it so.
pub fn finding_json(finding: &Finding) -> Value {
    let mut value = json!({
        "id": finding.code.to_string(),
        "outcome": finding.outcome.as_str(),
        "message": finding.message,
    });
    optional(&mut value, "hint", finding.hint.clone());
    value
}

fn optional(object: &mut Value, key: &str, value: Option<String>) {
    if let (Value::Object(object), Some(value)) = (object, value) {
        object.insert(key.to_owned(), value.into());
    }
}

fn sat(amount: Option<Amount>) -> Value {
    amount.map_or(Value::Null, |amount| amount.to_sat().into())
}

fn inputs(psbt: &Psbt, coins: &[Coin], ownership: &Ownership<'_>) -> Vec<InputView> {
    psbt.unsigned_tx
        .input
        .iter()
        .zip(&psbt.inputs)
        .zip(coins.iter().zip(&ownership.inputs))
        .map(|((txin, input), (coin, keypath))| {
            let script = coin.output.as_ref().map(|output| output.script_pubkey.as_script());
            let kind = script.map_or("unknown", script_type);
            let sighash = match input.sighash_type {
                None if kind == "p2tr" => TapSighashType::Default.to_string(),
                None => EcdsaSighashType::All.to_string(),
                Some(asked) => asked.to_string(),
            };
            let sighash = sighash.trim_start_matches("SIGHASH_").to_owned();
            InputView {
                outpoint: txin.previous_output,
                value: coin.output.as_ref().map(|output| output.value),
                proven: coin.proven,
                script_type: kind,
                keypath: *keypath,
                sequence: txin.sequence,
                sighash,
                signatures: signatures::count(input),
            }
        })
        .collect()
}

fn fee(psbt: &Psbt, coins: &[Coin]) -> Option<Amount> {
    let mut total = Amount::ZERO;
    for coin in coins {
        total = total.checked_add(coin.output.as_ref()?.value)?;
    }
    for output in &psbt.unsigned_tx.output {
        total = total.checked_sub(output.value)?;
    }
    Some(total)
}

fn script_type(script: &Script) -> &'static str {
    if script.is_p2wpkh() {
        "p2wpkh"
    } else if script.is_p2tr() {
        "p2tr"
    } else if script.is_p2wsh() {
        "p2wsh"
    } else if script.is_p2sh() {
        "p2sh"
    } else if script.is_p2pkh() {
        "p2pkh"
    } else {
        "unknown"
    }
}
