//! The two steps that only a cosigner has: the key goes to the coordinator, and the wallet comes back.

use super::standing::Standing;
use super::steps::{Sheet, owned, write};
use super::{Went, tell};
use crate::cli::{Global, run_line};
use crate::terminal::{Person, interrupted};
use crate::{Error, Result};
use cold_wire::KeyInfo;
use psbt_tools::display::escape;
use std::path::Path;

/// Writes the key record for the coordinator (BIP129, round 1).
pub fn write_record(
    person: &mut dyn Person,
    visit: &Global,
    standing: &Standing,
    key: &KeyInfo,
) -> Result<Went> {
    tell(
        person,
        "KEY RECORD: this key's public part, signed by the key itself, for whoever makes the wallet of all cosigners' \
keys. It cannot spend.",
    )?;
    write(person, visit, standing, key, &Sheet { step: "record", format: "bsms", extension: "bsms" })
}

/// Registers the wallet that the coordinator made (BIP129, round 2).
pub fn register(person: &mut dyn Person, visit: &Global, key: &KeyInfo) -> Result<Went> {
    let name = escape(&key.wallet);
    let text = format!(
        "WALLET. With the key records of all, the coordinator types, for two signatures of three:\n\
$ psbt-tools multisig --threshold 2 --network {} A.bsms B.bsms C.bsms -o {name}-wallet.bsms\n\
Every cosigner registers that file. The next screen shows every key, how many must sign, and 24 words of all of it. Read \
the words to one another by telephone, not through the coordinator: one that differs is another wallet.",
        key.network
    );
    tell(person, &text)?;
    loop {
        let answer = person.ask("Path of the wallet's file, s to put it off, q to stop:")?;
        let path = match answer.as_deref() {
            Some("s" | "S") => return Ok(Went::Later),
            Some("" | "q" | "Q" | "n" | "no") | None => {
                return Err(Error::Stopped("before the wallet was registered"));
            }
            Some(path) => path.to_owned(),
        };
        if !Path::new(&path).is_file() {
            person.show("There is no such file. Is the stick mounted? `ls` in another terminal helps.")?;
            continue;
        }
        // Joined, so that a name which begins with a dash stays a name.
        let words = [format!("--wallet={}", key.wallet), format!("--file={path}")];
        if run_line(visit, &owned(&["register", &words[0], &words[1]])) == 0 {
            return Ok(Went::Done);
        }
        if interrupted() {
            return Err(Error::Stopped("Ctrl-C"));
        }
        person.show("Nothing was registered: name another file, or this one again.")?;
    }
}
