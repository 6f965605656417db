//! An inspection as a person reads it: every input, every output, the fee on three bases, what is not in order.

use crate::output::say;
use bitcoin::Amount;
use policies::check::{Finding, Outcome};
use psbt_tools::display::{address_text, escape_bytes, hash_words, hex};
use psbt_tools::inspection::{InputView, Inspection, OutputView};
use psbt_tools::manifest::Manifest;
use psbt_tools::money::amount_text;
use std::fmt::Write;

/// The whole report.
pub fn text(inspection: &Inspection, wallet_given: bool) -> String {
    let mut out = String::new();
    head(&mut out, inspection);
    inputs(&mut out, &inspection.inputs, !inspection.paths.is_empty());
    outputs(&mut out, &inspection.outputs, wallet_given);
    fee(&mut out, inspection);
    paths(&mut out, inspection);
    checks(&mut out, &inspection.findings);
    line(&mut out, format_args!("verdict        {}", inspection.verdict_word()));
    out
}

/// After the report, on standard error: what refuses and what to do next.
pub fn refusals(inspection: &Inspection) {
    for finding in inspection.findings.iter().filter(|finding| finding.outcome == Outcome::Refuse) {
        say(format_args!("error: {}: {}", finding.code, finding.message));
        if let Some(hint) = &finding.hint {
            say(format_args!("hint: {hint}"));
        }
    }
}

fn head(out: &mut String, inspection: &Inspection) {
    // Before everything else, and marked as what nobody has proven.
    for says in inspection.manifest.iter().flat_map(Manifest::lines) {
        line(out, format_args!("{says}"));
    }
    line(out, format_args!("file           SHA-256 {}", hex(&inspection.sha256)));
    line(out, format_args!("words          {}", hash_words(&inspection.sha256)));
    line(
        out,
        format_args!("format         PSBT version {}, {}", inspection.psbt_version, inspection.network),
    );
    line(out, format_args!("unsigned txid  {}", inspection.unsigned_txid));
    match inspection.spend_id {
        Some(id) => line(out, format_args!("spend          {id}")),
        None => line(out, format_args!("spend          none: it is of no registered wallet, or broken")),
    }
}

fn inputs(out: &mut String, inputs: &[InputView], several_keys: bool) {
    line(out, format_args!("\ninputs         {}", inputs.len()));
    for (at, input) in inputs.iter().enumerate() {
        let value = input.value.map_or("amount unknown".to_owned(), amount_text);
        let proven = match (input.proven, input.script_type) {
            (true, _) => "proven",
            // BIP341: the signature commits to the amount, so that a wrong one makes it worthless.
            (false, "p2tr") => "as the signature will commit to",
            (false, _) => "not proven",
        };
        let owner = owner(input.keypath.map(|keypath| keypath.to_string()), "not ours");
        line(out, format_args!("  {at:>3}  {value}  {proven}"));
        line(out, format_args!("       {owner}  {}  {}", input.script_type, input.outpoint));
        line(
            out,
            format_args!(
                "       sequence 0x{:08x}  {}  {} {}",
                input.sequence.to_consensus_u32(),
                input.sighash,
                input.signatures,
                if input.signatures == 1 { "signature" } else { "signatures" }
            ),
        );
        signers(out, input, several_keys);
    }
}

/// Who has signed, where several keys could.
fn signers(out: &mut String, input: &InputView, several_keys: bool) {
    if input.is_final {
        line(out, format_args!("       final: every signature that it needs is there"));
    } else if several_keys && input.keypath.is_some() {
        let names = |names: &[String]| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        line(
            out,
            format_args!("       signed by {}; missing {}", names(&input.signed_by), names(&input.missing)),
        );
    }
}

/// The ways to spend the wallet's coins.
fn paths(out: &mut String, inspection: &Inspection) {
    if inspection.paths.is_empty() {
        return;
    }
    line(out, format_args!("\npaths          {}", inspection.paths.len()));
    // Numbered from 1, as everywhere else: the number is what `watch-node pay --path` takes.
    for (at, path) in (1..).zip(&inspection.paths) {
        let state = match (path.open, path.met) {
            (_, true) => "has its signatures",
            (true, false) => "open to this transaction",
            (false, false) => "not open to this transaction",
        };
        line(out, format_args!("  {at:>3}  {state}: {}", path.text));
    }
    line(out, format_args!("next           {}", inspection.next_role));
}

fn outputs(out: &mut String, outputs: &[OutputView], wallet_given: bool) {
    line(out, format_args!("\noutputs        {}", outputs.len()));
    let stranger = if wallet_given { "recipient" } else { "owner unknown" };
    for (at, output) in outputs.iter().enumerate() {
        let owner = owner(output.keypath.map(|keypath| keypath.to_string()), stranger);
        line(out, format_args!("  {at:>3}  {}  {owner}", amount_text(output.value)));
        match &output.address {
            Some(address) => line(out, format_args!("       {}", address_text(&address.to_string()))),
            None => {
                line(out, format_args!("       script {}", output.script.to_hex_string()));
                line(out, format_args!("       text   \"{}\"", escape_bytes(output.script.as_bytes())));
            }
        }
    }
}

fn fee(out: &mut String, inspection: &Inspection) {
    let Some(fee) = inspection.fee else {
        line(
            out,
            format_args!("\nfee            unknown: not every amount is known, or outputs exceed inputs"),
        );
        return;
    };
    line(out, format_args!("\nfee            {}", amount_text(fee)));
    if let Some(feerate) = inspection.feerate {
        line(out, format_args!("               {feerate} sat/vB"));
    }
    match inspection.external {
        None => line(out, format_args!("               percent unknown without the wallet's descriptor")),
        Some(Amount::ZERO) => line(out, format_args!("               nothing leaves the wallet but the fee")),
        Some(external) => {
            line(out, format_args!("               {} of what recipients get", percent(fee, external)));
            line(out, format_args!("recipients     {}", amount_text(external)));
        }
    }
}

/// Percent with two decimals, rounded up, made from integers.
fn percent(fee: Amount, external: Amount) -> String {
    let hundredths =
        u128::from(fee.to_sat()).saturating_mul(10_000).div_ceil(u128::from(external.to_sat()).max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn checks(out: &mut String, findings: &[Finding]) {
    let of = |outcome: Outcome| findings.iter().filter(move |finding| finding.outcome == outcome);
    line(
        out,
        format_args!(
            "\nchecks         {} pass, {} ask, {} refuse, {} not applicable",
            of(Outcome::Pass).count(),
            of(Outcome::Ask).count(),
            of(Outcome::Refuse).count(),
            of(Outcome::NotApplicable).count()
        ),
    );
    for finding in of(Outcome::Refuse).chain(of(Outcome::Ask)) {
        line(out, format_args!("  {}  {}  {}", finding.code, finding.outcome.as_str(), finding.message));
        if let Some(hint) = &finding.hint {
            line(out, format_args!("       hint: {hint}"));
        }
    }
}

fn owner(keypath: Option<String>, stranger: &str) -> String {
    keypath.map_or(stranger.to_owned(), |keypath| format!("ours at {keypath}"))
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
