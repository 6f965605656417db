//! Where a shipped vault differs from the development build that all other tests run: the least work for a passphrase.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use airlock_tests::programs::{program, run};

/// Two wallets and the words of their keys, from the vectors of BIP39.
const WALLETS: [(&str, &str); 2] = [
    ("hot", "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"),
    ("cold", "legal winner thank year wave sausage worth useful legal winner thank yellow"),
];

/// The vault of another profile, from the running test's own target folder; a missing one is said, so that it is counted.
fn vault(profile: &str) -> Option<PathBuf> {
    let path = program("cold-vault").ancestors().nth(2).expect("target").join(profile).join("cold-vault");
    if !path.exists() {
        eprintln!("skipped: no {profile} build of cold-vault in this target folder");
        return None;
    }
    Some(path)
}

/// Restores a wallet's key into the store `vault.store`, which is made when it is not there.
fn restore(vault: &Path, folder: &Path, (wallet, words): (&str, &str)) -> Output {
    std::fs::write(folder.join("words"), words).unwrap();
    let line = format!(
        "restore --wallet {wallet} --network regtest --script wpkh --words 12 --words-file words --store vault.store \
         --passphrase-file pass --allow-network --kdf-floor"
    );
    run(Command::new(vault).args(line.split(' ')).current_dir(folder))
}

#[test]
fn a_shipped_vault_refuses_a_store_of_a_development_build() {
    let (Some(shipped), Some(development)) = (vault("release"), vault("debug")) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pass"), "correct horse battery staple").unwrap();
    let store = folder.path().join("vault.store");

    let made = restore(&development, folder.path(), WALLETS[0]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let before = std::fs::read(&store).unwrap();
    let refused = restore(&shipped, folder.path(), WALLETS[1]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("1024 KiB"), "{said}");
    assert_eq!(std::fs::read(&store).unwrap(), before, "a refusal writes nothing");

    // The control: what the shipped one makes at its own floor, it opens.
    std::fs::remove_file(&store).unwrap();
    for wallet in WALLETS {
        let made = restore(&shipped, folder.path(), wallet);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}
