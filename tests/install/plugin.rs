//! The plugin says what an installation over stdio would.

use std::fs;
use std::path::PathBuf;

use sage::claude::install::{Via, Way, settings_text};
use serde_json::Value;

fn read(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("plugin")
        .join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn it_is_what_install_would_write() {
    let way = Way {
        via: Via::Stdio,
        program: Some("sage".to_owned()),
        data_dir: None,
        server: String::new(),
        wants_token: false,
    };
    let settings: Value = serde_json::from_str(&settings_text(&way).unwrap()).unwrap();
    assert_eq!(read("hooks/hooks.json")["hooks"], settings["hooks"]);
    assert_eq!(read(".mcp.json")["mcpServers"]["sage"], way.server_entry());
}

#[test]
fn its_version_is_that_of_sage() {
    let manifest = read(".claude-plugin/plugin.json");
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    let marketplace = read(".claude-plugin/marketplace.json");
    assert_eq!(marketplace["plugins"][0]["name"], manifest["name"]);
    assert_eq!(marketplace["plugins"][0]["source"], "./");
}
