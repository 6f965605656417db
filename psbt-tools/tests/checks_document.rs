//! `docs/checks.md` names every check, and every test that it names exists.

use std::path::Path;

#[test]
fn every_check_has_its_section_and_every_fixture_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("docs/checks.md")).unwrap();
    let sections: Vec<_> = text.split("\n## ").skip(1).collect();
    let numbers: Vec<_> = sections.iter().map(|section| &section[..3]).collect();
    assert_eq!(numbers, (1..=34).map(|n| format!("C{n:02}")).collect::<Vec<_>>());
    let folders = ["psbt-tools/tests", "tests/tests"];
    for section in sections {
        let (_, fixtures) = section.split_once("- Fixtures:").expect(section);
        let mut source: Option<String> = None;
        for name in fixtures.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") {
                let paths =
                    folders.iter().map(|folder| root.join(folder).join(name)).chain([root.join(name)]);
                let found = paths.into_iter().find(|path| path.is_file());
                source = Some(std::fs::read_to_string(found.expect(name)).unwrap());
            } else if let Some(source) = &source {
                assert!(source.contains(&format!("fn {name}(")), "{name} is no test of that file");
            }
        }
    }
}
