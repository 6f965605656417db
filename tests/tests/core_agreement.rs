//! `psbt-tools inspect` and Bitcoin Core's `decodepsbt` and `analyzepsbt` say the same of every valid PSBT: the BIPs'
//! vectors, and the honest twins of the hostile corpus. Core 31 knows no version 2, so those are converted first.

#[path = "hostile_corpus/corpus/mod.rs"]
mod corpus;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use airlock_tests::bitcoind::Bitcoind;
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::psbt::{Input, Output};
use bitcoin::{Network, ScriptBuf};
use corpus::payment::Payment;
use corpus::purse::{ALL, Purse, vault_seed};
use corpus::rows;
use psbt_tools::convert::to_version_0;
use psbt_tools::import::{Context, Imported, import};
use serde_json::Value;

/// A PSBT by name.
struct Subject {
    name: String,
    bytes: Vec<u8>,
}

/// Where the two may differ, and why that is right.
struct Difference {
    what: &'static str,
    ours: &'static str,
    cores: &'static str,
    /// When, of the whole PSBT or of one input.
    only: fn(&Imported, Option<usize>) -> bool,
    why: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "next role",
        ours: "\"signer\"",
        cores: "\"updater\"",
        only: |imported, _| imported.psbt().inputs.iter().enumerate().any(|(at, _)| is_taproot(imported, at)),
        why: "Core lists no missing signatures of taproot inputs, and so waits for an updater; a signer is what is missing",
    },
    Difference {
        what: "next role",
        ours: "\"signer\"",
        cores: "\"updater\"",
        only: |imported, _| imported.psbt().inputs.iter().any(|input| input.bip32_derivation.is_empty()),
        why: "Core wants derivations before a signer; a signer that knows its wallet needs none",
    },
    Difference {
        what: "is final",
        ours: "true",
        cores: "false",
        only: |imported, at| at.is_some_and(|at| imported.inspection().inputs[at].value.is_none()),
        why: "Core calls an input final once its script is satisfied, which needs its coin; we show that the field is there",
    },
];

fn is_taproot(imported: &Imported, at: usize) -> bool {
    let view = &imported.inspection().inputs[at];
    view.script_type == "p2tr" && !view.is_final
}

#[test]
fn inspect_says_what_core_says_of_every_valid_psbt() {
    let Some(core) = Bitcoind::start() else { return };
    let mut subjects = twins();
    let twins = subjects.len();
    for (file, count) in [("bip174.json", 10), ("bip370.json", 14), ("bip371.json", 6)] {
        let Some(vectors) = vectors(file) else { continue };
        assert_eq!(vectors.len(), count, "{file}");
        subjects.extend(vectors);
    }
    let mut explained = vec![0; DIFFERENCES.len()];
    let (mut wrong, mut facts) = (Vec::new(), 0);
    for subject in &subjects {
        let context = Context { network: Some(Network::Regtest), ..Context::default() };
        let imported = import(subject.bytes.clone(), &[], &context);
        let imported = imported.unwrap_or_else(|error| panic!("{}: {error}", subject.name));
        let compared = compare(&core, subject, &imported);
        facts += compared.facts;
        for (at, place) in compared.explained.iter().enumerate() {
            explained[at] += place;
        }
        wrong.extend(compared.differences.into_iter().map(|what| format!("{}: {what}", subject.name)));
    }
    for (difference, count) in DIFFERENCES.iter().zip(&explained) {
        eprintln!("core: `{}` differs {count} times: {}", difference.what, difference.why);
    }
    eprintln!("core: {} PSBTs, {twins} of them twins of the corpus, {facts} facts", subjects.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(explained.iter().all(|count| *count > 0), "nothing differs so any more: {explained:?}");
}

/// What the twins of all hostile files come to, each once; all of the same coins.
fn twins() -> Vec<Subject> {
    let purses: Vec<_> = ALL.iter().map(|kind| Purse::of(*kind, &vault_seed())).collect();
    let purses = Arc::new(purses);
    let mut seen = BTreeSet::new();
    let mut subjects = Vec::new();
    for fixture in rows::all() {
        let payment = Payment::new(&purses, fixture.kind, 1);
        let (_, bytes) = fixture.bytes(&payment, &[fixture.row.both, fixture.row.twin].concat());
        if seen.insert(bytes.clone()) {
            subjects.push(Subject { name: format!("the twin of {}", fixture.name()), bytes });
        }
    }
    subjects
}

/// The valid ones of a file; `None`, said on standard error, where it is absent.
fn vectors(name: &str) -> Option<Vec<Subject>> {
    let folder = std::env::var_os("AIRLOCK_VECTORS")
        .map_or_else(|| airlock_tests::programs::root().join("../shared/vectors"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join(name)) else {
        eprintln!("skipped: {name} is not there; AIRLOCK_VECTORS names the folder of public vectors");
        return None;
    };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let subject = |row: &Value| {
        let text = |keys: &[&str]| keys.iter().find_map(|key| row[*key].as_str()).map(str::to_owned);
        let bytes = match row["hex"].as_str() {
            Some(hex) => Vec::from_hex(hex).unwrap(),
            None => BASE64_STANDARD.decode(text(&["base64", "psbt"]).unwrap()).unwrap(),
        };
        Subject { name: format!("{name}: {}", text(&["desc", "description"]).unwrap()), bytes }
    };
    Some(vectors["valid"].as_array().unwrap().iter().map(subject).collect())
}

/// Both answers beside each other.
struct Compared<'a> {
    imported: &'a Imported,
    /// Which input is looked at.
    input: Option<usize>,
    facts: usize,
    /// How often each difference that has a reason was met.
    explained: Vec<usize>,
    differences: Vec<String>,
}

impl Compared<'_> {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, ours: T, cores: T) {
        self.facts += 1;
        if ours == cores {
            return;
        }
        let (ours, cores) = (format!("{ours:?}"), format!("{cores:?}"));
        let reason = DIFFERENCES.iter().position(|known| {
            (known.what, known.ours, known.cores) == (what, &*ours, &*cores)
                && (known.only)(self.imported, self.input)
        });
        match reason {
            Some(at) => self.explained[at] += 1,
            None => self.differences.push(format!("{what}: {ours}, Core {cores}")),
        }
    }
}

fn compare<'a>(core: &Bitcoind, subject: &Subject, imported: &'a Imported) -> Compared<'a> {
    let explained = vec![0; DIFFERENCES.len()];
    let mut compared = Compared { imported, input: None, facts: 0, explained, differences: vec![] };
    let base64 = BASE64_STANDARD.encode(to_version_0(&subject.bytes).unwrap());
    let decoded = core.rpc("decodepsbt", &[&base64]);
    let analyzed = core.rpc("analyzepsbt", &[&base64]);
    let ours = imported.inspection();
    let psbt = imported.psbt();
    let transaction = &decoded["tx"];
    compared.same("txid", ours.unsigned_txid.to_string(), text(&transaction["txid"]));
    compared.same("version", i64::from(psbt.unsigned_tx.version.0), transaction["version"].as_i64().unwrap());
    let lock_time = u64::from(psbt.unsigned_tx.lock_time.to_consensus_u32());
    compared.same("locktime", lock_time, transaction["locktime"].as_u64().unwrap());
    compared.same("fee", ours.fee.map(|fee| fee.to_sat()), sat(&decoded["fee"]));
    compared.same("analysed fee", ours.fee.map(|fee| fee.to_sat()), sat(&analyzed["fee"]));
    compared.same("next role", ours.next_role.to_owned(), text(&analyzed["next"]));
    let unknown = |value: &Value| value["unknown"].as_object().map_or(0, serde_json::Map::len);
    compared.same("unknown fields", psbt.unknown.len(), unknown(&decoded));
    let proprietary = |value: &Value| value["proprietary"].as_array().map_or(0, Vec::len);
    compared.same("proprietary fields", psbt.proprietary.len(), proprietary(&decoded));
    compared.same("extended keys", psbt.xpub.len(), decoded["global_xpubs"].as_array().map_or(0, Vec::len));
    inputs(&mut compared, imported, &decoded, &analyzed);
    outputs(&mut compared, imported, &decoded);
    compared
}

fn inputs(compared: &mut Compared<'_>, imported: &Imported, decoded: &Value, analyzed: &Value) {
    let cores = list(&decoded["tx"]["vin"]);
    let views = &imported.inspection().inputs;
    compared.same("inputs", views.len(), cores.len());
    for (at, (view, input)) in views.iter().zip(&imported.psbt().inputs).enumerate() {
        compared.input = Some(at);
        let (txin, told) = (&cores[at], &decoded["inputs"][at]);
        let judged = &analyzed["inputs"][at];
        let outpoint = format!("{}:{}", text(&txin["txid"]), txin["vout"]);
        compared.same("outpoint", view.outpoint.to_string(), outpoint);
        compared.same("sequence", u64::from(view.sequence.0), txin["sequence"].as_u64().unwrap());
        let vout = usize::try_from(view.outpoint.vout).unwrap();
        let previous = &told["non_witness_utxo"]["vout"][vout];
        let spent =
            if told["witness_utxo"].is_null() { &previous["value"] } else { &told["witness_utxo"]["amount"] };
        compared.same("amount", view.value.map(|value| value.to_sat()), sat(spent));
        compared.same("has a coin", view.value.is_some(), judged["has_utxo"] == true);
        compared.same("is final", view.is_final, judged["is_final"] == true);
        compared.same("signatures", view.signatures, signatures(told));
        compared.same("derivations", derivations_in(input), derivations(told));
        compared.same("redeem script", script(&input.redeem_script), text(&told["redeem_script"]["hex"]));
        compared.same("witness script", script(&input.witness_script), text(&told["witness_script"]["hex"]));
        compared.same("leaves", input.tap_scripts.len(), list(&told["taproot_scripts"]).len());
        let root = input.tap_merkle_root.map_or_else(String::new, |root| root.to_string());
        compared.same("merkle root", root, text(&told["taproot_merkle_root"]));
        let key = input.tap_internal_key.map_or_else(String::new, |key| key.to_string());
        compared.same("internal key", key, text(&told["taproot_internal_key"]));
        let fields = told["unknown"].as_object().map_or(0, serde_json::Map::len);
        compared.same("unknown fields of an input", input.unknown.len(), fields);
    }
}

fn outputs(compared: &mut Compared<'_>, imported: &Imported, decoded: &Value) {
    let cores = list(&decoded["tx"]["vout"]);
    let views = &imported.inspection().outputs;
    compared.same("outputs", views.len(), cores.len());
    for (at, (view, output)) in views.iter().zip(&imported.psbt().outputs).enumerate() {
        let (txout, told) = (&cores[at], &decoded["outputs"][at]);
        compared.same("output amount", Some(view.value.to_sat()), sat(&txout["value"]));
        compared.same("script", view.script.to_hex_string(), text(&txout["scriptPubKey"]["hex"]));
        let address = view.address.as_ref().map_or_else(String::new, ToString::to_string);
        compared.same("address", address, text(&txout["scriptPubKey"]["address"]));
        compared.same("derivations of an output", derivations_out(output), derivations(told));
        let redeem = script(&output.redeem_script);
        compared.same("redeem script of an output", redeem, text(&told["redeem_script"]["hex"]));
        let witness = script(&output.witness_script);
        compared.same("witness script of an output", witness, text(&told["witness_script"]["hex"]));
        let key = output.tap_internal_key.map_or_else(String::new, |key| key.to_string());
        compared.same("internal key of an output", key, text(&told["taproot_internal_key"]));
        let leaves = output.tap_tree.as_ref().map_or(0, |tree| tree.script_leaves().count());
        compared.same("leaves of an output", leaves, list(&told["taproot_tree"]).len());
    }
}

fn signatures(told: &Value) -> usize {
    let has = |field: &str| usize::from(!told[field].is_null());
    let partial = told["partial_signatures"].as_object().map_or(0, serde_json::Map::len);
    let is_final = usize::from(has("final_scriptSig") + has("final_scriptwitness") > 0);
    partial + has("taproot_key_path_sig") + list(&told["taproot_script_path_sigs"]).len() + is_final
}

fn derivations(told: &Value) -> usize {
    list(&told["bip32_derivs"]).len() + list(&told["taproot_bip32_derivs"]).len()
}

fn derivations_in(input: &Input) -> usize {
    input.bip32_derivation.len() + input.tap_key_origins.len()
}

fn derivations_out(output: &Output) -> usize {
    output.bip32_derivation.len() + output.tap_key_origins.len()
}

fn script(script: &Option<ScriptBuf>) -> String {
    script.as_ref().map_or_else(String::new, |script| script.as_bytes().to_lower_hex_string())
}

/// Empty where Core says nothing.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An amount that Core writes in BTC, in satoshi.
fn sat(value: &Value) -> Option<u64> {
    let amount =
        bitcoin::Amount::from_str_in(&value.as_number()?.to_string(), bitcoin::Denomination::Bitcoin);
    // A number below one is written with an exponent.
    amount.ok().or_else(|| bitcoin::Amount::from_btc(value.as_f64()?).ok()).map(|amount| amount.to_sat())
}
