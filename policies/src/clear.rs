//! The last word before a signature: everything that was examined, requested, permitted and judged comes together in a
//! [`Cleared`] value, and nothing else can be signed.

use crate::authority::Authority;
use crate::check::{Check, Code, Finding, Outcome, verdict};
use crate::codec::Canonical;
use crate::evidence::{Evidence, Previous};
use crate::examine::{Exhibit, FeeBounds, FeeCeiling, Marks, examine, signed_before};
use crate::history::{Charge, History};
use crate::id::{PermitId, RequestId, SpendId, VaultId};
use crate::judge::{Case, Verdict, judge};
use crate::locktime::{Present, locktime};
use crate::permit::{Permit, PermitStatement, chain_link};
use crate::policy::{Policy, Requester};
use crate::request::SignedRequest;
use crate::spend::Spend;
use crate::wallet::Wallet;
use bitcoin::{Amount, OutPoint};

/// What a vault remembers, as far as clearing needs it.
pub trait Journal {
    /// The spends of this wallet in which a coin was signed before, each with the amount that it claimed for the coin.
    fn signed(&self, outpoint: &OutPoint) -> Vec<(SpendId, Amount)>;
    /// What was charged before under this key's policy.
    fn history(&self) -> &History;
    /// High-water marks of the wallet.
    fn marks(&self) -> Marks;
    /// The hash of a record of the vault's own store.
    fn record_hash(&self, sequence: u64) -> Option<[u8; 32]>;
    /// A permit of this vault's chain that was used before.
    fn permit(&self, sequence: u64) -> Option<PermitStatement>;
}

/// A spend that wants to be signed, and what came with it.
#[derive(Debug, Clone, Copy)]
pub struct Dossier<'a> {
    /// The spend.
    pub spend: &'a Spend,
    /// Its previous transactions.
    pub evidence: &'a Evidence,
    /// The key's wallet.
    pub wallet: &'a Wallet,
    /// The key's name.
    pub wallet_name: &'a str,
    /// The vault that is asked.
    pub vault: VaultId,
    /// The request that came with it.
    pub request: Option<&'a SignedRequest>,
    /// The permits that came with it.
    pub permits: &'a [Permit],
    /// The vault's time, unix seconds.
    pub now: u64,
}

/// Who has the say over a key, fixed at the key's creation.
#[derive(Debug, Clone, Copy)]
pub enum Say<'a> {
    /// The operator, within the built-in policy.
    Operator(&'a Policy),
    /// A pinned authority: request and permit are needed.
    Permits(&'a Authority),
}

/// Everything there is to say about a dossier before anybody consents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appraisal {
    /// Every check and rule.
    pub findings: Vec<Finding>,
    /// Who asks, when that was verified.
    pub requester: Option<Requester>,
    /// The permit that is good for this spend, when there is one.
    pub permit: Option<Permit>,
    /// What will be charged, when nothing refuses.
    pub charge: Option<Charge>,
}

impl Appraisal {
    /// The gravest outcome.
    pub fn verdict(&self) -> Outcome {
        verdict(&self.findings)
    }
}

/// A spend that may be signed. Only [`clear`] and [`repeat`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    spend: Spend,
    charge: Option<Charge>,
    permit: Option<PermitStatement>,
}

impl Cleared {
    /// What is signed.
    pub fn spend(&self) -> &Spend {
        &self.spend
    }

    /// What to charge before signing; `None` for a repeat, which was charged.
    pub fn charge(&self) -> Option<&Charge> {
        self.charge.as_ref()
    }

    /// The permit to journal.
    pub fn permit(&self) -> Option<&PermitStatement> {
        self.permit.as_ref()
    }

    /// Identifier of the permit.
    pub fn permit_id(&self) -> Option<PermitId> {
        self.permit.as_ref().map(PermitStatement::id)
    }
}

/// Runs every check and rule and says what they come to.
pub fn appraise(dossier: &Dossier<'_>, say: Say<'_>, journal: &dyn Journal) -> Appraisal {
    let mut findings = Vec::new();
    let mut permit = None;
    let (policy, requester, request) = match say {
        Say::Operator(policy) => (policy, Some(Requester::Operator), None),
        Say::Permits(authority) => {
            let (requester, request) = verified_request(dossier, journal, &mut findings);
            permit = verified_permit(dossier, authority, request, journal, &mut findings);
            (&authority.policy, requester, request)
        }
    };
    findings.extend(heads(dossier, journal));
    let fees = requester
        .as_ref()
        .map_or_else(FeeBounds::default, |requester| policy.fee_bounds(requester, dossier.wallet_name));
    let exhibit = Exhibit {
        spend: dossier.spend,
        evidence: dossier.evidence,
        wallet: dossier.wallet,
        marks: journal.marks(),
        fees,
    };
    findings.extend(examine(&exhibit));
    let earlier = signed_before(dossier.spend, |outpoint| signed_elsewhere(dossier, journal, outpoint));
    if earlier.is_empty() {
        findings.push(Finding::pass(Check::SIGNED_BEFORE, "no coin was signed before"));
    }
    findings.extend(earlier);
    let present = Present { tip_height: None, now: Some(dossier.now) };
    let unsigned = dossier.spend.unsigned_transaction();
    findings.extend(locktime(&unsigned, dossier.spend.network(), present));
    let mut charge = None;
    if let Some(requester) = &requester {
        let case = Case {
            policy,
            wallet: dossier.wallet,
            wallet_name: dossier.wallet_name,
            spend: dossier.spend,
            requester,
            request,
            history: journal.history(),
            now: dossier.now,
        };
        match judge(&case) {
            Verdict::Permitted(permitted) => charge = Some(permitted),
            Verdict::Refused(refusals) => findings.extend(refusals),
        }
    }
    if !findings.iter().any(|f| f.code == Check::AUTHORISATION.into()) {
        findings.push(match say {
            Say::Operator(_) => Finding::not_applicable(Check::AUTHORISATION, "the key has no authority"),
            Say::Permits(_) => Finding::pass(Check::AUTHORISATION, "requested and permitted"),
        });
    }
    findings.sort_by_key(|finding| finding.code);
    if verdict(&findings) == Outcome::Refuse {
        charge = None;
    }
    Appraisal { findings, requester, permit, charge }
}

/// Clears a spend for signing: nothing refuses, and every *ask* is accepted by its number.
///
/// # Errors
/// The findings that stand in the way. When none of them refuses, accepting them by number is what is missing.
pub fn clear(
    dossier: &Dossier<'_>,
    say: Say<'_>,
    journal: &dyn Journal,
    accepted: &[Check],
) -> Result<Cleared, Vec<Finding>> {
    let appraisal = appraise(dossier, say, journal);
    let is_accepted = |code: &Code| match code {
        Code::Check(check) => accepted.contains(check),
        Code::Rule(_) => false,
    };
    let in_the_way = |finding: &Finding| match finding.outcome {
        Outcome::Refuse => true,
        Outcome::Ask => !is_accepted(&finding.code),
        Outcome::Pass | Outcome::NotApplicable => false,
    };
    let permitted = match say {
        Say::Operator(_) => true,
        Say::Permits(_) => appraisal.permit.is_some(),
    };
    let open: Vec<_> = appraisal.findings.into_iter().filter(in_the_way).collect();
    match appraisal.charge {
        Some(charge) if open.is_empty() && permitted => Ok(Cleared {
            spend: dossier.spend.clone(),
            charge: Some(charge),
            permit: appraisal.permit.map(|permit| permit.statement),
        }),
        _ if open.is_empty() => {
            Err(vec![Finding::refuse(Check::AUTHORISATION, "nobody vouches for this spend")])
        }
        _ => Err(open),
    }
}

/// Clears a spend that the journal already holds: the same signatures come out again, after a crash as after expiry.
/// What must be true of the spend itself is examined again; permit, limits and acceptance were settled the first time.
///
/// # Errors
/// The refusals, or that the journal holds another spend.
pub fn repeat(
    dossier: &Dossier<'_>,
    journalled: SpendId,
    permit: Option<PermitStatement>,
) -> Result<Cleared, Vec<Finding>> {
    if dossier.spend.id() != journalled {
        return Err(vec![Finding::refuse(Check::SIGNED_BEFORE, "the journal holds another spend")]);
    }
    let exhibit = Exhibit {
        spend: dossier.spend,
        evidence: dossier.evidence,
        wallet: dossier.wallet,
        // The marks and fees of the first time held; both only widen what is accepted here.
        marks: Marks { gap: u32::MAX, ..Marks::default() },
        fees: FeeBounds { ask: FeeCeiling::UNLIMITED, refuse: FeeCeiling::UNLIMITED },
    };
    let refusals: Vec<_> =
        examine(&exhibit).into_iter().filter(|finding| finding.outcome == Outcome::Refuse).collect();
    if refusals.is_empty() {
        Ok(Cleared { spend: dossier.spend.clone(), charge: None, permit })
    } else {
        Err(refusals)
    }
}

/// Another spend whose signature for this coin is good. A taproot signature commits to the coin's amount (BIP341): one
/// over an amount that the previous transaction now disproves can never be mined, so a lie does not freeze the coin.
fn signed_elsewhere(dossier: &Dossier<'_>, journal: &dyn Journal, outpoint: &OutPoint) -> Option<SpendId> {
    let proven = match dossier.evidence.output(outpoint) {
        Previous::Output(output) => Some(output.value),
        Previous::Absent | Previous::NoSuchOutput(_) => None,
    };
    let is_void =
        |claimed: Amount| dossier.wallet.is_taproot() && proven.is_some_and(|value| value != claimed);
    journal
        .signed(outpoint)
        .into_iter()
        .find(|(spend, claimed)| *spend != dossier.spend.id() && !is_void(*claimed))
        .map(|(spend, _)| spend)
}

fn authorisation(message: impl Into<String>) -> Finding {
    Finding::refuse(Check::AUTHORISATION, message)
}

/// The request's signature, its agreement with the spend, and that it was not fulfilled by another spend.
fn verified_request(
    dossier: &Dossier<'_>,
    journal: &dyn Journal,
    findings: &mut Vec<Finding>,
) -> (Option<Requester>, Option<RequestId>) {
    let Some(signed) = dossier.request else {
        findings.push(
            authorisation("no request came with the spend, and this key's authority needs one")
                .hint("let a terminal sign the request: `gatekeeper request FILE --key F -o OUT`"),
        );
        return (None, None);
    };
    let requester = match signed.requester() {
        Ok(key) => Some(Requester::Key(key)),
        Err(error) => {
            findings.push(
                authorisation(format!("the request: {error}"))
                    .hint("let a terminal sign the request: `gatekeeper request FILE --key F -o OUT`"),
            );
            None
        }
    };
    findings.extend(signed.request.differences(dossier.spend, dossier.now));
    let id = signed.request.id();
    if let Some(other) = journal.history().fulfilled(&id).filter(|other| *other != dossier.spend.id()) {
        findings.push(
            authorisation(format!(
                "request {} was already fulfilled by spend {other}",
                signed.request.number()
            ))
            .hint("a request is paid once; ask again for another payment"),
        );
    }
    (requester, Some(id))
}

/// One permit that is good for exactly this spend, at this vault, now; otherwise every reason why none is.
fn verified_permit(
    dossier: &Dossier<'_>,
    authority: &Authority,
    request: Option<RequestId>,
    journal: &dyn Journal,
    findings: &mut Vec<Finding>,
) -> Option<Permit> {
    let mut reasons = Vec::new();
    for permit in dossier.permits {
        let wrong = permit_objections(dossier, authority, permit, request, journal);
        if wrong.is_empty() {
            return Some(permit.clone());
        }
        reasons.extend(wrong);
    }
    if dossier.permits.is_empty() {
        reasons.push(
            authorisation(format!("no permit came with the spend, and this key obeys {}", authority.company))
                .hint("ask the gatekeeper: `gatekeeper submit FILE -o OUT`"),
        );
    }
    findings.extend(reasons);
    None
}

fn permit_objections(
    dossier: &Dossier<'_>,
    authority: &Authority,
    permit: &Permit,
    request: Option<RequestId>,
    journal: &dyn Journal,
) -> Vec<Finding> {
    let statement = &permit.statement;
    if let Err(error) = authority.verify(permit) {
        return vec![
            authorisation(format!("the permit is not by {}: {error}", authority.company))
                .hint("only permits of the authority that was pinned at the key's creation count"),
        ];
    }
    let mut findings = statement.differences(dossier.spend, dossier.vault, dossier.now);
    if request.is_some_and(|request| statement.request != request) {
        findings.push(authorisation("the permit is for another request than the one that came with it"));
    }
    // A policy that the vault has not seen may be looser than the pinned one: the vault judges by its own anyway. An
    // older one than the pinned one was withdrawn.
    if statement.policy_version < authority.policy.terms().version {
        findings.push(authorisation(format!(
            "the permit was issued under policy version {}, older than the pinned version {}",
            statement.policy_version,
            authority.policy.terms().version
        )));
    }
    if let Some(place) = statement.vaults.iter().find(|place| place.vault == dossier.vault) {
        let fork = || {
            authorisation(format!(
                "permit {} of this vault contradicts one that was used before",
                place.sequence
            ))
            .hint(
                "two gatekeepers may share one permit key, or its ledger was set back: stop and investigate",
            )
        };
        let same = |used: PermitStatement| used.to_bytes() == statement.to_bytes();
        let before = place.sequence.checked_sub(1).and_then(|before| journal.permit(before));
        let after = place.sequence.checked_add(1).and_then(|after| journal.permit(after));
        let link = chain_link(&place.previous, &statement.id());
        let follows = before.is_none_or(|used| used.chain_after(dossier.vault) == Some(place.previous));
        let precedes = after.is_none_or(|used| {
            used.vaults.iter().any(|next| next.vault == dossier.vault && next.previous == link)
        });
        if place.sequence == 0 || !journal.permit(place.sequence).is_none_or(same) || !follows || !precedes {
            findings.push(fork());
        }
    }
    findings
}

/// The vault's own latest records, as its counterparts saw them: a vault without them was rolled back or forked.
fn heads(dossier: &Dossier<'_>, journal: &dyn Journal) -> Vec<Finding> {
    let Some(signed) = dossier.request else { return vec![] };
    signed
        .request
        .heads
        .iter()
        .filter(|head| head.vault == dossier.vault && journal.record_hash(head.sequence) != Some(head.hash))
        .map(|head| {
            authorisation(format!(
                "this vault gave a receipt for its record {}, which its store does not hold: it was rolled back or forked",
                head.sequence
            ))
            .hint("restore the latest copy of the store; never sign with an older one")
        })
        .collect()
}
