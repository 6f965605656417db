//! The last word before a signature: everything that was examined, requested, permitted and judged comes together in a
//! [`Cleared`] value, and nothing else can be signed.

use crate::approval::{Approval, approvers};
use crate::authority::Authority;
use crate::check::{Check, Code, Finding, Outcome, Rule, verdict};
use crate::evidence::{Evidence, Previous};
use crate::examine::{Exhibit, FeeBounds, FeeCeiling, Marks, examine, signed_before, signer};
use crate::history::{Charge, History};
use crate::id::{RequestId, SpendId, VaultId};
use crate::identity::PublicKey;
use crate::judge::{Case, Verdict, judge};
use crate::locktime::{Present, locktime};
use crate::permit::{Permit, vault_id};
use crate::policy::{Policy, Requester};
use crate::request::{Head, SignedRequest};
use crate::spend::Spend;
use crate::wallet::Wallet;
use bitcoin::{Amount, OutPoint};
use std::collections::{BTreeMap, BTreeSet};

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
    /// The chain of this vault's permits under the key's authority, as far as permits that were used showed it: after
    /// which sequence number it has which hash.
    fn chain(&self) -> &BTreeMap<u64, [u8; 32]>;
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
    /// Which of the wallet's keys is the vault's own.
    pub key: usize,
    /// The vault that is asked.
    pub vault: VaultId,
    /// The request that came with it.
    pub request: Option<&'a SignedRequest>,
    /// The approvals that came with it.
    pub approvals: &'a [Approval],
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
    /// Whose approvals of the request verify.
    pub approvers: Vec<PublicKey>,
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
    permit: Option<Permit>,
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
    pub fn permit(&self) -> Option<&Permit> {
        self.permit.as_ref()
    }
}

/// Runs every check and rule and says what they come to.
pub fn appraise(dossier: &Dossier<'_>, say: Say<'_>, journal: &dyn Journal) -> Appraisal {
    let mut findings = Vec::new();
    let mut permit = None;
    let (policy, requester) = match say {
        Say::Operator(policy) => (policy, Some(Requester::Operator)),
        Say::Permits(authority) => {
            let requester = verified_request(dossier, &mut findings);
            permit = verified_permit(dossier, authority, journal, &mut findings);
            (&authority.policy, requester)
        }
    };
    let request = match say {
        Say::Operator(_) => None,
        Say::Permits(_) => dossier.request.map(|signed| &signed.request),
    };
    let approvers = request.map(|request| approvers(request, dossier.approvals)).unwrap_or_default();
    findings.extend(heads(dossier, permit.as_ref(), journal));
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
    findings.extend(useless_signer(dossier));
    let present = Present { tip_height: None, now: Some(dossier.now) };
    let unsigned = dossier.spend.unsigned_transaction();
    findings.extend(locktime(&unsigned, dossier.spend.network(), present));
    let dead = never_mined(dossier, permit.as_ref(), journal);
    let mut charge = None;
    match &requester {
        Some(requester) => {
            let case = Case {
                policy,
                wallet: dossier.wallet,
                wallet_name: dossier.wallet_name,
                spend: dossier.spend,
                requester,
                request,
                approvers: &approvers,
                history: journal.history(),
                dead: &dead,
                supersedes: permit.as_ref().is_some_and(|permit| !permit.statement.replaces.is_empty()),
                time: bitcoin_time(dossier, say, permit.as_ref(), journal),
                now: dossier.now,
            };
            findings.extend(signed_earlier(dossier, say, journal, &dead, Some(&case.charge())));
            match judge(&case) {
                Verdict::Permitted(permitted) => charge = Some(*permitted),
                Verdict::Needs(missing) => findings.extend(missing.iter().map(|missing| {
                    Finding::refuse(Rule::ApprovalsMissing, missing.to_string())
                        .hint("let them approve: `gatekeeper approve FILE --key F -o OUT`")
                })),
                Verdict::Refused(refusals) => findings.extend(refusals),
            }
        }
        None => findings.extend(signed_earlier(dossier, say, journal, &dead, None)),
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
    Appraisal { findings, requester, approvers, permit, charge }
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
        Some(charge) if open.is_empty() && permitted => {
            Ok(Cleared { spend: dossier.spend.clone(), charge: Some(charge), permit: appraisal.permit })
        }
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
    permit: Option<Permit>,
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
    let findings = examine(&exhibit).into_iter().chain(useless_signer(dossier));
    let refusals: Vec<_> = findings.filter(|finding| finding.outcome == Outcome::Refuse).collect();
    if refusals.is_empty() {
        Ok(Cleared { spend: dossier.spend.clone(), charge: None, permit })
    } else {
        Err(refusals)
    }
}

/// C20: what the vault's own key could add to no path is not signed.
fn useless_signer(dossier: &Dossier<'_>) -> Option<Finding> {
    Some(signer(dossier.spend, dossier.wallet, dossier.key))
        .filter(|finding| finding.outcome == Outcome::Refuse)
}

/// Time for windows: the permit's bitcoin time, but never later than the clock, so that neither a gatekeeper nor a clock
/// alone makes time pass, and never before what was charged. Without an authority there is only the clock.
fn bitcoin_time(dossier: &Dossier<'_>, say: Say<'_>, permit: Option<&Permit>, journal: &dyn Journal) -> u64 {
    let time = match say {
        Say::Operator(_) => dossier.now,
        Say::Permits(_) => permit.map_or(0, |permit| permit.statement.issued_mtp.min(dossier.now)),
    };
    time.max(journal.history().latest())
}

/// C05: coins that were signed before in another spend. Only the group of the payment may spend them again: what a
/// replacement must be is for [`judge`], and without an authority the operator is asked.
fn signed_earlier(
    dossier: &Dossier<'_>,
    say: Say<'_>,
    journal: &dyn Journal,
    dead: &BTreeSet<SpendId>,
    charge: Option<&Charge>,
) -> Vec<Finding> {
    let is_group = |spend: &SpendId| {
        let earlier = journal.history().of_spend(spend);
        earlier.zip(charge).is_some_and(|(a, b)| a.wallet == b.wallet && a.anchor == b.anchor)
    };
    let inputs = dossier.spend.inputs();
    let signed = |outpoint: &OutPoint| journal.signed(outpoint).into_iter().map(|(spend, _)| spend);
    let own = dossier.spend.id();
    let earlier: BTreeSet<_> =
        inputs.iter().flat_map(|input| signed(&input.outpoint)).filter(|spend| *spend != own).collect();
    let others: BTreeSet<_> =
        earlier.iter().filter(|spend| !dead.contains(*spend) && !is_group(spend)).collect();
    let mut findings =
        signed_before(dossier.spend, |outpoint| signed(outpoint).find(|spend| others.contains(spend)));
    let back = dossier.spend.external_outputs().next().is_none();
    findings.extend(earlier.difference(dead).filter(|spend| is_group(spend)).map(|spend| {
        let message = format!("takes the place of spend {spend}, which was signed before");
        match say {
            Say::Operator(_) if back => Finding::ask(Check::SIGNED_BEFORE, message)
                .hint("it takes that payment back, unless that one is mined first"),
            Say::Operator(_) => Finding::ask(Check::SIGNED_BEFORE, message)
                .hint("both pay the same, and only one of them can be mined; compare the fees"),
            Say::Permits(_) => Finding::pass(Check::SIGNED_BEFORE, message),
        }
    }));
    findings.extend(earlier.intersection(dead).map(|spend| {
        Finding::pass(
            Check::SIGNED_BEFORE,
            format!("signed before in spend {spend}, which can never be mined"),
        )
    }));
    if findings.is_empty() {
        findings.push(Finding::pass(Check::SIGNED_BEFORE, "no coin was signed before"));
    }
    findings
}

/// Earlier spends of these coins that can never be mined. A taproot signature commits to all amounts (BIP341): a spend
/// over an amount that the previous transaction now disproves is void, so a lie does not freeze the coin. Of others the
/// permit says it: the gatekeeper sees the chain. A false word gains nobody a second payment, because both spend the coin.
fn never_mined(dossier: &Dossier<'_>, permit: Option<&Permit>, journal: &dyn Journal) -> BTreeSet<SpendId> {
    let mut dead: BTreeSet<_> =
        permit.into_iter().flat_map(|permit| &permit.statement.dead).copied().collect();
    for input in dossier.spend.inputs().iter().filter(|_| dossier.wallet.is_taproot()) {
        if let Previous::Output(output) = dossier.evidence.output(&input.outpoint) {
            let signed = journal.signed(&input.outpoint).into_iter();
            dead.extend(signed.filter(|(_, claimed)| *claimed != output.value).map(|(spend, _)| spend));
        }
    }
    dead
}

fn authorisation(message: impl Into<String>) -> Finding {
    Finding::refuse(Check::AUTHORISATION, message)
}

/// The request's signature and its agreement with the spend. That it is paid once follows from its anchor: every spend
/// of it spends that coin, and earlier ones are judged as replaced.
fn verified_request(dossier: &Dossier<'_>, findings: &mut Vec<Finding>) -> Option<Requester> {
    const HINT: &str = "let a terminal sign the request: `gatekeeper request FILE --key F -o OUT`";
    let Some(signed) = dossier.request else {
        let message = "no request came with the spend, and this key's authority needs one";
        findings.push(authorisation(message).hint(HINT));
        return None;
    };
    match signed.requester() {
        Ok(key) => {
            findings.extend(signed.request.differences(dossier.spend, dossier.now));
            Some(Requester::Key(key))
        }
        Err(error) => {
            findings.push(authorisation(format!("the request: {error}")).hint(HINT));
            None
        }
    }
}

/// One permit that is good for exactly this spend, at this vault, now; otherwise every reason why none is.
fn verified_permit(
    dossier: &Dossier<'_>,
    authority: &Authority,
    journal: &dyn Journal,
    findings: &mut Vec<Finding>,
) -> Option<Permit> {
    let request = dossier.request.map(|signed| signed.request.id());
    let mut reasons = Vec::new();
    for permit in dossier.permits {
        let wrong = permit_objections(dossier, authority, permit, request, journal);
        if wrong.is_empty() {
            let mut permit = permit.clone();
            // Nobody signed the trails of other vaults, so they are not kept.
            permit.trails.retain(|trail| trail.vault == dossier.vault);
            permit.trails.truncate(1);
            return Some(permit);
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
    let named =
        authority.policy.terms().wallets.get(dossier.wallet_name).map(|terms| terms.vaults.as_slice());
    if named.is_some_and(|keys| !keys.is_empty() && !keys.iter().any(|key| vault_id(key) == dossier.vault)) {
        findings.push(authorisation("the policy names other vaults for this wallet than this one"));
    }
    if request.is_some_and(|request| statement.request != request) {
        findings.push(authorisation("the permit is for another request than the one that came with it"));
    } else if dossier.request.is_some_and(|signed| statement.anchor != signed.request.anchor) {
        findings.push(authorisation("the permit names another anchor than its request"));
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
    if statement.vaults.iter().any(|place| place.vault == dossier.vault) {
        findings.extend(off_the_chain(permit, dossier.vault, journal.chain()));
    }
    findings
}

/// Permits of one vault are a chain. They may be used in any order and some never, but two that contradict each other are
/// a fork: two ledgers behind one permit key.
fn off_the_chain(permit: &Permit, vault: VaultId, known: &BTreeMap<u64, [u8; 32]>) -> Option<Finding> {
    let Some(links) = permit.links(vault) else {
        return Some(authorisation("the permit's trail does not lead to its place in this vault's chain"));
    };
    let place = links.last().map_or(0, |(sequence, _)| *sequence);
    let known = |sequence: u64| if sequence == 0 { Some([0; 32]) } else { known.get(&sequence).copied() };
    if links.iter().any(|(sequence, hash)| known(*sequence).is_some_and(|known| known != *hash)) {
        return Some(
            authorisation(format!("permit {place} of this vault contradicts one that was used before")).hint(
                "two gatekeepers may share one permit key, or its ledger was set back: stop and investigate",
            ),
        );
    }
    let touches = links.iter().any(|(sequence, _)| known(*sequence).is_some());
    (!touches).then(|| {
        authorisation(format!("permit {place} does not show how it follows from those that this vault has seen"))
            .hint("bring the vault's receipts to the gatekeeper (`gatekeeper reconcile --receipts F`), then ask again")
    })
}

/// The vault's own latest records, as its counterparts saw them: a vault without them was rolled back or forked.
fn heads(dossier: &Dossier<'_>, permit: Option<&Permit>, journal: &dyn Journal) -> Vec<Finding> {
    let requested = dossier.request.into_iter().flat_map(|signed| &signed.request.heads);
    let permitted = permit.into_iter().flat_map(|permit| &permit.statement.heads);
    let own: BTreeSet<&Head> =
        requested.chain(permitted).filter(|head| head.vault == dossier.vault).collect();
    own.into_iter()
        .filter(|head| journal.record_hash(head.sequence) != Some(head.hash))
        .map(|head| {
            authorisation(format!(
                "this vault gave a receipt for its record {}, which its store does not hold: it was rolled back or forked",
                head.sequence
            ))
            .hint("restore the latest copy of the store; never sign with an older one")
        })
        .collect()
}
