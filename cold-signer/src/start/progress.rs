//! What the store cannot know of the first hour: kept in a small file beside it, without a secret. Whoever changes it can
//! make a step look done, and nothing else.

use crate::{Error, Result};
use psbt_tools::display::escape;
use psbt_tools::files;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes.
const MAX_LEN: u64 = 64 << 10;

/// Steps that were done for one wallet of one vault.
#[derive(Debug, Clone)]
pub struct Progress {
    path: PathBuf,
    all: Map<String, Value>,
    key: String,
}

impl Progress {
    /// Reads what lies beside the store. What cannot be read counts as nothing done.
    pub fn read(store: &Path, wallet: &str, vault: &str) -> Self {
        let path = beside(store, "first-hour");
        let text = files::read(&path, MAX_LEN).ok();
        let value: Option<Value> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let all = match value {
            Some(Value::Object(all)) => all,
            _ => Map::new(),
        };
        // A store that was made anew under the same name begins anew.
        Self { path, all, key: format!("{vault}/{wallet}") }
    }

    /// What a step left, e.g. its time.
    pub fn get(&self, step: &str) -> Option<&Value> {
        self.all.get(&self.key)?.get(step)
    }

    /// Notes a step, durably.
    ///
    /// # Errors
    /// [`Error::Psbt`] where the file cannot be written, [`Error::Input`] where it cannot be renamed.
    pub fn note(mut self, step: &str, value: Value) -> Result<()> {
        let steps = self.all.entry(self.key.clone()).or_insert_with(|| json!({}));
        if let Some(steps) = steps.as_object_mut() {
            steps.insert(step.to_owned(), value);
        }
        let new = beside(&self.path, "new");
        // Left by a run that was killed here.
        let _ = std::fs::remove_file(&new);
        files::write_new(&new, format!("{:#}\n", Value::Object(self.all)).as_bytes(), 0o600)?;
        std::fs::rename(&new, &self.path)
            .map_err(|source| Error::Input { name: escape(&self.path.to_string_lossy()), source })
    }
}

/// `FILE.WORD` for a file.
pub fn beside(file: &Path, word: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(word);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_kept_by_vault_and_wallet_and_nonsense_counts_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("vault.store");
        let of = |wallet: &str, vault: &str| Progress::read(&store, wallet, vault);
        assert_eq!(of("main", "v1").get("drill"), None);
        of("main", "v1").note("drill", json!(7)).unwrap();
        of("main", "v1").note("export", json!("main.json")).unwrap();
        of("other", "v1").note("drill", json!(8)).unwrap();
        assert_eq!(of("main", "v1").get("drill"), Some(&json!(7)));
        assert_eq!(of("main", "v1").get("export"), Some(&json!("main.json")));
        assert_eq!(of("main", "v2").get("drill"), None);
        std::fs::write(beside(&store, "first-hour"), "[1, 2").unwrap();
        assert_eq!(of("main", "v1").get("drill"), None);
        of("main", "v1").note("drill", json!(9)).unwrap();
        assert_eq!(of("main", "v1").get("drill"), Some(&json!(9)));
    }
}
