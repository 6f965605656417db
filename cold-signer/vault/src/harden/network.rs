//! Which network interfaces are up. Read before the sandbox, which hides /sys.

use std::path::Path;

use crate::Error;

/// IFF_UP of netdevice(7).
const IFF_UP: u32 = 1;

/// Names of all interfaces that are up, except the loopback; empty on a machine that is off the network.
///
/// # Errors
/// [`Error::Control`] when /sys/class/net cannot be read: what cannot be checked is not taken as offline.
pub fn network_live() -> Result<Vec<String>, Error> {
    live_below(Path::new("/sys/class/net"))
}

fn live_below(folder: &Path) -> Result<Vec<String>, Error> {
    let unknown = |error: std::io::Error| Error::Control {
        control: "network check",
        reason: format!("{}: {error}", folder.display()),
    };
    let mut live = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unknown)? {
        let entry = entry.map_err(unknown)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // /sys/class/net also holds plain files, such as bonding_masters.
        if name == "lo" || !entry.path().is_dir() {
            continue;
        }
        let flags = std::fs::read_to_string(entry.path().join("flags")).ok();
        let flags = flags.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
        // Flags that cannot be read count as up.
        if flags.is_none_or(|flags| flags & IFF_UP != 0) {
            live.push(name);
        }
    }
    live.sort();
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_live_when_its_up_flag_is_set_or_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, flags: Option<&str>| {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            if let Some(flags) = flags {
                std::fs::write(folder.path().join(name).join("flags"), flags).unwrap();
            }
        };
        put("lo", Some("0x9\n"));
        put("wlan0", Some("0x1002\n"));
        std::fs::write(folder.path().join("bonding_masters"), "").unwrap();
        assert_eq!(live_below(folder.path()).unwrap(), Vec::<String>::new());
        put("eth0", Some("0x1003\n"));
        put("odd0", None);
        assert_eq!(live_below(folder.path()).unwrap(), ["eth0", "odd0"]);
        assert!(live_below(&folder.path().join("absent")).is_err());
    }
}
