//! BIP322's required and upgradeable rules, judged on how an input's script runs.
//!
//! Whether the script is satisfied at all is decided by Bitcoin Core's engine ([`super::engine`]), which knows consensus
//! rules only. This is a second, smaller run with the stricter rules, and with signatures verified by other code: both must
//! agree. It knows the operations that wallets use; a script with others is inconclusive, as BIP322 allows.

mod machine;
mod signatures;

use bitcoin::hashes::Hash;
use bitcoin::key::XOnlyPublicKey;
use bitcoin::opcodes::all::{OP_CODESEPARATOR, OP_NOP1, OP_NOP4, OP_NOP10};
use bitcoin::opcodes::{Class, ClassifyContext, Opcode};
use bitcoin::script::Instruction;
use bitcoin::secp256k1::XOnlyPublicKey as Key;
use bitcoin::taproot::{ControlBlock, LeafVersion, TAPROOT_ANNEX_PREFIX};
use bitcoin::{PubkeyHash, Script, ScriptBuf, TapLeafHash, Transaction, TxOut};
use machine::Machine;
use policies::wallet::secp;
use signatures::{Checker, Rules};

/// Why an input is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A required rule is broken.
    Broken(String),
    /// It cannot be judged here: an upgradeable rule, or a script that is not understood.
    Unknown(String),
}

pub(super) fn broken<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Broken(reason.into()))
}

pub(super) fn unknown<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unknown(reason.into()))
}

/// Judges the inputs of one transaction.
pub(super) struct Judge<'a> {
    checker: Checker<'a>,
}

impl<'a> Judge<'a> {
    /// The transaction and what its inputs spend, in their order.
    pub(super) fn new(transaction: &'a Transaction, prevouts: &'a [TxOut]) -> Self {
        Self { checker: Checker::new(transaction, prevouts) }
    }

    /// Runs one input's script.
    ///
    /// # Errors
    /// [`Fault`] says which rule it breaks, or why it is not judged. A script that is satisfied without any signature is
    /// not judged: everyone could satisfy it, for every message.
    pub(super) fn input(&mut self, at: usize) -> Result<(), Fault> {
        self.checker.turn_to(at);
        let (Some(input), Some(output)) = (self.checker.input(), self.checker.output()) else {
            return broken("there is no such input");
        };
        let script = &output.script_pubkey;
        let witness: Vec<&[u8]> = input.witness.iter().collect();
        if script.is_witness_program() {
            if !input.script_sig.is_empty() {
                return broken("a native segwit input has a scriptSig");
            }
            self.witness_program(script, &witness, false)?;
        } else {
            let mut stack = pushes(&input.script_sig)?;
            if script.is_p2sh() {
                let Some(redeem) = stack.pop().map(ScriptBuf::from_bytes) else {
                    return broken("the redeem script is missing");
                };
                if redeem.to_p2sh() != *script {
                    return broken("the redeem script is not the address's");
                }
                if redeem.is_witness_program() {
                    if !stack.is_empty() {
                        return broken(
                            "a nested segwit input has more than its redeem script in the scriptSig",
                        );
                    }
                    self.witness_program(&redeem, &witness, true)?;
                } else {
                    self.legacy(&redeem, stack, &witness)?;
                }
            } else {
                self.legacy(script, stack, &witness)?;
            }
        }
        if self.checker.verified == 0 {
            return unknown("its script needs no signature: everyone could satisfy it");
        }
        Ok(())
    }

    fn legacy(&mut self, script: &Script, stack: Vec<Vec<u8>>, witness: &[&[u8]]) -> Result<(), Fault> {
        if !witness.is_empty() {
            return broken("a legacy input has a witness");
        }
        self.run(script, stack, Rules::Legacy)
    }

    /// BIP141's witness programs.
    fn witness_program(&mut self, program: &Script, witness: &[&[u8]], nested: bool) -> Result<(), Fault> {
        let stack = |items: &[&[u8]]| items.iter().map(|item| item.to_vec()).collect::<Vec<_>>();
        if program.is_p2wpkh() {
            let hash = program.as_bytes().get(2..).and_then(|hash| PubkeyHash::from_slice(hash).ok());
            let (Some(hash), [_, _]) = (hash, witness) else {
                return broken("its witness is not a signature and a key");
            };
            return self.run(&ScriptBuf::new_p2pkh(&hash), stack(witness), Rules::SegwitV0);
        }
        if program.is_p2wsh() {
            let Some((script, items)) = witness.split_last() else {
                return broken("the witness script is missing");
            };
            let script = Script::from_bytes(script);
            if script.to_p2wsh().as_script() != program {
                return broken("the witness script is not the address's");
            }
            return self.run(script, stack(items), Rules::SegwitV0);
        }
        match program.as_bytes().get(2..).and_then(|key| Key::from_slice(key).ok()) {
            Some(key) if program.is_p2tr() && !nested => self.taproot(key, witness),
            _ => unknown("its witness program is of a version or length that has no rules yet"),
        }
    }

    /// BIP341's key path and script path.
    fn taproot(&mut self, output_key: XOnlyPublicKey, witness: &[&[u8]]) -> Result<(), Fault> {
        let annex = |last: &[u8]| last.first() == Some(&TAPROOT_ANNEX_PREFIX);
        match witness {
            [] => broken("its witness is empty"),
            [.., last] if witness.len() > 1 && annex(last) => {
                unknown("its witness has an annex, which has no meaning yet")
            }
            [signature] => self.checker.key_path(&output_key, signature),
            [items @ .., script, control] => {
                let Ok(control) = ControlBlock::decode(control) else {
                    return broken("its control block is malformed");
                };
                let script = Script::from_bytes(script);
                if !control.verify_taproot_commitment(secp(), output_key, script) {
                    return broken("the script is no leaf of the address");
                }
                if control.leaf_version != LeafVersion::TapScript {
                    return unknown("its leaf version has no rules yet");
                }
                if let Some(opcode) = succeeding(script) {
                    return unknown(format!("{opcode} has no rules yet"));
                }
                let stack = items.iter().map(|item| item.to_vec()).collect();
                let leaf = TapLeafHash::from_script(script, LeafVersion::TapScript);
                self.run(script, stack, Rules::Tapscript(leaf))
            }
        }
    }

    fn run(&mut self, script: &Script, stack: Vec<Vec<u8>>, rules: Rules) -> Result<(), Fault> {
        let instructions = instructions(script)?;
        Machine::new(&mut self.checker, script, rules, stack).run(&instructions)
    }
}

/// The script's instructions, minimal pushes only.
fn instructions(script: &Script) -> Result<Vec<Instruction<'_>>, Fault> {
    let mut instructions = Vec::new();
    for instruction in script.instructions_minimal() {
        match instruction {
            Ok(Instruction::Op(OP_CODESEPARATOR)) => return broken("OP_CODESEPARATOR is forbidden"),
            Ok(instruction) => instructions.push(instruction),
            Err(error) => return broken(format!("its script is malformed: {error}")),
        }
    }
    Ok(instructions)
}

/// What a scriptSig pushes.
fn pushes(script_sig: &Script) -> Result<Vec<Vec<u8>>, Fault> {
    let pushed = |instruction: &Instruction<'_>| match instruction {
        Instruction::PushBytes(bytes) => Some(bytes.as_bytes().to_vec()),
        Instruction::Op(opcode) => small_number(*opcode),
    };
    match instructions(script_sig)?.iter().map(pushed).collect() {
        Some(pushes) => Ok(pushes),
        None => unknown("its scriptSig does more than push"),
    }
}

/// What `OP_1NEGATE` and `OP_1` to `OP_16` push.
fn small_number(opcode: Opcode) -> Option<Vec<u8>> {
    let Class::PushNum(number) = opcode.classify(ClassifyContext::Legacy) else { return None };
    Some(vec![u8::try_from(number).unwrap_or(0x81)])
}

/// The first opcode that makes a tapscript succeed whatever else it says (BIP342, `OP_SUCCESSx`).
fn succeeding(script: &Script) -> Option<Opcode> {
    script.instructions().map_while(Result::ok).find_map(|instruction| match instruction {
        Instruction::Op(opcode) => {
            matches!(opcode.classify(ClassifyContext::TapScript), Class::SuccessOp).then_some(opcode)
        }
        Instruction::PushBytes(_) => None,
    })
}

/// Whether an opcode is kept for upgrades: `OP_NOP1`, and `OP_NOP4` to `OP_NOP10`.
fn is_reserved_nop(opcode: Opcode) -> bool {
    opcode == OP_NOP1 || (OP_NOP4.to_u8()..=OP_NOP10.to_u8()).contains(&opcode.to_u8())
}

#[cfg(test)]
mod tests;
