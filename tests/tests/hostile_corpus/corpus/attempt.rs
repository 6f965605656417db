//! The way of a file to signatures: reader, vault, and back into the file, as console and reader go it.

use std::collections::BTreeSet;

use bitcoin::Amount;
use cold_wire::{Bundle, FaultKind, ReplyBody, RequestBody, Review, Signed};
use policies::approval::Approval;
use policies::check::{Check, Finding, Outcome};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::examine::{FeeBounds, FeeCeiling, Marks};
use policies::permit::Permit;
use policies::request::SignedRequest;
use policies::signature::InputSignature;
use policies::wallet::{MAX_INDEX, Wallet};
use psbt_tools::envelope::Kind;
use psbt_tools::import::{Context, Imported, import};

use super::desk::Desk;

/// A change that somebody makes to a thing on its way, if at all.
pub type Tamper<'a, T> = Option<Box<dyn FnOnce(&mut T) + 'a>>;

/// What happens on the way besides.
#[derive(Default)]
pub struct Tampering<'a> {
    /// By a lying reader, before the vault sees it.
    pub bundle: Tamper<'a, Bundle>,
    /// Between review and signing.
    pub swapped: Tamper<'a, Bundle>,
    /// Between vault and file.
    pub signatures: Tamper<'a, Vec<InputSignature>>,
    /// What the reader is told.
    pub context: Tamper<'a, Context>,
}

/// What came of a file.
#[derive(Debug, Default)]
pub struct Attempt {
    /// The numbers and rules that refuse, of the reader and of the vault.
    pub refused: BTreeSet<String>,
    /// Those that ask.
    pub asked: BTreeSet<String>,
    /// What they say.
    pub said: Vec<String>,
    /// 0 signed, 3 refused, 4 more is needed.
    pub exit: u8,
    /// What the vault showed.
    pub review: Option<Box<Review>>,
    /// What the vault released.
    pub signatures: Option<Vec<InputSignature>>,
    /// The file with it.
    pub file: Option<Vec<u8>>,
}

/// Lets the desk sign a file, with these questions answered by yes.
pub fn attempt(desk: &mut Desk, bytes: Vec<u8>, accepted: &[u8], tampering: Tampering<'_>) -> Attempt {
    let wallets = desk.wallets();
    attempt_with(|body| desk.ask(body), &wallets, bytes, accepted, tampering)
}

/// The same with any vault.
pub fn attempt_with(
    mut ask: impl FnMut(RequestBody) -> Result<ReplyBody, cold_wire::Fault>,
    wallets: &[Wallet],
    bytes: Vec<u8>,
    accepted: &[u8],
    tampering: Tampering<'_>,
) -> Attempt {
    let mut attempt = Attempt { exit: 3, ..Attempt::default() };
    let mut context = reader_context();
    if let Some(tamper) = tampering.context {
        tamper(&mut context);
    }
    let imported = match import(bytes, wallets, &context) {
        Ok(imported) => imported,
        Err(error) => {
            attempt.refused.insert(error.code());
            attempt.said.push(error.to_string());
            attempt.exit = error.exit_code();
            return attempt;
        }
    };
    attempt.note(imported.findings(), true);
    let Some(mut bundle) = bundle(&imported, &mut attempt) else {
        if attempt.refused.is_empty() {
            attempt.refused.extend(imported.cleared().err().map(|error| error.code()));
        }
        return attempt;
    };
    if let Some(tamper) = tampering.bundle {
        tamper(&mut bundle);
    }
    match ask(RequestBody::Review(bundle.clone())) {
        Ok(ReplyBody::Review(review)) => {
            attempt.note(&review.findings, false);
            attempt.review = Some(review);
        }
        Ok(other) => panic!("{other:?}"),
        Err(fault) => drop(attempt.refused.insert(fault.code)),
    }
    if !attempt.refused.is_empty() {
        return attempt;
    }
    let accepted: Vec<_> = accepted.iter().filter_map(|number| Check::from_number(*number)).collect();
    if attempt.asked.iter().any(|asked| !accepted.iter().any(|check| check.to_string() == *asked)) {
        attempt.exit = FaultKind::Incomplete.exit_code();
    }
    let consent = bundle.spend.id();
    if let Some(tamper) = tampering.swapped {
        tamper(&mut bundle);
    }
    let signed = match ask(RequestBody::Sign { bundle, consent, accepted }) {
        // The console asks for what only the reader knows.
        Ok(ReplyBody::Signed(_)) if attempt.exit == FaultKind::Incomplete.exit_code() => return attempt,
        Ok(ReplyBody::Signed(signed)) => signed,
        Ok(other) => panic!("{other:?}"),
        Err(fault) => {
            if fault.kind == FaultKind::Refused || fault.kind == FaultKind::Internal {
                attempt.refused.insert(fault.code);
            }
            attempt.exit = fault.kind.exit_code();
            attempt.said.push(fault.message);
            return attempt;
        }
    };
    attempt.exit = 0;
    attempt.attach(&imported, signed, tampering.signatures);
    attempt
}

impl Attempt {
    /// Whether signatures came out, into the file.
    pub fn is_signed(&self) -> bool {
        self.file.is_some() && self.exit == 0
    }

    fn note(&mut self, findings: &[Finding], reader: bool) {
        for finding in findings.iter().filter(|finding| finding.outcome >= Outcome::Ask) {
            // C08 and C16 are the vault's to judge.
            let into = match finding.outcome {
                Outcome::Refuse => &mut self.refused,
                _ => &mut self.asked,
            };
            into.insert(finding.code.to_string());
            let who = if reader { "reader" } else { "vault" };
            self.said.push(format!("{who}: {} {}", finding.code, finding.message));
        }
    }

    fn attach(&mut self, imported: &Imported, signed: Signed, tamper: Tamper<'_, Vec<InputSignature>>) {
        let mut signatures = signed.signatures;
        if let Some(tamper) = tamper {
            tamper(&mut signatures);
        }
        match imported.with_signatures(&signatures, &[signed.receipt.to_bytes()]) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                self.refused.insert(error.code());
                self.said.push(error.to_string());
                self.exit = error.exit_code();
            }
        }
        self.signatures = Some(signatures);
    }
}

/// How the reader holds a file against the wallets: marks and fees are for the vault to judge.
fn reader_context() -> Context {
    let unbounded = FeeCeiling { amount: Amount::MAX_MONEY, percent: u64::MAX, sat_per_vb: u64::MAX };
    Context {
        marks: Marks { gap: MAX_INDEX, ..Marks::default() },
        fees: FeeBounds { ask: unbounded, refuse: unbounded },
        now: Some(cold_vault::clock::now()),
        ..Context::default()
    }
}

/// What the reader hands on: of requests the signed one counts.
fn bundle(imported: &Imported, attempt: &mut Attempt) -> Option<Bundle> {
    let mut requests: Vec<SignedRequest> = documents(imported, Kind::Request, attempt);
    if requests.iter().any(|request| request.signature.is_some()) {
        requests.retain(|request| request.signature.is_some());
    }
    if requests.len() > 1 {
        attempt.refused.insert("C34".to_owned());
    }
    let approvals: Vec<Approval> = documents(imported, Kind::Approval, attempt);
    let permits: Vec<Permit> = documents(imported, Kind::Permit, attempt);
    Some(Bundle {
        spend: imported.spend()?.clone(),
        evidence: Evidence::new(imported.evidence().transactions().cloned()),
        request: requests.pop(),
        approvals,
        permits,
    })
}

fn documents<T: Canonical>(imported: &Imported, kind: Kind, attempt: &mut Attempt) -> Vec<T> {
    let read: Result<Vec<_>, _> = imported.envelope().get(kind).map(T::from_bytes).collect();
    read.unwrap_or_else(|_| {
        attempt.refused.insert("C34".to_owned());
        vec![]
    })
}
