//! What the vault asks and shows: the same steps on the real terminal and in tests.

use super::{Line, Terminal};
use zeroize::Zeroizing;

use crate::keys::{Dice, Entropy, MachineEntropy, WordCount, Words, is_word};
use crate::passphrase::Passphrase;
use crate::{Error, random};

const WORDS_PER_PAGE: usize = 4;
const POSITIONS_ASKED: usize = 4;

/// Asks for the passphrase of an existing store.
///
/// # Errors
/// [`Error::BadPassphrase`], [`Error::Cancelled`].
pub fn ask_passphrase(terminal: &mut dyn Terminal) -> Result<Passphrase, Error> {
    Passphrase::new(terminal.ask("Passphrase: ", false)?.expose())
}

/// Asks for a new passphrase twice, until both agree.
///
/// # Errors
/// [`Error::Cancelled`]; [`Error::PassphrasesDiffer`] after three attempts.
pub fn ask_new_passphrase(terminal: &mut dyn Terminal) -> Result<Passphrase, Error> {
    for _ in 0..3 {
        let first = match Passphrase::new(terminal.ask("New passphrase: ", false)?.expose()) {
            Ok(first) => first,
            Err(error @ Error::BadPassphrase(_)) => {
                terminal.show(&format!("{error}; {}.\n", error.hint()))?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let second = terminal.ask("The same again: ", false)?;
        if Passphrase::new(second.expose()).is_ok_and(|second| first.same_as(&second)) {
            return Ok(first);
        }
        terminal.show("The two differ; once more.\n")?;
    }
    Err(Error::PassphrasesDiffer)
}

/// Shows the words four to a page, then asks back four random positions; a mistake shows them again. The
/// screen is cleared after every page, also when the person cancels.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::Randomness`].
pub fn teach_words(terminal: &mut dyn Terminal, words: &Words) -> Result<(), Error> {
    loop {
        let shown = show_pages(terminal, words);
        terminal.clear()?;
        shown?;
        if asked_back(terminal, words)? {
            return terminal.show("All right. These words will not be shown again.\n");
        }
        terminal.show("That word is another one. The words are shown once more.\n")?;
    }
}

/// Asks for the operator's dice. The machine's commitment is shown first. An empty line means none.
///
/// # Errors
/// [`Error::Cancelled`]; other characters are asked for again.
pub fn ask_dice(terminal: &mut dyn Terminal, commitment: &[u8; 32]) -> Result<Option<Dice>, Error> {
    let commitment: String = commitment.iter().map(|byte| format!("{byte:02x}")).collect();
    terminal.show(&format!("SHA-256 of this machine's part: {commitment}\nNote it before you roll.\n"))?;
    loop {
        let line = terminal.ask("Dice (1-6) or coins (0, 1), empty for none: ", true)?;
        match Dice::new(line.expose()) {
            Ok(dice) => return Ok((dice.rolls() > 0).then_some(dice)),
            Err(error) => terminal.show(&format!("{error}\n"))?,
        }
    }
}

/// Shows this machine's part, so that the operator can check the mix against the commitment and the rolls; then wipes it.
///
/// # Errors
/// [`Error::Cancelled`]; the screen is cleared even then.
pub fn show_machine_part(terminal: &mut dyn Terminal, machine: &MachineEntropy) -> Result<(), Error> {
    let mut hex = Zeroizing::new(String::with_capacity(64));
    for byte in machine.expose() {
        for digit in [byte >> 4, byte & 0x0f] {
            hex.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
    }
    terminal.show("This machine's part, 32 bytes: ")?;
    terminal.show(&hex)?;
    terminal.show(
        "\nIts SHA-256 is what you noted. SHA-256 of these bytes and your digits in ASCII is the key's entropy\n(its first 16 bytes for 12 words). It is as secret as the words.\n",
    )?;
    let seen = terminal.ask("Press Enter to clear it: ", false);
    terminal.clear()?;
    seen.map(|_| ())
}

/// Asks for a whole mnemonic, one word after the other, for a restore. A word that is not in the list is asked for again
/// at once, all of them when their checksum is wrong; which of them is the wrong one then, nobody can say.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn ask_words(terminal: &mut dyn Terminal, count: WordCount) -> Result<Entropy, Error> {
    let total = count.words();
    loop {
        let mut all = Line::new()?;
        for position in 1..=total {
            let word = ask_word(terminal, position)?;
            for byte in word.expose().trim_ascii().iter().chain(b" ") {
                all.push(*byte)?;
            }
        }
        let text = std::str::from_utf8(all.expose()).map_err(|_| Error::Words("they are not UTF-8"))?;
        match Entropy::from_words(text) {
            Err(error @ Error::Words(_)) => terminal.show(&format!(
                "{error}. Each is in the list, but one or more are not those on the paper, or not in its order.\n\
Type all {total} again, from the first; Ctrl-C stops.\n"
            ))?,
            other => return other,
        }
    }
}

/// Asks for one word until it is in the list. What was typed is not shown.
fn ask_word(terminal: &mut dyn Terminal, position: usize) -> Result<Line, Error> {
    loop {
        let word = terminal.ask(&format!("Word {position}: "), false)?;
        if is_word(word.expose()) {
            return Ok(word);
        }
        terminal
            .show(&format!("What was typed for number {position} is not in the BIP39 list; once more.\n"))?;
    }
}

fn show_pages(terminal: &mut dyn Terminal, words: &Words) -> Result<(), Error> {
    let total = words.as_slice().len();
    let mut number = 0_usize;
    for page in words.as_slice().chunks(WORDS_PER_PAGE) {
        terminal.clear()?;
        terminal.show(&format!("Write these words on paper, in this order ({total} in all).\n\n"))?;
        for word in page {
            number = number.saturating_add(1);
            // Word by word, so that no buffer of ours holds more than one.
            terminal.show(&format!("  {number:>2}. "))?;
            terminal.show(word)?;
            terminal.show("\n")?;
        }
        terminal.ask("\nWritten down? Press Enter. ", false)?;
    }
    Ok(())
}

fn asked_back(terminal: &mut dyn Terminal, words: &Words) -> Result<bool, Error> {
    for position in positions(words.as_slice().len())? {
        let prompt = format!("Word {}: ", position.saturating_add(1));
        let answer = terminal.ask(&prompt, false)?;
        let expected = words.as_slice().get(position).map(|word| word.as_bytes());
        let same = expected.is_some_and(|word| answer.expose().trim_ascii().eq_ignore_ascii_case(word));
        terminal.clear()?;
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Distinct random positions, in rising order.
fn positions(total: usize) -> Result<Vec<usize>, Error> {
    let mut left: Vec<usize> = (0..total).collect();
    while left.len() > POSITIONS_ASKED {
        // 64 random bits: the bias of the remainder is far below notice.
        let draw = u64::from_be_bytes(random::array()?);
        let count = u64::try_from(left.len()).unwrap_or(u64::MAX);
        let index = draw.checked_rem(count).and_then(|index| usize::try_from(index).ok());
        left.remove(index.unwrap_or(0));
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers from a list; a prompt that names a word is answered from `words`.
    struct Script {
        answers: Vec<String>,
        words: Vec<&'static str>,
        lie: bool,
        screen: String,
        everything: String,
        echoed: bool,
    }

    impl Script {
        fn new(answers: &[&str]) -> Self {
            let answers = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
            let empty = String::new;
            Self { answers, words: vec![], lie: false, screen: empty(), everything: empty(), echoed: false }
        }
    }

    impl Terminal for Script {
        fn show(&mut self, text: &str) -> Result<(), Error> {
            self.screen += text;
            self.everything += text;
            Ok(())
        }

        fn ask(&mut self, prompt: &str, echo: bool) -> Result<Line, Error> {
            self.show(prompt)?;
            self.echoed |= echo;
            let number = prompt.strip_prefix("Word ").and_then(|rest| rest.strip_suffix(": "));
            let answer = match number.and_then(|number| number.parse::<usize>().ok()) {
                Some(_) if std::mem::take(&mut self.lie) => "zebra".to_owned(),
                Some(number) if !self.words.is_empty() => self.words[number - 1].to_owned(),
                _ => self.answers.pop().ok_or(Error::Cancelled)?,
            };
            let mut line = Line::new()?;
            answer.bytes().try_for_each(|byte| line.push(byte))?;
            Ok(line)
        }

        fn clear(&mut self) -> Result<(), Error> {
            self.screen.clear();
            Ok(())
        }
    }

    fn words() -> Words {
        let dice = Dice::new(b"123456").ok().unwrap();
        let machine = MachineEntropy::draw().ok().unwrap();
        machine.mix(Some(&dice), WordCount::TwentyFour).ok().unwrap().words().ok().unwrap()
    }

    #[test]
    fn the_machines_part_is_what_was_committed_to_and_is_wiped() {
        use bitcoin::hashes::{Hash, sha256};
        let machine = MachineEntropy::draw().ok().unwrap();
        let mut script = Script::new(&[""]);
        show_machine_part(&mut script, &machine).unwrap();
        assert!(script.screen.is_empty());
        let hex = script.everything.split_whitespace().find(|word| word.len() == 64).unwrap();
        let shown: [u8; 32] = bitcoin::hex::FromHex::from_hex(hex).unwrap();
        assert_eq!(sha256::Hash::hash(&shown).to_byte_array(), machine.commitment());
    }

    #[test]
    fn words_are_shown_four_to_a_page_asked_back_and_wiped() {
        let words = words();
        let mut script = Script::new(&[""; 6]);
        script.words = words.as_slice().to_vec();
        teach_words(&mut script, &words).unwrap();
        assert_eq!(script.everything.matches("Press Enter").count(), 6);
        assert_eq!(
            script.everything.matches("\nWord ").count() + script.everything.matches(" Word ").count(),
            4
        );
        assert_eq!(script.screen, "All right. These words will not be shown again.\n");
        assert!(!script.echoed);
    }

    #[test]
    fn a_wrong_word_shows_them_again() {
        let words = words();
        let mut script = Script::new(&[""; 12]);
        script.words = words.as_slice().to_vec();
        script.lie = true;
        teach_words(&mut script, &words).unwrap();
        assert_eq!(script.everything.matches("Press Enter").count(), 12);
    }

    #[test]
    fn cancelling_among_the_pages_leaves_an_empty_screen() {
        let mut script = Script::new(&["", ""]);
        assert!(matches!(teach_words(&mut script, &words()), Err(Error::Cancelled)));
        assert_eq!(script.screen, "");
    }

    #[test]
    fn a_new_passphrase_must_be_typed_twice_alike() {
        let mut script = Script::new(&["one", "two", "", "three", "three"]);
        assert_eq!(ask_new_passphrase(&mut script).ok().unwrap().expose(), b"three");
        assert!(!script.echoed);
        let mut script = Script::new(&["a", "b", "a", "b", "a", "b"]);
        assert!(matches!(ask_new_passphrase(&mut script), Err(Error::PassphrasesDiffer)));
    }

    #[test]
    fn dice_are_asked_after_the_commitment_and_may_be_none() {
        let mut script = Script::new(&["17", "1111"]);
        assert_eq!(ask_dice(&mut script, &[0xab; 32]).ok().unwrap().unwrap().rolls(), 4);
        assert!(script.everything.starts_with("SHA-256 of this machine's part: abab"));
        assert!(ask_dice(&mut Script::new(&[""]), &[0; 32]).ok().unwrap().is_none());
    }

    #[test]
    fn positions_asked_are_four_distinct_ones() {
        for _ in 0..50 {
            let positions = positions(24).unwrap();
            assert!(positions.len() == 4 && positions.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_mnemonic_is_taken_word_by_word() {
        let mut answers = ["abandon"; 12];
        answers[11] = "About";
        let entropy = ask_words(&mut Script::new(&answers), WordCount::Twelve).ok().unwrap();
        assert_eq!(entropy.words().ok().unwrap().as_slice()[11], "about");
    }

    #[test]
    fn a_word_outside_the_list_is_asked_again_and_all_of_them_when_the_checksum_is_wrong() {
        let mut answers = vec!["abandon"; 12];
        answers.splice(2..2, ["abandn", "", "abandon abandon", "\u{e9}"]);
        let first = answers.len();
        answers.extend([" abandon "; 11]);
        answers.push("about");
        let mut script = Script::new(&answers);
        let entropy = ask_words(&mut script, WordCount::Twelve).ok().unwrap();
        assert_eq!(entropy.words().ok().unwrap().as_slice()[11], "about");
        assert!(script.answers.is_empty() && !script.echoed && first == 16);
        assert_eq!(script.everything.matches("number 3 is not in the BIP39 list").count(), 4);
        assert_eq!(script.everything.matches("Word 3: ").count(), 6);
        assert_eq!(script.everything.matches("their checksum is wrong").count(), 1);
        assert_eq!(script.everything.matches("Word 1: ").count(), 2);
        assert!(!script.everything.contains("aband") && !script.everything.contains("about"));
    }

    #[test]
    fn backspace_takes_a_whole_letter_back() {
        let mut line = Line::new().ok().unwrap();
        "aé".bytes().for_each(|byte| line.push(byte).unwrap());
        line.backspace();
        assert_eq!(line.expose(), b"a");
        line.backspace();
        line.backspace();
        assert_eq!(line.expose(), b"");
    }
}
