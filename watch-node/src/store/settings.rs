//! The folder's own row: which network, which chain source.

use std::path::{Path, PathBuf};

use bitcoin::Network;
use rusqlite::params;

use super::{FILE, Store, open_database, schema};
use crate::config::{ChainConfig, Config};
use crate::error::{Error, Result};

impl Store {
    /// Makes `dir` (mode 0700 where new) a watch-node folder.
    ///
    /// Errors: [`Error::AlreadyInitialised`]; an existing store is never touched.
    pub fn create(dir: &Path, config: &Config) -> Result<Self> {
        create_private_dir(dir)?;
        let path = dir.join(FILE);
        let db = open_database(&path, schema::APPLICATION_ID, schema::VERSION, schema::MIGRATIONS)?;
        let (chain, url, cookie_file) = match &config.chain {
            ChainConfig::Embedded => ("embedded", None, None),
            ChainConfig::Core { url, cookie_file } => ("core", Some(url), Some(cookie_file)),
        };
        let cookie_file = cookie_file
            .map(|file| file.to_str().ok_or(Error::Missing("a cookie file whose path is UTF-8")))
            .transpose()?;
        let written = db.execute(
            "INSERT INTO settings (id, network, chain, url, cookie_file) VALUES (1, ?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            params![config.network.to_core_arg(), chain, url, cookie_file],
        )?;
        if written == 0 {
            return Err(Error::AlreadyInitialised(dir.to_owned()));
        }
        Ok(Self { db, dir: dir.to_owned() })
    }

    /// What this folder follows.
    pub fn config(&self) -> Result<Config> {
        let (network, chain, url, cookie_file) =
            self.db.query_row("SELECT network, chain, url, cookie_file FROM settings", [], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, Option<String>>(2)?,
                    row.get::<_, Option<String>>(3)?,
                ))
            })?;
        let network = Network::from_core_arg(&network).map_err(|_| Error::CorruptStore("network"))?;
        let chain = match (chain.as_str(), url, cookie_file) {
            ("embedded", None, None) => ChainConfig::Embedded,
            ("core", Some(url), Some(cookie_file)) => {
                ChainConfig::Core { url, cookie_file: PathBuf::from(cookie_file) }
            }
            _ => return Err(Error::CorruptStore("chain source")),
        };
        Ok(Config { network, chain })
    }

    pub(super) fn has_settings(&self) -> Result<bool> {
        Ok(self.db.query_row("SELECT EXISTS (SELECT 1 FROM settings)", [], |row| row.get(0))?)
    }
}

fn create_private_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::file(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_went_in_and_are_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            network: Network::Testnet4,
            chain: ChainConfig::Core { url: "http://127.0.0.1:1".into(), cookie_file: "/x/.cookie".into() },
        };
        drop(Store::create(dir.path(), &config).unwrap());
        assert_eq!(Store::open(dir.path()).unwrap().config().unwrap(), config);
        assert!(matches!(Store::create(dir.path(), &config), Err(Error::AlreadyInitialised(_))));
    }
}
