//! Where the first hour stands: looked up each time, so that it can be stopped anywhere.

use super::Step;
use super::progress::Progress;
use crate::cli::Global;
use crate::commands;
use crate::commands::export::key_record;
use crate::commands::start::Args;
use crate::doctor::{self, Finding};
use crate::report::export_json;
use crate::vault::Vault;
use crate::{Error, Result};
use bitcoin::hashes::{Hash, sha256};
use cold_wire::KeyInfo;
use policies::text::utc_text;
use psbt_tools::display::{escape, hex};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug)]
pub struct Standing {
    /// The store, which may not exist yet.
    pub store: PathBuf,
    /// Whether it does.
    pub store_is_there: bool,
    /// The preflight.
    pub findings: Vec<Finding>,
    /// Name of the wallet that is made, or was.
    pub wallet: String,
    /// Its key, once it is there.
    pub key: Option<KeyInfo>,
    /// Steps that only this laptop's disk knows of.
    pub progress: Progress,
    exported: bool,
    recorded: bool,
    sheets: Vec<(&'static str, String)>,
    signed: bool,
    shared: bool,
    network_allowed: bool,
}

impl Standing {
    /// Looks at machine, store and files; unlocks the store when there is one and the machine is fit.
    ///
    /// # Errors
    /// [`Error::Usage`] when the store has several wallets and none was named, and what the vault says.
    pub fn look(visit: &Global, args: &Args) -> Result<Self> {
        let findings = commands::doctor::findings(visit)?;
        let store = visit.store()?;
        let store_is_there = store.symlink_metadata().is_ok();
        let asked = args.wallet.clone();
        let network_allowed = visit.allows_network();
        let nothing = |findings, store: PathBuf| {
            let wallet = asked.clone().unwrap_or_else(|| "main".to_owned());
            let progress = Progress::read(&store, &wallet, "");
            Self {
                store,
                store_is_there,
                findings,
                wallet,
                key: None,
                progress,
                exported: false,
                recorded: false,
                sheets: Vec::new(),
                signed: false,
                shared: !args.script.kind().is_single(),
                network_allowed,
            }
        };
        // An unfit machine is no place to type a passphrase.
        if !store_is_there || !doctor::in_the_way(&findings).is_empty() {
            return Ok(nothing(findings, store));
        }
        let mut vault = visit.vault()?;
        let keys = vault.keys()?;
        let key = match (&args.wallet, keys.keys.as_slice()) {
            (Some(wallet), keys) => keys.iter().find(|key| key.wallet == *wallet),
            (None, []) => None,
            (None, [key]) => Some(key),
            (None, [..]) => {
                return Err(Error::Usage("the store has several wallets: name one with --wallet".to_owned()));
            }
        };
        let Some(key) = key else { return Ok(nothing(findings, store)) };
        let progress = Progress::read(&store, &key.wallet, &keys.vault.to_string());
        let export = format!("{:#}\n", export_json(key, keys.vault, &keys.audit_key));
        let record = key_record(key).ok();
        Ok(Self {
            store,
            store_is_there,
            findings,
            wallet: key.wallet.clone(),
            exported: key.descriptors.is_some() && has_left(&progress, "export", &export),
            recorded: key.descriptors.is_some()
                || record.as_ref().is_some_and(|record| has_left(&progress, "record", record)),
            sheets: [("export", Some(export)), ("record", record)]
                .into_iter()
                .filter_map(|(step, text)| Some((step, sha256_of(&text?))))
                .collect(),
            signed: has_signed(&mut vault, key)?,
            shared: !key.kind.is_single(),
            key: Some(key.clone()),
            progress,
            network_allowed,
        })
    }

    /// SHA-256 of what a step writes or shows.
    pub fn sha256_of(&self, step: &str) -> Option<&str> {
        self.sheets.iter().find(|(known, _)| *known == step).map(|(_, sha256)| sha256.as_str())
    }

    /// The steps of this kind of key.
    fn steps(&self) -> impl Iterator<Item = Step> {
        Step::ALL.into_iter().filter(|step| self.shared || !step.is_for_cosigners())
    }

    /// The first step that is neither done nor put off.
    pub fn next(&self, later: &[Step]) -> Option<Step> {
        let mut left = self.steps().filter(|step| !self.is_done(*step) && !later.contains(step));
        // Nothing comes before the key, and nothing of a wallet before the wallet.
        let last = match &self.key {
            None => Step::Key,
            Some(key) if key.descriptors.is_none() => Step::Register,
            Some(_) => Step::Spend,
        };
        left.next().filter(|step| *step <= last)
    }

    /// Names of the steps that are not done, but for those given.
    pub fn left(&self, but: &[Step]) -> Vec<&'static str> {
        let left = self.steps().filter(|step| !self.is_done(*step) && !but.contains(step));
        left.map(Step::name).collect()
    }

    /// Lines for a person.
    pub fn checklist(&self) -> String {
        let mut lines = vec![format!(
            "The first hour · wallet {} · store {}",
            escape(&self.wallet),
            escape(&self.store.to_string_lossy())
        )];
        for step in self.steps() {
            let mark = if self.is_done(step) { "[x]" } else { "[ ]" };
            let next = if self.next(&[]) == Some(step) { "next: " } else { "" };
            lines.push(format!("  {mark} {:<13}  {next}{}", step.name(), self.detail(step)));
        }
        lines.join("\n")
    }

    /// `{"wallet", "store", "steps": [{"step", "done", "detail"}]}`.
    pub fn to_json(&self) -> Value {
        let steps: Value = self
            .steps()
            .map(|step| json!({"step": step.name(), "done": self.is_done(step), "detail": self.detail(step)}))
            .collect();
        json!({"wallet": self.wallet, "store": self.store.to_string_lossy(), "steps": steps})
    }

    fn is_done(&self, step: Step) -> bool {
        let noted = |word| self.key.is_some() && self.progress.get(word).is_some();
        match step {
            Step::Machine => doctor::in_the_way(&self.findings).is_empty(),
            Step::Key => self.key.is_some(),
            Step::Drill => noted("drill"),
            Step::Record => self.recorded,
            Step::Register => self.key.as_ref().is_some_and(|key| key.descriptors.is_some()),
            Step::Export => self.exported,
            Step::Address => noted("address"),
            Step::Spend => self.signed,
        }
    }

    fn detail(&self, step: Step) -> String {
        let done = self.is_done(step);
        let file = |word| match self.progress.get(word) {
            Some(Value::String(path)) => escape(path),
            _ => "shown as QR codes".to_owned(),
        };
        let time = |word| self.progress.get(word).and_then(Value::as_u64).map(utc_text).unwrap_or_default();
        match (step, &self.key) {
            (Step::Machine, _) if done && self.network_allowed => {
                "fit for a trial: the network is not looked at".to_owned()
            }
            (Step::Machine, _) if done => "fit to hold keys".to_owned(),
            (Step::Machine, _) => format!("in the way: {}", doctor::in_the_way(&self.findings).join(", ")),
            (Step::Key, Some(key)) => {
                let backup = if key.backed_up { "" } else { ", WITHOUT A BACKUP" };
                format!("{} {}, {}{backup}", key.network, key.kind.as_str(), hex(&key.fingerprint))
            }
            (Step::Key, None) if self.store_is_there => "the store is there, without this key".to_owned(),
            (Step::Key, None) => "made here, words on paper, asked back".to_owned(),
            (Step::Drill, _) if done => time("drill"),
            (Step::Drill, _) if self.shared => "the words on paper give the same key".to_owned(),
            (Step::Drill, _) => "the words on paper give the same wallet".to_owned(),
            (Step::Record, _) if done => file("record"),
            (Step::Record, _) => "this key, signed by itself, for the coordinator".to_owned(),
            (Step::Register, Some(key)) if done => key.registered().map_or_else(String::new, |wallet| {
                format!("{} keys, {}…", wallet.keys().len(), first_words(&wallet.id().words()))
            }),
            (Step::Register, _) => "all cosigners' keys, compared word by word".to_owned(),
            (Step::Export, _) if done => file("export"),
            (Step::Export, _) => "public parts for the online node".to_owned(),
            (Step::Address, _) if done => time("address"),
            (Step::Address, _) => "the node shows the same".to_owned(),
            (Step::Spend, _) if done => "a payment was signed".to_owned(),
            (Step::Spend, _) => "a small sum, the whole way".to_owned(),
        }
    }
}

/// Whether the file that a step wrote is still there, and says what it would say now; or whether that was shown.
fn has_left(progress: &Progress, step: &str, expected: &str) -> bool {
    const MAX_LEN: u64 = 1 << 20;
    let noted = progress.get(step);
    if let Some(shown) = noted.and_then(|noted| noted.get("shown")) {
        return *shown == json!(sha256_of(expected));
    }
    let Some(path) = noted.and_then(Value::as_str) else { return false };
    psbt_tools::files::read(Path::new(path), MAX_LEN).is_ok_and(|found| found == expected.as_bytes())
}

fn sha256_of(text: &str) -> String {
    hex(&sha256::Hash::hash(text.as_bytes()).to_byte_array())
}

/// The first words of several.
fn first_words(words: &str) -> String {
    words.split(' ').take(4).collect::<Vec<_>>().join(" ")
}

/// Whether the vault gave a receipt for this wallet.
fn has_signed(vault: &mut Vault, key: &KeyInfo) -> Result<bool> {
    let Some(wallet) = key.registered() else { return Ok(false) };
    Ok(vault.receipts()?.iter().any(|receipt| receipt.statement.wallet == wallet.id()))
}
