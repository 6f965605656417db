//! Runs a script under BIP322's rules: `MINIMALDATA`, `MINIMALIF`, `CLEANSTACK`, `NULLFAIL`.

use super::signatures::{Checker, Rules};
use super::{Fault, broken, is_reserved_nop, small_number, unknown};
use bitcoin::Script;
use bitcoin::hashes::{Hash, hash160, ripemd160, sha256, sha256d};
use bitcoin::opcodes::Opcode;
use bitcoin::opcodes::all as op;
use bitcoin::script::Instruction;

/// Most keys of `OP_CHECKMULTISIG` (consensus).
const MAX_KEYS: i64 = 20;

const TRUE: &[u8] = &[1];

pub(super) struct Machine<'m, 'a> {
    checker: &'m mut Checker<'a>,
    script: &'m Script,
    rules: Rules,
    stack: Vec<Vec<u8>>,
    aside: Vec<Vec<u8>>,
    /// One for each open `OP_IF`: whether its present branch is taken.
    branches: Vec<bool>,
}

impl<'m, 'a> Machine<'m, 'a> {
    pub(super) fn new(
        checker: &'m mut Checker<'a>,
        script: &'m Script,
        rules: Rules,
        stack: Vec<Vec<u8>>,
    ) -> Self {
        Self { checker, script, rules, stack, aside: Vec::new(), branches: Vec::new() }
    }

    /// Runs to the end, where exactly one true item must be left.
    pub(super) fn run(mut self, instructions: &[Instruction<'_>]) -> Result<(), Fault> {
        for instruction in instructions {
            self.step(instruction)?;
        }
        match self.stack.as_slice() {
            _ if !self.branches.is_empty() => broken("OP_IF without OP_ENDIF"),
            [only] if is_true(only) => Ok(()),
            [_] => broken("its script ends in false"),
            items => broken(format!("its script leaves {} items, expected one", items.len())),
        }
    }

    fn step(&mut self, instruction: &Instruction<'_>) -> Result<(), Fault> {
        let taken = self.branches.iter().all(|taken| *taken);
        match instruction {
            Instruction::Op(opcode) if is_branch(*opcode) => self.branch(*opcode, taken),
            _ if !taken => Ok(()),
            Instruction::PushBytes(bytes) => self.push(bytes.as_bytes()),
            Instruction::Op(opcode) => match small_number(*opcode) {
                Some(number) => self.push(&number),
                None => self.operate(*opcode),
            },
        }
    }

    fn branch(&mut self, opcode: Opcode, taken: bool) -> Result<(), Fault> {
        match opcode {
            op::OP_IF | op::OP_NOTIF => {
                let mut entered = false;
                if taken {
                    entered = match self.pop()?.as_slice() {
                        [] => opcode == op::OP_NOTIF,
                        TRUE => opcode == op::OP_IF,
                        _ => return broken("the argument of OP_IF is neither 1 nor empty"),
                    };
                }
                self.branches.push(entered);
                Ok(())
            }
            op::OP_ELSE => match self.branches.last_mut() {
                Some(last) => {
                    *last = !*last;
                    Ok(())
                }
                None => broken("OP_ELSE without OP_IF"),
            },
            _ => match self.branches.pop() {
                Some(_) => Ok(()),
                None => broken("OP_ENDIF without OP_IF"),
            },
        }
    }

    /// The operations of miniscript, and the few more that wallets write by hand.
    fn operate(&mut self, opcode: Opcode) -> Result<(), Fault> {
        match opcode {
            op::OP_NOP => Ok(()),
            op::OP_VERIFY => self.verify(),
            op::OP_TOALTSTACK => {
                let item = self.pop()?;
                self.aside.push(item);
                Ok(())
            }
            op::OP_FROMALTSTACK => match self.aside.pop() {
                Some(item) => self.push(&item),
                None => broken("the second stack is empty"),
            },
            op::OP_DROP => self.pop().map(drop),
            op::OP_2DROP => self.pop().and_then(|_| self.pop()).map(drop),
            op::OP_DUP => self.top().and_then(|top| self.push(&top)),
            op::OP_IFDUP => {
                let top = self.top()?;
                if is_true(&top) { self.push(&top) } else { Ok(()) }
            }
            op::OP_SWAP => {
                let (above, below) = (self.pop()?, self.pop()?);
                self.push(&above)?;
                self.push(&below)
            }
            op::OP_SIZE => {
                let len = i64::try_from(self.top()?.len()).unwrap_or(i64::MAX);
                self.push(&encoded(len))
            }
            op::OP_EQUAL => self.equal(),
            op::OP_EQUALVERIFY => self.equal().and_then(|()| self.verify()),
            op::OP_0NOTEQUAL | op::OP_NOT => {
                let zero = self.number(4)? == 0;
                self.push_bool(zero == (opcode == op::OP_NOT))
            }
            op::OP_ADD => {
                let (above, below) = (self.number(4)?, self.number(4)?);
                // Two numbers of four bytes do not overflow eight.
                self.push(&encoded(above.saturating_add(below)))
            }
            op::OP_BOOLAND | op::OP_BOOLOR | op::OP_NUMEQUAL | op::OP_NUMEQUALVERIFY => {
                let (above, below) = (self.number(4)?, self.number(4)?);
                self.push_bool(match opcode {
                    op::OP_BOOLAND => above != 0 && below != 0,
                    op::OP_BOOLOR => above != 0 || below != 0,
                    _ => above == below,
                })?;
                if opcode == op::OP_NUMEQUALVERIFY { self.verify() } else { Ok(()) }
            }
            op::OP_RIPEMD160 => self.hash(|item| ripemd160::Hash::hash(item).to_byte_array().to_vec()),
            op::OP_SHA256 => self.hash(|item| sha256::Hash::hash(item).to_byte_array().to_vec()),
            op::OP_HASH160 => self.hash(|item| hash160::Hash::hash(item).to_byte_array().to_vec()),
            op::OP_HASH256 => self.hash(|item| sha256d::Hash::hash(item).to_byte_array().to_vec()),
            op::OP_CHECKSIG => self.check_signature(),
            op::OP_CHECKSIGVERIFY => self.check_signature().and_then(|()| self.verify()),
            op::OP_CHECKSIGADD => self.add_signature(),
            op::OP_CHECKMULTISIG => self.check_several(),
            op::OP_CHECKMULTISIGVERIFY => self.check_several().and_then(|()| self.verify()),
            op::OP_CLTV => {
                let wanted = self.peeked_number(5)?;
                self.checker.locked_until(wanted)
            }
            op::OP_CSV => {
                let wanted = self.peeked_number(5)?;
                self.checker.aged(wanted)
            }
            reserved if is_reserved_nop(reserved) => unknown(format!("{reserved} is reserved for upgrades")),
            other => unknown(format!("{other} is not understood here")),
        }
    }

    fn check_signature(&mut self) -> Result<(), Fault> {
        let (key, signature) = (self.pop()?, self.pop()?);
        let good = self.checker.check(self.rules, self.script, &key, &signature)?;
        self.push_bool(good)
    }

    /// `OP_CHECKSIGADD` (BIP342).
    fn add_signature(&mut self) -> Result<(), Fault> {
        if !matches!(self.rules, Rules::Tapscript(_)) {
            return broken("OP_CHECKSIGADD is of tapscript only");
        }
        let (key, sum, signature) = (self.pop()?, self.number(4)?, self.pop()?);
        let good = self.checker.check(self.rules, self.script, &key, &signature)?;
        self.push(&encoded(sum.saturating_add(i64::from(good))))
    }

    /// `OP_CHECKMULTISIG`: each signature fits a key, in the keys' order; all are empty otherwise.
    fn check_several(&mut self) -> Result<(), Fault> {
        if matches!(self.rules, Rules::Tapscript(_)) {
            return broken("OP_CHECKMULTISIG is not of tapscript");
        }
        let keys = self.several(MAX_KEYS)?;
        let most = i64::try_from(keys.len()).unwrap_or(MAX_KEYS);
        let signatures = self.several(most)?;
        if !self.pop()?.is_empty() {
            return broken("the extra item of OP_CHECKMULTISIG is not empty");
        }
        let mut keys = keys.iter();
        for signature in &signatures {
            let mut fits = false;
            for key in keys.by_ref() {
                fits = self.checker.fits(self.rules, self.script, key, signature)?;
                if fits {
                    break;
                }
            }
            if !fits {
                return match signatures.iter().all(Vec::is_empty) {
                    true => self.push_bool(false),
                    false => broken("a signature does not verify"),
                };
            }
        }
        self.push_bool(true)
    }

    /// A count and so many items, the topmost first.
    fn several(&mut self, most: i64) -> Result<Vec<Vec<u8>>, Fault> {
        let count = self.number(4)?;
        if !(0..=most).contains(&count) {
            return broken(format!("{count} items of OP_CHECKMULTISIG, at most {most} are possible"));
        }
        (0..count).map(|_| self.pop()).collect()
    }

    fn hash(&mut self, hash: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Fault> {
        let item = self.pop()?;
        self.push(&hash(&item))
    }

    fn equal(&mut self) -> Result<(), Fault> {
        let same = self.pop()? == self.pop()?;
        self.push_bool(same)
    }

    fn verify(&mut self) -> Result<(), Fault> {
        if is_true(&self.pop()?) { Ok(()) } else { broken("a condition of its script does not hold") }
    }

    fn push(&mut self, item: &[u8]) -> Result<(), Fault> {
        self.stack.push(item.to_vec());
        Ok(())
    }

    fn push_bool(&mut self, value: bool) -> Result<(), Fault> {
        self.push(if value { TRUE } else { &[] })
    }

    fn pop(&mut self) -> Result<Vec<u8>, Fault> {
        self.stack.pop().map_or_else(|| broken("the stack is empty"), Ok)
    }

    fn top(&self) -> Result<Vec<u8>, Fault> {
        self.stack.last().cloned().map_or_else(|| broken("the stack is empty"), Ok)
    }

    fn number(&mut self, max_len: usize) -> Result<i64, Fault> {
        decoded(&self.pop()?, max_len)
    }

    fn peeked_number(&self, max_len: usize) -> Result<i64, Fault> {
        decoded(&self.top()?, max_len)
    }
}

fn is_branch(opcode: Opcode) -> bool {
    matches!(opcode, op::OP_IF | op::OP_NOTIF | op::OP_ELSE | op::OP_ENDIF)
}

/// Everything but zero, and zero with a sign.
fn is_true(item: &[u8]) -> bool {
    match item.split_last() {
        None => false,
        Some((last, rest)) => !matches!(last, 0 | 0x80) || rest.iter().any(|byte| *byte != 0),
    }
}

/// A script's number: little-endian with a sign bit, minimal.
fn decoded(item: &[u8], max_len: usize) -> Result<i64, Fault> {
    let Some((last, rest)) = item.split_last() else { return Ok(0) };
    if item.len() > max_len.min(8) {
        return broken(format!("a number has {} bytes, at most {max_len}", item.len()));
    }
    let padded = last & 0x7f == 0 && rest.last().is_none_or(|before| before & 0x80 == 0);
    if padded {
        return broken("a number is not minimal");
    }
    let mut bytes = [0; 8];
    let magnitude = rest.iter().copied().chain([last & 0x7f]);
    bytes.iter_mut().zip(magnitude).for_each(|(to, from)| *to = from);
    let value = i64::from_le_bytes(bytes);
    Ok(if last & 0x80 == 0 { value } else { value.saturating_neg() })
}

/// The same in the other direction.
fn encoded(number: i64) -> Vec<u8> {
    let mut bytes = number.unsigned_abs().to_le_bytes().to_vec();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    if bytes.last().is_some_and(|last| last & 0x80 != 0) {
        bytes.push(0);
    }
    if number < 0
        && let Some(last) = bytes.last_mut()
    {
        *last |= 0x80;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_minimal_and_round_trip() {
        for number in
            [0, 1, -1, 16, 127, 128, -127, -128, 255, 256, 2016, 32_767, -32_768, 1 << 31, (1 << 39) - 1]
        {
            assert_eq!(decoded(&encoded(number), 5), Ok(number), "{number}");
        }
        for bytes in [&[0][..], &[0x80], &[1, 0], &[1, 0x80], &[0xff, 0x7f, 0, 0]] {
            assert!(decoded(bytes, 4).is_err(), "{bytes:?}");
        }
        assert!(decoded(&[1, 2, 3, 4, 5], 4).is_err());
    }

    #[test]
    fn negative_zero_is_false() {
        for (item, truth) in
            [(&[][..], false), (&[0, 0], false), (&[0, 0x80], false), (&[0x80, 0], true), (&[1], true)]
        {
            assert_eq!(is_true(item), truth, "{item:?}");
        }
    }
}
