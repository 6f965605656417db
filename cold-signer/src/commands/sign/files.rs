//! Which files are signed, and where their signed copies go.

use crate::{Error, Result};
use psbt_tools::display::escape;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Most payments of one folder.
const MAX_FILES: usize = 1_000;

/// What the name of a payment's file ends with, the furthest on its way first.
const STAGES: [&str; 2] = ["-permitted", "-request"];

/// What the name of a signed file ends with.
const SIGNED: &str = "-signed";

/// A file and where its signed copy goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Task {
    /// The file.
    pub file: PathBuf,
    /// Its signed copy.
    pub out: PathBuf,
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
/// [`Error::Usage`] for an input without a name or an output that is no folder, [`Error::Input`] for a folder that cannot
/// be read.
pub fn find(named: &[PathBuf], output: Option<&Path>) -> Result<Found> {
    let folder = output.filter(|out| out.is_dir());
    if let ([file], false) = (named, named.iter().any(|path| path.is_dir())) {
        let out = match (output, folder) {
            (Some(out), None) => out.to_owned(),
            (_, folder) => signed_name(file, folder)?,
        };
        return Ok(Found::One(Task { file: file.clone(), out }));
    }
    if output.is_some() && folder.is_none() {
        return Err(Error::Usage("-o must be a folder that exists when there are several files".to_owned()));
    }
    let (mut tasks, mut left_out) = (Vec::new(), Vec::new());
    for path in named {
        if path.is_dir() {
            look_into(path, folder, &mut tasks, &mut left_out)?;
        } else {
            tasks.push(Task { file: path.clone(), out: signed_name(path, folder)? });
        }
    }
    Ok(Found::Many { tasks, left_out })
}

/// Takes of each payment in a folder the file that is furthest on its way, unless it is signed already.
fn look_into(
    from: &Path,
    folder: Option<&Path>,
    tasks: &mut Vec<Task>,
    left_out: &mut Vec<LeftOut>,
) -> Result<()> {
    let mut payments: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for file in payment_files(from)? {
        match signed_name(&file, folder) {
            Ok(out) => payments.entry(out).or_default().push(file),
            Err(_) => left_out.push(LeftOut { file, reason: "its name is no UTF-8".to_owned() }),
        }
    }
    let mut found = Vec::new();
    for (out, mut files) in payments {
        files.sort_by_key(|file| (stage(file), file.clone()));
        let name = |path: &Path| escape(&path.file_name().unwrap_or_default().to_string_lossy());
        let signed = out.symlink_metadata().is_ok();
        let mut files = files.into_iter();
        let first = if signed { None } else { files.next() };
        let reason = match &first {
            Some(taken) => format!("{} is further on its way", name(taken)),
            None => format!("{} is there already", name(&out)),
        };
        left_out.extend(files.map(|file| LeftOut { file, reason: reason.clone() }));
        found.extend(first.map(|file| Task { file, out }));
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    tasks.extend(found);
    Ok(())
}

/// Every `*.psbt` of a folder that is no signed one, in no order. What is no regular file is none, nor what is hidden.
fn payment_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let fault = |source: io::Error| Error::Input { name: escape(&folder.to_string_lossy()), source };
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let path = entry.path();
        let is_psbt = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("psbt"));
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_signed = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(SIGNED));
        if is_psbt && !is_hidden && !is_signed && entry.file_type().map_err(fault)?.is_file() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(Error::Usage(format!("the folder holds more than {MAX_FILES} payments: name them")));
        }
    }
    Ok(files)
}

fn stage(file: &Path) -> usize {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    STAGES.iter().position(|stage| stem.ends_with(stage)).unwrap_or(STAGES.len())
}

/// `NAME-signed.psbt` for `NAME-request.psbt`, `NAME-permitted.psbt` and `NAME.psbt`, beside it or in another folder.
fn signed_name(file: &Path, folder: Option<&Path>) -> Result<PathBuf> {
    let stem = file.file_stem().filter(|_| file.as_os_str() != "-");
    let stem = stem.ok_or_else(|| Error::Usage("-o is needed: the input has no name".to_owned()))?;
    let stem =
        stem.to_str().ok_or_else(|| Error::Usage("-o is needed: the input's name is no UTF-8".to_owned()))?;
    let name = STAGES.iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem);
    let name = format!("{name}{SIGNED}.psbt");
    Ok(folder.map_or_else(|| file.with_file_name(&name), |folder| folder.join(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_file_lies_beside_its_origin_or_in_the_folder() {
        let name = |file: &str| signed_name(Path::new(file), None).unwrap();
        assert_eq!(name("/usb/salaries-permitted.psbt"), Path::new("/usb/salaries-signed.psbt"));
        assert_eq!(name("salaries-request.psbt"), Path::new("salaries-signed.psbt"));
        assert_eq!(name("x.txt"), Path::new("x-signed.psbt"));
        let elsewhere = signed_name(Path::new("/usb/x-permitted.psbt"), Some(Path::new("/out"))).unwrap();
        assert_eq!(elsewhere, Path::new("/out/x-signed.psbt"));
        assert_eq!(signed_name(Path::new("-"), None).unwrap_err().exit_code(), 2);
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
            "d-request.psbt",
            "notes.txt",
            ".hidden.psbt",
        ] {
            std::fs::write(path(name), "").unwrap();
        }
        std::os::unix::fs::symlink(path("a.PSBT"), path("link.psbt")).unwrap();
        std::fs::create_dir(path("folder.psbt")).unwrap();
        let Found::Many { tasks, left_out } = find(&[folder.path().to_owned()], None).unwrap() else {
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
        assert_eq!(left, [further, further, "c-signed.psbt is there already"]);
    }

    #[test]
    fn several_files_need_a_folder_for_their_copies() {
        let several = [PathBuf::from("a.psbt"), PathBuf::from("b.psbt")];
        assert_eq!(find(&several, Some(Path::new("out.psbt"))).unwrap_err().exit_code(), 2);
        let folder = tempfile::tempdir().unwrap();
        let one = find(&several[..1], Some(folder.path())).unwrap();
        assert_eq!(one, Found::One(Task { file: "a.psbt".into(), out: folder.path().join("a-signed.psbt") }));
    }
}
