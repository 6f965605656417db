//! Kill -9 of the vault at every write and sync of a signing visit, then sign again: the same signatures and the same
//! receipt from then on, one intent.

use std::path::Path;

use airlock_tests::company::Company;
use airlock_tests::programs::{has, program, run};
use airlock_tests::vault::Vault;
use cold_wire::{Bundle, ReplyBody, RequestBody, Signed};
use policies::wallet::ScriptKind;

fn sign(vault: &mut Vault, bundle: &Bundle) -> Option<Signed> {
    let consent = bundle.spend.id();
    match vault.call(RequestBody::Sign { bundle: bundle.clone(), consent, accepted: vec![] })? {
        ReplyBody::Signed(signed) => Some(signed),
        other => panic!("{other:?}"),
    }
}

fn intents(store: &Path) -> usize {
    let log = run(std::process::Command::new(program("cold-vault")).arg("log").arg("--store").arg(store));
    assert!(log.status.success(), "{}", String::from_utf8_lossy(&log.stderr));
    String::from_utf8_lossy(&log.stdout).lines().filter(|line| line.ends_with("intent")).count()
}

/// The tracer's command line: kills the vault when it enters its `when`th call of `call`, or only notes the calls.
fn traced(words: Vec<String>, trace: &Path, kill: Option<(&str, usize)>) -> Vec<String> {
    let mut all = vec!["strace".to_owned(), "-qq".to_owned(), "-o".to_owned(), trace.display().to_string()];
    all.extend(["-e".to_owned(), "trace=write,sendto,fdatasync".to_owned()]);
    if let Some((call, when)) = kill {
        all.extend(["-e".to_owned(), format!("inject={call}:signal=SIGKILL:when={when}")]);
    }
    all.extend(words);
    all
}

#[test]
fn a_vault_killed_at_any_write_signs_the_same_again_with_one_intent() {
    if !has("strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original");
    let bundle = {
        let mut vault = Vault::start(&original);
        let company = Company::found(&mut vault, ScriptKind::Wpkh);
        let (parts, previous) = company.parts(1);
        vault.end();
        company.bundle(parts, previous, 1, [0; 32])
    };
    let copy = |name: String| {
        let path = folder.path().join(name);
        std::fs::copy(&original, &path).unwrap();
        path
    };

    // The dry run: which calls a whole visit makes, and the signatures that must come out every time.
    let trace = folder.path().join("trace");
    let store = copy("dry".to_owned());
    let mut vault = Vault::start_below(&store, |words| traced(words, &trace, None)).expect("a dry run");
    let expected = sign(&mut vault, &bundle).expect("the dry run signs");
    vault.end();
    let calls: Vec<String> = std::fs::read_to_string(&trace)
        .unwrap()
        .lines()
        .filter_map(|line| line.split('(').next().map(str::to_owned))
        .filter(|call| ["write", "sendto", "fdatasync"].contains(&call.as_str()))
        .collect();
    assert_eq!(intents(&store), 1);

    let (mut sites, mut hit, mut before, mut after) = (0, 0, 0, 0);
    for call in ["write", "sendto", "fdatasync"] {
        for when in 1..=calls.iter().filter(|seen| *seen == call).count() {
            sites += 1;
            let store = copy(format!("{call}-{when}"));
            let trace = folder.path().join("killed");
            let vault = Vault::start_below(&store, |words| traced(words, &trace, Some((call, when))));
            // Killed before Hello was answered: nothing can have been asked of it.
            let early = vault.is_none();
            let signed = vault.and_then(|mut vault| sign(&mut vault, &bundle));
            let died = std::fs::read_to_string(&trace).unwrap().contains("killed by SIGKILL");
            hit += usize::from(died);
            assert!(died, "{call} {when} was not reached");
            assert!(signed.is_none(), "{call} {when}: a signature left although the vault was killed");
            let found = intents(&store);
            assert!(found <= 1 && !(early && found == 1), "{call} {when}: {found} intents");
            before += usize::from(found == 0);
            after += usize::from(found == 1);

            let again = sign(&mut Vault::start(&store), &bundle).expect("signs after the crash");
            assert_eq!(again.signatures, expected.signatures, "{call} {when}");
            let once_more = sign(&mut Vault::start(&store), &bundle).expect("signs again");
            assert_eq!(once_more, again, "{call} {when}: the receipt changed");
            assert_eq!(intents(&store), 1, "{call} {when}");
        }
    }
    eprintln!("kill sites: {sites}, hit: {hit} ({before} before the intent, {after} after it)");
    assert_eq!(sites, hit);
    assert!(after >= 1, "no kill fell between intent and reply");
}
