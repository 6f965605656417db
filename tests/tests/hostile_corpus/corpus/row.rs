//! A row of the corpus: one named edit of an honest payment, and the check that must see it.

use bitcoin::psbt::Psbt;
use cold_wire::Bundle;
use policies::signature::InputSignature;
use psbt_tools::convert::to_version_2;
use psbt_tools::export::same_transaction;
use psbt_tools::import::Context;

use super::attempt::{Attempt, Tampering, attempt};
use super::desk::Desk;
use super::payment::Payment;
use super::purse::Kind;

/// An edit, at one place of the way from a payment to its signed file.
#[derive(Clone, Copy)]
pub enum Change {
    /// The desk signed this before: the payment of the same coins with an edit of its own.
    Earlier(fn(&mut Payment)),
    /// Of the payment, before there is a PSBT.
    Payment(fn(&mut Payment)),
    Psbt(fn(&mut Psbt, &Payment)),
    Bytes(fn(&mut Vec<u8>, &Payment)),
    Context(fn(&mut Context)),
    /// By a reader that lies to the vault.
    Bundle(fn(&mut Bundle, &Payment)),
    /// Between review and signing.
    Swapped(fn(&mut Bundle, &Payment)),
    /// Of what the vault released.
    Signatures(fn(&mut Vec<InputSignature>, &Payment)),
    /// Of the signed file, before it is compared with what was asked for.
    Returned(fn(&mut Psbt)),
}

/// Which versions of PSBTs a row is made in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Every kind in version 0, and the first in version 2 as well.
    Both,
    Zero,
    Two,
}

/// What it takes for a fixture to be signed.
#[derive(Clone, Copy)]
pub enum Off {
    /// Switching the check off.
    Alone,
    /// Switching these off as well, which stand behind it: they see the same lie in another place.
    With(&'static [u8]),
    /// Nothing: what the check refuses cannot be held by any value that comes after it.
    Never(&'static str),
}

/// One edit on several kinds of wallet.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub check: u8,
    pub kinds: &'static [Kind],
    pub versions: Versions,
    /// What hostile file and twin have in common.
    pub both: &'static [Change],
    /// The edit.
    pub edit: &'static [Change],
    /// The honest version of the edit, where the twin has one.
    pub twin: &'static [Change],
    /// Whether the check asks; else it refuses.
    pub asks: bool,
    /// Other questions that the file raises.
    pub accepted: &'static [u8],
    pub off: Off,
}

/// A row that is refused.
pub const fn refuse(check: u8, name: &'static str, kinds: &'static [Kind], edit: &'static [Change]) -> Row {
    Row {
        name,
        check,
        kinds,
        versions: Versions::Both,
        both: &[],
        edit,
        twin: &[],
        asks: false,
        accepted: &[],
        off: Off::Alone,
    }
}

/// A row that is signed only when its number is accepted.
pub const fn ask(check: u8, name: &'static str, kinds: &'static [Kind], edit: &'static [Change]) -> Row {
    Row { asks: true, ..refuse(check, name, kinds, edit) }
}

/// One PSBT of a row.
#[derive(Clone, Copy)]
pub struct Fixture {
    pub row: &'static Row,
    pub kind: Kind,
    /// 0 or 2.
    pub version: u8,
}

impl Fixture {
    pub fn name(&self) -> String {
        format!("C{:02} {} {} v{}", self.row.check, self.row.name, self.kind.name(), self.version)
    }

    /// Its coins: a twin spends the same, unless the hostile one is signed on the way.
    pub fn shares_coins(&self) -> bool {
        let earlier = self.row.edit.iter().any(|change| matches!(change, Change::Earlier(_)));
        let late = |change: &Change| matches!(change, Change::Signatures(_) | Change::Returned(_));
        !self.row.asks && !earlier && !self.row.edit.iter().any(late)
    }

    /// Runs the hostile file.
    pub fn hostile(&self, desk: &mut Desk, payment: &Payment, accepted: &[u8]) -> Attempt {
        assert!(self.earlier(desk, payment), "{}", self.name());
        self.hostile_again(desk, payment, accepted)
    }

    /// Signs what the hostile file expects to have been signed; whether that went well.
    pub fn earlier(&self, desk: &mut Desk, payment: &Payment) -> bool {
        let changes: Vec<_> = [self.row.both, self.row.edit].concat();
        changes.iter().all(|change| {
            let Change::Earlier(edit) = change else { return true };
            let mut earlier = payment.clone();
            edit(&mut earlier);
            attempt(desk, earlier.psbt().serialize(), &[], Tampering::default()).is_signed()
        })
    }

    /// Runs it when what it expects to have been signed is signed already.
    pub fn hostile_again(&self, desk: &mut Desk, payment: &Payment, accepted: &[u8]) -> Attempt {
        self.run(desk, payment, &[self.row.both, self.row.edit].concat(), accepted)
    }

    /// Runs the twin.
    pub fn twin(&self, desk: &mut Desk, payment: &Payment) -> Attempt {
        self.run(desk, payment, &[self.row.both, self.row.twin].concat(), self.row.accepted)
    }

    /// The bytes of the hostile file, or of the twin.
    pub fn bytes(&self, payment: &Payment, changes: &[Change]) -> (Payment, Vec<u8>) {
        let mut payment = payment.clone();
        each(changes, |change| {
            if let Change::Payment(edit) = change {
                edit(&mut payment)
            }
        });
        let mut psbt = payment.psbt();
        each(changes, |change| {
            if let Change::Psbt(edit) = change {
                edit(&mut psbt, &payment)
            }
        });
        let mut bytes = psbt.serialize();
        if self.version == 2 {
            bytes = to_version_2(&bytes).unwrap_or_else(|error| panic!("{}: {error}", self.name()));
        }
        each(changes, |change| {
            if let Change::Bytes(edit) = change {
                edit(&mut bytes, &payment)
            }
        });
        (payment, bytes)
    }

    fn run(&self, desk: &mut Desk, payment: &Payment, changes: &[Change], accepted: &[u8]) -> Attempt {
        let (payment, bytes) = self.bytes(payment, changes);
        let tampering = Tampering {
            bundle: Some(Box::new(|bundle: &mut Bundle| {
                each(changes, |change| {
                    if let Change::Bundle(edit) = change {
                        edit(bundle, &payment)
                    }
                });
            })),
            swapped: Some(Box::new(|bundle: &mut Bundle| {
                each(changes, |change| {
                    if let Change::Swapped(edit) = change {
                        edit(bundle, &payment)
                    }
                });
            })),
            signatures: Some(Box::new(|signatures: &mut Vec<InputSignature>| {
                each(changes, |change| {
                    if let Change::Signatures(edit) = change {
                        edit(signatures, &payment)
                    }
                });
            })),
            context: Some(Box::new(|context: &mut Context| {
                each(changes, |change| {
                    if let Change::Context(edit) = change {
                        edit(context)
                    }
                });
            })),
        };
        let mut came = attempt(desk, bytes, accepted, tampering);
        if let Some(file) = &came.file {
            let requested = payment.psbt().unsigned_tx;
            let mut returned = psbt_tools::strict::parse(file).unwrap_or_else(|error| panic!("{error}"));
            let changed = changes.iter().any(|change| matches!(change, Change::Returned(_)));
            each(changes, |change| {
                if let Change::Returned(edit) = change {
                    edit(&mut returned)
                }
            });
            if let (true, Err(error)) =
                (changed || self.row.check == 33, same_transaction(&requested, &returned.unsigned_tx))
            {
                came.refused.insert(error.code());
                came.exit = error.exit_code();
            }
        }
        came
    }
}

fn each(changes: &[Change], mut apply: impl FnMut(&Change)) {
    for change in changes {
        apply(change);
    }
}

/// Every fixture of some rows.
pub fn fixtures(rows: &'static [Row]) -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for row in rows {
        for (at, kind) in row.kinds.iter().enumerate() {
            if row.versions != Versions::Two {
                fixtures.push(Fixture { row, kind: *kind, version: 0 });
            }
            if row.versions == Versions::Two || (row.versions == Versions::Both && at == 0) {
                fixtures.push(Fixture { row, kind: *kind, version: 2 });
            }
        }
    }
    fixtures
}
