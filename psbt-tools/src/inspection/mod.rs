//! Everything that a PSBT says, for people and for programs.

mod signers;

pub use signers::PathView;

use crate::checks::amounts::signed_weight;
use crate::checks::coins::Coin;
use crate::checks::ownership::Ownership;
use crate::checks::signatures::{self, Signed};
use crate::display::{hash_words, hex};
use crate::document::Document;
use crate::finalize::next_role;
use crate::form::Form;
use crate::manifest::Manifest;
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
    /// The PSBT's version: 0 or 2.
    pub psbt_version: u32,
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
    /// The ways in which the wallet's coins can be spent, and whether this transaction can take them; empty without a
    /// wallet of several keys.
    pub paths: Vec<PathView>,
    /// BIP174's role that comes next: `updater`, `signer`, `finalizer` or `extractor`.
    pub next_role: &'static str,
    /// What the file says of itself: a claim.
    pub manifest: Option<Manifest>,
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
    /// Whether it is final.
    pub is_final: bool,
    /// The wallet's keys whose signatures are there and verify.
    pub signed_by: Vec<String>,
    /// The wallet's keys whose signatures count and are not there; empty when a path is met.
    pub missing: Vec<String>,
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

/// What an inspection is of.
pub(crate) struct Subject<'a> {
    pub document: &'a Document,
    pub form: &'a Form,
    pub psbt: &'a Psbt,
    pub coins: &'a [Coin],
    pub ownership: &'a Ownership<'a>,
    pub signed: &'a [Signed],
    pub spend: Option<&'a Spend>,
    pub manifest: Option<&'a Manifest>,
    pub network: Network,
}

impl Inspection {
    pub(crate) fn new(subject: &Subject<'_>, findings: &[Finding]) -> Self {
        let Subject { document, form, psbt, coins, ownership, spend, network, .. } = *subject;
        let fee = fee(psbt, coins);
        let weight = match spend.zip(ownership.wallet) {
            Some((spend, wallet)) => Some(spend.signed_weight(wallet)),
            None => signed_weight(psbt, coins),
        };
        let inputs = inputs(subject);
        let complete = |at: usize| {
            let input = inputs.get(at).filter(|input| input.keypath.is_some())?;
            Some(!input.signed_by.is_empty() && input.missing.is_empty())
        };
        let next_role = next_role(psbt, coins, complete);
        Self {
            sha256: document.sha256(),
            psbt_version: form.version(),
            network,
            unsigned_txid: psbt.unsigned_tx.compute_txid(),
            spend_id: spend.map(Spend::id),
            inputs,
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
            paths: signers::paths(subject),
            next_role,
            manifest: subject.manifest.cloned(),
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
        put("words", hash_words(&self.sha256).into());
        put("manifest", self.manifest.as_ref().map(Manifest::to_json).into());
        put("psbt_version", self.psbt_version.into());
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
        put("paths", self.paths.iter().map(PathView::to_json).collect());
        put("next_role", self.next_role.into());
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
            "final": self.is_final,
            "signed_by": self.signed_by,
            "missing": self.missing,
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

fn inputs(subject: &Subject<'_>) -> Vec<InputView> {
    let Subject { psbt, coins, ownership, signed, .. } = subject;
    let maps = psbt.unsigned_tx.input.iter().zip(&psbt.inputs);
    maps.zip(coins.iter().zip(&ownership.inputs))
        .zip(signed.iter())
        .map(|(((txin, input), (coin, keypath)), signed)| {
            let script = coin.output.as_ref().map(|output| output.script_pubkey.as_script());
            let kind = script.map_or("unknown", script_type);
            let sighash = match input.sighash_type {
                None if kind == "p2tr" => TapSighashType::Default.to_string(),
                None => EcdsaSighashType::All.to_string(),
                Some(asked) => asked.to_string(),
            };
            let sighash = sighash.trim_start_matches("SIGHASH_").to_owned();
            let wallet = ownership.wallet.filter(|_| keypath.is_some());
            let (signed_by, missing) = wallet.map_or_else(Default::default, |wallet| {
                signers::of(wallet, signers::locks(psbt, txin), signed)
            });
            InputView {
                outpoint: txin.previous_output,
                value: coin.output.as_ref().map(|output| output.value),
                proven: coin.proven,
                script_type: kind,
                keypath: *keypath,
                sequence: txin.sequence,
                sighash,
                signatures: signatures::count(input),
                is_final: signatures::is_final(input),
                signed_by,
                missing,
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
