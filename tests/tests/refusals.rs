//! What goes wrong at the command line: each failure has a sentence, a remedy and the documented exit code.
//!
//! The snapshots hold standard error and the exit code of every case; the code is also stated beside the case.

use std::fmt::Write as _;
use std::process::Command;

use airlock_tests::office::{Office, SUPPLIER, Said, steady};
use airlock_tests::vault::Vault;
use bitcoin::{Amount, Psbt};
use psbt_tools::envelope::{Envelope, Kind};

const STORE: &str = "vault.store";
/// The store of one person without a company.
const OWN: &str = "own.store";

const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// Options that every `cold-signer` line has, and that no transcript repeats.
const SIGNER: &str = " --passphrase-file pass --allow-network --kdf-floor";

/// What was typed, what was answered.
struct Transcript<'a> {
    office: &'a Office,
    text: String,
}

impl<'a> Transcript<'a> {
    fn new(office: &'a Office) -> Self {
        Self { office, text: String::new() }
    }

    /// Runs a line that must fail like this, as people and as programs do, and leave nothing new in the folder.
    fn fails(&mut self, claim: &str, code: i32, line: &str) {
        let before = self.office.names();
        let mut said = self.office.run(&format!("{line} --json"));
        if !line.starts_with("cold-signer") {
            // A second run costs no key derivation here.
            said.stderr = self.office.run(line).stderr;
        }
        assert_eq!(self.office.names(), before, "{claim}: {line}");
        self.note(claim, code, line, &said);
    }

    /// As [`Self::fails`], for a `cold-signer` line without the options that all of them have.
    fn signer_fails(&mut self, claim: &str, code: i32, line: &str) {
        let line = if line.contains("--store") { line.to_owned() } else { format!("{line} --store {STORE}") };
        self.fails(claim, code, &format!("cold-signer {line}{SIGNER}"));
    }

    fn note(&mut self, claim: &str, code: i32, line: &str, said: &Said) {
        assert_eq!(said.code, code, "{claim}: {line}: {said:?}");
        let error = said.json()["error"].clone();
        for key in ["code", "message", "hint"] {
            assert!(
                error[key].as_str().is_some_and(|text| !text.is_empty()),
                "{claim}: no {key} in {said:?}"
            );
        }
        let stderr = &said.stderr;
        assert!(stderr.contains("error: ") && stderr.contains("\nhint: "), "{claim}: {stderr}");
        let shown = format!("{line}\n{stderr}").replace(SIGNER, "");
        let shown = steady(&shown, &self.office.path(""));
        writeln!(self.text, "# {claim}\n$ {}\nexit {code}\n", shown.trim_end()).unwrap();
    }
}

/// A company with a wallet at its vault, one person with an own wallet, and coins in both; `None` without OpenSSH.
fn company() -> Option<Office> {
    let office = Office::open();
    if !office.found_company() {
        return None;
    }
    office.signer_done(STORE, "trust --authority gate/authority.pub");
    office.signer_done(STORE, "new-key --wallet savings --network regtest --words-unseen");
    office.signer_done(STORE, "export --wallet savings -o savings.json");
    office.gate("vault add savings.json");
    office.signer_done(OWN, "new-key --wallet own --network regtest --words-unseen --limit 1btc/24h");
    office.signer_done(OWN, "export --wallet own -o own.json");
    office.found_node();
    office.node("trust gate/authority.pub");
    for wallet in ["savings", "own"] {
        office.node(&format!("wallet import {wallet} --file {wallet}.json"));
        for _ in 0..3 {
            office.fund(wallet, "2btc");
        }
    }
    Some(office)
}

#[test]
fn every_refusal_has_a_sentence_a_remedy_and_its_exit_code() {
    let Some(office) = company() else { return };
    office.write("a-letter.psbt", "Dear treasurer, please pay the attached invoice.\n");
    office.write("wrong-pass", "incorrect horse\n");
    office.write("already-here.psbt", "not to be touched");
    office.permit("savings", "0.4btc", "pay");
    office.permit("savings", "0.3btc", "other");
    office.ask("savings", "1.5btc", "large");
    office.node(&format!("pay own --to {SUPPLIER}=1.5btc --feerate 5 -o own.psbt"));
    let spend = office.spend_id(STORE, "pay-permitted.psbt");
    let other = office.spend_id(STORE, "other-permitted.psbt");
    office.write("swapped.psbt", with_permit_of(&office, "pay-request.psbt", "other-permitted.psbt"));

    let mut told = Transcript::new(&office);
    told.signer_fails("a file that is not there", 1, "review missing.psbt");
    told.fails("the same at the gatekeeper", 1, "gatekeeper submit missing.psbt -o x.psbt --data gate");
    told.fails("the same at the node", 1, "watch-node submit missing.psbt --data node");
    told.signer_fails("a file that is no PSBT", 3, "review a-letter.psbt");
    told.fails("the same at the gatekeeper", 3, "gatekeeper submit a-letter.psbt -o x.psbt --data gate");
    told.fails("the same at the node", 3, "watch-node submit a-letter.psbt --data node");
    told.signer_fails("a payment of another wallet", 3, "review own.psbt");
    told.fails("the same at the gatekeeper", 3, "gatekeeper submit own.psbt -o x.psbt --data gate");
    told.fails(
        "a wrong passphrase",
        5,
        &format!("cold-signer keys --store {STORE} --passphrase-file wrong-pass --allow-network"),
    );
    told.fails(
        "no passphrase and no terminal",
        5,
        &format!("cold-signer keys --store {STORE} --allow-network"),
    );
    told.signer_fails(
        "a request without a permit",
        3,
        &format!("sign pay-request.psbt --consent {spend} -o x.psbt"),
    );
    told.signer_fails("a draft without a request", 3, &format!("sign pay.psbt --consent {spend} -o x.psbt"));
    told.signer_fails(
        "a permit for another spend",
        3,
        &format!("sign swapped.psbt --consent {spend} -o x.psbt"),
    );
    told.signer_fails("an unknown wallet", 3, "export --wallet treasury -o x.json");
    told.signer_fails("the same for an address", 3, "address --wallet treasury --index 0");
    told.fails(
        "the same at the node",
        3,
        &format!("watch-node pay treasury --to {SUPPLIER}=1btc --feerate 5 -o x.psbt --data node"),
    );
    told.fails(
        "an amount above the policy's limit",
        3,
        "gatekeeper submit large-request.psbt -o x.psbt --data gate",
    );
    let own = office.run(&format!("cold-signer review own.psbt --store {OWN}{SIGNER} --json"));
    let own = own.json()["spend_id"].as_str().unwrap_or(&spend).to_owned();
    told.signer_fails(
        "the same amount above the own limit of one person",
        3,
        &format!("sign own.psbt --consent {own} -o x.psbt --store {OWN}"),
    );
    told.fails(
        "more than there is",
        3,
        &format!("watch-node pay own --to {SUPPLIER}=20btc --feerate 5 -o x.psbt --data node"),
    );
    told.fails(
        "an amount without its unit",
        2,
        &format!("watch-node pay savings --to {SUPPLIER}=1 --feerate 5 -o x.psbt --data node"),
    );
    told.fails(
        "an address of another network",
        3,
        "watch-node pay savings --to bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu=1btc --feerate 5 -o x.psbt --data node",
    );
    told.fails(
        "an address with a typing mistake",
        2,
        "watch-node pay savings --to bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppj=1btc --feerate 5 -o x.psbt --data node",
    );
    told.signer_fails(
        "consent for another spend",
        3,
        &format!("sign pay-permitted.psbt --consent {other} -o x.psbt"),
    );
    told.signer_fails("no consent and no terminal", 4, "sign pay-permitted.psbt -o x.psbt");
    told.signer_fails("a store that is not there", 1, "keys --store nowhere.store");

    for (claim, line) in [
        (
            "an output file that exists",
            format!("cold-signer sign pay-permitted.psbt --consent {spend} --store {STORE} -o"),
        ),
        ("the same for an export", format!("cold-signer export --wallet savings --store {STORE} -o")),
        ("the same for receipts", format!("cold-signer receipts --store {STORE} -o")),
    ] {
        told.fails(claim, 3, &format!("{line} already-here.psbt{SIGNER}"));
    }
    for (claim, line) in [
        (
            "the same at the terminal",
            "gatekeeper request pay.psbt --key desk -o already-here.psbt".to_owned(),
        ),
        (
            "the same at the gatekeeper",
            "gatekeeper submit pay-request.psbt -o already-here.psbt --data gate".to_owned(),
        ),
        (
            "the same at the node",
            format!("watch-node pay own --to {SUPPLIER}=0.1btc --feerate 5 -o already-here.psbt --data node"),
        ),
    ] {
        told.fails(claim, 3, &line);
    }
    assert_eq!(office.read("already-here.psbt"), b"not to be touched");
    told.signer_fails(
        "an output in a folder that is not there",
        1,
        &format!("sign pay-permitted.psbt --consent {spend} -o nowhere/x.psbt"),
    );
    insta::assert_snapshot!("refusals", told.text);

    let permits = office.gate("show");
    assert_eq!(permits["payments"].as_array().unwrap().len(), 2, "nothing else was reserved: {permits}");
    let receipts = office.signer_done(OWN, "receipts -o none.json");
    assert_eq!(receipts["count"], 0, "{receipts}");
}

#[test]
fn a_store_in_use_broken_or_next_to_a_network_is_refused() {
    let office = Office::open();
    office.signer_done(STORE, "new-key --wallet savings --network regtest --words-unseen");
    let mut told = Transcript::new(&office);
    let held = Vault::start(&office.path(STORE));
    told.signer_fails("a store that another vault holds", 5, "keys");
    held.end();
    office.signer_done(STORE, "keys");

    let mut bytes = office.read(STORE);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    office.write("broken.store", &bytes);
    told.signer_fails("a store with one flipped bit", 3, "keys --store broken.store");
    assert_eq!(office.read("broken.store"), bytes, "a broken store is left as it is");
    office.write("letter.store", "no store at all");
    told.signer_fails("a file that is no store", 3, "keys --store letter.store");
    insta::assert_snapshot!("stores", told.text);

    let said = office.run(&format!("cold-signer keys --store {STORE} --passphrase-file pass --json"));
    if said.code == 0 {
        eprintln!("skipped: no network interface is up");
        return;
    }
    assert_eq!((said.code, &said.json()["error"]["code"]), (3, &"live-network".into()), "{said:?}");
    assert!(said.stderr.starts_with("error: ") && said.stderr.contains("hint: unplug it"), "{said:?}");
}

#[test]
fn a_signed_file_that_was_altered_and_an_unsigned_one_are_not_broadcast() {
    let Some(office) = company() else { return };
    office.permit("savings", "0.4btc", "pay");
    office.sign(STORE, "pay-permitted.psbt", "pay-signed.psbt");

    let psbt = Psbt::deserialize(&office.read("pay-signed.psbt")).unwrap();
    let mut richer = psbt.clone();
    let paid =
        richer.unsigned_tx.output.iter_mut().find(|output| output.value == Amount::from_sat(40_000_000));
    paid.unwrap().value += Amount::from_sat(1);
    office.write("richer.psbt", richer.serialize());
    // Whoever forges it leaves no manifest that would give them away before the signature does.
    let mut silent = psbt.clone();
    psbt_tools::manifest::remove(&mut silent);
    let mut forged = silent.serialize();
    let signature = psbt.inputs[0].partial_sigs.values().next().unwrap().to_vec();
    let at = forged.windows(signature.len()).position(|window| window == signature).unwrap();
    forged[at + signature.len() - 10] ^= 1;
    office.write("forged.psbt", forged);

    let mut told = Transcript::new(&office);
    told.fails("an amount changed after signing", 3, "watch-node submit richer.psbt --data node");
    told.fails("a flipped bit in a signature", 3, "watch-node submit forged.psbt --data node");
    told.fails("no signature yet", 4, "watch-node submit pay-permitted.psbt --data node");
    insta::assert_snapshot!("submissions", told.text);
    let payments = office.node("payments");
    assert_ne!(payments["payments"][0]["state"], "broadcast", "{payments}");
    office.node("submit pay-signed.psbt");
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let mount = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no small file system can be mounted here");
        return;
    }
    let office = Office::open();
    office.signer_done(OWN, "new-key --wallet own --network regtest --words-unseen");
    office.signer_done(OWN, "export --wallet own -o own.json");
    office.found_node();
    office.node("wallet import own --file own.json");
    office.fund("own", "1btc");
    office.fund("own", "1btc");
    office.node(&format!("pay own --to {SUPPLIER}=0.1btc --feerate 5 -o own.psbt"));
    let spend = office.spend_id(OWN, "own.psbt");
    std::fs::create_dir(office.path("full")).unwrap();
    let mut told = Transcript::new(&office);
    for (claim, line) in [
        ("an export", format!("cold-signer export --wallet own -o full/out --store {OWN}{SIGNER}")),
        (
            "a signed file",
            format!("cold-signer sign own.psbt --consent {spend} -o full/out --store {OWN}{SIGNER}"),
        ),
        ("receipts", format!("cold-signer receipts -o full/out --store {OWN}{SIGNER}")),
        (
            "a request",
            format!("watch-node pay own --to {SUPPLIER}=0.1btc --feerate 5 -o full/out --data node"),
        ),
        (
            "a new store",
            format!(
                "cold-signer new-key --wallet w --network regtest --words-unseen --store full/new.store{SIGNER}"
            ),
        ),
    ] {
        let typed = office.command(&format!("{line} --json"));
        let inside = "mount -t tmpfs -o size=4k,mode=700 tmpfs full && head -c 4096 /dev/zero > full/filler \
                      && \"$@\"; code=$?; [ \"$(ls -A full)\" = filler ] || { ls -A full >&2; exit 99; }; exit $code";
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", inside, "sh"])
            .arg(typed.get_program())
            .args(typed.get_args())
            .current_dir(office.path(""))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = Said {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        told.note(claim, 1, &line, &said);
    }
    insta::assert_snapshot!("full_disk", told.text);
    // The signature that could not be written is given again, from the same intent.
    office.sign(OWN, "own.psbt", "own-signed.psbt");
    assert_eq!(office.signer_done(OWN, "receipts -o receipts.json")["count"], 1);
}

#[test]
fn a_spend_by_a_restored_copy_of_the_seed_is_unauthorised() {
    let office = Office::open();
    if !office.found_company() {
        return;
    }
    office.write("words", WORDS);
    let restore = "restore --wallet savings --network regtest --words-file words";
    office.signer_done(STORE, "trust --authority gate/authority.pub");
    office.signer_done(STORE, restore);
    office.signer_done(STORE, "export --wallet savings -o savings.json");
    office.gate("vault add savings.json");
    office.found_node();
    office.node("trust gate/authority.pub");
    office.node("wallet import savings --file savings.json");
    office.fund("savings", "2btc");
    office.ask("savings", "1.5btc", "large");

    // Whoever found the paper obeys nobody.
    office.signer_done("thief.store", restore);
    office.sign("thief.store", "large.psbt", "large-signed.psbt");
    office.node("submit large-signed.psbt");
    office.node("regtest mine 1");
    office.node("sync");
    office.signer_done(STORE, "receipts -o receipts.json");
    let said = office.run("watch-node reconcile --receipts receipts.json --data node --json");
    let found = said.json();
    assert_eq!(found["spends"][0]["verdict"], "unauthorised", "{found}");
    let mut told = Transcript::new(&office);
    told.note(
        "a spend that nobody permitted",
        3,
        "watch-node reconcile --receipts receipts.json --data node",
        &said,
    );
    insta::assert_snapshot!("unauthorised", told.text);
}

/// A file with the permits of another one instead of its own.
fn with_permit_of(office: &Office, file: &str, other: &str) -> Vec<u8> {
    let read = |name| Psbt::deserialize(&office.read(name)).unwrap();
    let mut psbt = read(file);
    let permits = Envelope::read(&read(other)).unwrap();
    let permits = permits.get(Kind::Permit).map(<[u8]>::to_vec).collect();
    let mut envelope = Envelope::read(&psbt).unwrap();
    envelope.replace(Kind::Permit, permits).unwrap();
    envelope.replace(Kind::Manifest, vec![]).unwrap();
    envelope.write(&mut psbt);
    psbt.serialize()
}
