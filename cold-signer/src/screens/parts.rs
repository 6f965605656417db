//! The parts of a review.

use bitcoin::{Address, Amount, Network, ScriptBuf, Weight};
use cold_wire::{Replaced, Review, Voucher};
use policies::check::{Finding, Outcome};
use policies::request::{Recipient, payment_number};
use policies::text::utc_text;
use psbt_tools::display::{address_text, escape, escape_bytes, hash_words, hex};
use psbt_tools::manifest::Manifest;
use psbt_tools::money::{Feerate, amount_text};

/// Which coins these are, loudly where they are worth nothing.
pub fn network(network: Network) -> String {
    match network {
        Network::Bitcoin => "network: bitcoin (mainnet)".to_owned(),
        other => {
            format!("*** {} *** test coins, not bitcoin's main network", other.to_string().to_uppercase())
        }
    }
}

/// The warning on every page of a machine that is not offline.
pub fn live_network(interfaces: &[String]) -> Option<String> {
    (!interfaces.is_empty()).then(|| {
        let names: Vec<String> = interfaces.iter().map(|name| escape(name)).collect();
        format!("WARNING: this machine has a live network: {}", names.join(", "))
    })
}

/// What the file says of itself, before what the vault says of it.
pub fn claims(manifest: Option<&Manifest>) -> Vec<String> {
    let Some(manifest) = manifest else { return vec![] };
    let mut lines = vec!["The file says of itself, and nobody has proven it:".to_owned()];
    lines.extend(manifest.lines().into_iter().map(|line| format!("  {line}")));
    lines
}

/// What for, from which wallet, and who vouches for it.
pub fn voucher(review: &Review) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(voucher) = &review.voucher {
        lines.push(field("Purpose", &escape(&voucher.purpose)));
        lines.push(field("Payment", &payment_number(voucher.payment)));
    }
    lines.push(field("Wallet", &escape(&review.wallet)));
    match (&review.voucher, &review.authority) {
        (Some(voucher), _) => lines.extend(vouched(voucher)),
        (None, Some(company)) => {
            lines.push(field(
                "Vouched by",
                &format!("NOBODY: {} has not permitted this spend", escape(company)),
            ));
        }
        (None, None) => {
            let shared = if !review.path.is_empty() { ", for this vault's signature" } else { "" };
            lines.push(field("Vouched by", &format!("standalone: only you{shared}")));
        }
    }
    lines.extend(review.path.iter().map(|path| field("Path", &escape(path))));
    lines.extend(approved(review));
    lines.extend(replaces(review));
    if review.signed_before {
        lines.push(field("Repeat", "this very spend was signed before; the same signatures are given again"));
    }
    lines
}

fn vouched(voucher: &Voucher) -> Vec<String> {
    let groups: Vec<String> = voucher.groups.iter().map(|group| escape(group)).collect();
    let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
    vec![
        field(
            "Vouched by",
            &format!("{}, policy version {}", escape(&voucher.company), voucher.policy_version),
        ),
        field("Asked by", &format!("{groups}, key {}", escape(&voucher.requester))),
        field("Permit", &format!("number {} for this vault, {}", voucher.sequence, voucher.permit)),
        field("Bitcoin time", &bitcoin_time(voucher.bitcoin_time)),
        field("Valid until", &utc_text(voucher.expires)),
    ]
}

/// Who approves: the names of those whom the policy names.
fn approved(review: &Review) -> Option<String> {
    let mut by: Vec<String> = review.approvals.iter().map(|approval| escape(&approval.by)).collect();
    by.sort();
    by.dedup();
    (!by.is_empty()).then(|| field("Approved by", &by.join(", ")))
}

/// Which earlier spends it takes the place of, and what that does to the fee.
fn replaces(review: &Review) -> Vec<String> {
    let line = |replaced: &Replaced| {
        let rises = if review.fee > replaced.fee { "rises" } else { "does NOT rise" };
        let (old, new) = (amount_text(replaced.fee), amount_text(review.fee));
        field("Replaces", &format!("spend {}; the fee {rises} from {old} to {new}", replaced.spend))
    };
    let mut lines: Vec<String> = review.replaces.iter().map(line).collect();
    if !lines.is_empty() {
        lines.push(field("", "only one of them can be mined"));
    }
    lines
}

/// The time by which windows are counted.
fn bitcoin_time(time: u64) -> String {
    if time == 0 { "unknown: the gatekeeper has seen no block".to_owned() } else { utc_text(time) }
}

/// Every output that leaves the wallet.
pub fn recipients(review: &Review) -> Vec<String> {
    let count = review.recipients.len();
    if count == 0 {
        return vec!["Nothing leaves the wallet but the fee.".to_owned()];
    }
    let mut lines =
        vec![format!("PAYS {} to {count} {}", amount_text(external(review)), plural("recipient", count))];
    for (at, recipient) in review.recipients.iter().enumerate() {
        lines.push(format!("  {} of {count}: {}", at + 1, amount_text(recipient.amount)));
        lines.extend(destination(&recipient.script, review.network));
    }
    lines
}

/// Every own output.
pub fn change(review: &Review) -> Vec<String> {
    let count = review.change.len();
    if count == 0 {
        return vec!["No change: nothing comes back.".to_owned()];
    }
    let mut lines = vec![format!("BACK TO THIS WALLET {}", amount_text(change_sum(review)))];
    for (at, change) in review.change.iter().enumerate() {
        let Recipient { script, amount } = &change.recipient;
        lines.push(format!("  {} of {count}: {}, path {}", at + 1, amount_text(*amount), change.keypath));
        lines.extend(destination(script, review.network));
    }
    lines
}

/// The fee on its three bases, and what the wallet loses altogether.
pub fn fee(review: &Review) -> Vec<String> {
    let rate = Feerate::of(review.fee, Weight::from_wu(review.vsize.saturating_mul(4)))
        .map_or_else(|| "unknown".to_owned(), |rate| format!("{rate} sat/vB"));
    let percent = percent_text(review.fee, external(review))
        .map_or_else(|| "nothing is paid to anybody".to_owned(), |text| format!("{text} of what is paid"));
    let total = external(review).checked_add(review.fee).unwrap_or(Amount::MAX_MONEY);
    vec![
        format!("FEE {}", amount_text(review.fee)),
        format!("  {rate} at {} vB, {percent}", review.vsize),
        format!(
            "  from {} {} with {}",
            review.inputs,
            plural("coin", usize::try_from(review.inputs).unwrap_or(2)),
            amount_text(review.input_sum)
        ),
        format!("TOTAL LEAVING THE WALLET {}", amount_text(total)),
    ]
}

/// Before when the transaction cannot be mined; nothing where nothing holds it back.
pub fn timing(review: &Review) -> Vec<String> {
    if review.timing.is_empty() {
        return vec![];
    }
    let mut lines = vec!["Timing:".to_owned()];
    lines.extend(review.timing.iter().map(|line| format!("  {}", escape(line))));
    lines
}

/// Limits that the vault judged by.
pub fn limits(review: &Review) -> Vec<String> {
    if review.limits.is_empty() {
        return vec!["Limits: none".to_owned()];
    }
    let mut lines = vec!["Limits:".to_owned()];
    lines.extend(review.limits.iter().map(|limit| format!("  {}", escape(limit))));
    lines
}

/// Every finding that is not a pass, the gravest first.
pub fn findings(findings: &[Finding]) -> Vec<String> {
    let mut notable: Vec<&Finding> =
        findings.iter().filter(|finding| finding.outcome > Outcome::Pass).collect();
    let passed = findings.iter().filter(|finding| finding.outcome == Outcome::Pass).count();
    if notable.is_empty() {
        return vec![format!("Checks: {passed} passed, no question")];
    }
    notable.sort_by_key(|finding| (std::cmp::Reverse(finding.outcome), finding.code));
    let mut lines = vec![format!("Checks: {passed} passed, and")];
    for finding in notable {
        lines.extend(finding_lines(finding));
    }
    lines
}

/// One finding with its hint.
pub fn finding_lines(finding: &Finding) -> Vec<String> {
    let word = match finding.outcome {
        Outcome::Refuse => "REFUSES",
        Outcome::Ask => "ASKS",
        Outcome::Pass => "passes",
        Outcome::NotApplicable => "n/a",
    };
    let mut lines = vec![format!("  {} {word}: {}", finding.code, escape(&finding.message))];
    lines.extend(finding.hint.as_ref().map(|hint| format!("    {}", escape(hint))));
    lines
}

/// By what other machines call it.
pub fn identifiers(review: &Review, sha256: [u8; 32]) -> Vec<String> {
    vec![
        field("File SHA-256", &hex(&sha256)),
        field("File words", &hash_words(&sha256)),
        field("Spend", &review.spend.to_string()),
        field("Unsigned txid", &review.unsigned_txid.to_string()),
    ]
}

/// What a one-shot vault does not protect against.
pub fn boundary() -> String {
    "The vault runs under your own user: it protects from hostile files, not from other programs of this user."
        .to_owned()
}

/// What leaves the wallet, without the fee.
pub fn external(review: &Review) -> Amount {
    sum(review.recipients.iter().map(|recipient| recipient.amount))
}

/// What comes back.
pub fn change_sum(review: &Review) -> Amount {
    sum(review.change.iter().map(|change| change.recipient.amount))
}

/// The amounts together; the vault proved that they stay below 21 million BTC.
fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(Amount::MAX_MONEY))
}

/// `1.25 %`, rounded up; `None` of nothing.
fn percent_text(part: Amount, whole: Amount) -> Option<String> {
    let hundredths = (u128::from(part.to_sat()) * 10_000).div_ceil(match whole.to_sat() {
        0 => return None,
        whole => u128::from(whole),
    });
    Some(format!("{}.{:02} %", hundredths / 100, hundredths % 100))
}

/// An address in groups of four, or a script whole: in hexadecimal, and as text where it carries data.
fn destination(script: &ScriptBuf, network: Network) -> Vec<String> {
    if let Ok(address) = Address::from_script(script, network) {
        return vec![format!("    {}", address_text(&address.to_string()))];
    }
    let mut lines = vec![format!("    no address: script {}", hex(script.as_bytes()))];
    if script.is_op_return() {
        lines.push(format!(
            "    data that pays nobody: \"{}\"",
            escape_bytes(script.as_bytes().get(1..).unwrap_or_default())
        ));
    }
    lines
}

fn field(name: &str, value: &str) -> String {
    format!("{name:<14}{value}")
}

fn plural(word: &str, count: usize) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
