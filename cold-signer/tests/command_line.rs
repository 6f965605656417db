//! Failures that need no vault, as a person and as a program see them.

mod common;

use common::{console, place};
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// Runs the program alone in a folder, without a vault beside it, a home or a terminal.
fn run(folder: &std::path::Path, arguments: &[&str]) -> String {
    let alone = folder.join("cold-signer");
    if !alone.exists() {
        place(console(), &alone);
    }
    let output = Command::new("setsid")
        .arg("--wait")
        .arg(&alone)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut text = format!("$ cold-signer {}\n", arguments.join(" "));
    text.push_str(&String::from_utf8(output.stdout).unwrap());
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    write!(text, "exit {}", output.status.code().unwrap()).unwrap();
    text.replace(&folder.display().to_string(), "FOLDER")
}

#[test]
fn failures_have_a_sentence_a_remedy_and_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("not-an-authority"), "hello").unwrap();
    std::fs::write(folder.path().join("x-signed.psbt"), "").unwrap();
    let long = "1".repeat(64);
    let cases: &[&[&str]] = &[
        &["new-key", "--wallet", "main", "--script", "pkh"],
        &["new-key", "--wallet", "main", "--network", "moon"],
        &["new-key", "--wallet", "main", "--limit", "0.5/24h"],
        &["new-key", "--wallet", "main", "--words-unseen"],
        &["new-key", "--wallet", "main", "--dice-file", "missing"],
        &["export", "--wallet", "main", "--format", "bsms", "--json"],
        &["trust", "--authority", "missing"],
        &["trust", "--authority", "not-an-authority", "--json"],
        &["keys"],
        &["keys", "--passphrase-file", "missing"],
        &["keys", "--passphrase-fd", "99"],
        &["sign", "a.psbt", "b.psbt", "-o", "c.psbt"],
        &["sign", "a.psbt", "--consent", &long, "--consent", &long, "--json"],
        &["sign-message", "--wallet", "main", "--message", "hello"],
        &["sign-message", "--wallet", "main", "--add", "missing", "--json"],
        &["sign-message", "--wallet", "main", "--message", "hello", "--index", "0", "-o", "x-signed.psbt"],
        &["sign-reserves", "--wallet", "main", "missing", "-o", "x.json", "--json"],
        &["log", "--verify"],
    ];
    let transcript: Vec<String> = cases.iter().map(|arguments| run(folder.path(), arguments)).collect();
    insta::assert_snapshot!(transcript.join("\n\n"));
}

#[test]
fn misuse_is_exit_code_2_with_one_json_object() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["sign", "--json"][..],
        &["sign", "a.psbt", "--consent", "12", "--json"],
        &["sign", "a.psbt", "--accept", "C99", "--json"],
        &["new-key", "--wallet", "a", "--words", "13", "--json"],
        &["address", "--wallet", "a", "--index", "2147483648", "--json"],
        &["sign-message", "--wallet", "a", "--index", "0", "--json"],
        &["sign-message", "--wallet", "a", "--message", "b", "--change", "--json"],
        &["sign-message", "--wallet", "a", "--add", "b", "--index", "0", "--json"],
        &["sign-reserves", "--wallet", "a", "b", "-o", "c", "--consent", "12", "--json"],
        &["register", "--wallet", "a", "--json"],
        &["register", "--wallet", "a", "--descriptor", "b", "--file", "c", "--json"],
    ] {
        let text = run(folder.path(), arguments);
        assert!(text.ends_with("exit 2") && text.contains("{\"error\":{\"code\":\"usage\""), "{text}");
    }
}
