//! PSBT to spend: the one place where hostile bytes become a value that can be judged.

use crate::build::describe_input;
use crate::checks::coins::{self, Coin};
use crate::checks::ownership::{self, Ownership};
use crate::checks::{amounts, merge, signatures, taproot, unknown_fields};
use crate::document::Document;
use crate::envelope::{Envelope, Kind};
use crate::export;
use crate::form::Form;
use crate::inspection::{Inspection, Subject};
use crate::manifest::{self, Manifest, Says};
use crate::{Error, strict};
use bitcoin::{Network, Psbt};
use policies::check::{Check, Finding, Outcome, verdict};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::examine::{Exhibit, FeeBounds, Marks, examine};
use policies::locktime::{Present, locktime};
use policies::permit::Receipt;
use policies::request::SignedRequest;
use policies::signature::InputSignature;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Keypath, Wallet};
use std::collections::BTreeSet;

/// What a PSBT is held against, besides the wallets. The default knows nothing about now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// The network that is meant; without it that of the matching wallet, else mainnet.
    pub network: Option<Network>,
    /// High-water marks of the wallet (check C08).
    pub marks: Marks,
    /// From which fee on to ask and to refuse (check C16).
    pub fees: FeeBounds,
    /// Height of the best block, where it is known (check C20).
    pub tip_height: Option<u32>,
    /// Now, in seconds of Unix time, where it is known (check C20).
    pub now: Option<u64>,
}

/// A PSBT that was read, with everything that was found in it.
#[derive(Debug, Clone)]
pub struct Imported {
    document: Document,
    psbt: Psbt,
    form: Form,
    coins: Vec<Coin>,
    envelope: Envelope,
    manifest: Option<Manifest>,
    wallet: Option<Wallet>,
    /// Where in the wallet each input is.
    keypaths: Vec<Option<Keypath>>,
    spend: Option<Spend>,
    evidence: Evidence,
    findings: Vec<Finding>,
    inspection: Inspection,
}

/// Reads a PSBT and runs every check of this side of the vault. A check that refuses is a finding, not an error: an
/// outcome lists all of them.
///
/// # Errors
/// [`Error::Malformed`] when the bytes are no PSBT of version 0 or 2; checks C21 and C27 when they are a broken or
/// an oversized one; C14 for a signature that cannot even be read; [`Error::Transport`] for a file that is not what its
/// manifest says.
pub fn import(bytes: Vec<u8>, wallets: &[Wallet], context: &Context) -> Result<Imported, Error> {
    import_document(Document::parse(bytes)?, wallets, context)
}

/// The same for a document that was recognised before, such as one with a higher limit.
///
/// # Errors
/// Those of [`import`].
pub fn import_document(document: Document, wallets: &[Wallet], context: &Context) -> Result<Imported, Error> {
    let (psbt, form) = strict::read(document.psbt_bytes())?;
    let manifest = manifest::checked(document.psbt_bytes(), &psbt)?;
    let envelope = Envelope::read(&psbt)?;
    let mut findings = Vec::new();
    let evidence = evidence(&psbt);
    let coins = coins::establish(&psbt, &evidence, &mut findings);
    coins::unproven(&psbt, &coins, &mut findings);
    coins::output_scripts(&psbt, &mut findings);
    let ownership = ownership::establish(&psbt, &coins, wallets, context.network, &mut findings);
    let meant = context.network.or(ownership.wallet.map(Wallet::network));
    let network = meant.unwrap_or(Network::Bitcoin);
    signatures::sighash_types(&psbt, &coins, &mut findings);
    let signed = signatures::signed(&psbt, &coins, &ownership, &mut findings);
    let present = Present { tip_height: context.tip_height, now: context.now };
    findings.extend(locktime(&psbt.unsigned_tx, network, present));
    findings.extend(taproot::check(&psbt, &ownership));
    findings.push(unknown_fields(&psbt));
    findings.extend(meant.map(|network| ownership::global_keys(&psbt, network)));
    findings.push(Finding::pass(Check::STRICT_PSBT, form.strictness()));
    findings.push(Finding::pass(Check::LEGACY_WITNESS_UTXO, "no legacy input without its transaction"));
    findings.extend(presentation(&document));

    let (spend, from_spend) = match parts(&psbt, &coins, &ownership) {
        Some((wallet, parts)) => judge_spend(wallet, parts, &evidence, context),
        None => {
            amounts::check(&psbt, &coins, network, &context.fees, &mut findings);
            (None, Vec::new())
        }
    };
    let findings = merge(findings, from_spend);
    let subject = Subject {
        document: &document,
        form: &form,
        psbt: &psbt,
        coins: &coins,
        ownership: &ownership,
        signed: &signed,
        spend: spend.as_ref(),
        manifest: manifest.as_ref(),
        network,
    };
    let inspection = Inspection::new(&subject, &findings);
    let wallet = ownership.wallet.cloned();
    let keypaths = ownership.inputs;
    Ok(Imported {
        document,
        psbt,
        form,
        coins,
        envelope,
        manifest,
        wallet,
        keypaths,
        spend,
        evidence,
        findings,
        inspection,
    })
}

/// The previous transactions; one that several inputs name is taken and hashed once. A transaction that is given under
/// another's txid is found out when it is asked for.
fn evidence(psbt: &Psbt) -> Evidence {
    let mut taken = BTreeSet::new();
    let inputs = psbt.unsigned_tx.input.iter().zip(&psbt.inputs);
    let previous = inputs.filter_map(|(txin, input)| {
        let previous = input.non_witness_utxo.as_ref()?;
        taken.insert(txin.previous_output.txid).then(|| previous.clone())
    });
    Evidence::new(previous)
}

impl Imported {
    /// The payment; `None` when its inputs are not established as one registered wallet's, or its numbers are wrong.
    pub fn spend(&self) -> Option<&Spend> {
        self.spend.as_ref()
    }

    /// The previous transactions that came along, without witnesses.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The registered wallet that the inputs are of.
    pub fn wallet(&self) -> Option<&Wallet> {
        self.wallet.as_ref()
    }

    /// What every check from C01 to C34 came to, in their order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The gravest outcome.
    pub fn verdict(&self) -> Outcome {
        verdict(&self.findings)
    }

    /// The payment and its wallet when no check refuses; checks may still ask.
    ///
    /// # Errors
    /// The first check that refuses; C11 when the PSBT is of no registered wallet.
    pub fn cleared(&self) -> Result<(&Spend, &Wallet), Error> {
        if let Some(refusal) = self.findings.iter().find(|finding| finding.outcome == Outcome::Refuse) {
            return Err(refusal.into());
        }
        self.spend.as_ref().zip(self.wallet.as_ref()).ok_or_else(|| Error::Refused {
            check: Check::FOREIGN_INPUT,
            message: "the PSBT is of no registered wallet".to_owned(),
            hint: Some("register the wallet, or name its descriptor".to_owned()),
        })
    }

    /// Our documents in the file.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What the file says of itself: a claim, whatever the checks came to.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// What a writer says of this file, from its one request.
    pub fn says(&self, sender: &str, spend: &Spend) -> Says {
        self.asked(Says::new(sender, spend.network(), spend.wallet()))
    }

    /// The same about what the file's only request asks for.
    fn asked(&self, says: Says) -> Says {
        let requests =
            self.envelope.get(Kind::Request).filter_map(|bytes| SignedRequest::from_bytes(bytes).ok());
        let mut requests: Vec<_> = requests.map(|signed| signed.request).collect();
        requests.dedup();
        match requests.as_slice() {
            [request] => says.asked(request),
            _ => says,
        }
    }

    /// The PSBT itself, in the shape of version 0.
    pub fn psbt(&self) -> &Psbt {
        &self.psbt
    }

    /// The version it is of, and what only that version says.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The file as it came.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// SHA-256 of the file as it came.
    pub fn sha256(&self) -> [u8; 32] {
        self.document.sha256()
    }

    /// Everything that is shown of it.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// The file with another envelope, in the version and encoding it came in; every other field is kept. Its manifest is
    /// left out: whoever writes it says who they are with [`Imported::sent`].
    pub fn with_envelope(&self, envelope: &Envelope) -> Vec<u8> {
        let mut psbt = self.psbt.clone();
        envelope.write(&mut psbt);
        manifest::remove(&mut psbt);
        self.encoded(&psbt)
    }

    /// The same with a manifest.
    ///
    /// # Errors
    /// Check C27 when the envelope is full.
    pub fn sent(&self, envelope: &Envelope, says: &Says) -> Result<Vec<u8>, Error> {
        let mut psbt = self.psbt.clone();
        envelope.write(&mut psbt);
        Ok(self.document.encoding().encode_bytes(manifest::stamp(&mut psbt, &self.form, says)?))
    }

    /// The file with signatures and receipts added, in the version and encoding it came in; every other field is kept, but
    /// for its manifest.
    ///
    /// # Errors
    /// Check C28 for a signature that does not verify, C12 for one of an input that is not the wallet's, C27 for too many
    /// receipts.
    pub fn with_signatures(
        &self,
        signatures: &[InputSignature],
        receipts: &[Vec<u8>],
    ) -> Result<Vec<u8>, Error> {
        Ok(self.encoded(&self.attached(signatures, receipts)?))
    }

    /// The same with a manifest by the vault of the first receipt; without one where that is no receipt.
    ///
    /// # Errors
    /// Those of [`Imported::with_signatures`].
    pub fn answered(&self, signatures: &[InputSignature], receipts: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
        self.vouched(self.attached(signatures, receipts)?, receipts)
    }

    /// The file of [`Imported::attached`], with its manifest.
    pub(crate) fn vouched(&self, mut psbt: Psbt, receipts: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
        let receipt = receipts.first().and_then(|receipt| Receipt::from_bytes(receipt).ok());
        let Some(Receipt { statement, .. }) = receipt else { return Ok(self.encoded(&psbt)) };
        let sender = manifest::vault(statement.head.vault);
        let says = self.asked(Says::new(&sender, statement.network, statement.wallet));
        Ok(self.document.encoding().encode_bytes(manifest::stamp(&mut psbt, &self.form, &says)?))
    }

    /// The PSBT with signatures and receipts, without a manifest.
    pub(crate) fn attached(
        &self,
        signatures: &[InputSignature],
        receipts: &[Vec<u8>],
    ) -> Result<Psbt, Error> {
        let mut psbt = self.psbt.clone();
        export::attach(&mut psbt, &self.coins, |at| self.own(at), signatures)?;
        let mut envelope = self.envelope.clone();
        receipts.iter().try_for_each(|receipt| envelope.insert(Kind::Receipt, receipt.clone()))?;
        envelope.write(&mut psbt);
        manifest::remove(&mut psbt);
        Ok(psbt)
    }

    /// What each input spends.
    pub(crate) fn coins(&self) -> &[Coin] {
        &self.coins
    }

    /// The PSBT with the scripts, leaves and derivations of own inputs that are not final, whatever its maker left out: a
    /// finaliser needs them.
    pub fn completed(&self) -> Psbt {
        let mut psbt = self.psbt.clone();
        for (input, keypath) in psbt.inputs.iter_mut().zip(&self.keypaths) {
            let own = self.wallet.as_ref().zip(*keypath);
            let open = own.filter(|_| !signatures::is_final(input));
            let derived =
                open.and_then(|(wallet, keypath)| Some((wallet, keypath, wallet.derived(keypath)?)));
            if let Some((wallet, keypath, derived)) = derived {
                describe_input(input, wallet, keypath, &derived);
            }
        }
        psbt
    }

    /// What the wallet derives for an input.
    fn own(&self, at: usize) -> export::Own {
        let Some(wallet) = &self.wallet else { return export::Own::Unknown };
        let keypath = self.keypaths.get(at).copied().flatten();
        keypath.and_then(|keypath| wallet.derived(keypath)).map_or(export::Own::Foreign, export::Own::Ours)
    }

    fn encoded(&self, psbt: &Psbt) -> Vec<u8> {
        self.document.encoding().encode_bytes(self.form.serialize(psbt))
    }
}

/// The spend's parts, when every input is established and one wallet's.
fn parts<'a>(psbt: &Psbt, coins: &[Coin], ownership: &Ownership<'a>) -> Option<(&'a Wallet, SpendParts)> {
    let wallet = ownership.wallet?;
    let transaction = &psbt.unsigned_tx;
    let inputs = transaction.input.iter().zip(coins).zip(&ownership.inputs).map(|((txin, coin), keypath)| {
        Some(SpendInput {
            outpoint: txin.previous_output,
            sequence: txin.sequence,
            value: coin.output.as_ref()?.value,
            keypath: (*keypath)?,
        })
    });
    let outputs = transaction.output.iter().zip(&ownership.outputs).map(|(output, own)| SpendOutput {
        value: output.value,
        script: output.script_pubkey.clone(),
        own: *own,
    });
    let parts = SpendParts {
        network: wallet.network(),
        wallet: wallet.id(),
        version: transaction.version,
        lock_time: transaction.lock_time,
        inputs: inputs.collect::<Option<_>>()?,
        outputs: outputs.collect(),
    };
    Some((wallet, parts))
}

fn judge_spend(
    wallet: &Wallet,
    parts: SpendParts,
    evidence: &Evidence,
    context: &Context,
) -> (Option<Spend>, Vec<Finding>) {
    match Spend::new(parts) {
        Err(findings) => (None, findings),
        Ok(spend) => {
            let Context { marks, fees, .. } = *context;
            let mut findings = examine(&Exhibit { spend: &spend, evidence, wallet, marks, fees });
            findings.push(Finding::pass(Check::DUPLICATE_INPUT, "no input twice"));
            findings.push(Finding::pass(Check::BOUNDS, "sizes and counts are within bounds"));
            (Some(spend), findings)
        }
    }
}

/// C24 to C26: what holds by construction here, and is tested as such.
fn presentation(document: &Document) -> impl Iterator<Item = Finding> {
    let hash = crate::display::hex(&document.sha256());
    [
        (24, format!("read once into one buffer with the SHA-256 {hash}")),
        (25, "every input and output is shown".to_owned()),
        (26, "foreign text is shown escaped".to_owned()),
    ]
    .into_iter()
    .filter_map(|(number, message)| Some(Finding::pass(Check::from_number(number)?, message)))
}
