//! A copy of the sources with something changed in it, which cargo builds beside the real one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that holds what was planted in it, and from an earlier run nothing else.
#[derive(Debug)]
pub struct Planted {
    folder: PathBuf,
    files: BTreeSet<PathBuf>,
}

impl Planted {
    /// The folder, with whatever is in it still.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, files: BTreeSet::new() }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file below the folder. One that says this already is left alone: cargo goes by its time.
    pub fn write(&mut self, path: impl AsRef<Path>, text: &str) {
        let path = self.folder.join(path);
        if !fs::read_to_string(&path).is_ok_and(|there| there == text) {
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(&path, text).expect("it can be written");
        }
        self.files.insert(path);
    }

    /// Copies a folder of texts to below the folder, each through `change`, which is told its path below `from`.
    pub fn copy(&mut self, from: &Path, to: &Path, change: &mut dyn FnMut(&Path, String) -> String) {
        self.copy_below(from, to, Path::new(""), change);
    }

    fn copy_below(
        &mut self,
        from: &Path,
        to: &Path,
        below: &Path,
        change: &mut dyn FnMut(&Path, String) -> String,
    ) {
        for entry in fs::read_dir(from.join(below)).expect("a folder") {
            let path = below.join(entry.expect("an entry").file_name());
            if from.join(&path).is_dir() {
                self.copy_below(from, to, &path, change);
            } else if let Ok(text) = fs::read_to_string(from.join(&path)) {
                self.write(to.join(&path), &change(&path, text));
            }
        }
    }

    /// Removes what was not planted by this run: a module that has moved would stand twice.
    pub fn prune(&self) {
        self.prune_below(&self.folder);
    }

    fn prune_below(&self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self.prune_below(&path);
            } else if !self.files.contains(&path) {
                fs::remove_file(&path).expect("it can be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_planted_is_gone_and_what_says_the_same_keeps_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut earlier = Planted::new(folder.path().to_owned());
        earlier.write("a/b.rs", "same");
        earlier.write("a/moved.rs", "old");
        let time = fs::metadata(folder.path().join("a/b.rs")).unwrap().modified().unwrap();
        let mut planted = Planted::new(folder.path().to_owned());
        planted.write("a/b.rs", "same");
        planted.prune();
        assert_eq!(fs::metadata(folder.path().join("a/b.rs")).unwrap().modified().unwrap(), time);
        assert!(!folder.path().join("a/moved.rs").exists());
    }
}
