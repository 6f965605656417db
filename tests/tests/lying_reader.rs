//! A lying reader or console sends messages straight to the vault. It gets nothing; the honest twin of each message,
//! which differs by one named edit, is signed.

use airlock_tests::company::{Company, DESK, GATE, cosigner, permit, public, sign, signed_request, stranger};
use airlock_tests::vault::Vault;
use bitcoin::bip32::ChildNumber;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Amount, Network, Script, Transaction, TxOut, Witness};
use cold_wire::{Bundle, Fault, FaultKind, ReplyBody, RequestBody, Signed};
use policies::evidence::Evidence;
use policies::id::{SpendId, WalletId};
use policies::identity::Namespace;
use policies::permit::{PermitVault, vault_id};
use policies::request::{Head, Request, SignedRequest};
use policies::spend::{Spend, SpendInput, SpendParts};
use policies::wallet::{Branch, Keypath, Lock, ScriptKind, Wallet};

/// One vault for many cases: each case has coins of its own, and the honest twins form the chain of permits.
struct Stage {
    _folder: tempfile::TempDir,
    vault: Vault,
    company: Company,
    sequence: u32,
    chain: [u8; 32],
}

impl Stage {
    fn set(kind: ScriptKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::start(&folder.path().join("store"));
        let company = Company::found(&mut vault, kind);
        Self { _folder: folder, vault, company, sequence: 0, chain: [0; 32] }
    }

    fn sign(&mut self, bundle: &Bundle) -> Result<Signed, Fault> {
        let consent = bundle.spend.id();
        match self.vault.call(RequestBody::Sign { bundle: bundle.clone(), consent, accepted: vec![] }) {
            Some(ReplyBody::Signed(signed)) => Ok(signed),
            Some(ReplyBody::Fault(fault)) => Err(fault),
            other => panic!("{other:?}"),
        }
    }

    /// The honest message of the next case, whose spend may be edited first.
    fn honest(&mut self, edit: impl FnOnce(&mut SpendParts, &mut Evidence, &Company)) -> Bundle {
        self.sequence += 1;
        let (mut parts, previous) = self.company.parts(self.sequence);
        let mut evidence = Evidence::new(previous);
        edit(&mut parts, &mut evidence, &self.company);
        let mut bundle = self.company.bundle(parts, vec![], u64::from(self.sequence), self.chain);
        bundle.evidence = evidence;
        bundle
    }

    /// The same with this request, signed by the desk, and the next permit of this vault for it.
    fn requested(&self, bundle: &Bundle, request: Request) -> Bundle {
        let mut statement =
            self.company.statement(&bundle.spend, &request, u64::from(self.sequence) + 1, self.chain);
        statement.anchor = request.anchor;
        let permits = vec![permit(GATE, statement)];
        Bundle { request: Some(signed_request(DESK, request)), permits, ..bundle.clone() }
    }

    /// The lie is refused with this code and no signature; then its honest twin is signed.
    fn caught(
        &mut self,
        code: &str,
        edit_spend: impl FnOnce(&mut SpendParts, &mut Evidence, &Company),
        edit_message: impl FnOnce(&mut Bundle, &Company),
    ) -> Fault {
        let mut lie = self.honest(edit_spend);
        self.sequence -= 1;
        edit_message(&mut lie, &self.company);
        let fault = self.sign(&lie).expect_err("the lie was signed");
        assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Refused, code), "{fault:?}");
        let codes: std::collections::BTreeSet<_> =
            fault.findings.iter().map(|finding| finding.code.to_string()).collect();
        assert!(codes.len() <= 1, "caught by {codes:?}, not by one check alone");
        let twin = self.honest(|_, _, _| ());
        self.signed_and_valid(&twin);
        fault
    }

    fn signed_and_valid(&mut self, bundle: &Bundle) {
        let signed = self.sign(bundle).unwrap_or_else(|fault| panic!("the honest twin: {fault:?}"));
        self.chain = bundle.permits[0].statement.chain_after(self.company.vault).unwrap();
        assert_eq!(signed.receipt.statement.spend, bundle.spend.id());
        signed.receipt.audit_key().unwrap();
        is_valid(bundle, &signed, &self.company);
    }
}

/// Bitcoin Core's script engine accepts the transaction with these signatures.
fn is_valid(bundle: &Bundle, signed: &Signed, company: &Company) {
    let mut transaction = bundle.spend.unsigned_transaction();
    let mut prevouts = Vec::new();
    for (input, signature) in bundle.spend.inputs().iter().zip(&signed.signatures) {
        let script_pubkey = company.wallet.script(input.keypath).unwrap();
        prevouts.push(TxOut { value: input.value, script_pubkey });
        let at = usize::try_from(signature.input).unwrap();
        let derived = company.wallet.derived(input.keypath).unwrap();
        let witness = match &derived.lock {
            Lock::Witness { witness_script, .. } => {
                let mut both = [
                    (signature.public_key.clone(), signature.signature.clone()),
                    countersigned(&transaction, at, witness_script, input),
                ];
                both.sort();
                let [first, second] = both.map(|(_, signature)| signature);
                Witness::from_slice(&[vec![], first, second, witness_script.to_bytes()])
            }
            Lock::Taproot(taproot) if !taproot.leaves.is_empty() => {
                let leaf = taproot.leaves.iter().find(|leaf| signature.leaf == Some(leaf.hash)).unwrap();
                Witness::from_slice(&[
                    signature.signature.clone(),
                    leaf.script.to_bytes(),
                    leaf.control_block.serialize(),
                ])
            }
            Lock::Taproot(_) => Witness::from_slice(&[&signature.signature]),
            _ => Witness::from_slice(&[&signature.signature, &signature.public_key]),
        };
        transaction.input[at].witness = witness;
    }
    watch_node::chain::script::verify(&transaction, &prevouts).unwrap();
}

/// Another cosigner's key and signature for an input of `wsh`.
fn countersigned(
    transaction: &Transaction,
    at: usize,
    script: &Script,
    input: &SpendInput,
) -> (Vec<u8>, Vec<u8>) {
    let secp = Secp256k1::new();
    let path = [input.keypath.branch.number(), input.keypath.index];
    let path = path.map(|step| ChildNumber::from_normal_idx(step).unwrap());
    let key = cosigner(1).1.derive_priv(&secp, &path).unwrap().private_key;
    let all = EcdsaSighashType::All;
    let sighash = SighashCache::new(transaction).p2wsh_signature_hash(at, script, input.value, all).unwrap();
    let signature = secp.sign_ecdsa(&Message::from(sighash), &key);
    let signature = bitcoin::ecdsa::Signature { signature, sighash_type: all }.to_vec();
    (key.public_key(&secp).serialize().to_vec(), signature)
}

fn nothing(_: &mut SpendParts, _: &mut Evidence, _: &Company) {}

#[test]
fn lies_about_the_spend_get_nothing() {
    let mut stage = Stage::set(ScriptKind::Wpkh);
    let honest = |_: &mut Bundle, _: &Company| ();
    stage.caught("C06", |parts, _, _| parts.outputs[1].script = stranger(2), honest);
    stage.caught("C02", |parts, _, _| parts.inputs[0].value += Amount::from_sat(1_000), honest);
    stage.caught("C01", |_, evidence, _| *evidence = Evidence::default(), honest);
    stage.caught("C04", |parts, _, _| parts.inputs[0].outpoint.vout = 7, honest);
    stage.caught("C11", |parts, _, _| parts.inputs[0].keypath.index += 1, honest);
    stage.caught(
        "C08",
        |parts, _, company| {
            let far = Keypath { branch: Branch::Internal, index: 1_000_000 };
            parts.outputs[1].own = Some(far);
            parts.outputs[1].script = company.wallet.script(far).unwrap();
        },
        honest,
    );
    stage.caught("C30", |parts, _, _| parts.network = Network::Signet, honest);
    stage.caught("unknown-wallet", |parts, _, _| parts.wallet = WalletId::of(b"another"), honest);
}

/// The company's wallet with another cosigner in the place of one.
fn with_a_stranger(company: &Company) -> Wallet {
    let descriptors =
        Branch::ALL.map(|branch| company.wallet.descriptor(branch).split('#').next().unwrap().to_owned());
    let (known, swapped) = (cosigner(2).0, cosigner(9).0);
    let key = |text: &str| text.split("/<").next().unwrap().to_owned();
    let swap = descriptors.map(|text| text.replace(&key(&known), &key(&swapped)));
    let wallet = Wallet::new(Network::Regtest, &swap).unwrap();
    assert_ne!(wallet, company.wallet);
    wallet
}

#[test]
fn a_cosigner_is_not_swapped_neither_in_scripts_nor_in_leaves() {
    for kind in [ScriptKind::WshMulti, ScriptKind::Multi] {
        let mut stage = Stage::set(kind);
        let honest = |_: &mut Bundle, _: &Company| ();
        // Change that the coordinator could keep, with every key of ours in it.
        stage.caught(
            "C07",
            |parts, _, company| {
                let own = parts.outputs[1].own.unwrap();
                parts.outputs[1].script = with_a_stranger(company).script(own).unwrap();
            },
            honest,
        );
        // A coin behind another witness script or another leaf.
        stage.caught(
            "C11",
            |parts, evidence, company| {
                let mut previous = evidence.transactions().next().unwrap().clone();
                let script = with_a_stranger(company).script(parts.inputs[0].keypath);
                previous.output[0].script_pubkey = script.unwrap();
                parts.inputs[0].outpoint.txid = previous.compute_txid();
                *evidence = Evidence::new(vec![previous]);
            },
            honest,
        );
        stage.caught("C02", |parts, _, _| parts.inputs[0].value += Amount::from_sat(1_000), honest);
        stage.caught("C11", |parts, _, _| parts.inputs[0].keypath.index += 1, honest);
        let swapped = |stage: &Stage| with_a_stranger(&stage.company).id();
        let id = swapped(&stage);
        stage.caught("unknown-wallet", |parts, _, _| parts.wallet = id, honest);
    }
}

#[test]
fn many_inputs_are_signed_by_both_threads_within_the_sandbox() {
    for kind in [ScriptKind::Wpkh, ScriptKind::WshMulti, ScriptKind::Multi] {
        let mut stage = Stage::set(kind);
        let (mut parts, mut previous) = stage.company.parts(1);
        for n in 2..=40 {
            let (more, transactions) = stage.company.parts(n);
            parts.outputs[1].value += more.inputs[0].value;
            parts.inputs.extend(more.inputs);
            previous.extend(transactions);
        }
        let bundle = stage.company.bundle(parts, previous, 1, stage.chain);
        stage.signed_and_valid(&bundle);
    }
}

#[test]
fn messages_without_authority_get_nothing() {
    let mut stage = Stage::set(ScriptKind::Wpkh);
    stage.caught("C34", nothing, |bundle, _| bundle.permits.clear());
    stage.caught("C34", nothing, |bundle, _| bundle.request = None);
    stage.caught("C34", nothing, |bundle, _| {
        bundle.request.as_mut().unwrap().signature = None;
    });
    stage.caught("C34", nothing, |bundle, _| {
        let mut statement = bundle.permits[0].statement.clone();
        statement.spend = SpendId::of(b"another");
        bundle.permits = vec![permit(GATE, statement)];
    });
    stage.caught("C34", nothing, |bundle, _| {
        let mut statement = bundle.permits[0].statement.clone();
        let other = PermitVault { vault: vault_id(&public(9)), ..statement.vaults[0] };
        statement.vaults = vec![other];
        bundle.permits = vec![permit(GATE, statement)];
    });
    stage.caught("C34", nothing, |bundle, _| {
        let mut statement = bundle.permits[0].statement.clone();
        statement.expires = 1_000;
        bundle.permits = vec![permit(GATE, statement)];
    });
    stage.caught("C34", nothing, |bundle, _| {
        let statement = bundle.permits[0].statement.clone();
        bundle.permits = vec![permit(GATE + 1, statement)];
    });
    stage.caught("C34", nothing, |bundle, _| {
        let mut statement = bundle.permits[0].statement.clone();
        statement.outflow += Amount::from_sat(1);
        bundle.permits = vec![permit(GATE, statement)];
    });
    stage.caught("C34", nothing, |bundle, _| {
        // A signature made for another purpose, by the right key.
        let request = bundle.request.clone().unwrap().request;
        let message = policies::codec::Canonical::to_bytes(&request);
        let signature = Some(sign(DESK, Namespace::Approve, &message));
        bundle.request = Some(SignedRequest { request, signature });
    });
    stage.caught("C34", nothing, |bundle, company| {
        let mut request = bundle.request.clone().unwrap().request;
        request.expires = 1_000;
        let place = bundle.permits[0].statement.vaults[0];
        let statement = company.statement(&bundle.spend, &request, place.sequence, place.previous);
        bundle.request = Some(signed_request(DESK, request));
        bundle.permits = vec![permit(GATE, statement)];
    });
    stage.caught("C34", nothing, |bundle, company| {
        // The vault's counterpart saw a receipt that this store does not hold: a rolled-back copy.
        let mut request = bundle.request.clone().unwrap().request;
        request.heads = vec![Head { vault: company.vault, sequence: 2, hash: [7; 32] }];
        let place = bundle.permits[0].statement.vaults[0];
        let statement = company.statement(&bundle.spend, &request, place.sequence, place.previous);
        bundle.request = Some(signed_request(DESK, request));
        bundle.permits = vec![permit(GATE, statement)];
    });
    stage.caught("C34", nothing, |bundle, company| {
        // Another chain of permits: a second ledger for one permit key.
        let request = bundle.request.clone().unwrap().request;
        let place = bundle.permits[0].statement.vaults[0];
        let statement = company.statement(&bundle.spend, &request, place.sequence, [9; 32]);
        bundle.permits = vec![permit(GATE, statement)];
    });
}

#[test]
fn a_stolen_gatekeeper_meets_the_vaults_own_judgement() {
    let mut stage = Stage::set(ScriptKind::Wpkh);
    // A terminal that the policy does not list, with a genuine permit.
    stage.caught("not-allowed", nothing, |bundle, _| {
        let request = bundle.request.clone().unwrap().request;
        bundle.request = Some(signed_request(DESK + 1, request));
    });
    // Above the limit, with a genuine request and a genuine permit.
    let bundle = {
        let (mut parts, _) = stage.company.parts(900);
        parts.inputs[0].value = Amount::from_sat(500_000_000);
        parts.outputs[0].value = Amount::from_sat(150_000_000);
        parts.outputs[1].value = Amount::from_sat(349_990_000);
        let previous = bitcoin::Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![bitcoin::TxIn::default()],
            output: vec![TxOut {
                value: parts.inputs[0].value,
                script_pubkey: stage.company.wallet.script(parts.inputs[0].keypath).unwrap(),
            }],
        };
        parts.inputs[0].outpoint.txid = previous.compute_txid();
        stage.company.bundle(parts, vec![previous], u64::from(stage.sequence) + 1, stage.chain)
    };
    let fault = stage.sign(&bundle).unwrap_err();
    assert_eq!(fault.code, "limit-per-payment");
}

#[test]
fn a_coin_is_signed_for_one_payment_only() {
    let mut stage = Stage::set(ScriptKind::Wpkh);
    let first = stage.honest(|_, _, _| ());
    stage.signed_and_valid(&first);
    // The same coin in another spend: for another request, and for the same one with a higher fee.
    let mut parts = parts_of(&first.spend);
    parts.outputs[1].value -= Amount::from_sat(1_000);
    let dearer = Bundle { spend: Spend::new(parts).unwrap(), ..first.clone() };
    let another = stage.company.request(&dearer.spend, 77);
    let another = stage.requested(&dearer, another);
    assert_eq!(stage.sign(&another).unwrap_err().code, "not-replaceable");
    let same = stage.requested(&dearer, first.request.clone().unwrap().request);
    stage.signed_and_valid(&same);
    stage.sequence += 1;
    // A repeat of the first gives the same bytes.
    let again = stage.sign(&first).unwrap();
    assert_eq!(again, stage.sign(&first).unwrap());
    // A consent for another spend gets nothing.
    let next = stage.honest(|_, _, _| ());
    let fault =
        stage.vault.refused(RequestBody::Sign { bundle: next, consent: first.spend.id(), accepted: vec![] });
    assert_eq!(fault.code, "C24");
}

#[test]
fn taproot_is_signed_without_previous_transactions_and_lies_do_not_verify() {
    let mut stage = Stage::set(ScriptKind::Tr);
    let bare = stage.honest(|_, evidence, _| *evidence = Evidence::default());
    stage.signed_and_valid(&bare);
    // Where a previous transaction is there, it must agree.
    stage.caught("C02", |parts, _, _| parts.inputs[0].value += Amount::from_sat(1_000), |_, _| ());
    stage.caught("C06", |parts, _, _| parts.outputs[1].script = stranger(2), |_, _| ());
}

#[test]
fn a_lie_about_a_taproot_amount_does_not_freeze_the_coin() {
    let mut stage = Stage::set(ScriptKind::Tr);
    // The signature commits to the lied amount, so no block will ever take it.
    let lie = stage.honest(|parts, evidence, _| {
        parts.inputs[0].value += Amount::from_sat(1_000);
        *evidence = Evidence::default();
    });
    stage.sign(&lie).expect("without evidence the amount is believed");
    stage.chain = lie.permits[0].statement.chain_after(stage.company.vault).unwrap();
    // The same coin in another payment, its amount proven: signed. Unproven it stays refused.
    let (lied, previous) = stage.company.parts(1);
    let (mut parts, more) = stage.company.parts(2);
    let anchor = parts.inputs[0].outpoint;
    parts.outputs[1].value += lied.inputs[0].value;
    parts.inputs.extend(lied.inputs);
    let spend = Spend::new(parts).unwrap();
    let request = Request { anchor, ..stage.company.request(&spend, 2) };
    let unproven =
        stage.requested(&Bundle { spend, evidence: Evidence::new(more.clone()), ..lie.clone() }, request);
    assert_eq!(stage.sign(&unproven).unwrap_err().code, "C05");
    let proven = Bundle { evidence: Evidence::new([previous, more].concat()), ..unproven };
    stage.signed_and_valid(&proven);
    // And the payment itself, as it was asked for.
    let (parts, previous) = stage.company.parts(3);
    let lie = stage.company.bundle(
        SpendParts {
            inputs: vec![SpendInput {
                value: parts.inputs[0].value + Amount::from_sat(1_000),
                ..parts.inputs[0]
            }],
            ..parts.clone()
        },
        vec![],
        3,
        stage.chain,
    );
    stage.sign(&lie).expect("without evidence the amount is believed");
    stage.chain = lie.permits[0].statement.chain_after(stage.company.vault).unwrap();
    stage.sequence = 3;
    let truth =
        Bundle { spend: Spend::new(parts).unwrap(), evidence: Evidence::new(previous), ..lie.clone() };
    let truth = stage.requested(&truth, lie.request.clone().unwrap().request);
    stage.signed_and_valid(&truth);
}

#[test]
fn one_wallets_file_cannot_freeze_anothers_coins() {
    let mut stage = Stage::set(ScriptKind::Wpkh);
    let other = Company::found(&mut stage.vault, ScriptKind::Tr);
    let (mut parts, _) = other.parts(1);
    parts.inputs[0].outpoint = stage.company.parts(2).0.inputs[0].outpoint;
    let claim = other.bundle(parts, vec![], 1, [0; 32]);
    stage.sign(&claim).expect("a taproot file names a coin that it cannot spend");
    stage.chain = claim.permits[0].statement.chain_after(stage.company.vault).unwrap();
    stage.sequence = 1;
    let honest = stage.honest(|_, _, _| ());
    stage.signed_and_valid(&honest);
}

#[test]
fn a_far_locktime_is_asked_about_by_the_vault_itself() {
    let mut stage = Stage::set(ScriptKind::Wpkh);
    let late = stage.honest(|parts, _, _| {
        parts.lock_time = bitcoin::absolute::LockTime::from_consensus(499_999_999);
    });
    let fault = stage.sign(&late).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Incomplete, "C20"));
    let reviewed = stage.vault.call(RequestBody::Review(late.clone()));
    let Some(ReplyBody::Review(review)) = reviewed else { panic!("{reviewed:?}") };
    assert_eq!(review.timing.len(), 1, "{:?}", review.timing);
    let accepted = vec![policies::check::Check::LOCKTIME];
    let consent = late.spend.id();
    let signed = stage.vault.call(RequestBody::Sign { bundle: late, consent, accepted });
    assert!(matches!(signed, Some(ReplyBody::Signed(_))), "{signed:?}");
}

#[test]
fn a_message_out_of_order_or_out_of_form_closes_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let mut vault = Vault::start(&store);
    // A second Hello.
    let again = vault.call(RequestBody::Hello { protocol: 1 });
    assert!(matches!(again, Some(ReplyBody::Fault(_))), "{again:?}");
    assert!(vault.call(RequestBody::List).is_none(), "the connection was not closed");
    let mut vault = Vault::start(&store);
    assert!(vault.raw(b"\0\0\0\x04what").is_none());
    let mut vault = Vault::start(&store);
    assert!(matches!(vault.call(RequestBody::List), Some(ReplyBody::Keys { .. })));
    assert!(vault.end().success());
}

fn parts_of(spend: &Spend) -> SpendParts {
    SpendParts {
        network: spend.network(),
        wallet: spend.wallet(),
        version: spend.version(),
        lock_time: spend.lock_time(),
        inputs: spend.inputs().to_vec(),
        outputs: spend.outputs().to_vec(),
    }
}
