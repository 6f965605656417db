//! The corpus against a copy of the sources in which a check can be switched off, to show that each check is what stands in
//! the way: with it silent, and nothing else, its hostile files are signed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlock_tests::planted::Planted;
use airlock_tests::programs::{root, run};

use crate::edits::{EDITS, Edit};

/// The packages that are copied.
const PACKAGES: [&str; 4] = ["policies", "psbt-tools", "cold-signer/wire", "cold-signer/vault"];

/// Runs every fixture with its check switched off; for each name, what came of it.
pub fn run_all() -> BTreeMap<String, String> {
    let output = run(&mut Command::new(build()));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter_map(|line| line.split_once('\t')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// Builds the copy below the running test's own target folder, where the dependencies are built already.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let target = test.ancestors().nth(3).expect("tests run below target/PROFILE/deps");
    let mut planted = Planted::new(target.join("switched-off"));
    let manifest = read("Cargo.toml");
    let rest = &manifest[manifest.find("[workspace.package]").expect("a section")..];
    let members = [PACKAGES.as_slice(), &["switched-off"]].concat();
    let listed = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n{rest}");
    planted.write("Cargo.toml", &listed);
    planted.write("Cargo.lock", &read("Cargo.lock"));
    let mut applied = 0;
    for package in PACKAGES {
        let manifest = read(&format!("{package}/Cargo.toml"));
        let manifest = manifest.split("[dev-dependencies]").next().expect("its beginning");
        let folder = Path::new(package);
        planted.write(folder.join("Cargo.toml"), manifest);
        let sources = folder.join("src");
        planted.copy(&root().join(&sources), &sources, &mut |file, text| {
            let file = sources.join(file);
            EDITS.iter().filter(|edit| file == Path::new(edit.file)).fold(
                text,
                |text, Edit { from, to, .. }| {
                    assert_eq!(text.matches(from).count(), 1, "`{from}` in {}", file.display());
                    applied += 1;
                    text.replace(from, to)
                },
            )
        });
    }
    assert_eq!(applied, EDITS.len(), "every edit has one place");
    plant(&mut planted);
    planted.prune();
    let built = run(Command::new(env!("CARGO"))
        .args(["build", "--offline", "-p", "switched-off"])
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(planted.folder()));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/switched-off")
}

/// The program: this corpus, over the copied packages.
fn plant(planted: &mut Planted) {
    let tests = root().join("tests");
    let dependencies =
        ["bitcoin", "cold-vault", "cold-wire", "ed25519-dalek", "policies", "psbt-tools", "tempfile"]
            .map(|name| format!("{name}.workspace = true\n"))
            .concat();
    let manifest = format!(
        "[package]\nname = \"switched-off\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}"
    );
    planted.write("switched-off/Cargo.toml", &manifest);
    let main =
        read("tests/tests/hostile_corpus/switched_off.rs").replace("TESTS", &tests.display().to_string());
    planted.write("switched-off/src/main.rs", &main);
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
