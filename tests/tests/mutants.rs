//! Is the oracle awake? Mistakes planted in copies of `policies` must all be noticed, and the copy without one must not.

#[path = "mutants/edits.rs"]
mod edits;

use airlock_tests::planted::Planted;
use airlock_tests::programs::{root, run};
use edits::{EDITS, Edit};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many companies each copy judges.
const CASES: u64 = 3_000;

const CONTROL: &str = "control";

#[test]
fn the_oracle_notices_every_planted_mistake_and_nothing_else() {
    let folder = build();
    assert_eq!(judged(&folder, CONTROL), Ok(()), "the copy without a mistake is accused");
    let mut missed = Vec::new();
    for edit in EDITS {
        match judged(&folder, edit.name) {
            Ok(()) => missed.push(edit.name),
            Err(company) => eprintln!("{}: caught by {company}", edit.name),
        }
    }
    eprintln!("mutants: caught {} of {}", EDITS.len() - missed.len(), EDITS.len());
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}

#[test]
fn every_planted_mistake_has_exactly_one_place() {
    assert!(EDITS.len() >= 10);
    for Edit { name, file, from, to } in EDITS {
        let text = fs::read_to_string(root().join("policies/src").join(file)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{name}: `{from}` in {file}");
        assert_ne!(from, to, "{name}");
    }
}

/// Runs a copy: `Err` with the first company over which it and the oracle disagree.
fn judged(folder: &Path, name: &str) -> Result<(), String> {
    let output = run(Command::new(folder.join(format!("mutant-{name}"))).arg(CASES.to_string()));
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(3) => Err(said),
        other => panic!("{name} ended with {other:?}: {said}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Builds the control and a copy for each mistake at once; gives the folder of the programs. It is the running test's own
/// target folder, where the dependencies are built already, and the copies stay there: what did not change is not built
/// again.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).expect("tests run below target/PROFILE/deps");
    let mut planted = Planted::new(target.join("mutants"));
    let mut members = vec![CONTROL];
    members.extend(EDITS.iter().map(|edit| edit.name));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let shared = &manifest[manifest.find("[workspace.package]").unwrap()..];
    let shared: Vec<_> = shared.lines().filter(|line| !line.contains("path = ")).collect();
    let mut listed =
        format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n{}\n", shared.join("\n"));
    for name in &members {
        listed += &format!("\n[profile.dev.package.mutant-{name}]\ndebug = false\nstrip = true\n");
    }
    planted.write("Cargo.toml", &listed);
    planted.write("Cargo.lock", &fs::read_to_string(root().join("Cargo.lock")).unwrap());
    for name in &members {
        plant(&mut planted, name, EDITS.iter().find(|edit| edit.name == *name));
    }
    planted.prune();
    let built = run(Command::new(env!("CARGO"))
        .args(["build", "--offline", "--workspace", "--bins"])
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(planted.folder()));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug")
}

/// Writes the package of one copy: the library with its edit, and a program that tries it against the oracle.
fn plant(planted: &mut Planted, name: &str, edit: Option<&Edit>) {
    let folder = Path::new(name);
    let policies = root().join("policies");
    let manifest = fs::read_to_string(policies.join("Cargo.toml")).unwrap();
    let manifest = manifest.replacen("name = \"policies\"", &format!("name = \"mutant-{name}\""), 1);
    let manifest = manifest.split("[dev-dependencies]").next().unwrap();
    let manifest = manifest.replace("[lints]\nworkspace = true\n", "");
    planted.write(folder.join("Cargo.toml"), &manifest);
    let mut applied = 0;
    planted.copy(&policies.join("src"), &folder.join("src"), &mut |file, text| match edit {
        Some(edit) if file == Path::new(edit.file) => {
            applied += text.matches(edit.from).count();
            text.replace(edit.from, edit.to)
        }
        _ => text,
    });
    assert_eq!(applied, usize::from(edit.is_some()), "{name}");
    let oracle = policies.join("tests/oracle/mod.rs");
    let crate_name = format!("mutant_{}", name.replace('-', "_"));
    planted.write(
        folder.join("src/main.rs"),
        &format!(
            r#"extern crate {crate_name} as policies;

#[path = "{}"]
mod oracle;

fn main() {{
    let cases = std::env::args().nth(1).unwrap().parse().unwrap();
    if let Some((seed, found, expected)) = oracle::first_disagreement(cases) {{
        println!("company {{seed}}");
        eprintln!("{{found:?}}, expected {{expected:?}}");
        std::process::exit(3);
    }}
}}
"#,
            oracle.display()
        ),
    );
}
