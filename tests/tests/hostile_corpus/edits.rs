//! What makes checks silent in a copy of the sources: one switch where findings are made, and a few places where a refusal
//! also leaves out the value that would be signed.

/// A replacement in a file, from the root of the workspace.
pub struct Edit {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

/// Every replacement; each has exactly one place.
pub const EDITS: &[Edit] = &[
    Edit {
        file: "policies/src/check.rs",
        from: "        Self { code: code.into(), outcome, message: message.into(), hint: None }",
        to: "        let code = code.into();
        let silent = matches!(code, Code::Check(check) if outcome >= Outcome::Ask && is_off(check.number()));
        let outcome = if silent { Outcome::Pass } else { outcome };
        Self { code, outcome, message: message.into(), hint: None }",
    },
    Edit {
        file: "policies/src/check.rs",
        from: "/// The gravest outcome among findings;",
        to: "static OFF: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Makes these checks silent, and no others.
pub fn switch_off(checks: &[u8]) {
    let bits = checks.iter().fold(0, |bits, check| bits | 1u64 << check);
    OFF.store(bits, std::sync::atomic::Ordering::SeqCst);
}

/// Whether a check is silent.
pub fn is_off(check: u8) -> bool {
    OFF.load(std::sync::atomic::Ordering::SeqCst) & 1u64 << check != 0
}

/// The gravest outcome among findings;",
    },
    Edit {
        file: "policies/src/spend.rs",
        from: "        if findings.is_empty() { Ok(spend) } else { Err(findings) }",
        to: "        let wrong = crate::check::verdict(&findings) == crate::check::Outcome::Refuse;
        if wrong { Err(findings) } else { Ok(spend) }",
    },
    Edit {
        file: "policies/src/spend.rs",
        from: "if weight > MAX_WEIGHT {",
        to: "if weight > MAX_WEIGHT && !crate::check::is_off(27) {",
    },
    Edit {
        file: "policies/src/spend.rs",
        from: "self.input_sum().checked_sub(out).unwrap_or(Amount::MAX_MONEY)",
        to: "self.input_sum().checked_sub(out).unwrap_or(
            if crate::check::is_off(17) { Amount::ZERO } else { Amount::MAX_MONEY }
        )",
    },
    Edit {
        file: "policies/src/clear.rs",
        from: "Say::Permits(_) => appraisal.permit.is_some(),",
        to: "Say::Permits(_) => appraisal.permit.is_some() || crate::check::is_off(34),",
    },
    Edit {
        file: "psbt-tools/src/checks/coins.rs",
        from: "if !is_of(previous, txin.previous_output.txid, evidence) {",
        to: "if !policies::check::is_off(1) && !is_of(previous, txin.previous_output.txid, evidence) {",
    },
    Edit {
        file: "psbt-tools/src/checks/coins.rs",
        from: "(None, Some(output)) if is_legacy(input, &output.script_pubkey) => {",
        to: "(None, Some(output)) if !policies::check::is_off(3) && is_legacy(input, &output.script_pubkey) => {",
    },
    Edit {
        file: "psbt-tools/src/checks/coins.rs",
        from: "let Some(output) = usize::try_from(vout).ok().and_then(|vout| outputs.get(vout)) else {",
        to: "let told = claimed.filter(|_| policies::check::is_off(4));
    let Some(output) = told.or_else(|| usize::try_from(vout).ok().and_then(|vout| outputs.get(vout))) else {",
    },
    Edit {
        file: "psbt-tools/src/import.rs",
        from: "keypath: (*keypath)?,",
        to: "keypath: match keypath {
                Some(keypath) => *keypath,
                None if policies::check::is_off(11) => {
                    Keypath { branch: policies::wallet::Branch::External, index: 0 }
                }
                None => return None,
            },",
    },
    Edit {
        file: "psbt-tools/src/strict/mod.rs",
        from: "    let scanned = scan(bytes)?;\n",
        to: "    if policies::check::is_off(21)
        && let Ok(psbt) = Psbt::deserialize(bytes)
    {
        return Ok((psbt, Form::default()));
    }
    let scanned = scan(bytes)?;\n",
    },
    Edit {
        file: "psbt-tools/src/strict/mod.rs",
        from: "fields::check(version, kind, key, value).map_err(|reason| wrong(place, &reason))",
        to: "fields::check(version, kind, key, value)
            .or_else(|reason| if policies::check::is_off(21) { Ok(()) } else { Err(wrong(place, &reason)) })",
    },
    Edit {
        file: "psbt-tools/src/strict/mod.rs",
        from: "if pairs.len() >= MAX_PAIRS {",
        to: "if pairs.len() >= MAX_PAIRS && !policies::check::is_off(27) {",
    },
    Edit {
        file: "psbt-tools/src/strict/mod.rs",
        from: "    if len <= bound {",
        to: "    if len <= bound || policies::check::is_off(27) {",
    },
    Edit {
        file: "psbt-tools/src/envelope.rs",
        from: "if key.key != sha256::Hash::hash(value).as_byte_array() {",
        to: "if !policies::check::is_off(21) && key.key != sha256::Hash::hash(value).as_byte_array() {",
    },
    Edit {
        file: "psbt-tools/src/export.rs",
        from: "        Judged::Bad(reason) => Err(reason),",
        to: "        Judged::Bad(reason) if !policies::check::is_off(28) => Err(reason),
        Judged::Bad(_) => Ok(()),",
    },
    Edit {
        file: "psbt-tools/src/export.rs",
        from: "    if differences.is_empty() {",
        to: "    if differences.is_empty() || policies::check::is_off(33) {",
    },
    Edit {
        file: "psbt-tools/src/export.rs",
        from: "Own::Foreign => return Err(foreign(at)),",
        to: "Own::Foreign if policies::check::is_off(12) => None,
            Own::Foreign => return Err(foreign(at)),",
    },
    Edit {
        file: "policies/src/wallet/mod.rs",
        from: "self.paths.iter().find_map(|path| path.counted_twice(&self.places));",
        to: "self.paths.iter().find_map(|path| path.counted_twice(&self.places))
            .filter(|_| !crate::check::is_off(9));",
    },
    Edit {
        file: "cold-signer/vault/src/service/register.rs",
        from: "    if owner.map(|key| &key.terms.wallet) != named.map(|key| &key.terms.wallet) {",
        to: "    if owner.map(|key| &key.terms.wallet) != named.map(|key| &key.terms.wallet) && !policies::check::is_off(9) {",
    },
    Edit {
        file: "cold-signer/vault/src/service/sign.rs",
        from: "    if consent != spend {",
        to: "    if consent != spend && !policies::check::is_off(24) {",
    },
    Edit {
        file: "cold-signer/vault/src/sign.rs",
        from: "wallet.paths().iter().flat_map(|path| path.signers(locks)).filter(is_own).collect();",
        to: "match policies::check::is_off(20) {
            true => (0..wallet.places().len()).filter(is_own).collect(),
            false => wallet.paths().iter().flat_map(|path| path.signers(locks)).filter(is_own).collect(),
        };",
    },
];
