//! The guided first hour: a checklist that is looked up in the store and beside it, and one step after the other.
//! Nothing here touches a key: each step is a command that can also be typed by itself.

mod cosigner;
mod drill;
mod progress;
mod standing;
mod steps;

use crate::cli::Global;
use crate::commands::start::Args;
use crate::output::Output;
use crate::screens::{paginate, wrap};
use crate::terminal::{Person, Terminal, catch_interrupts, clear_interrupt};
use crate::{Error, Result, consent, doctor};
use standing::Standing;

/// A step of the first hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The machine is fit.
    Machine,
    /// There is a key, and its words were shown and asked back.
    Key,
    /// The words on paper give the same key.
    Drill,
    /// A cosigner's key record is in a file for the coordinator.
    Record,
    /// The wallet of all cosigners' keys is registered.
    Register,
    /// The public parts are in a file.
    Export,
    /// The online node shows the same first address.
    Address,
    /// A small payment was signed.
    Spend,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Step; 8] = [
        Step::Machine,
        Step::Key,
        Step::Drill,
        Step::Record,
        Step::Register,
        Step::Export,
        Step::Address,
        Step::Spend,
    ];

    /// Whether only the key of a wallet of several keys has it.
    pub fn is_for_cosigners(self) -> bool {
        matches!(self, Step::Record | Step::Register)
    }

    /// Its name on the checklist.
    pub fn name(self) -> &'static str {
        match self {
            Step::Machine => "machine",
            Step::Key => "key",
            Step::Drill => "drill",
            Step::Record => "key record",
            Step::Register => "wallet",
            Step::Export => "export",
            Step::Address => "first address",
            Step::Spend => "test spend",
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    /// It was done.
    Done,
    /// It was put off.
    Later,
    /// Its command failed with this exit code, and has said why.
    Wrong(u8),
}

/// Goes through the steps that are left; gives the exit code.
///
/// # Errors
/// [`Error::Stopped`] where the person stops, and what the vault says.
pub fn run(global: &Global, args: &Args) -> Result<u8> {
    let visit = global.visit();
    let Some(mut person) = Terminal::open().filter(|_| !global.json) else {
        let standing = Standing::look(&visit, args)?;
        let mut output = Output::done(standing.checklist(), standing.to_json());
        output.error = Some(standing.left(&[])).filter(|left| !left.is_empty()).map(Error::StepsLeft);
        return Ok(output.print(global.json));
    };
    if global.keeper().is_none() {
        catch_interrupts()?;
        clear_interrupt();
    }
    let mut later = Vec::new();
    loop {
        let standing = Standing::look(&visit, args)?;
        tell(&mut person, &standing.checklist())?;
        let Some(step) = standing.next(&later) else {
            let left = standing.left(&[]);
            if left.is_empty() {
                tell(&mut person, DONE)?;
                return Ok(0);
            }
            return Err(Error::StepsLeft(left));
        };
        let went = match (step, &standing.key) {
            (Step::Machine, _) => {
                tell(&mut person, &doctor::text(&standing.findings))?;
                return Err(Error::Unfit(doctor::in_the_way(&standing.findings)));
            }
            (Step::Key, _) | (_, None) => steps::make_key(&mut person, &visit, args, &standing)?,
            (Step::Drill, Some(key)) => drill::drill(&mut person, &visit, &standing, key)?,
            (Step::Record, Some(key)) => cosigner::write_record(&mut person, &visit, &standing, key)?,
            (Step::Register, Some(key)) => cosigner::register(&mut person, &visit, key)?,
            (Step::Export, Some(key)) => steps::export(&mut person, &visit, &standing, key)?,
            (Step::Address, Some(key)) => steps::compare_address(&mut person, &standing, key)?,
            (Step::Spend, Some(key)) => steps::spend(&mut person, &visit, key)?,
        };
        match went {
            Went::Done => {}
            Went::Later => later.push(step),
            Went::Wrong(exit) => return Ok(exit),
        }
    }
}

/// What is left to say.
const DONE: &str = "The first hour is done.\n\
Every week: `cold-signer receipts -o FILE` to the node, and a copy of the store to two sticks.\n\
A session of work: `cold-signer shell`, and there `help`.";

/// Shows text, by pages where it is longer than the screen.
fn tell(person: &mut dyn Person, text: &str) -> Result<()> {
    let size = person.size();
    let lines: Vec<String> = std::iter::once("").chain(text.lines()).map(str::to_owned).collect();
    let rows: Vec<String> = lines.iter().flat_map(|line| wrap(line, size.columns)).collect();
    // Room for the question below it.
    if rows.len() + 4 <= size.rows {
        return person.show(&rows.join("\n"));
    }
    consent::leaf(person, &paginate(&[], &lines, size))
}

/// Shows what a step will do, and waits for the word to do it.
fn announce(person: &mut dyn Person, text: &str) -> Result<Went> {
    tell(person, text)?;
    match person.ask("Enter to go on, s to put it off, q to stop:")?.as_deref() {
        Some("") => Ok(Went::Done),
        Some("s" | "S") => Ok(Went::Later),
        Some(_) | None => Err(Error::Stopped("before this step")),
    }
}
