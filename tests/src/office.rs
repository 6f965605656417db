//! A person's folder: the built programs driven by their command lines, without a terminal to stop at.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::programs::program;

/// Somebody else's address on regtest.
pub const SUPPLIER: &str = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk";

/// A folder, empty at first but for a passphrase.
pub struct Office {
    folder: TempDir,
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// The one JSON object on standard output.
    ///
    /// # Panics
    /// When there is none, or more.
    pub fn json(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert!(value.is_object(), "{self:?}");
        value
    }
}

impl Office {
    /// An empty folder with the file `pass`.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn open() -> Self {
        let office = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        office.write("pass", "correct horse battery staple\n");
        office
    }

    /// A folder with the same files.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn copy(&self) -> Self {
        let copy = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        copy_files(self.folder.path(), copy.folder.path());
        copy
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, readable by its owner only.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(name))
            .expect("a file");
        file.write_all(bytes.as_ref()).expect("its bytes");
    }

    /// Reads a file.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Every name in the folder, in order.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A command line, its words set apart by blanks, in a session without a terminal.
    pub fn command(&self, line: &str) -> Command {
        self.command_below(&[], line)
    }

    /// The same below another program, such as a tracer. The group of processes has the number of the one started.
    pub fn command_below(&self, below: &[String], line: &str) -> Command {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let mut command = Command::new("setsid");
        command.arg("--wait").args(below).arg(program(name)).args(words);
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).env_remove("XDG_DATA_HOME");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command line to its end.
    ///
    /// # Panics
    /// When it cannot be started, or is killed.
    pub fn run(&self, line: &str) -> Said {
        let output = self.command(line).output().unwrap_or_else(|error| panic!("{line}: {error}"));
        Said {
            code: output.status.code().unwrap_or_else(|| panic!("{line}: {output:?}")),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Runs a command that must succeed, with `--json`; gives the object.
    ///
    /// # Panics
    /// When it does not succeed.
    pub fn done(&self, line: &str) -> Value {
        let said = self.run(&format!("{line} --json"));
        assert_eq!(said.code, 0, "{line}: {said:?}");
        said.json()
    }

    /// [`Self::run`] for `cold-signer` with a store in this folder.
    pub fn signer(&self, store: &str, line: &str) -> Said {
        self.run(&signer_line(store, line))
    }

    /// [`Self::done`] for `cold-signer` with a store in this folder.
    pub fn signer_done(&self, store: &str, line: &str) -> Value {
        self.done(&signer_line(store, line))
    }

    /// Lines for one `cold-signer shell`, with one unlocking for all; gives the object of each.
    ///
    /// # Panics
    /// When a line does not succeed.
    pub fn session(&self, store: &str, lines: &[String]) -> Vec<Value> {
        self.write("session", lines.join("\n") + "\n");
        let mut command = self.command(&signer_line(store, "shell --json"));
        let input = std::fs::File::open(self.path("session")).expect("its lines");
        let output = command.stdin(input).output().expect("the shell runs");
        let found: Vec<Value> = serde_json::Deserializer::from_slice(&output.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        assert!(output.status.success() && found.len() == lines.len(), "{lines:?}: {output:?}");
        found
    }

    /// [`Self::done`] for `watch-node` on the folder `node`.
    pub fn node(&self, line: &str) -> Value {
        self.done(&format!("watch-node {line} --data node"))
    }

    /// [`Self::done`] for `gatekeeper` on the folder `gate`.
    pub fn gate(&self, line: &str) -> Value {
        self.done(&format!("gatekeeper {line} --data gate"))
    }

    /// Keys of the desk and of the gatekeeper, a policy for `savings` and `taproot` with at most 1 BTC a payment, a ledger.
    /// `false`, said aloud, where OpenSSH is not installed.
    ///
    /// # Panics
    /// When a step fails.
    pub fn found_company(&self) -> bool {
        self.found_company_by(POLICY, &["desk"])
    }

    /// Keys of these people and of the gatekeeper, a policy in which each name in capitals stands for the person's key, and
    /// a ledger. `false`, said aloud, where OpenSSH is not installed.
    ///
    /// # Panics
    /// When a step fails.
    pub fn found_company_by(&self, policy: &str, people: &[&str]) -> bool {
        let mut policy = policy.to_owned();
        for name in people.iter().chain(&["permit_key"]) {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name])
                .current_dir(self.folder.path())
                .status();
            if !made.is_ok_and(|status| status.success()) {
                eprintln!("skipped: ssh-keygen is not installed");
                return false;
            }
            let key = String::from_utf8(self.read(&format!("{name}.pub"))).expect("a line");
            let key: Vec<_> = key.split(' ').take(2).collect();
            policy = policy.replace(&name.to_uppercase(), &key.join(" "));
        }
        self.write("policy.toml", policy);
        let authority = self.gate("init --policy policy.toml --permit-key permit_key");
        assert!(authority["authority"].is_string(), "{authority}");
        true
    }

    /// An online node on the embedded chain with a mature coinbase.
    pub fn found_node(&self) {
        self.node("init --network regtest --chain embedded");
        self.node("regtest mine 101");
    }

    /// Pays a watched wallet, and mines it.
    ///
    /// # Panics
    /// When a step fails.
    pub fn fund(&self, wallet: &str, amount: &str) {
        let address = self.node(&format!("address {wallet}"));
        let address = address["address"].as_str().expect("an address");
        self.node(&format!("regtest fund {address} {amount}"));
        self.node("regtest mine 1");
        self.node("sync");
    }

    /// From `watch-node pay` to the permit: `NAME.psbt`, `NAME-request.psbt`, `NAME-permitted.psbt`.
    pub fn permit(&self, wallet: &str, amount: &str, name: &str) {
        self.ask(wallet, amount, name);
        self.gate(&format!("submit {name}-request.psbt -o {name}-permitted.psbt"));
    }

    /// From `watch-node pay` to the desk's signed request: `NAME.psbt`, `NAME-request.psbt`.
    pub fn ask(&self, wallet: &str, amount: &str, name: &str) {
        self.node(&format!("pay {wallet} --to {SUPPLIER}={amount} --feerate 5 -o {name}.psbt"));
        self.done(&format!("gatekeeper request {name}.psbt --key desk -o {name}-request.psbt"));
    }

    /// The spend of a file, as `review` names it.
    ///
    /// # Panics
    /// When it cannot be reviewed.
    pub fn spend_id(&self, store: &str, file: &str) -> String {
        let review = self.signer_done(store, &format!("review {file}"));
        review["spend_id"].as_str().expect("a spend").to_owned()
    }

    /// Consents to a file and signs it.
    pub fn sign(&self, store: &str, file: &str, out: &str) -> Value {
        let spend = self.spend_id(store, file);
        self.signer_done(store, &format!("sign {file} --consent {spend} -o {out}"))
    }
}

const POLICY: &str = r#"schema  = "airlock-policy/1"
company = "Two Friends GmbH"
version = 1
network = "regtest"

[people]
desk = "DESK"

[wallet.savings]
[wallet.taproot]

[[allow]]
name = "Desk pays from savings"
requesters = "desk"
wallet = "savings"
to = ["anyone"]

[[allow]]
name = "Desk pays from taproot"
requesters = "desk"
wallet = "taproot"
to = ["anyone"]

[[limit]]
name = "A payment"
per_payment = "1 BTC"
"#;

/// The command line of `cold-signer` with a store in this folder.
pub fn signer_line(store: &str, line: &str) -> String {
    format!("cold-signer {line} --store {store} --passphrase-file pass --allow-network --kdf-floor")
}

/// Copies what is in a folder into another one, with its modes.
///
/// # Panics
/// When it cannot be copied.
pub fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let from = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() {
            std::fs::create_dir(&to).expect("a folder");
            let mode = std::fs::metadata(&from).expect("its mode").permissions();
            std::fs::set_permissions(&to, mode).expect("the same mode");
            copy_files(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
    }
}

/// Whether an object has all of these keys.
///
/// # Panics
/// When one is missing.
pub fn assert_keys(object: &Value, keys: &[&str]) {
    for key in keys {
        assert!(object.get(key).is_some(), "no `{key}` in {object}");
    }
}

/// Text in which everything that differs from run to run has a name instead: the folder, hexadecimal numbers of eight
/// digits and more, times.
pub fn steady(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "FOLDER");
    let mut steady = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        let is_number = word.chars().all(|c| c.is_ascii_digit());
        let is_hex = word.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        steady.push_str(match word.len() {
            10.. if is_number => "TIME",
            8.. if is_hex && !is_number => "HEX",
            _ => &word,
        });
        word.clear();
        if letter != '\0' {
            steady.push(letter);
        }
    }
    steady
}
