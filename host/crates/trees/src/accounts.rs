//! The numbers of users and groups, from the machine's own files. Accounts that live
//! elsewhere (LDAP) are named by their number.

use std::fs;

use mhost_model::{Fault, FaultResult};

/// The number of a user.
pub fn user(name: &str) -> FaultResult<u32> {
    number("/etc/passwd", "user", name)
}

/// The number of a group.
pub fn group(name: &str) -> FaultResult<u32> {
    number("/etc/group", "group", name)
}

fn number(file: &str, kind: &str, name: &str) -> FaultResult<u32> {
    let text = fs::read_to_string(file)
        .map_err(|error| Fault::Failed(format!("cannot read {file}: {error}")))?;
    find(&text, name).ok_or_else(|| {
        Fault::NotFound(format!(
            "there is no {kind} `{name}` in {file}; one of a directory service goes by its number"
        ))
    })
}

/// `name:password:number:…`, a line each.
fn find(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name && !name.is_empty();
        found.then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_whole() {
        let text = "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/bin/false\nbroken\n::7\n";
        assert_eq!(find(text, "root"), Some(0));
        assert_eq!(find(text, "www-data"), Some(33));
        for missing in ["www", "", "broken", "x"] {
            assert_eq!(find(text, missing), None, "{missing}");
        }
    }
}
