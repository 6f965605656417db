//! What connects the machine with the world, and its memory.

use super::{Finding, kernel_file};
use psbt_tools::display::escape;
use std::path::{Path, PathBuf};

/// IFF_UP of netdevice(7).
const IFF_UP: u32 = 1;

/// Memory for everything but the key derivation, in KiB.
const SPARE_KIB: u64 = 128 << 10;

/// Network interfaces, by the same rule as the vault, which refuses to start while one is up.
pub fn network(root: &Path, allowed: bool) -> Finding {
    const NAME: &str = "network";
    let Some(entries) = folder(&root.join("sys/class/net")) else {
        return Finding::bad(NAME, "/sys/class/net cannot be read", "mount -t sysfs sysfs /sys");
    };
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for path in entries.into_iter().filter(|path| path.is_dir()) {
        let name = file_name(&path);
        if name == "lo" {
            continue;
        }
        let flags = kernel_file(&path.join("flags"));
        let flags = flags.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
        // Flags that cannot be read count as up.
        if flags.is_none_or(|flags| flags & IFF_UP != 0) { up.push(name) } else { down.push(name) }
    }
    let fix = || {
        let commands: Vec<String> = up.iter().map(|name| format!("ip link set {name} down")).collect();
        format!("unplug the cable, then as root: {}", commands.join("; "))
    };
    match (up.is_empty(), down.is_empty()) {
        (true, true) => Finding::ok(NAME, "no interface but the loopback"),
        (true, false) => Finding::ok(NAME, format!("down: {}", down.join(", "))),
        (false, _) if allowed => {
            Finding::note(NAME, format!("UP and allowed: {}", up.join(", ")), Some("never with real keys"))
        }
        (false, _) => Finding::bad(NAME, format!("up: {}", up.join(", ")), fix()),
    }
}

/// Radios that transmit (rfkill), and those that no switch governs.
pub fn radios(root: &Path, allowed: bool) -> Finding {
    const NAME: &str = "radios";
    let switches = folder(&root.join("sys/class/rfkill")).unwrap_or_default();
    let is_on = |path: &&PathBuf| {
        let blocked = |kind: &str| kernel_file(&path.join(kind)).is_some_and(|text| text.trim() == "1");
        !blocked("soft") && !blocked("hard")
    };
    let on: Vec<String> = switches
        .iter()
        .filter(is_on)
        .map(|path| {
            let kind = kernel_file(&path.join("type")).unwrap_or_else(|| "radio".to_owned());
            format!("{} ({})", escape(kind.trim()), file_name(path))
        })
        .collect();
    let devices: Vec<String> = ["sys/class/ieee80211", "sys/class/bluetooth"]
        .iter()
        .flat_map(|class| folder(&root.join(class)).unwrap_or_default())
        .map(|path| file_name(&path))
        .collect();
    if !on.is_empty() {
        let found = format!("on: {}", on.join(", "));
        return if allowed {
            Finding::note(NAME, found, Some("never with real keys"))
        } else {
            Finding::bad(NAME, found, "rfkill block all; better, take the module out of the machine")
        };
    }
    match (switches.is_empty(), devices.is_empty()) {
        (true, true) => Finding::ok(NAME, "none"),
        (false, _) => Finding::ok(NAME, "all blocked"),
        (true, false) => Finding::bad(
            NAME,
            format!("no switch governs {}", devices.join(", ")),
            "take the module out, or keep its driver from loading (/etc/modprobe.d, `blacklist NAME`)",
        ),
    }
}

/// Swap on a disk keeps what was in memory. Compressed memory (zram) does not leave the machine's memory.
pub fn swap(root: &Path) -> Finding {
    const NAME: &str = "swap";
    let Some(text) = kernel_file(&root.join("proc/swaps")) else {
        return Finding::ok(NAME, "the kernel has none");
    };
    let areas: Vec<String> =
        text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(escape).collect();
    let on_disk: Vec<String> = areas.iter().filter(|area| !area.starts_with("/dev/zram")).cloned().collect();
    match (areas.is_empty(), on_disk.is_empty()) {
        (true, _) => Finding::ok(NAME, "none"),
        (false, true) => Finding::ok(NAME, "compressed memory only"),
        (false, false) => Finding::bad(
            NAME,
            on_disk.join(", "),
            "as root: swapoff -a, and take its line out of /etc/fstab; what was swapped before stays on the disk",
        ),
    }
}

/// Memory for the key derivation of a new store.
pub fn memory(root: &Path, kdf_kib: u64) -> Finding {
    const NAME: &str = "memory";
    let needed = kdf_kib.saturating_add(SPARE_KIB);
    let text = kernel_file(&root.join("proc/meminfo")).unwrap_or_default();
    let available = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    let need = format!("{} MiB for the passphrase's key derivation", needed >> 10);
    match available {
        Some(kib) if kib >= needed => Finding::ok(NAME, format!("{} MiB free, {need}", kib >> 10)),
        Some(kib) => Finding::bad(
            NAME,
            format!("{} MiB free, {need}", kib >> 10),
            "end other programs; a machine of 2 GiB is enough",
        ),
        None => Finding::note(NAME, "unknown: /proc/meminfo cannot be read", None),
    }
}

/// The entries of a folder of `/sys`, sorted; `None` where it cannot be read.
fn folder(path: &Path) -> Option<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    Some(entries)
}

fn file_name(path: &Path) -> String {
    escape(&path.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn an_interface_that_is_up_is_in_the_way_with_the_command_that_ends_it() {
        let quiet = root(&[("sys/class/net/lo/flags", "0x9"), ("sys/class/net/wlan0/flags", "0x1002")]);
        assert_eq!(network(quiet.path(), false), Finding::ok("network", "down: wlan0"));
        let live = root(&[("sys/class/net/eth0/flags", "0x1003"), ("sys/class/net/odd0/none", "")]);
        let found = network(live.path(), false);
        assert_eq!((found.state, found.found.as_str()), (State::Bad, "up: eth0, odd0"));
        assert!(found.fix.unwrap().contains("ip link set eth0 down"));
        assert_eq!(network(live.path(), true).state, State::Note);
        assert_eq!(network(Path::new("/nowhere"), true).state, State::Bad);
    }

    #[test]
    fn a_radio_is_off_only_when_a_switch_blocks_it() {
        let blocked = root(&[
            ("sys/class/rfkill/rfkill0/type", "wlan\n"),
            ("sys/class/rfkill/rfkill0/soft", "1\n"),
            ("sys/class/rfkill/rfkill0/hard", "0\n"),
        ]);
        assert_eq!(radios(blocked.path(), false).state, State::Ok);
        let on = root(&[
            ("sys/class/rfkill/rfkill1/type", "bluetooth\n"),
            ("sys/class/rfkill/rfkill1/soft", "0\n"),
            ("sys/class/rfkill/rfkill1/hard", "0\n"),
        ]);
        assert_eq!(radios(on.path(), false).found, "on: bluetooth (rfkill1)");
        let ungoverned = root(&[("sys/class/ieee80211/phy0/x", "")]);
        assert_eq!(radios(ungoverned.path(), false).state, State::Bad);
        assert_eq!(radios(root(&[]).path(), false), Finding::ok("radios", "none"));
    }

    #[test]
    fn swap_on_a_disk_is_in_the_way_and_in_memory_is_not() {
        let heading = "Filename Type Size Used Priority\n";
        let with = |line: &str| root(&[("proc/swaps", &format!("{heading}{line}"))]);
        assert_eq!(swap(with("").path()), Finding::ok("swap", "none"));
        assert_eq!(swap(with("/dev/zram0 partition 9 0 5\n").path()).state, State::Ok);
        let found = swap(with("/dev/sda2 partition 9 0 -2\n").path());
        assert_eq!((found.state, found.found.as_str()), (State::Bad, "/dev/sda2"));
        assert!(found.fix.unwrap().contains("swapoff -a"));
    }

    #[test]
    fn memory_for_the_key_derivation_is_counted_with_something_to_spare() {
        let with = |kib: u64| root(&[("proc/meminfo", &format!("MemTotal: 9 kB\nMemAvailable: {kib} kB\n"))]);
        assert_eq!(memory(with((1 << 20) + SPARE_KIB).path(), 1 << 20).state, State::Ok);
        assert_eq!(memory(with(1 << 20).path(), 1 << 20).state, State::Bad);
        assert_eq!(memory(root(&[]).path(), 1 << 20).state, State::Note);
    }
}
