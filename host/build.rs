//! Builds the built-in plugins as components and puts them into the binary.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

const PLUGINS: [&str; 5] = ["backup", "logrotate", "pack", "ping", "sync"];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    mhost_plugin_build::print_rerun();
    let packages = PLUGINS.map(|name| format!("mhost-plugin-{name}"));
    let components = mhost_plugin_build::build(&packages.each_ref().map(String::as_str), &out)?;
    let mut list = String::from("static EMBEDDED: &[Embedded] = &[\n");
    for (name, component) in PLUGINS.iter().zip(&components) {
        write_entry(&mut list, name, component, &out)?;
    }
    list.push_str("];\n");
    fs::write(out.join("embedded.rs"), list)?;
    Ok(())
}

fn write_entry(
    list: &mut String,
    name: &str,
    component: &Path,
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(component)?;
    let packed = out.join(format!("{name}.wasm.zst"));
    fs::write(&packed, zstd::encode_all(bytes.as_slice(), 19)?)?;
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    writeln!(
        list,
        "    Embedded {{ name: {name:?}, digest: {digest:?}, packed: include_bytes!({packed:?}) }},"
    )?;
    Ok(())
}
