//! An offline laptop: both programs in a folder.

use super::{console, place, spend};
use bitcoin::{Network, Psbt};
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::spend::{Spend, SpendOutput};
use policies::wallet::Wallet;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// `cold-vault`, built as the console was.
fn vault_program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "cold-vault"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if console().parent().unwrap().ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
        console().with_file_name("cold-vault")
    })
}

/// A folder with the programs, a passphrase, and a store to be made.
pub struct Laptop {
    pub folder: tempfile::TempDir,
}

impl Laptop {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        place(console(), &folder.path().join("cold-signer"));
        place(vault_program(), &folder.path().join("cold-vault"));
        std::fs::write(folder.path().join("passphrase"), "correct horse\n").unwrap();
        std::fs::write(folder.path().join("wrong"), "correct house\n").unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit code and JSON, without a terminal.
    pub fn run(&self, arguments: &[&str]) -> (i32, Value) {
        self.run_with("passphrase", arguments)
    }

    pub fn run_with(&self, passphrase: &str, arguments: &[&str]) -> (i32, Value) {
        let (exit, json, _) = self.run_telling(passphrase, arguments);
        (exit, json)
    }

    /// Exit code, JSON and standard error, without a terminal.
    pub fn run_telling(&self, passphrase: &str, arguments: &[&str]) -> (i32, Value, String) {
        self.run_so(arguments, self.command(passphrase, arguments))
    }

    /// A command without a terminal.
    pub fn command(&self, passphrase: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command
            .arg("--wait")
            .arg(self.path("cold-signer"))
            .args(arguments)
            .args(["--store", "vault.store", "--passphrase-file", passphrase, "--json"])
            .args(["--allow-network", "--kdf-floor"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Exit code, JSON and standard error of a command.
    pub fn run_so(&self, arguments: &[&str], mut command: Command) -> (i32, Value, String) {
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?}: {text}\n{errors}"));
        (output.status.code().unwrap(), json, errors)
    }

    pub fn done(&self, arguments: &[&str]) -> Value {
        let (exit, json) = self.run(arguments);
        assert_eq!(exit, 0, "{arguments:?}: {json}");
        json
    }

    pub fn wallet(&self, name: &str) -> Wallet {
        let export = self.done(&["export", "--wallet", name]);
        let text = |key: &str| export[key].as_str().unwrap().to_owned();
        let signed = policies::wallet::export_text(
            Network::Regtest,
            name,
            (&text("external"), &text("internal")),
            export.get("birthday").map(|unix| unix.as_u64().unwrap()),
            export["authority"].as_str().map(|id| id.parse().unwrap()),
        );
        let signature = SshSig::from_armor(&text("signature")).unwrap();
        let audit_key: PublicKey = text("audit_key").parse().unwrap();
        assert_eq!(signature.verify(Namespace::Export, signed.as_bytes()), Ok(audit_key.clone()));
        assert_eq!(policies::permit::vault_id(&audit_key).to_string(), text("vault_id"));
        Wallet::new(Network::Regtest, &[text("external"), text("internal")]).unwrap()
    }

    pub fn write(&self, name: &str, wallet: &Wallet, extra: Option<SpendOutput>) -> Spend {
        let (spend, evidence) = spend(wallet, extra);
        let psbt = psbt_tools::build::build(&spend, &evidence, wallet).unwrap();
        std::fs::write(self.path(name), psbt.serialize()).unwrap();
        spend
    }

    pub fn transaction(&self, name: &str) -> bitcoin::Transaction {
        let mut psbt = Psbt::deserialize(&std::fs::read(self.path(name)).unwrap()).unwrap();
        psbt_tools::finalize::finalize(&mut psbt).unwrap();
        psbt.extract_tx().unwrap()
    }
}

pub fn code(json: &Value) -> &str {
    json["error"]["code"].as_str().unwrap_or_default()
}
