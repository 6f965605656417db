//! `usb list`: what is on a stick.

use super::{Stick, warn_of_own_disk};
use crate::output::{print, say};
use clap::Args;
use psbt_tools::Error;
use psbt_tools::display::{hash_words, hex};
use psbt_tools::usb::{self, Ended, Entry, Kind, Listing, MAX_LISTED, MAX_LOOKED_AT, Medium, Sidecar};
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::ExitCode;

/// Lists the files of a folder by what their bytes are, each with the six words of its SHA-256 and what its sidecar
/// (`.sha256`) says, and everything that is left out with the reason.
///
/// Example: psbt-tools usb list /media/stick
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    stick: Stick,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let name = arguments.stick.name();
    let fault = |obstacle: psbt_tools::files::Obstacle| obstacle.reading(&name);
    let folder = arguments.stick.open()?;
    let is_own_disk = warn_of_own_disk(&folder, &name)?;
    let medium = Medium::at(&folder).map_err(fault)?;
    let listing = usb::list(&folder).map_err(fault)?;
    if arguments.json {
        let object = json!({
            "dir": name, "own_disk": is_own_disk, "mount": medium.as_ref().map(mount_json),
            "entries": listing.entries.iter().map(entry_json).collect::<Vec<_>>(),
            "skipped": listing.skipped.iter().map(|skipped| json!({
                "name": skipped.name, "reason": skipped.why.code(), "message": skipped.why.to_string(),
            })).collect::<Vec<_>>(),
            "found": listing.found, "complete": listing.ended.is_none(),
            "ended": listing.ended.map(Ended::code),
        });
        print(&format!("{object}\n"))?;
    } else {
        print(&text(&listing))?;
        if let Some(medium) = medium {
            advise(&medium);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn mount_json(medium: &Medium) -> Value {
    json!({
        "point": medium.point, "file_system": medium.file_system, "options": medium.options,
        "missing": medium.missing(),
    })
}

fn entry_json(entry: &Entry) -> Value {
    let mut object = json!({
        "name": entry.name, "kind": entry.kind.as_str(), "bytes": entry.bytes, "sha256": hex(&entry.sha256),
        "words": hash_words(&entry.sha256), "sidecar": entry.sidecar.as_str(),
    });
    match &entry.kind {
        Kind::Psbt(_, documents) => object["documents"] = json!(documents),
        Kind::BrokenPsbt(why) => object["why"] = json!(why),
        _ => {}
    }
    if let (Some(encoding), Some(object)) = (entry.kind.encoding(), object.as_object_mut()) {
        object.insert("encoding".to_owned(), json!(encoding));
    }
    if let Sidecar::Wrong(why) = &entry.sidecar {
        object["sidecar_why"] = json!(why);
    }
    object
}

/// A line for the file, one for its words; then what was left out.
fn text(listing: &Listing) -> String {
    let mut out = String::new();
    let width = |length: fn(&Entry) -> usize| listing.entries.iter().map(length).max().unwrap_or(0);
    let (names, titles) =
        (width(|entry| entry.name.chars().count()).min(40), width(|entry| entry.kind.title().len()).min(40));
    for entry in &listing.entries {
        let (name, title, bytes) = (&entry.name, entry.kind.title(), entry.bytes);
        let sidecar = match &entry.sidecar {
            Sidecar::Right => "sidecar right".to_owned(),
            Sidecar::Wrong(why) => format!("SIDECAR WRONG: {why}"),
            Sidecar::Absent => "no sidecar".to_owned(),
        };
        line(&mut out, format_args!("{name:names$}  {title:titles$}  {bytes:>9} bytes  {sidecar}"));
        line(&mut out, format_args!("    {}", hash_words(&entry.sha256)));
    }
    for skipped in &listing.skipped {
        line(&mut out, format_args!("left out: {} {}", skipped.name, skipped.why));
    }
    let shown = listing.entries.len();
    let end = match listing.ended {
        None => String::new(),
        Some(Ended::Listed) => {
            format!("; {} names were found, {MAX_LISTED} of them looked at", listing.found)
        }
        Some(Ended::LookedAt) => format!("; more than {MAX_LOOKED_AT} names, {MAX_LISTED} of them looked at"),
    };
    let noun = if shown == 1 { "file" } else { "files" };
    line(&mut out, format_args!("{shown} {noun}, {} left out{end}", listing.skipped.len()));
    out
}

fn advise(medium: &Medium) {
    let missing = medium.missing();
    if !missing.is_empty() {
        let Medium { point, file_system, .. } = medium;
        say(format_args!("note: {point} ({file_system}) is mounted without {}", missing.join(", ")));
        say(format_args!("hint: to read from it: mount -o remount,{} '{point}'", usb::ADVISED.join(",")));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
