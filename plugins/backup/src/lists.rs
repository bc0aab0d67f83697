//! Files with one entry a line.

use mhost_sdk::{Context, Doing as _, Failure};

/// Larger ones are a mistake.
const MOST: u64 = 4 << 20;

/// The lines, without blank ones and those that begin with `#`, as restic reads them.
pub fn read(context: &Context, path: &str) -> Result<Vec<String>, Failure> {
    let bytes = context.files().read(path, MOST);
    let bytes = bytes.doing(|| format!("read the list `{path}`"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::permanent(format!("the list `{path}` is no text in UTF-8")))?;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}
