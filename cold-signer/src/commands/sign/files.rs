//! Which files are signed, and where their signed copies or the replies to them go.

use crate::session::Answer;
use crate::{Error, Result};
use psbt_tools::display::escape;
use psbt_tools::files::{Folder, Obstacle, Patience, is_dash};
use psbt_tools::usb::{BadName, check_name};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most payments of one folder.
const MAX_FILES: usize = 1_000;

/// Most names of one folder.
const MAX_NAMES: usize = 100_000;

/// What the name of a payment's file ends with, the furthest on its way first.
const STAGES: [&str; 2] = ["-permitted", "-request"];

/// What the name of a signed file ends with.
const SIGNED: &str = "-signed";

/// A file and what it is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Task {
    /// The file.
    pub file: PathBuf,
    /// Its signed copy, or the reply.
    pub out: PathBuf,
    /// Which of them.
    pub answer: Answer,
}

/// A file of a folder that is not looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file.
    pub file: PathBuf,
    /// Why not.
    pub reason: String,
}

/// What the command line names.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// One file.
    One(Task),
    /// Several files, or a folder.
    Many {
        /// In the order in which they are signed.
        tasks: Vec<Task>,
        /// What a folder holds beside them.
        left_out: Vec<LeftOut>,
    },
}

/// Looks into the folders that are named, and finds a place for each signed file.
///
/// # Errors
/// [`Error::Usage`] for an input without a name or an output that is no folder, [`Error::Psbt`] for a folder that cannot be
/// read.
pub fn find(named: &[PathBuf], output: Option<&Path>, answer: Answer) -> Result<Found> {
    let folder = output.filter(|out| out.is_dir());
    if let ([file], false) = (named, named.iter().any(|path| path.is_dir())) {
        let out = match (output, folder) {
            (Some(out), None) => out.to_owned(),
            (_, folder) => signed_name(file, folder, answer)?,
        };
        return Ok(Found::One(Task { file: file.clone(), out, answer }));
    }
    if output.is_some() && folder.is_none() {
        return Err(Error::Usage("-o must be a folder that exists when there are several files".to_owned()));
    }
    let (mut tasks, mut left_out) = (Vec::new(), Vec::new());
    for path in named {
        if path.is_dir() {
            look_into(path, folder, answer, &mut tasks, &mut left_out)?;
        } else {
            tasks.push(Task { file: path.clone(), out: signed_name(path, folder, answer)?, answer });
        }
    }
    Ok(Found::Many { tasks, left_out })
}

/// Takes of each payment in a folder the file that is furthest on its way, unless it is signed already.
fn look_into(
    from: &Path,
    folder: Option<&Path>,
    answer: Answer,
    tasks: &mut Vec<Task>,
    left_out: &mut Vec<LeftOut>,
) -> Result<()> {
    let mut payments: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for file in payment_files(from, left_out)? {
        match signed_name(&file, folder, answer) {
            Ok(out) => payments.entry(out).or_default().push(file),
            Err(_) => left_out.push(LeftOut { file, reason: "its name is no UTF-8".to_owned() }),
        }
    }
    let mut found = Vec::new();
    for (out, mut files) in payments {
        files.sort_by_key(|file| (stage(file), file.clone()));
        let name = |path: &Path| escape(&path.file_name().unwrap_or_default().to_string_lossy());
        // Whichever of both it was answered with.
        let other = if answer == Answer::Whole { Answer::Reply } else { Answer::Whole };
        let other = files.first().and_then(|file| signed_name(file, folder, other).ok());
        let there = [Some(&out), other.as_ref()].into_iter().flatten();
        let there = there.into_iter().find(|name| name.symlink_metadata().is_ok()).cloned();
        let mut files = files.into_iter();
        let first = if there.is_some() { None } else { files.next() };
        let reason = match &first {
            Some(taken) => format!("{} is further on its way", name(taken)),
            None => format!("{} is there already", name(there.as_ref().unwrap_or(&out))),
        };
        left_out.extend(files.map(|file| LeftOut { file, reason: reason.clone() }));
        found.extend(first.map(|file| Task { file, out, answer }));
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    tasks.extend(found);
    Ok(())
}

/// Every `*.psbt` of a folder that is no signed one, nor hidden. What is no regular file of this very folder is left out: a
/// stick's links, devices and mounts lead elsewhere.
fn payment_files(folder: &Path, left_out: &mut Vec<LeftOut>) -> Result<Vec<PathBuf>> {
    let inside = Folder::open(folder, Patience::default())?;
    let fault = |obstacle: Obstacle| obstacle.reading(&escape(&folder.to_string_lossy()));
    let found = inside.names(MAX_NAMES).map_err(fault)?;
    let is_payment = |name: &Path| {
        let is_psbt = name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("psbt"));
        let is_signed = name.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(SIGNED));
        is_psbt && !is_signed && !name.as_os_str().as_encoded_bytes().starts_with(b".")
    };
    let names: Vec<_> = found.names.iter().filter(|name| is_payment(Path::new(name))).collect();
    if names.len() > MAX_FILES || !found.is_complete {
        return Err(Error::Usage(format!("the folder holds more than {MAX_FILES} payments: name them")));
    }
    let mut files = Vec::new();
    for name in names {
        let file = folder.join(name);
        let reason = match (check_name(name), inside.size(name)) {
            (Err(fault @ BadName::Deceives(_)), _) => fault.to_string(),
            (_, Err(obstacle @ Obstacle::Deadline(_))) => return Err(fault(obstacle).into()),
            (_, Err(obstacle)) => format!("it {obstacle}"),
            (_, Ok(_)) => {
                files.push(file);
                continue;
            }
        };
        left_out.push(LeftOut { file, reason });
    }
    Ok(files)
}

fn stage(file: &Path) -> usize {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    STAGES.iter().position(|stage| stem.ends_with(stage)).unwrap_or(STAGES.len())
}

/// `NAME-signed.psbt` for `NAME-request.psbt`, `NAME-permitted.psbt` and `NAME.psbt`, beside it or in another folder; a reply
/// is `NAME-reply.airlock`, because no other program reads it and nobody should take it for a PSBT.
fn signed_name(file: &Path, folder: Option<&Path>, answer: Answer) -> Result<PathBuf> {
    let stem = file.file_stem().filter(|_| !is_dash(file));
    let stem = stem.ok_or_else(|| Error::Usage("-o is needed: the input has no name".to_owned()))?;
    let stem =
        stem.to_str().ok_or_else(|| Error::Usage("-o is needed: the input's name is no UTF-8".to_owned()))?;
    let name = STAGES.iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem);
    let name = match answer {
        Answer::Whole => format!("{name}{SIGNED}.psbt"),
        Answer::Reply => format!("{name}-reply.airlock"),
    };
    Ok(folder.map_or_else(|| file.with_file_name(&name), |folder| folder.join(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_file_lies_beside_its_origin_or_in_the_folder() {
        let name = |file: &str| signed_name(Path::new(file), None, Answer::Whole).unwrap();
        assert_eq!(name("/usb/salaries-permitted.psbt"), Path::new("/usb/salaries-signed.psbt"));
        assert_eq!(name("salaries-request.psbt"), Path::new("salaries-signed.psbt"));
        assert_eq!(name("x.txt"), Path::new("x-signed.psbt"));
        let elsewhere =
            signed_name(Path::new("/usb/x-permitted.psbt"), Some(Path::new("/out")), Answer::Whole).unwrap();
        assert_eq!(elsewhere, Path::new("/out/x-signed.psbt"));
        assert_eq!(signed_name(Path::new("-"), None, Answer::Whole).unwrap_err().exit_code(), 2);
        let reply = signed_name(Path::new("/usb/salaries-permitted.psbt"), None, Answer::Reply).unwrap();
        assert_eq!(reply, Path::new("/usb/salaries-reply.airlock"));
    }

    #[test]
    fn of_each_payment_in_a_folder_the_furthest_file_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "b-permitted.psbt",
            "b-request.psbt",
            "b.psbt",
            "a.PSBT",
            "c-permitted.psbt",
            "c-signed.psbt",
            "e-permitted.psbt",
            "e-reply.airlock",
            "d-request.psbt",
            "notes.txt",
            ".hidden.psbt",
        ] {
            std::fs::write(path(name), "").unwrap();
        }
        std::os::unix::fs::symlink(path("a.PSBT"), path("link.psbt")).unwrap();
        std::fs::create_dir(path("folder.psbt")).unwrap();
        let Found::Many { tasks, left_out } = find(&[folder.path().to_owned()], None, Answer::Whole).unwrap()
        else {
            panic!()
        };
        let names = |paths: Vec<&PathBuf>| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            names(tasks.iter().map(|t| &t.file).collect()),
            ["a.PSBT", "b-permitted.psbt", "d-request.psbt"]
        );
        assert_eq!(
            names(tasks.iter().map(|t| &t.out).collect()),
            ["a-signed.psbt", "b-signed.psbt", "d-signed.psbt"]
        );
        let mut left: Vec<_> = left_out.iter().map(|left| left.reason.as_str()).collect();
        left.sort_unstable();
        let further = "b-permitted.psbt is further on its way";
        let answered = ["c-signed.psbt is there already", "e-reply.airlock is there already"];
        let others = [
            "it is no regular file but a folder",
            "it is reached through a symbolic link that is not followed",
        ];
        assert_eq!(left, [further, further, answered[0], answered[1], others[0], others[1]]);
    }

    #[test]
    fn several_files_need_a_folder_for_their_copies() {
        let several = [PathBuf::from("a.psbt"), PathBuf::from("b.psbt")];
        assert_eq!(find(&several, Some(Path::new("out.psbt")), Answer::Whole).unwrap_err().exit_code(), 2);
        let folder = tempfile::tempdir().unwrap();
        for (answer, name) in [(Answer::Whole, "a-signed.psbt"), (Answer::Reply, "a-reply.airlock")] {
            let one = find(&several[..1], Some(folder.path()), answer).unwrap();
            let out = folder.path().join(name);
            assert_eq!(one, Found::One(Task { file: "a.psbt".into(), out, answer }));
        }
    }
}
