//! C01 to C04: what each input spends, and whether its previous transaction proves it. C21: scripts that belong to it.

use bitcoin::psbt::Input;
use bitcoin::{Psbt, Script, ScriptBuf, Transaction, TxIn, TxOut, Txid};
use policies::check::{Check, Finding};
use policies::evidence::Evidence;

/// What an input spends, as far as it is established.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Coin {
    /// The previous output; `None` where a check refused or the file does not say.
    pub output: Option<TxOut>,
    /// Whether the previous transaction is there and hashes to the outpoint's txid.
    pub proven: bool,
}

/// Establishes every input's coin; all that contradicts itself or is missing is added to the findings. Previous
/// transactions that the evidence holds are hashed already.
pub(crate) fn establish(psbt: &Psbt, evidence: &Evidence, findings: &mut Vec<Finding>) -> Vec<Coin> {
    for (at, (txin, input)) in psbt.unsigned_tx.input.iter().zip(&psbt.inputs).enumerate() {
        if input.non_witness_utxo.is_none() && input.witness_utxo.is_none() {
            findings.push(
                Finding::refuse(
                    Check::PREVIOUS_TRANSACTION,
                    format!(
                        "input {at} spends {}, and nothing says what that is worth",
                        txin.previous_output
                    ),
                )
                .hint("let the watch-node build the PSBT: it adds every previous transaction"),
            );
        }
    }
    told(psbt, evidence, findings)
}

/// Every input's coin as far as the file tells of it; only what contradicts itself is added to the findings.
pub(crate) fn as_told(psbt: &Psbt, findings: &mut Vec<Finding>) -> Vec<Coin> {
    told(psbt, &Evidence::default(), findings)
}

fn told(psbt: &Psbt, evidence: &Evidence, findings: &mut Vec<Finding>) -> Vec<Coin> {
    let mut coins = Vec::with_capacity(psbt.inputs.len());
    for (at, (txin, input)) in psbt.unsigned_tx.input.iter().zip(&psbt.inputs).enumerate() {
        let coin = match (&input.non_witness_utxo, &input.witness_utxo) {
            (Some(previous), claimed) => {
                if !is_of(previous, txin.previous_output.txid, evidence) {
                    findings.push(
                        Finding::refuse(
                            Check::PREVIOUS_TRANSACTION,
                            format!(
                                "input {at} spends {}, but the transaction given for it is {}",
                                txin.previous_output,
                                previous.compute_txid()
                            ),
                        )
                        .hint("whoever made this file lied about an amount; do not use their files"),
                    );
                    Coin::default()
                } else {
                    indexed(at, txin.previous_output.vout, &previous.output, claimed.as_ref(), findings)
                }
            }
            (None, Some(output)) if is_legacy(input, &output.script_pubkey) => {
                findings.push(
                    Finding::refuse(
                        Check::LEGACY_WITNESS_UTXO,
                        format!("input {at} is of a legacy script and has a witness UTXO only: its amount is not signed"),
                    )
                    .hint("let the program that made the PSBT add the previous transaction"),
                );
                Coin::default()
            }
            (None, Some(output)) => Coin { output: Some(output.clone()), proven: false },
            (None, None) => Coin::default(),
        };
        coins.push(coin);
    }
    for (at, (input, coin)) in psbt.inputs.iter().zip(&coins).enumerate() {
        if let Some(output) = &coin.output {
            findings.extend(scripts(at, input, &output.script_pubkey));
        }
    }
    coins
}

/// C01 for whoever is about to sign: signatures of segwit version 0 commit only to the input's own amount, so that one lie
/// in any input makes a fee. Signatures that are there were made over the amounts that the file names.
pub(crate) fn unproven(psbt: &Psbt, coins: &[Coin], findings: &mut Vec<Finding>) {
    let known = || coins.iter().filter_map(|coin| coin.output.as_ref());
    if known().all(|output| output.script_pubkey.is_p2tr()) {
        return;
    }
    for (at, (coin, txin)) in coins.iter().zip(&psbt.unsigned_tx.input).enumerate() {
        if coin.output.is_some() && !coin.proven {
            findings.push(
                Finding::refuse(
                    Check::PREVIOUS_TRANSACTION,
                    format!(
                        "the previous transaction of input {at}, {}, is missing: its amount is unproven",
                        txin.previous_output
                    ),
                )
                .hint("let the watch-node build the PSBT: it adds every previous transaction"),
            );
        }
    }
}

/// The script that a signature refers to: the redeem script of a nested output, else the output's own.
pub(crate) fn inner_script<'a>(input: &'a Input, script: &'a Script) -> &'a Script {
    match &input.redeem_script {
        Some(redeem) if script.is_p2sh() => redeem,
        _ => script,
    }
}

/// Whether a transaction has this txid: it is the one that the evidence hashed to it, or hashes to it now.
fn is_of(previous: &Transaction, txid: Txid, evidence: &Evidence) -> bool {
    match evidence.transaction(&txid) {
        None => previous.compute_txid() == txid,
        Some(known) => {
            let same_input = |(a, b): (&TxIn, &TxIn)| {
                (a.previous_output, a.sequence, &a.script_sig)
                    == (b.previous_output, b.sequence, &b.script_sig)
            };
            (known.version, known.lock_time, known.input.len())
                == (previous.version, previous.lock_time, previous.input.len())
                && known.input.iter().zip(&previous.input).all(same_input)
                && known.output == previous.output
        }
    }
}

fn indexed(
    at: usize,
    vout: u32,
    outputs: &[TxOut],
    claimed: Option<&TxOut>,
    findings: &mut Vec<Finding>,
) -> Coin {
    let Some(output) = usize::try_from(vout).ok().and_then(|vout| outputs.get(vout)) else {
        findings.push(Finding::refuse(
            Check::OUTPUT_INDEX,
            format!("input {at} spends output {vout} of a transaction that has {} outputs", outputs.len()),
        ));
        return Coin::default();
    };
    if let Some(claimed) = claimed.filter(|claimed| *claimed != output) {
        findings.push(
            Finding::refuse(
                Check::WITNESS_UTXO,
                format!(
                    "input {at} is said to be {} sat to {}, its transaction says {} sat to {}",
                    claimed.value.to_sat(),
                    claimed.script_pubkey.to_hex_string(),
                    output.value.to_sat(),
                    output.script_pubkey.to_hex_string()
                ),
            )
            .hint("whoever made this file lied about an amount; do not use their files"),
        );
    }
    Coin { output: Some(output.clone()), proven: true }
}

/// The redeem script that a finalised scriptSig pushes and nothing else, when it is the output's (BIP141, "P2WPKH nested
/// in BIP16 P2SH").
pub(crate) fn pushed_redeem_script(input: &Input, script: &Script) -> Option<ScriptBuf> {
    let (len, pushed) = input.final_script_sig.as_ref()?.as_bytes().split_first()?;
    let redeem = ScriptBuf::from_bytes(pushed.to_vec());
    let whole = usize::from(*len) == pushed.len();
    (whole && redeem.to_p2sh().as_script() == script).then_some(redeem)
}

fn is_legacy(input: &Input, script: &Script) -> bool {
    let nested = pushed_redeem_script(input, script).is_some_and(|redeem| redeem.is_witness_program());
    !nested && !inner_script(input, script).is_witness_program()
}

/// C21 for outputs: the scripts that the file tells of are theirs (BIP174, "PSBT_OUT_REDEEM_SCRIPT").
pub(crate) fn output_scripts(psbt: &Psbt, findings: &mut Vec<Finding>) {
    for (at, (txout, output)) in psbt.unsigned_tx.output.iter().zip(&psbt.outputs).enumerate() {
        let (redeem, witness) = (&output.redeem_script, &output.witness_script);
        if let Some(what) = mismatch(&txout.script_pubkey, redeem.as_deref(), witness.as_deref()) {
            findings.push(broken(format!("output {at}: {what} is not the one of its script")));
        }
    }
}

/// C21: redeem and witness scripts hash to what they stand for (BIP174, "Signer").
fn scripts(at: usize, input: &Input, script: &Script) -> Option<Finding> {
    let what = mismatch(script, input.redeem_script.as_deref(), input.witness_script.as_deref())?;
    Some(broken(format!("input {at}: {what} is not the one of the output it spends")))
}

fn mismatch(script: &Script, redeem: Option<&Script>, witness: Option<&Script>) -> Option<&'static str> {
    if redeem.is_some_and(|redeem| script != redeem.to_p2sh().as_script()) {
        return Some("the redeem script");
    }
    let inner = redeem.unwrap_or(script);
    // A nested output's redeem script is the witness program itself, so that it is known without being told.
    let fits = |witness: &Script| {
        let program = witness.to_p2wsh();
        inner == program.as_script() || (redeem.is_none() && *script == *program.to_p2sh())
    };
    witness.is_some_and(|witness| !fits(witness)).then_some("the witness script")
}

fn broken(message: String) -> Finding {
    Finding::refuse(Check::STRICT_PSBT, message).hint("let the program that made the PSBT write it again")
}
